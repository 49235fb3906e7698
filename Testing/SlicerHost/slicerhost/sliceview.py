"""Slice views: a bar with the slice position, and the slice drawn by MRML's displayable managers."""

from __future__ import annotations

import slicer
import vtk
from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Qt

from . import cornertext
from .observing import Observations
from .viewpane import ViewPane


class qMRMLSliceView(ViewPane):
    """The picture of a slice."""

    FACTORY = slicer.vtkMRMLSliceViewDisplayableManagerFactory
    MANAGERS = (
        "vtkMRMLCrosshairDisplayableManager",
        "vtkMRMLModelSliceDisplayableManager",
        "vtkMRMLOrientationMarkerDisplayableManager",
        "vtkMRMLRulerDisplayableManager",
        "vtkMRMLSegmentationsDisplayableManager2D",
        "vtkMRMLMarkupsDisplayableManager",
    )

    def __init__(self, logic: slicer.vtkMRMLSliceLogic, applicationLogic, parent=None):
        super().__init__(applicationLogic, parent)
        self._logic = logic
        self._observations.add(logic, vtk.vtkCommand.ModifiedEvent, self._onLogicModified)

    def _prepare(self) -> None:
        self._renderer.GetActiveCamera().ParallelProjectionOn()
        self._renderer.SetBackground(0, 0, 0)
        # The slice logic hands out ready RGBA pixels: window and level are applied before.
        self._mapper = vtk.vtkImageMapper()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        self._actor = vtk.vtkActor2D()
        self._actor.SetMapper(self._mapper)
        self._actor.GetProperty().SetDisplayLocationToBackground()
        self._renderer.AddViewProp(self._actor)
        self._connect()

    def _newStyle(self):
        style = slicer.vtkMRMLSliceViewInteractorStyle()
        style.SetSliceLogic(self._logic)
        return style

    def _connect(self) -> None:
        connection = self._logic.GetImageDataConnection()
        self._mapper.SetInputConnection(connection)
        self._actor.SetVisibility(connection is not None)

    def _onLogicModified(self, _logic, _data) -> None:
        if self._window is not None:
            self._connect()
        self.scheduleRender()

    def _resized(self, width: int, height: int) -> None:
        self._logic.ResizeSliceNode(width, height)

    def _annotate(self, painter: QtGui.QPainter) -> None:
        cornertext.draw(painter, self.rect, self._node, self._logic)

    def sliceLogic(self) -> slicer.vtkMRMLSliceLogic:
        """The slice logic."""
        return self._logic

    def mrmlSliceNode(self) -> slicer.vtkMRMLSliceNode:
        """The slice node."""
        return self._node

    def convertDeviceToXYZ(self, xy) -> list[float]:
        """Pixels from below left -> the slice's XYZ."""
        return [float(xy[0]), float(xy[1]), 0.0]

    def convertXYZToRAS(self, xyz) -> list[float]:
        """Pixels of this view -> RAS mm."""
        return list(self._node.GetXYToRAS().MultiplyPoint([*xyz[:3], 1.0])[:3])

    def convertRASToXYZ(self, ras) -> list[float]:
        """RAS mm -> pixels of this view."""
        inverse = vtk.vtkMatrix4x4()
        vtk.vtkMatrix4x4.Invert(self._node.GetXYToRAS(), inverse)
        return list(inverse.MultiplyPoint([*ras[:3], 1.0])[:3])


