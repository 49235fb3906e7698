"""Slicer's module ``ctk``: the CTK widgets that our modules use, over PySide6."""

from __future__ import annotations

import sys
import types

from PySide6 import QtWidgets
from PySide6.QtCore import Qt, Signal

from .ctknumbers import ctkDoubleSpinBox, ctkSliderWidget
from .ctkpath import ctkPathLineEdit


class ctkCollapsibleButton(QtWidgets.QWidget):
    """A heading that folds the widgets in its layout away."""

    contentsCollapsed = Signal(bool)
    toggled = Signal(bool)
    clicked = Signal(bool)

    def __init__(self, text: str | QtWidgets.QWidget | None = None, parent: QtWidgets.QWidget | None = None):
        if isinstance(text, QtWidgets.QWidget):
            text, parent = None, text
        super().__init__(parent)
        self._collapsed, self._height, self._shape, self._checkable = False, 0, 0, True
        self._hidden: list[QtWidgets.QWidget] = []
        self._button = QtWidgets.QToolButton(self)
        self._button.setToolButtonStyle(Qt.ToolButtonTextBesideIcon)
        self._button.setFocusPolicy(Qt.NoFocus)
        self._button.setText(text or "")
        self._button.clicked.connect(self._pressed)
        self._place()

    def _place(self) -> None:
        height = self._button.sizeHint.height()
        self._button.setGeometry(0, 0, max(self.width, 50), height)
        self._button.setArrowType(Qt.RightArrow if self._collapsed else Qt.DownArrow)
        self.setContentsMargins(0, height, 0, 0)
        # Unfolded, the layout says how small it may get: a minimum of our own would let it be squashed.
        self.setMinimumHeight(height if self._collapsed else 0)
        self.setMaximumHeight(height + self._height if self._collapsed else 16777215)

    def _pressed(self) -> None:
        if self._checkable:
            self.setCollapsed(not self._collapsed)
        self.clicked.emit(not self._collapsed)

    def _contents(self) -> list[QtWidgets.QWidget]:
        return [c for c in self.children() if isinstance(c, QtWidgets.QWidget) and c is not self._button]

    def resizeEvent(self, event) -> None:
        """Qt: keep the heading as wide as the widget."""
        self._place()

    def setCollapsed(self, collapsed: bool) -> None:
        """Fold the contents away, or unfold them."""
        if bool(collapsed) == self._collapsed:
            return
        self._collapsed = bool(collapsed)
        if collapsed:
            # A child that is hidden on purpose stays hidden when unfolded.
            self._hidden = [c for c in self._contents() if c.isHidden()]
        for child in self._contents():
            if child not in self._hidden:
                child.setVisible(not collapsed)
        self._place()
        self.contentsCollapsed.emit(self._collapsed)
        self.toggled.emit(not self._collapsed)

    collapsed = property(lambda self: self._collapsed, setCollapsed)

    def setChecked(self, checked: bool) -> None:
        """QAbstractButton: checked is the opposite of collapsed."""
        self.setCollapsed(not checked)

    checked = property(lambda self: not self._collapsed, setChecked)

    def setCheckable(self, checkable: bool) -> None:
        """May the user fold it?"""
        self._checkable = bool(checkable)

    checkable = property(lambda self: self._checkable, setCheckable)

    def setText(self, text: str) -> None:
        """The heading."""
        self._button.setText(text)
        self._place()

    text = property(lambda self: self._button.text, setText)

    def setCollapsedHeight(self, height: int) -> None:
        """How much of the contents is visible when folded, in pixels."""
        self._height = height
        self._place()

    collapsedHeight = property(lambda self: self._height, setCollapsedHeight)

    def setContentsFrameShape(self, shape) -> None:
        """Kept, not drawn."""
        self._shape = shape

    contentsFrameShape = property(lambda self: self._shape, setContentsFrameShape)

    def click(self) -> None:
        """As if the user pressed the heading."""
        self._button.click()

    def toggle(self) -> None:
        """Fold or unfold."""
        self.setCollapsed(not self._collapsed)


class ctkMessageBox(QtWidgets.QMessageBox):
    """Slicer's message box."""


WIDGETS = {
    c.__name__: c
    for c in (ctkCollapsibleButton, ctkSliderWidget, ctkDoubleSpinBox, ctkPathLineEdit, ctkMessageBox)
}


def install() -> types.ModuleType:
    """Register ``ctk``; the same module on every call."""
    if "ctk" not in sys.modules:
        ctk = types.ModuleType("ctk", __doc__)
        for name, widget in WIDGETS.items():
            setattr(ctk, name, widget)
        sys.modules["ctk"] = ctk
    return sys.modules["ctk"]
