"""A view: MRML's displayable managers draw into memory, the picture is painted into a Qt widget.

Drawing off screen needs no OpenGL in Qt, so that the same view works in a window, under a test and on a
server without a display.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import numpy as np
import slicer
import vtk
from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Qt
from vtk.util.numpy_support import vtk_to_numpy

from .observing import Observations
from .pointer import PointerEvent

_RENDER_DELAY_MS = 5  # many changes of one user action, one picture


class ViewPane(QtWidgets.QWidget):
    """Render window, displayable managers and interaction of one view node. Made when first drawn."""

    def __init__(self, applicationLogic, parent: QtWidgets.QWidget | None = None):
        super().__init__(parent)
        self._applicationLogic = applicationLogic
        self._node: slicer.vtkMRMLAbstractViewNode | None = None
        self._window: vtk.vtkRenderWindow | None = None
        self._picture: QtGui.QImage | None = None
        self._handlers: list[Callable[[PointerEvent], bool]] = []
        self._overlays: list[Callable[[QtGui.QPainter], None]] = []
        self._paused = False
        self._dirty = True
        self._observations = Observations(self)
        self._timer = QtCore.QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._onTimer)
        self.setMinimumSize(120, 120)
        self.setSizePolicy(QtWidgets.QSizePolicy.Expanding, QtWidgets.QSizePolicy.Expanding)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.ClickFocus)
        self.setAttribute(Qt.WA_OpaquePaintEvent)

    # --- for subclasses --------------------------------------------------------------------------------

    MANAGERS: tuple[str, ...] = ()
    FACTORY: type

    def _prepare(self) -> None:
        """Renderers, style: the render window and `self._renderer` are there, the managers not yet."""
        raise NotImplementedError

    def _newStyle(self) -> slicer.vtkMRMLViewInteractorStyle:
        raise NotImplementedError

    def _resized(self, width: int, height: int) -> None:
        """The picture has another size now."""

    # --- node and render window ------------------------------------------------------------------------

    def setViewNode(self, node: slicer.vtkMRMLAbstractViewNode) -> None:
        """Show what this view node says."""
        if node is self._node:
            return
        self._node = node
        if self._window is not None:
            self._group.SetMRMLDisplayableNode(node)

    def renderWindow(self) -> vtk.vtkRenderWindow:
        """The render window; made at the first call."""
        if self._window is None:
            self._open()
        return self._window

    def _open(self) -> None:
        if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
            # VTK would find this by itself, after a complaint about the missing X server.
            os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
        window = self._window = vtk.vtkRenderWindow()
        window.SetShowWindow(False)
        window.SetOffScreenRendering(1)
        window.SetMultiSamples(0)
        window.SetSize(*self._pixels())
        self._renderer = vtk.vtkRenderer()
        window.AddRenderer(self._renderer)
        # Qt delivers the events: a native interactor would open its own connection to the display.
        self._interactor = vtk.vtkGenericRenderWindowInteractor()
        self._interactor.SetRenderWindow(window)
        self._interactor.SetInteractorStyle(vtk.vtkInteractorStyleUser())
        self._prepare()
        factory = self.FACTORY.GetInstance()
        factory.SetMRMLApplicationLogic(self._applicationLogic)
        for name in self.MANAGERS:
            if not factory.IsDisplayableManagerRegistered(name):
                factory.RegisterDisplayableManager(name)
        self._group = slicer.vtkMRMLDisplayableManagerGroup()
        self._group.SetRenderer(self._renderer)
        self._observations.add(self._group, vtk.vtkCommand.UpdateEvent, self._onUpdate)
        self._group.Initialize(factory, self._renderer)
        self._group.SetMRMLDisplayableNode(self._node)
        self._style = self._newStyle()
        self._style.SetDisplayableManagers(self._group)
        self._style.SetInteractor(self._interactor)
        self._resized(*self._pixels())

    def close(self) -> bool:
        """Free the graphics memory."""
        self._observations.clear()
        if self._window is not None:
            self._window.Finalize()
            self._window = None
        return super().close()

    def interactor(self) -> vtk.vtkRenderWindowInteractor:
        """The interactor that gets this view's events."""
        self.renderWindow()
        return self._interactor

    def renderer(self) -> vtk.vtkRenderer:
        """The renderer that the displayable managers draw with."""
        self.renderWindow()
        return self._renderer

    def displayableManagerByClassName(self, name: str):
        """A displayable manager of this view, or None."""
        self.renderWindow()
        return self._group.GetDisplayableManagerByClassName(name)

    def _pixels(self) -> tuple[int, int]:
        ratio = self.devicePixelRatioF()
        return max(1, round(self.width * ratio)), max(1, round(self.height * ratio))

    # --- drawing ---------------------------------------------------------------------------------------

    def scheduleRender(self) -> None:
        """Draw soon; many calls, one picture."""
        self._dirty = True
        if not self._paused and self.isVisible() and not self._timer.isActive():
            self._timer.start(_RENDER_DELAY_MS)

    def forceRender(self) -> None:
        """Draw now."""
        self._timer.stop()
        window = self.renderWindow()
        self._fitSize()  # Qt tells a hidden widget of its new size only when it is shown
        window.Render()
        self._dirty = False
        self._picture = None
        self.update()

    def isDirty(self) -> bool:
        """Has something changed since the last picture?"""
        return self._dirty

    def setRenderPaused(self, paused: bool) -> None:
        """Hold rendering back, or let it go."""
        self._paused = paused
        if not paused and self._dirty:
            self.scheduleRender()

    def picture(self) -> QtGui.QImage:
        """What is drawn now."""
        if self._dirty or self._window is None:
            self.forceRender()
        if self._picture is None:
            width, height = self._window.GetSize()
            pixels = vtk.vtkUnsignedCharArray()
            self._window.GetPixelData(0, 0, width - 1, height - 1, 0, pixels, 0)
            # VTK counts lines from below, Qt from above; QImage does not own the memory, so it gets a copy.
            rows = np.ascontiguousarray(vtk_to_numpy(pixels).reshape(height, width, 3)[::-1])
            image = QtGui.QImage(rows.data, width, height, 3 * width, QtGui.QImage.Format_RGB888)
            self._picture = image.copy()
        return self._picture

    def _onUpdate(self, _group, _data) -> None:
        self.scheduleRender()

    def _onTimer(self) -> None:
        if not self._paused:
            self.forceRender()

    def paintEvent(self, _event) -> None:
        """Qt wants the picture."""
        picture = self.picture()
        painter = QtGui.QPainter(self)
        try:
            painter.drawImage(self.rect, picture)
            self._annotate(painter)
            for paint in self._overlays:
                paint(painter)
        finally:
            painter.end()  # Qt crashes over a painter that is left open

    def _annotate(self, painter: QtGui.QPainter) -> None:
        """Text over the picture, by Qt: sharp at any size."""

    def resizeEvent(self, _event) -> None:
        """Qt has given the widget another size."""
        if self._window is not None:
            self._fitSize()
        self.scheduleRender()

    def _fitSize(self) -> None:
        size = self._pixels()
        if tuple(self._window.GetSize()) != size:
            self._window.SetSize(*size)
            self._interactor.SetSize(*size)
            self._resized(*size)

    def showEvent(self, _event) -> None:
        """The widget appears."""
        self.scheduleRender()

    # --- the mouse -------------------------------------------------------------------------------------

    def addHandler(self, handler: Callable[[PointerEvent], bool]) -> None:
        """Ask `handler` first at each event; True from it keeps the event from MRML's own interaction."""
        self._handlers.append(handler)

    def removeHandler(self, handler: Callable[[PointerEvent], bool]) -> None:
        """Ask it no more."""
        if handler in self._handlers:
            self._handlers.remove(handler)

    def addOverlay(self, paint: Callable[[QtGui.QPainter], None]) -> None:
        """Let `paint` draw over the picture, in the widget's coordinates."""
        self._overlays.append(paint)

    def removeOverlay(self, paint: Callable[[QtGui.QPainter], None]) -> None:
        """Draw it no more."""
        if paint in self._overlays:
            self._overlays.remove(paint)
            self.update()

    def deliver(self, event: PointerEvent) -> None:
        """Give an event to the handlers and, if none takes it, to MRML's interaction."""
        if any(handler(event) for handler in list(self._handlers)):
            return
        interactor = self.interactor()
        control = bool(event.modifiers & Qt.ControlModifier)
        shift = bool(event.modifiers & Qt.ShiftModifier)
        interactor.SetEventInformation(event.x, event.y, control, shift, chr(0), 0, None)
        side = {Qt.LeftButton: "Left", Qt.RightButton: "Right", Qt.MiddleButton: "Middle"}.get(event.button)
        if event.kind == "move":
            interactor.MouseMoveEvent()
        elif event.kind == "wheel":
            for _ in range(abs(event.steps)):
                (
                    interactor.MouseWheelForwardEvent
                    if event.steps > 0
                    else interactor.MouseWheelBackwardEvent
                )()
        elif side is not None:
            action = {"press": "ButtonPressEvent", "release": "ButtonReleaseEvent"}.get(event.kind)
            if action is not None:
                getattr(interactor, side + action)()

    def _pointer(self, kind: str, event: QtGui.QSinglePointEvent, steps: int = 0) -> None:
        at = event.position() * self.devicePixelRatioF()
        y = self._pixels()[1] - 1 - int(at.y())
        self.deliver(PointerEvent(kind, event.button(), int(at.x()), y, event.modifiers(), steps))

    def mousePressEvent(self, event) -> None:
        """A button goes down."""
        self._pointer("press", event)

    def mouseReleaseEvent(self, event) -> None:
        """A button comes up."""
        self._pointer("release", event)

    def mouseMoveEvent(self, event) -> None:
        """The mouse moves."""
        self._pointer("move", event)

    def mouseDoubleClickEvent(self, event) -> None:
        """Two clicks in a row."""
        self._pointer("double", event)

    def wheelEvent(self, event) -> None:
        """The wheel turns: 120 units are one step."""
        angle = event.angleDelta().y()
        if angle:
            self._pointer("wheel", event, round(angle / 120) or (1 if angle > 0 else -1))
        event.accept()