class _Bar(QtWidgets.QWidget):
    """Name, slider and position of a slice."""

    def __init__(self, logic: slicer.vtkMRMLSliceLogic):
        super().__init__()
        self._logic = logic
        self._busy = False
        self._name = QtWidgets.QLabel()
        self._slider = QtWidgets.QSlider(Qt.Horizontal)
        self._position = QtWidgets.QLabel()
        self._position.setMinimumWidth(86)
        self._position.setAlignment(Qt.AlignRight | Qt.AlignVCenter)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(6, 2, 6, 2)
        for part in (self._name, self._slider, self._position):
            layout.addWidget(part, 1 if part is self._slider else 0)
        self._slider.valueChanged.connect(self._onSlider)

    def _range(self) -> tuple[float, float, float]:
        bounds, step = [0.0, 0.0], vtk.reference(1.0)
        if not self._logic.GetSliceOffsetRangeResolution(bounds, step):
            return 0.0, 0.0, 1.0
        return bounds[0], bounds[1], float(step.get()) or 1.0

    def refresh(self, orientation: str) -> None:
        low, high, step = self._range()
        offset = self._logic.GetSliceOffset()
        self._busy = True
        self._slider.setRange(0, max(0, round((high - low) / step)))
        self._slider.setValue(round((offset - low) / step))
        self._busy = False
        towards = cornertext.normal(self._logic.GetSliceNode()) * (1 if offset >= 0 else -1)
        self._position.setText(f"{cornertext.side(towards)} {abs(offset):.1f} mm")
        self._name.setText(orientation)

    def _onSlider(self, value: int) -> None:
        if not self._busy:
            low, _, step = self._range()
            self._logic.StartSliceOffsetInteraction()
            self._logic.SetSliceOffset(low + value * step)
            self._logic.EndSliceOffsetInteraction()


class qMRMLSliceWidget(QtWidgets.QWidget):
    """A slice view with its bar, as ``layoutManager().sliceWidget("Red")`` gives it."""

    def __init__(self, node: slicer.vtkMRMLSliceNode, applicationLogic):
        super().__init__()
        self._node: slicer.vtkMRMLSliceNode | None = None
        self._observations = Observations(self)
        self._logic = slicer.vtkMRMLSliceLogic()
        self._logic.SetMRMLApplicationLogic(applicationLogic)
        self._logic.SetMRMLScene(node.GetScene())
        self._logic.SetSliceNode(node)
        applicationLogic.GetSliceLogics().AddItem(self._logic)
        self._view = qMRMLSliceView(self._logic, applicationLogic, self)
        self._bar = _Bar(self._logic)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._bar)
        layout.addWidget(self._view, 1)
        self.setViewNode(node)

    def setViewNode(self, node: slicer.vtkMRMLSliceNode) -> None:
        """Show another slice node (after a scene was closed)."""
        if node is self._node:
            return
        self._observations.clear()
        self._node = node
        self._logic.SetSliceNode(node)
        self._view.setViewNode(node)
        self.setWindowTitle(node.GetOrientation())
        color = QtGui.QColor.fromRgbF(*node.GetLayoutColor())
        self._bar.setStyleSheet(f"QLabel {{ color: {color.name()}; font-weight: 600; }}")
        self._observations.add(node, vtk.vtkCommand.ModifiedEvent, self._onNodeModified)
        self._observations.add(self._logic, vtk.vtkCommand.ModifiedEvent, self._onNodeModified)
        self._bar.refresh(node.GetOrientation())

    def _onNodeModified(self, _node, _data) -> None:
        self._bar.refresh(self._node.GetOrientation())

    def mrmlSliceNode(self) -> slicer.vtkMRMLSliceNode:
        """The slice node."""
        return self._node

    def mrmlSliceCompositeNode(self) -> slicer.vtkMRMLSliceCompositeNode:
        """Background, foreground and label volume of this view."""
        return self._logic.GetSliceCompositeNode()

    def sliceLogic(self) -> slicer.vtkMRMLSliceLogic:
        """The slice logic."""
        return self._logic

    def sliceView(self) -> qMRMLSliceView:
        """The picture."""
        return self._view

    def view(self) -> qMRMLSliceView:
        """The picture, under the name that slice and 3-D widgets share."""
        return self._view

    def fitSliceToBackground(self) -> None:
        """Show the whole volume."""
        self._logic.FitSliceToBackground()

    def minimumSizeHint(self) -> QtCore.QSize:
        """Small enough for a 2 x 3 grid on a laptop."""
        return QtCore.QSize(160, 160)
