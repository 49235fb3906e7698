"""What a reader sees: a case or a pair in its views, with circle, window and mark; all of it or nothing."""

from slicer.i18n import tr as _

from FreeTumorSlicerLib.readingcase import ReadingCase
from FreeTumorSlicerLib.readingmark import ReadingMark
from FreeTumorSlicerLib.readingviews import ReadingViews
from FreeTumorSlicerLib.readingwindows import ReadingWindows


class ReadingScreen:
    """The views and what is in them.

    Args:
        ui: the widgets of the reading form. windowChanged: called with (window, level).
    """

    def __init__(self, ui, windowChanged) -> None:
        self._ui = ui
        self.cases, self._isHidden = [], True
        self.views = ReadingViews()
        self.windows = ReadingWindows(ui.presetBox, windowChanged)
        self.mark = ReadingMark(self.views, self._showMark)
        ui.circleCheck.connect("clicked()", self._showCircle)
        ui.removeMarkButton.connect("clicked()", self.mark.remove)

    @property
    def markedCase(self) -> str | None:
        """Id of the case that holds the mark."""
        return None if self.mark.ras is None else self.cases[self.mark.side].id

    def open(self, studyCases) -> None:
        """Bring one case, or two, into the scene and its views.

        Raises:
            BadInput: a CT cannot be read. Nothing is left of the others.
        """
        self.clear()
        self.views.open(len(studyCases))
        names = (_("CT"),) if len(studyCases) == 1 else (_("CT left"), _("CT right"))
        try:
            for side, (case, name) in enumerate(zip(studyCases, names, strict=True)):
                self.cases.append(ReadingCase(case, name, self.views.viewIDs(side)))
        except BaseException:
            self.clear()
            raise
        self.windows.setCases(self.cases, studyCases[0].presets)
        self.show()
        self.jump()

    def show(self) -> None:
        """The case can be seen."""
        self._isHidden = False
        for side, case in enumerate(self.cases):
            self.views.show(side, case.volumeNode)
        self._showCircle()
        self.mark.setVisible(True)
        self._showMark()

    def hide(self) -> None:
        """The case cannot be seen, but is there."""
        self._isHidden = True
        if self.mark.isPlacing:
            self.mark.remove()
        if self.views.isOpen:
            self.views.blank()
        self._showCircle()
        self.mark.setVisible(False)

    def clear(self) -> None:
        """Nothing of the case is left in the scene."""
        self.hide()
        self.mark.remove()
        self.windows.setCases([], ())
        for case in self.cases:
            case.remove()
        self.cases = []

    def close(self) -> None:
        """The user's own views are back."""
        self.clear()
        self.views.close()

    def jump(self) -> None:
        """Every case as it is shown first: its lesion in the middle."""
        for side, case in enumerate(self.cases):
            self.views.jump(side, case.center)

    def toggleMark(self) -> None:
        """The next click in a slice is the mark; or it is given up."""
        if self._isHidden or self.mark.isPlacing:
            self.mark.remove()
        else:
            self.mark.place()

    def _showCircle(self) -> None:
        for case in self.cases:
            case.setCueVisible(self._ui.circleCheck.checked and not self._isHidden)

    def _showMark(self) -> None:
        isPlacing, isSet = self.mark.isPlacing, self.mark.ras is not None
        self._ui.markButton.checked = isPlacing or isSet
        self._ui.markButton.text = (
            _("Click in a slice") if isPlacing else _("Marked") if isSet else _("What gave it away")
        )
        self._ui.removeMarkButton.setVisible(isPlacing or isSet)
