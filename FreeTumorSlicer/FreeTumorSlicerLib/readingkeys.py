"""Keys of a reader study: they work only while a case is being read."""

import qt
import slicer

# Keys -> method of ReadingPanel, and its arguments.
KEYS = (
    *((str(number), "pressNumber", (number,)) for number in range(1, 7)),
    ("Return", "pressEnter", ()),
    ("Enter", "pressEnter", ()),
    ("Escape", "leaveComment", ()),
    ("Left", "chooseSide", ("left",)),
    ("Right", "chooseSide", ("right",)),
    ("Space", "jump", ()),
    ("H", "toggleCircle", ()),
    ("W", "nextWindow", ()),
    ("M", "mark", ()),
    ("C", "comment", ()),
    ("P", "togglePause", ()),
    ("Up", "scroll", (0, 1)),
    ("Down", "scroll", (0, -1)),
    ("Shift+Up", "scroll", (1, 1)),
    ("Shift+Down", "scroll", (1, -1)),
    ("Ctrl+Up", "scroll", (2, 1)),
    ("Ctrl+Down", "scroll", (2, -1)),
    ("+", "zoom", (0.8,)),
    ("=", "zoom", (0.8,)),  # the plus of keyboards that want Shift for it
    ("-", "zoom", (1.25,)),
)


class ReadingKeys:
    """Calls the methods of a panel by keys.

    Args:
        panel: ReadingPanel. parent: whose keys they are where there is no main window.
    """

    def __init__(self, panel, parent) -> None:
        self._panel, self._parent, self.all = panel, parent, []

    def enable(self, isOn: bool) -> None:
        """Let the keys work, or not. They are made at the first use, as there must be a main window."""
        if isOn and not self.all:
            self.all = [self._shortcut(*entry) for entry in KEYS]
        for shortcut in self.all:
            shortcut.enabled = isOn

    def cleanup(self) -> None:
        """The module is unloaded."""
        for shortcut in self.all:
            shortcut.delete()
        self.all = []

    def _shortcut(self, keys: str, method: str, arguments: tuple):
        shortcut = qt.QShortcut(qt.QKeySequence(keys), slicer.util.mainWindow() or self._parent)
        shortcut.connect("activated()", lambda: getattr(self._panel, method)(*arguments))
        return shortcut
