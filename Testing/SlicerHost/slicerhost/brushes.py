"""Effects that follow the mouse in a slice view: Paint, Erase and Draw."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import vtk
from PySide6.QtCore import Qt

from .effects import ADD, REMOVE, arrayOf, qSlicerSegmentEditorAbstractEffect

_STEP = 0.25  # distance of brush positions along a stroke, in diameters


class Paint(qSlicerSegmentEditorAbstractEffect):
    """A round brush: a disc in the slice, or a ball (`BrushSphere`). One stroke is one undo step."""

    name = "Paint"
    mode = ADD

    def __init__(self, editor):
        super().__init__(editor)
        self._stroke: list[list[float]] = []

    def deactivate(self) -> None:
        """Leave a stroke unfinished."""
        self._stroke = []

    def processInteractionEvent(self, event, view) -> bool:
        """Left button down, move, up: a stroke. Shift and wheel: brush size."""
        if event.kind == "wheel" and event.modifiers & Qt.ShiftModifier:
            self.setParameter(
                "BrushAbsoluteDiameter", self.doubleParameter("BrushAbsoluteDiameter") * 1.2**event.steps
            )
            return True
        if event.kind == "press" and event.button == Qt.LeftButton and not event.modifiers:
            self._stroke = [view.convertXYZToRAS((event.x, event.y, 0))]
            return True
        if event.kind == "move" and self._stroke:
            self._stroke.append(view.convertXYZToRAS((event.x, event.y, 0)))
            return True
        if event.kind == "release" and self._stroke:
            stroke, self._stroke = self._stroke, []
            self.applyStroke(stroke, view.mrmlSliceNode())
            return True
        return False

    def feedback(self, here: tuple[int, int], view) -> list[list[tuple[float, float]]]:
        """The brush's circle, and the stroke so far."""
        node = view.mrmlSliceNode()
        radius = self.diameter(node) / 2 * node.GetDimensions()[1] / node.GetFieldOfView()[1]
        turn = np.linspace(0, 2 * np.pi, 49)
        circle = [(here[0] + radius * np.cos(a), here[1] + radius * np.sin(a)) for a in turn]
        return [circle, [tuple(view.convertRASToXYZ(point)[:2]) for point in self._stroke]]

    def diameter(self, sliceNode) -> float:
        """Diameter of the brush in mm."""
        if not self.integerParameter("BrushDiameterIsRelative"):
            return self.doubleParameter("BrushAbsoluteDiameter")
        return self.doubleParameter("BrushRelativeDiameter") / 100 * sliceNode.GetFieldOfView()[1]

    def applyStroke(self, pointsRAS: list, sliceNode) -> None:
        """Paint along points in world RAS mm, in the plane of `sliceNode` or, with a ball, around it."""
        self.saveStateForUndo()
        image = self.defaultModifierLabelmap()
        toImage = self.worldToImage(image)
        radius = self.diameter(sliceNode) / 2
        painted = arrayOf(image)
        toRAS = sliceNode.GetSliceToRAS()
        normal = None
        if not self.integerParameter("BrushSphere"):
            normal = np.array([toRAS.GetElement(row, 2) for row in range(3)])
        for point in _along(np.asarray(pointsRAS, dtype=float), radius * 2 * _STEP):
            _stamp(painted, image.GetExtent(), toImage, point, radius, normal)
        self.modifySelectedSegmentByLabelmap(image, self.mode)


class Erase(Paint):
    """The same brush, taking away."""

    name = "Erase"
    mode = REMOVE


def _along(points: np.ndarray, step: float) -> np.ndarray:
    """(n, 3) points with no gap longer than `step`."""
    dense = [points[:1]]
    for start, end in pairwise(points):
        count = max(1, int(np.ceil(np.linalg.norm(end - start) / step)))
        dense.append(start + (end - start) * np.linspace(0, 1, count + 1)[1:, None])
    return np.concatenate(dense)


def _stamp(
    painted: np.ndarray,
    extent: tuple,
    toImage: np.ndarray,
    centre: np.ndarray,
    radius: float,
    normal: np.ndarray | None,
) -> None:
    """Set the voxels of one brush position. `normal`: a disc of one voxel's thickness; None: a ball."""
    toWorld = np.linalg.inv(toImage)
    middle = (toImage @ [*centre, 1.0])[:3]
    reach = radius * np.linalg.norm(toImage[:3, :3], axis=1) + 1
    part = _part(extent, middle - reach, middle + reach)
    if part is None:
        return
    where, indices = part
    offset = indices @ toWorld[:3, :3].T + toWorld[:3, 3] - centre
    if normal is None:
        inside = (offset**2).sum(-1) <= radius**2
    else:
        along = offset @ normal
        inside = ((offset**2).sum(-1) - along**2 <= radius**2) & _inPlane(along, toImage, normal)
    painted[where][inside] = 1


