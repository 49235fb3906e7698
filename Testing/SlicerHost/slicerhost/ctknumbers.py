"""The CTK widgets of a floating point number."""

from __future__ import annotations

from PySide6 import QtWidgets
from PySide6.QtCore import Qt, Signal


def _ofSpinBox(name: str) -> property:
    setter = f"set{name[0].upper()}{name[1:]}"
    return property(
        lambda self: getattr(self._spinBox, name), lambda self, value: getattr(self, setter)(value)
    )


class _Number(QtWidgets.QWidget):
    """What the widgets of a floating point number share: they hold a QDoubleSpinBox."""

    valueChanged = Signal(float)

    def __init__(self, parent: QtWidgets.QWidget | None = None):
        super().__init__(parent)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._spinBox = QtWidgets.QDoubleSpinBox(self)
        layout.addWidget(self._spinBox)
        self._spinBox.valueChanged.connect(self._spun)

    def _spun(self, value: float) -> None:
        self.valueChanged.emit(value)

    def setValue(self, value: float) -> None:
        """Rounded to the decimals and clamped to the range."""
        self._spinBox.setValue(value)

    def setMinimum(self, minimum: float) -> None:
        """The maximum moves up if it has to."""
        self._spinBox.setMinimum(minimum)

    def setMaximum(self, maximum: float) -> None:
        """The minimum moves down if it has to."""
        self._spinBox.setMaximum(maximum)

    def setRange(self, minimum: float, maximum: float) -> None:
        """Both ends."""
        self.setMinimum(minimum)
        self.setMaximum(maximum)

    def setSingleStep(self, step: float) -> None:
        """What an arrow key adds."""
        self._spinBox.setSingleStep(step)

    def setDecimals(self, decimals: int) -> None:
        """Digits after the point."""
        self._spinBox.setDecimals(decimals)

    def setPrefix(self, text: str) -> None:
        """Text before the number."""
        self._spinBox.setPrefix(text)

    def setSuffix(self, text: str) -> None:
        """Text after the number, like a unit."""
        self._spinBox.setSuffix(text)

    value, minimum, maximum = _ofSpinBox("value"), _ofSpinBox("minimum"), _ofSpinBox("maximum")
    singleStep, decimals = _ofSpinBox("singleStep"), _ofSpinBox("decimals")
    prefix, suffix = _ofSpinBox("prefix"), _ofSpinBox("suffix")

    def spinBox(self) -> QtWidgets.QDoubleSpinBox:
        """The spin box inside."""
        return self._spinBox


class ctkSliderWidget(_Number):
    """A slider and a spin box of one number. Its range is 0 to 99 unless set."""

    valueIsChanging = Signal(float)
    _STEPS = 10_000

    def __init__(self, parent: QtWidgets.QWidget | None = None):
        super().__init__(parent)
        self._pageStep, self._tracking, self._moving = 10.0, True, False
        self._slider = QtWidgets.QSlider(Qt.Horizontal, self)
        self._slider.setRange(0, self._STEPS)
        self._spinBox.setRange(0.0, 99.0)
        self.layout().insertWidget(0, self._slider)
        self._slider.valueChanged.connect(self._slid)
        self._slider.sliderReleased.connect(self._released)

    def _spun(self, value: float) -> None:
        self._moveSlider()
        if self._tracking or not self._slider.sliderDown:
            self.valueChanged.emit(value)
        else:
            self.valueIsChanging.emit(value)

    def _moveSlider(self) -> None:
        low, span = self.minimum, self.maximum - self.minimum
        self._moving = True
        self._slider.setValue(round(self._STEPS * (self.value - low) / span) if span > 0 else 0)
        self._moving = False

    def _slid(self, position: int) -> None:
        if not self._moving:
            self._spinBox.setValue(self.minimum + (self.maximum - self.minimum) * position / self._STEPS)

    def _released(self) -> None:
        if not self._tracking:
            self.valueChanged.emit(self.value)

    def setMinimum(self, minimum: float) -> None:
        """The maximum moves up if it has to."""
        super().setMinimum(minimum)
        self._moveSlider()

    def setMaximum(self, maximum: float) -> None:
        """The minimum moves down if it has to."""
        super().setMaximum(maximum)
        self._moveSlider()

    def setPageStep(self, step: float) -> None:
        """What Page Up adds."""
        self._pageStep = step

    pageStep = property(lambda self: self._pageStep, setPageStep)

    def setTracking(self, tracking: bool) -> None:
        """Is valueChanged sent while the slider is dragged? If not, valueIsChanging is."""
        self._tracking = bool(tracking)

    tracking = property(lambda self: self._tracking, setTracking)

    def setSpinBoxVisible(self, visible: bool) -> None:
        """Show the number, or the slider alone."""
        self._spinBox.setVisible(visible)

    spinBoxVisible = property(lambda self: not self._spinBox.isHidden(), setSpinBoxVisible)

    def slider(self) -> QtWidgets.QSlider:
        """The slider inside; its positions are steps, not values."""
        return self._slider

    def reset(self) -> None:
        """Back to zero, or to the end of the range that is nearest to it."""
        self.setValue(0.0)


class ctkDoubleSpinBox(_Number):
    """A spin box of one number."""

    decimalsChanged = Signal(int)
    editingFinished = Signal()

    def __init__(self, parent: QtWidgets.QWidget | None = None):
        super().__init__(parent)
        self._spinBox.editingFinished.connect(self.editingFinished)

    def setDecimals(self, decimals: int) -> None:
        """Digits after the point."""
        before = self.decimals
        super().setDecimals(decimals)
        if self.decimals != before:
            self.decimalsChanged.emit(self.decimals)

    def stepUp(self) -> None:
        """One step more."""
        self._spinBox.stepUp()

    def stepDown(self) -> None:
        """One step less."""
        self._spinBox.stepDown()
