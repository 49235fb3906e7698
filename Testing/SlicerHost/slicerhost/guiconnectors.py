"""Widgets and parameters, both ways: which widget can show which type (``slicer.parameterNodeWrapper``).

The table is Slicer's ("Available connectors" of its manual) for the widgets that the host has: exact classes,
no subclasses. A pair that is not in it is refused, as in Slicer.
"""

from __future__ import annotations

import enum
import typing
from collections.abc import Callable

import slicer
from PySide6 import QtWidgets

from . import ctkmod
from .serializers import PATHS
from .validators import (
    Choice,
    Decimals,
    Maximum,
    Minimum,
    SingleStep,
    WithinRange,
    findFirstAnnotation,
    splitAnnotations,
    unannotatedType,
)


class GuiConnector:
    """One widget that shows one parameter."""

    signal: str | None = None

    def __init__(self, widget, kind, annotations: tuple):
        self._widget, self._kind, self._annotations = widget, kind, annotations
        self._callback: Callable[[], None] | None = None

    def widget(self):
        """The widget."""
        return self._widget

    def read(self):
        """The widget's value."""
        raise NotImplementedError

    def write(self, value) -> None:
        """Show a value."""
        raise NotImplementedError

    def onChanged(self, callback: Callable[[], None] | None) -> None:
        """Call this when the user changes the widget; None: no more."""
        before, self._callback = self._callback, callback
        if self.signal is None or (before is None) == (callback is None):
            return
        signal = getattr(self._widget, self.signal)
        (signal.disconnect if callback is None else signal.connect)(self.changed)

    def changed(self, *_) -> None:
        """The widget has changed."""
        if self._callback is not None:
            self._callback()


class _Checked(GuiConnector):
    def __init__(self, widget, kind, annotations: tuple):
        super().__init__(widget, kind, annotations)
        widget.checkable = True
        self.signal = "toggled" if isinstance(widget, QtWidgets.QPushButton) else "stateChanged"

    def read(self) -> bool:
        return self._widget.checked

    def write(self, value: bool) -> None:
        self._widget.checked = value


class _Number(GuiConnector):
    signal = "valueChanged"
    lowest, highest = -(2**31), 2**31 - 1

    def __init__(self, widget, kind, annotations: tuple):
        super().__init__(widget, kind, annotations)
        for annotation, name in ((Decimals, "decimals"), (SingleStep, "singleStep")):
            found = findFirstAnnotation(annotations, annotation)
            if found is not None:
                setattr(widget, name, found.value)
        within = findFirstAnnotation(annotations, WithinRange)
        low, high = findFirstAnnotation(annotations, Minimum), findFirstAnnotation(annotations, Maximum)
        if isinstance(widget, (QtWidgets.QSlider, ctkmod.ctkSliderWidget)) and not (within or (low and high)):
            raise RuntimeError(
                "expected WithinRange, or Minimum and Maximum, for a parameter on a "
                f"{type(widget).__name__}, got none."
            )
        bounds = within or low
        widget.minimum = self.lowest if bounds is None else bounds.minimum
        bounds = within or high
        widget.maximum = self.highest if bounds is None else bounds.maximum

    def read(self):
        return self._kind(self._widget.value)

    def write(self, value) -> None:
        self._widget.value = value


class _Float(_Number):
    lowest, highest = float("-inf"), float("inf")


class _Combo(GuiConnector):
    signal = "currentIndexChanged"

    def __init__(self, widget, kind, annotations: tuple):
        super().__init__(widget, kind, annotations)
        self._values = self._choices()
        widget.clear()
        for value in self._values:
            widget.addItem(self._label(value))

    def _choices(self) -> list:
        choice = findFirstAnnotation(self._annotations, Choice)
        if choice is None:
            raise RuntimeError("expected the annotation Choice for a parameter on a QComboBox, got none.")
        return list(choice.choices)

    def _label(self, value) -> str:
        return str(value)

    def read(self):
        return self._values[self._widget.currentIndex]

    def write(self, value) -> None:
        self._widget.currentIndex = self._values.index(value)


class _EnumCombo(_Combo):
    def _choices(self) -> list:
        return list(self._kind)

    def _label(self, value) -> str:
        return value.label() if hasattr(self._kind, "label") else value.name


class _Line(GuiConnector):
    signal = "textChanged"

    def read(self) -> str:
        return self._widget.text

    def write(self, value: str) -> None:
        # Setting the same text again would move the cursor of somebody who is typing.
        if self._widget.text != value:
            self._widget.text = value


class _Label(_Line):
    signal = None  # one way


class _TextEdit(GuiConnector):
    signal = "textChanged"

    def read(self) -> str:
        return self._widget.toPlainText()

    def write(self, value: str) -> None:
        if self.read() != value:
            self._widget.setPlainText(value)


class _Path(GuiConnector):
    signal = "currentPathChanged"

    def read(self):
        return self._kind(self._widget.currentPath)

    def write(self, value) -> None:
        self._widget.currentPath = str(value)


class _Node(GuiConnector):
    signal = "currentNodeChanged"

    def __init__(self, widget, kind, annotations: tuple):
        super().__init__(widget, kind, annotations)
        widget.nodeTypes = [cls.__name__ for cls in nodeClasses(kind)]

    def read(self):
        return self._widget.currentNode()

    def write(self, value) -> None:
        self._widget.setCurrentNode(value)


def _isNodeClass(kind) -> bool:
    return isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode)


def nodeClasses(hint) -> list[type]:
    """The node classes of a node type or a Union of them and None; empty for any other type."""
    kind = unannotatedType(hint)
    members = typing.get_args(kind) if typing.get_origin(kind) is typing.Union else (kind,)
    members = [unannotatedType(m) for m in members]
    if not all(_isNodeClass(m) or m is type(None) for m in members):
        return []
    return [m for m in members if _isNodeClass(m)]


def _is(*kinds) -> Callable[[object], bool]:
    return lambda kind: kind in kinds


def _isEnum(kind) -> bool:
    return isinstance(kind, type) and issubclass(kind, enum.Enum)


CONNECTORS = (
    (QtWidgets.QCheckBox, _is(bool), _Checked),
    (QtWidgets.QPushButton, _is(bool), _Checked),
    (QtWidgets.QSlider, _is(int), _Number),
    (QtWidgets.QSpinBox, _is(int), _Number),
    (QtWidgets.QDoubleSpinBox, _is(float), _Float),
    (ctkmod.ctkSliderWidget, _is(float), _Float),
    (ctkmod.ctkDoubleSpinBox, _is(float), _Float),
    (QtWidgets.QComboBox, _is(int, float, str, bool), _Combo),
    (QtWidgets.QComboBox, _isEnum, _EnumCombo),
    (QtWidgets.QLineEdit, _is(str), _Line),
    (QtWidgets.QTextEdit, _is(str), _TextEdit),
    (QtWidgets.QLabel, _is(str), _Label),
    (ctkmod.ctkPathLineEdit, _is(*PATHS), _Path),
)


def createGuiConnector(widget, hint) -> GuiConnector:
    """The connector of a widget and a (possibly annotated) type; RuntimeError where Slicer has none."""
    kind, annotations = splitAnnotations(hint)
    for cls, takes, connector in CONNECTORS:
        if type(widget) is cls and takes(kind):
            return connector(widget, kind, annotations)
    if type(widget) is slicer.qMRMLNodeComboBox and nodeClasses(kind):
        return _Node(widget, kind, annotations)
    raise RuntimeError(f"expected a pair of Slicer's connectors, got {kind} on a {type(widget).__name__}.")
