"""The cases of a folder in the hub: how their review stands, and the way to the other modules."""

import slicer
from freetumor.segmentation import CaseList
from slicer.i18n import tr as _

from FreeTumorSlicerLib.widgets import enable, fillTable, showNoDots, showPlaceholder


class CasesPanel:
    """The section Cases of the hub.

    Args:
        ui: the widgets of the form. attempt: see `attempts`.
        parameters: function that gives the parameter node.
    """

    def __init__(self, ui, attempt, parameters) -> None:
        self._ui, self._attempt, self._parameters = ui, attempt, parameters
        self.cases = []
        showPlaceholder(ui.casesFolderEdit, _("folder of the cases"))
        ui.refreshButton.connect("clicked()", self.refresh)
        ui.reviewButton.connect("clicked()", self.review)
        ui.openSynthButton.connect("clicked()", self.openSynth)
        ui.openSegmentButton.connect("clicked()", self.openSegment)

    def update(self) -> None:
        """Show the parameters; the folder is not read."""
        showNoDots(self._ui.casesFolderEdit)

    def refresh(self) -> None:
        """Read the folder again."""
        folder = self._parameters().casesFolder
        self.update()
        self.cases, rows = [], []
        if str(folder) not in ("", "."):
            done, rows = self._attempt(self._read, folder)
            if not done:
                self.cases, rows = [], []
        fillTable(self._ui.caseTable, rows)
        enable(self._ui.reviewButton, bool(self.cases), _("Choose a folder of cases first."))

    def syntheticCases(self) -> list:
        """Folders of the cases that can be exported: those that FreeTumor made."""
        return [case.path for case in self.cases if case.organ is not None]

    def review(self) -> None:
        """Open the selected case, or the first, in FreeTumor Segment."""
        row = max(0, self._ui.caseTable.currentRow())
        widget = self._widgetOf("FreeTumorSegment")
        if widget is None or row >= len(self.cases):
            return
        if widget.openCases(self._parameters().casesFolder, self.cases[row].name):
            self._select("FreeTumorSegment")

    def openSynth(self) -> None:
        """Go to FreeTumor Synth."""
        self._select("FreeTumorSynth")

    def openSegment(self) -> None:
        """Go to FreeTumor Segment."""
        self._select("FreeTumorSegment")

    def _read(self, folder) -> list:
        self.cases = CaseList(folder).cases
        return [(case.name, case.organ or "-", case.pseudo_label.latest().status) for case in self.cases]

    def _widgetOf(self, name: str):
        module = getattr(slicer.modules, name.lower(), None)
        if module is None:
            self._attempt.say(
                _("The module {name} is not loaded: enable it in the settings, section Modules.").format(
                    name=name
                )
            )
            return None
        return module.widgetRepresentation().self()

    def _select(self, name: str) -> None:
        if self._widgetOf(name) is not None and slicer.util.mainWindow() is not None:
            slicer.util.selectModule(name)
