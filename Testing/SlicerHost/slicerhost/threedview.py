"""3-D views, drawn by MRML's displayable managers."""

from __future__ import annotations

import slicer
import vtk
from PySide6 import QtWidgets

from .viewpane import ViewPane

# Surfaces within see-through surfaces: more layers than this look the same and cost time on a CPU.
_LAYERS = 6
_CLOSER = 1.4


class qMRMLThreeDView(ViewPane):
    """The picture of a 3-D view."""

    FACTORY = slicer.vtkMRMLThreeDViewDisplayableManagerFactory
    MANAGERS = (
        "vtkMRMLVolumeRenderingDisplayableManager",
        "vtkMRMLCameraDisplayableManager",
        "vtkMRMLViewDisplayableManager",
        "vtkMRMLModelDisplayableManager",
        "vtkMRMLCrosshairDisplayableManager3D",
        "vtkMRMLOrientationMarkerDisplayableManager",
        "vtkMRMLRulerDisplayableManager",
        "vtkMRMLSegmentationsDisplayableManager3D",
        "vtkMRMLMarkupsDisplayableManager",
    )

    def _prepare(self) -> None:
        self._window.SetAlphaBitPlanes(1)
        self._renderer.SetUseDepthPeeling(True)
        self._renderer.SetMaximumNumberOfPeels(_LAYERS)
        self._renderer.SetUseDepthPeelingForVolumes(True)

    def _newStyle(self):
        return slicer.vtkMRMLThreeDViewInteractorStyle()

    def cameraNode(self) -> slicer.vtkMRMLCameraNode | None:
        """The camera."""
        return self.displayableManagerByClassName("vtkMRMLCameraDisplayableManager").GetCameraNode()

    def resetFocalPoint(self) -> None:
        """Look at the middle of what is shown; box and axis labels do not count."""
        node = self._node
        shown = node.GetBoxVisible(), node.GetAxisLabelsVisible()
        node.SetBoxVisible(0)
        node.SetAxisLabelsVisible(0)
        bounds = [0.0] * 6
        self.renderer().ComputeVisiblePropBounds(bounds)
        node.SetBoxVisible(shown[0])
        node.SetAxisLabelsVisible(shown[1])
        if vtk.vtkMath.AreBoundsInitialized(bounds):
            camera = self.cameraNode()
            middle = [(bounds[i] + bounds[i + 1]) / 2 for i in (0, 2, 4)]
            shift = [new - old for new, old in zip(middle, camera.GetFocalPoint(), strict=True)]
            camera.SetPosition(*(p + s for p, s in zip(camera.GetPosition(), shift, strict=True)))
            camera.SetFocalPoint(*middle)
        self.scheduleRender()

    def resetCamera(self) -> None:
        """Step back until all is in sight."""
        node = self._node
        shown = node.GetBoxVisible()
        node.SetBoxVisible(0)  # Slicer's box is larger than what is in it
        camera = self.cameraNode()
        camera.Reset(False, True, True, self.renderer())
        camera.GetCamera().Dolly(_CLOSER)  # VTK leaves room for every rotation
        camera.ResetClippingRange()
        node.SetBoxVisible(shown)
        self.scheduleRender()

    def lookFromViewAxis(self, axis: int) -> None:
        """Look from one of the six sides (vtkMRMLCameraNode.Anterior, ...)."""
        self.cameraNode().RotateTo(axis)
        self.scheduleRender()


class qMRMLThreeDWidget(QtWidgets.QWidget):
    """A 3-D view, as ``layoutManager().threeDWidget(0)`` gives it."""

    def __init__(self, node: slicer.vtkMRMLViewNode, applicationLogic):
        super().__init__()
        self._view = qMRMLThreeDView(applicationLogic, self)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._view, 1)
        self.setWindowTitle("3-D")
        self.setViewNode(node)

    def setViewNode(self, node: slicer.vtkMRMLViewNode) -> None:
        """Show another view node."""
        self._node = node
        self._view.setViewNode(node)

    def mrmlViewNode(self) -> slicer.vtkMRMLViewNode:
        """The view node."""
        return self._node

    def threeDView(self) -> qMRMLThreeDView:
        """The picture."""
        return self._view

    def view(self) -> qMRMLThreeDView:
        """The picture, under the name that slice and 3-D widgets share."""
        return self._view
