"""qMRMLWidget and qSlicerWidget: a widget that knows the scene."""

from __future__ import annotations

import slicer
from PySide6 import QtWidgets
from PySide6.QtCore import Signal

from .observing import Observations


class SceneWidget(QtWidgets.QWidget):
    """Shared by all MRML widgets: the scene, and observers that end with the widget."""

    mrmlSceneChanged = Signal(object)

    def __init__(self, parent: QtWidgets.QWidget | None = None):
        super().__init__(parent)
        self._scene: slicer.vtkMRMLScene | None = None
        self._observations = Observations(self)

    def mrmlScene(self) -> slicer.vtkMRMLScene | None:
        """The scene, None before `setMRMLScene`."""
        return self._scene

    def setMRMLScene(self, scene: slicer.vtkMRMLScene | None) -> None:
        """Show nodes of this scene from now on."""
        if scene is not None and not isinstance(scene, slicer.vtkMRMLScene):
            raise TypeError(f"setMRMLScene: expected a vtkMRMLScene, got a {type(scene).__name__}")
        if scene is self._scene:
            return
        self._observations.clear()
        self._scene = scene
        self._sceneWasSet()
        self.mrmlSceneChanged.emit(scene)

    def _sceneWasSet(self) -> None:
        """For subclasses: `self._scene` is another one now."""


class qMRMLWidget(SceneWidget):
    """Base of Slicer's widgets; usual root of a module's .ui file."""


class qSlicerWidget(SceneWidget):
    """The same under the application's name."""