class Draw(qSlicerSegmentEditorAbstractEffect):
    """An outline: clicks and drags with the left button add points, a right or double click fills it."""

    name = "Draw"

    def __init__(self, editor):
        super().__init__(editor)
        self._outline: list[list[float]] = []
        self._pressed = False

    def deactivate(self) -> None:
        """Forget an unfinished outline."""
        self._outline, self._pressed = [], False

    def processInteractionEvent(self, event, view) -> bool:
        """Collect the outline; fill it."""
        here = view.convertXYZToRAS((event.x, event.y, 0))
        left = event.button == Qt.LeftButton
        if event.kind == "press" and left and not event.modifiers:
            self._outline.append(here)
            self._pressed = True
        elif event.kind == "move" and self._pressed:
            self._outline.append(here)
        elif event.kind == "release" and left and self._pressed:
            self._pressed = False
        elif self._outline and (event.kind == "double" or (event.kind == "press" and not left)):
            outline, self._outline, self._pressed = self._outline, [], False
            self.applyOutline(outline, view.mrmlSliceNode())
        else:
            return False
        return True

    def feedback(self, here: tuple[int, int], view) -> list[list[tuple[float, float]]]:
        """The outline so far, to the pointer."""
        drawn = [tuple(view.convertRASToXYZ(point)[:2]) for point in self._outline]
        return [[*drawn, here]] if drawn else []

    def applyOutline(self, pointsRAS: list, sliceNode) -> None:
        """Fill an outline in world RAS mm in the plane of `sliceNode`."""
        if len(pointsRAS) < 3:
            return
        self.saveStateForUndo()
        image = self.defaultModifierLabelmap()
        toSlice = vtk.vtkMatrix4x4()
        vtk.vtkMatrix4x4.Invert(sliceNode.GetSliceToRAS(), toSlice)
        _fill(arrayOf(image), image.GetExtent(), self.worldToImage(image), _matrix(toSlice), pointsRAS)
        self.modifySelectedSegmentByLabelmap(image, ADD)


def _matrix(matrix: vtk.vtkMatrix4x4) -> np.ndarray:
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def _fill(
    painted: np.ndarray, extent: tuple, toImage: np.ndarray, toSlice: np.ndarray, pointsRAS: list
) -> None:
    """Set the voxels whose centre lies within an outline in the slice's plane (even-odd rule)."""
    corners = np.c_[np.asarray(pointsRAS, dtype=float), np.ones(len(pointsRAS))]
    inImage = (corners @ toImage.T)[:, :3]
    part = _part(extent, inImage.min(0) - 1, inImage.max(0) + 1)
    if part is None:
        return
    where, indices = part
    toPlane = toSlice @ np.linalg.inv(toImage)  # voxel indices -> millimetres in the slice, z across it
    x, y, z = np.moveaxis(indices @ toPlane[:3, :3].T + toPlane[:3, 3], -1, 0)
    outline = (corners @ toSlice.T)[:, :2]
    inside = np.zeros(x.shape, dtype=bool)
    for (ax, ay), (bx, by) in pairwise([*outline, outline[0]]):
        if ay != by:
            crosses = (ay > y) != (by > y)
            inside ^= crosses & (x < ax + (y - ay) / (by - ay) * (bx - ax))
    painted[where][inside & _inPlane(z, toImage, np.linalg.inv(toSlice)[:3, 2])] = 1


def _part(extent: tuple, low: np.ndarray, high: np.ndarray) -> tuple | None:
    """The part of an array (slices k, j, i) between two voxels, and its indices (..., 3) as (i, j, k)."""
    first, last = np.asarray(extent[0::2]), np.asarray(extent[1::2])
    low = np.maximum(np.floor(low), first).astype(int)
    high = np.minimum(np.ceil(high), last).astype(int)
    if (high < low).any():
        return None
    axes = [np.arange(a, b + 1) for a, b in zip(low, high, strict=True)]
    k, j, i = np.meshgrid(axes[2], axes[1], axes[0], indexing="ij")
    where = tuple(slice(a - f, b + 1 - f) for a, b, f in zip(low[::-1], high[::-1], first[::-1], strict=True))
    return where, np.stack((i, j, k), axis=-1)


def _inPlane(along: np.ndarray, toImage: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Is this distance from the slice within it? One plane of voxels, also between two planes."""
    half = 0.5 / np.linalg.norm(toImage[:3, :3] @ normal)
    rounding = half * 1e-6
    return (along >= -half - rounding) & (along < half - rounding)
