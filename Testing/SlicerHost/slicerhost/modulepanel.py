"""The module panel of the window: a list of the modules and the chosen module's widget."""

from __future__ import annotations

import slicer
from PySide6 import QtCore, QtWidgets
from PySide6.QtCore import Qt, Signal

WIDTH = 430


class ModulePanel(QtWidgets.QWidget):
    """Slicer's module selector and module panel: `selectModule`, as slicer.util.selectModule wants it."""

    moduleSelected = Signal(str)

    def __init__(self):
        super().__init__()
        self._current = ""
        self._buttons: dict[str, QtWidgets.QToolButton] = {}
        self._pages: dict[str, QtWidgets.QScrollArea] = {}
        self._row = QtWidgets.QHBoxLayout()
        self._row.setSpacing(4)
        self._stack = QtWidgets.QStackedWidget()
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 0)
        layout.addLayout(self._row)
        layout.addWidget(self._stack, 1)
        self.setMinimumWidth(WIDTH)

    def addModule(self, module) -> None:
        """Offer a loaded module."""
        button = QtWidgets.QToolButton()
        button.setText(module.title)
        button.setToolTip(module.helpText)
        button.setCheckable(True)
        button.setAutoExclusive(True)
        button.setIcon(module.icon)
        button.setIconSize(QtCore.QSize(24, 24))
        button.setToolButtonStyle(Qt.ToolButtonTextBesideIcon)
        button.setSizePolicy(QtWidgets.QSizePolicy.Expanding, QtWidgets.QSizePolicy.Fixed)
        button.clicked.connect(lambda *_: self.selectModule(module.name))
        self._buttons[module.name] = button
        self._row.addWidget(button)
        button.setStyleSheet("QToolButton:checked { background: palette(highlight); }")

    def moduleNames(self) -> tuple[str, ...]:
        """The modules that are offered, those that others build on first."""
        return tuple(self._buttons)

    def selectedModule(self) -> str:
        """Name of the module that is shown."""
        return self._current

    def selectModule(self, name: str) -> None:
        """Show a module: the old one's `exit`, the new one's `enter`."""
        if name not in self._buttons:
            raise ValueError(f"selectModule: expected one of {list(self._buttons)}, got {name!r}")
        if name == self._current:
            return
        if self._current:
            slicer.app.moduleManager().module(self._current).widgetRepresentation().exit()
        self._current = name
        widget = slicer.app.moduleManager().module(name).widgetRepresentation()
        self._stack.setCurrentWidget(self._pageOf(name, widget))
        self._buttons[name].setChecked(True)
        widget.enter()
        self.moduleSelected.emit(name)

    def reenter(self) -> None:
        """As if the user came to the module anew: it takes up a CT that was opened meanwhile."""
        if self._current:
            widget = slicer.app.moduleManager().module(self._current).widgetRepresentation()
            widget.exit()
            widget.enter()

    def _pageOf(self, name: str, widget: QtWidgets.QWidget) -> QtWidgets.QScrollArea:
        if name not in self._pages:
            page = QtWidgets.QScrollArea()
            page.setWidgetResizable(True)
            page.setFrameShape(QtWidgets.QFrame.NoFrame)
            page.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
            page.setWidget(widget)
            self._stack.addWidget(page)
            self._pages[name] = page
        return self._pages[name]

    def exitModule(self) -> None:
        """Leave the current module, before the window closes."""
        if self._current:
            slicer.app.moduleManager().module(self._current).widgetRepresentation().exit()
            self._current = ""
