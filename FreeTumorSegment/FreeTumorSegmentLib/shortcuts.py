"""Keys of the module: they work while it is open, and not in other modules."""

import qt
import slicer

KEYS = (
    ("Ctrl+Shift+Right", "nextButton"),
    ("Ctrl+Shift+Left", "previousButton"),
    ("Ctrl+Shift+Down", "nextOpenButton"),
    ("Ctrl+Shift+S", "saveVersionButton"),
    ("Ctrl+Shift+Y", "approveButton"),
    ("Ctrl+Shift+G", "flagButton"),
)


class Shortcuts:
    """Press the buttons of `ui` by keys; `parent`: whose they are where there is no main window."""

    def __init__(self, ui, parent) -> None:
        self.all = []
        for keys, button in KEYS:
            shortcut = qt.QShortcut(qt.QKeySequence(keys), slicer.util.mainWindow() or parent)
            shortcut.enabled = False
            shortcut.connect("activated()", getattr(ui, button).click)
            self.all.append(shortcut)

    def enable(self, isOn: bool) -> None:
        """The user comes to the module or goes."""
        for shortcut in self.all:
            shortcut.enabled = isOn

    def cleanup(self) -> None:
        """The module is unloaded."""
        for shortcut in self.all:
            shortcut.delete()
        self.all = []
