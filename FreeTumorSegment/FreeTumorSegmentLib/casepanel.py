"""The cases of a folder, one after the other."""

from freetumor.segmentation import CaseList
from FreeTumorSlicerLib.widgets import enable, showNoDots, showPlaceholder
from slicer.i18n import tr as _

MARKS = {"open": " ", "approved": "\u2713", "flagged": "\u2691"}


class CasePanel:
    """``ui.caseList``: the cases of a folder; calls `openCase(case)` with the one that the user chose.

    `openCase` answers whether it opened the case; if not, the list goes back to the one before.
    """

    def __init__(self, ui, openCase) -> None:
        self._ui, self._openCase = ui, openCase
        self.cases = None
        showPlaceholder(ui.casesFolderEdit, _("folder of the cases"))
        ui.caseList.connect("currentRowChanged(int)", self._onRowChanged)
        ui.previousButton.connect("clicked()", self.previous)
        ui.nextButton.connect("clicked()", self.next)
        ui.nextOpenButton.connect("clicked()", self.nextOpen)
        self.updateButtons()

    def read(self, folder, current: str = "") -> None:
        """List the cases of `folder`, with `current` (a folder's path) as the open one; raises BadInput."""
        self.forget()
        cases = CaseList(folder)
        paths = [str(case.path) for case in cases.cases]
        cases.index = paths.index(current) if current in paths else -1
        self.cases = cases
        self.updateMarks()

    def forget(self) -> None:
        """No folder any more."""
        self.cases = None
        self._block(lambda: self._ui.caseList.clear())
        self.updateButtons()

    def updateMarks(self) -> None:
        """Write the names again, each with what its last review said."""

        def fill() -> None:
            self._ui.caseList.clear()
            for case in self.cases.cases:
                mark = MARKS[case.pseudo_label.latest().status]
                self._ui.caseList.addItem(f"{mark}  {case.name}")
            self._ui.caseList.setCurrentRow(self.cases.index)

        if self.cases is not None:
            self._block(fill)
        self.updateButtons()

    def open(self, name: str) -> bool:
        """Open the case of a name; whether it is open then."""
        names = [] if self.cases is None else [case.name for case in self.cases.cases]
        if name not in names:
            return False
        self._ui.caseList.setCurrentRow(names.index(name))
        return self.cases.index == names.index(name)

    def next(self) -> None:
        """Open the next case."""
        self._go(lambda cases: cases.index + 1)

    def previous(self) -> None:
        """Open the case before."""
        self._go(lambda cases: cases.index - 1)

    def nextOpen(self) -> None:
        """Open the next case that nobody has judged."""
        self._go(_nextOpenIndex)

    def updateButtons(self) -> None:
        """Enable what can be done; the tool tips say why the rest cannot."""
        count = 0 if self.cases is None else len(self.cases)
        index = -1 if self.cases is None else self.cases.index
        showNoDots(self._ui.casesFolderEdit)
        none = _("Choose a folder of cases first.")
        enable(self._ui.nextButton, index + 1 < count, none if not count else _("This is the last case."))
        enable(self._ui.previousButton, index > 0, none if not count else _("This is the first case."))
        enable(self._ui.nextOpenButton, count > 0, none)

    def _go(self, where) -> None:
        if self.cases is None:
            return
        index = where(self.cases)
        if 0 <= index < len(self.cases):
            self._ui.caseList.setCurrentRow(index)

    def _onRowChanged(self, row: int) -> None:
        if self.cases is None or row < 0 or row == self.cases.index:
            return
        before = self.cases.index
        case = self.cases.go(row)
        if not self._openCase(case):
            self.cases.index = before
            self._block(lambda: self._ui.caseList.setCurrentRow(before))
        self.updateButtons()

    def _block(self, change) -> None:
        was = self._ui.caseList.blockSignals(True)
        try:
            change()
        finally:
            self._ui.caseList.blockSignals(was)


def _nextOpenIndex(cases) -> int:
    before = cases.index
    found = cases.next_open()
    index = cases.index if found is not None else -1
    cases.index = before
    return index
