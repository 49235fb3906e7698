"""Windows of a reader study: the study's presets, the reader's own, and who is to know of them."""

import qt
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin


class ReadingWindows(VTKObservationMixin):
    """Keeps the cases on the screen in one window.

    Args:
        box: widget with a layout for the buttons. changed: called with (window, level).
    """

    def __init__(self, box, changed) -> None:
        VTKObservationMixin.__init__(self)
        self._box, self._changed = box, changed
        self._presets, self._buttons, self._cases, self._isBusy = (), [], [], False
        self.current = (0.0, 0.0)

    def setCases(self, cases, presets) -> None:
        """Show cases (ReadingCase) in the first of their presets; follow what the reader does."""
        self.removeObservers()
        self._cases = list(cases)
        if not self._cases:
            return
        if tuple(presets) != self._presets:
            self._makeButtons(tuple(presets))
        for case in self._cases:
            self.addObserver(case.displayNode, "ModifiedEvent", self._onModified)
        self.choose(0)

    def choose(self, index: int) -> None:
        """Show a preset."""
        _name, window, level = self._presets[index]
        self._set(window, level)

    def chooseNext(self) -> None:
        """Show the preset after the current one."""
        shown = [index for index, preset in enumerate(self._presets) if preset[1:] == self.current]
        self.choose((shown[0] + 1) % len(self._presets) if shown else 0)

    def _set(self, window: float, level: float) -> None:
        self._isBusy = True
        try:
            for case in self._cases:
                case.setWindow(window, level)
        finally:
            self._isBusy = False
        self.current = (window, level)
        for button, preset in zip(self._buttons, self._presets, strict=True):
            button.checked = preset[1:] == self.current
        self._changed(window, level)

    def _onModified(self, display, _event) -> None:
        """A drag with the mouse, or another program: both cases of a pair follow."""
        now = (display.GetWindow(), display.GetLevel())
        if not self._isBusy and now != self.current:
            self._set(*now)

    def _makeButtons(self, presets: tuple) -> None:
        for button in self._buttons:
            self._box.layout().removeWidget(button)
            button.delete()
        self._presets, self._buttons = presets, []
        for index, (name, window, level) in enumerate(presets):
            button = qt.QRadioButton(name)
            button.autoExclusive = False
            button.focusPolicy = qt.Qt.NoFocus
            button.toolTip = _("Window {window}, level {level}").format(
                window=f"{window:g}", level=f"{level:g}"
            )
            button.connect("clicked()", lambda index=index: self.choose(index))
            self._box.layout().addWidget(button)
            self._buttons.append(button)
