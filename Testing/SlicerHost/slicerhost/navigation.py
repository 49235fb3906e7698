"""The mouse in the slice views of the window: jump by click, HU under the pointer, window and level by drag.

The wheel, zoom and pan are MRML's own (vtkMRMLSliceViewInteractorStyle).
"""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from PySide6.QtCore import QObject, Qt, Signal

_DRAG = 4  # pixels: less is a click


def jumpTo(ras, viewGroup: int = -1) -> None:
    """Bring all slice views, or those of a view group, and the crosshair to a point in RAS mm."""
    crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    crosshair.SetCrosshairRAS(*ras)
    node = slicer.vtkMRMLSliceNode
    node.JumpAllSlices(slicer.mrmlScene, *ras, node.OffsetJumpSlice, viewGroup)


def probe(volume, ras) -> str:
    """Position, voxel and value of a volume at a point: "R 12  A -40  S 88 mm · (120, 201, 45) · 57 HU"."""
    letters = (("L", "R"), ("P", "A"), ("I", "S"))
    place = "  ".join(f"{letters[a][ras[a] >= 0]} {abs(ras[a]):.1f}" for a in range(3)) + " mm"
    if volume is None or volume.GetImageData() is None:
        return place
    local = [0.0, 0.0, 0.0]
    toIJK, parent = vtk.vtkMatrix4x4(), vtk.vtkGeneralTransform()
    volume.GetRASToIJKMatrix(toIJK)
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(None, volume.GetParentTransformNode(), parent)
    parent.TransformPoint(ras, local)
    i, j, k = np.rint(toIJK.MultiplyPoint([*local, 1.0])[:3]).astype(int)
    image = volume.GetImageData()
    if not all(0 <= index < size for index, size in zip((i, j, k), image.GetDimensions(), strict=True)):
        return place
    return f"{place}   ·   voxel ({i}, {j}, {k})   ·   {image.GetScalarComponentAsDouble(i, j, k, 0):.0f} HU"


class Navigation(QObject):
    """Listens to all slice views, also to those of layouts that come later."""

    probed = Signal(str)

    def __init__(self, layoutManager):
        super().__init__()
        self._manager = layoutManager
        self._listening: set = set()
        self._pressed = None
        layoutManager.layoutChanged.connect(self._listen)
        self._listen()

    def _listen(self, *_) -> None:
        for name in self._manager.sliceViewNames():
            view = self._manager.sliceWidget(name).sliceView()
            if view not in self._listening:
                self._listening.add(view)
                view.addHandler(_ViewHandler(self, view))

    def handle(self, event, view) -> bool:
        """One mouse event; never keeps it from MRML's own interaction."""
        if event.kind == "move":
            volume = view.sliceLogic().GetBackgroundLayer().GetVolumeNode()
            self.probed.emit(probe(volume, view.convertXYZToRAS((event.x, event.y, 0))))
        elif event.kind == "press":
            plain = event.button == Qt.LeftButton and not event.modifiers
            self._pressed = (event.x, event.y) if plain and self._mayJump() else None
        elif event.kind == "release" and self._pressed is not None:
            start, self._pressed = self._pressed, None
            if max(abs(event.x - start[0]), abs(event.y - start[1])) < _DRAG:
                jumpTo(view.convertXYZToRAS((event.x, event.y, 0)), view.mrmlSliceNode().GetViewGroup())
        return False

    @staticmethod
    def _mayJump() -> bool:
        """A click means something else while a point is placed or window and level are dragged."""
        node = slicer.app.applicationLogic().GetInteractionNode()
        return node.GetCurrentInteractionMode() == slicer.vtkMRMLInteractionNode.ViewTransform


class _ViewHandler:
    def __init__(self, navigation: Navigation, view):
        self._navigation, self._view = navigation, view

    def __call__(self, event) -> bool:
        return self._navigation.handle(event, self._view)
