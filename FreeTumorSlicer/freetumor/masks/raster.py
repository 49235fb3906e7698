"""A shape on the voxels of a grid: made once, then tried at many places.

Voxels that the surface cannot reach are told by their centre alone; only the others are looked at in many
points, for their share of tumor and for the order in which they are taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from freetumor.masks.shapes import Shape
from freetumor.volume import Box, Geometry

_FINEST_MM, _COARSEST_MM, _OF_DIAMETER = 0.5, 1.5, 1.0 / 16.0  # distance of the points in a voxel
_MOST_PARTS = 6  # points along an axis of a voxel
_MOST_POINTS = 1_500_000
_POINTS_AT_A_TIME = 1 << 14
_SAME_LEVEL = 0.03  # values that differ by less share the points made for one of them


@dataclass(frozen=True, eq=False)
class Raster:
    """`shape` around a point of a grid; arrays (k, j, i) on a box that holds all of it.

    Attributes:
        start: first voxel of the box, counted from the voxel at the shape's centre.
        fraction: how far the shape's centre is from the middle of that voxel, in voxels.
        centres: the shape's value at the middle of each voxel, float32.
    """

    shape: Shape
    geometry: Geometry
    start: np.ndarray
    fraction: np.ndarray
    centres: np.ndarray

    @classmethod
    def of(cls, shape: Shape, geometry: Geometry, centre: np.ndarray) -> Raster:
        """The shape as it is at `centre` (RAS mm), and at whole voxels from there."""
        exact = geometry.ras_to_index(centre)
        fraction = exact - np.rint(exact)
        low, high = _index_bounds(shape, geometry)
        start, stop = np.floor(low + fraction).astype(int), np.ceil(high + fraction).astype(int) + 1
        matrix = _to_inner(shape, geometry)
        lines = [np.arange(a, b) - f for a, b, f in zip(start, stop, fraction, strict=True)]
        points = [
            np.add.outer(np.add.outer(row[0] * lines[0], row[1] * lines[1]), row[2] * lines[2] + o)
            for row, o in zip(matrix, shape.origin, strict=True)
        ]
        values = shape.inner_value(*(p.astype(np.float32).ravel() for p in points))
        return cls(shape, geometry, start, fraction, values.reshape(stop - start))

    def index(self, centre: np.ndarray) -> np.ndarray:
        """The voxel nearest to where the shape's centre is to be, (k, j, i)."""
        return np.rint(self.geometry.ras_to_index(centre) - self.fraction).astype(int)

    def placed(self, index: np.ndarray) -> tuple[Box, tuple[slice, slice, slice]]:
        """The part of the grid that is covered with the shape at `index`, and where in the box it is."""
        start = index + self.start
        whole = Box(tuple(start.tolist()), tuple((start + self.centres.shape).tolist()))
        box = whole.common(Box.whole(self.geometry.shape))
        return box, box.within(whole)

    @cached_property
    def value(self) -> np.ndarray:
        """Mean of the shape's value over each voxel, float32; of its middle where the surface is far."""
        near, values = self._at_surface
        value = self.centres.copy()
        value.ravel()[near] = values.mean(axis=0)
        return value

    @cached_property
    def share(self) -> np.ndarray:
        """Share of each voxel that is inside, float32 in 0..1."""
        return self._share(1.0, *self._at_surface)

    def soft(self, inside: np.ndarray, room: np.ndarray) -> np.ndarray:
        """Share of each voxel that is tumor, float32 in 0..1, of a lesion that takes the voxels `inside`.

        The shares add up to its volume; more only where a voxel of it would have none. `room`: where tumor
        may be; both bool, on the box.
        """
        level = float(self.value[inside].max())
        near, values = self._at_surface if abs(level - 1.0) <= _SAME_LEVEL else self._near(level)
        may, lower = room.ravel()[near], (self.centres <= level) & room
        whole = np.count_nonzero(lower) - np.count_nonzero(lower.ravel()[near])
        points = values[:, may].ravel()
        place = round((np.count_nonzero(inside) - whole) * len(values)) - 1
        place = min(max(place, 0), points.size - 1)
        # Not the last voxel's value: where the organ cuts a lesion of few voxels, that is far outside.
        level = float(np.partition(points, place)[place])
        least = values[:, inside.ravel()[near]].min(axis=0)
        return self._share(max(level, float(least.max(initial=0.0))), near, values) * room

    def _share(self, level: float, near: np.ndarray, values: np.ndarray) -> np.ndarray:
        share = (self.centres <= level).astype(np.float32)
        share.ravel()[near] = (values <= level).mean(axis=0, dtype=np.float32)
        return share

    @cached_property
    def _at_surface(self) -> tuple[np.ndarray, np.ndarray]:
        return self._near(1.0)

    def _near(self, level: float) -> tuple[np.ndarray, np.ndarray]:
        """Voxels that `level` may cut, as flat indices, and values at points in them, (points, voxels)."""
        matrix = _to_inner(self.shape, self.geometry)
        corners = matrix @ (np.array([[1, 1, 1], [1, 1, -1], [1, -1, 1], [-1, 1, 1]]).T * 0.5)
        # So much may the value grow from a voxel's middle to its corner.
        reach = np.linalg.norm(corners, axis=0).max() * self.shape.steepest + _SAME_LEVEL
        near = np.flatnonzero(np.abs(self.centres - np.float32(level)).ravel() <= reach)
        offsets = self._offsets(len(near))
        place = np.stack(np.unravel_index(near, self.centres.shape)) + (self.start - self.fraction)[:, None]
        middle = (matrix @ place + self.shape.origin[:, None]).astype(np.float32)
        steps = (matrix @ offsets.T).astype(np.float32)
        values = np.empty((len(offsets), len(near)), np.float32)
        # Of a small lesion many points at a time: calls would cost more than what they compute.
        several = max(1, _POINTS_AT_A_TIME // max(1, len(near)))
        for n in range(0, len(offsets), several):
            part = slice(n, n + several)
            points = (middle[:, None] + steps[:, part, None]).reshape(3, -1)
            values[part] = self.shape.inner_value(*points).reshape(-1, len(near))
        return near, values

    def _offsets(self, voxels: int) -> np.ndarray:
        """Points in a voxel, from its middle, in voxels: (points, 3)."""
        fine = np.clip(self.shape.diameter * _OF_DIAMETER, _FINEST_MM, _COARSEST_MM)
        parts = [int(np.clip(np.ceil(s / fine), 1, _MOST_PARTS)) for s in self.geometry.spacing]
        while voxels * np.prod(parts) > _MOST_POINTS and max(parts) > 1:
            parts[int(np.argmax(parts))] -= 1
        lines = [(np.arange(p) + 0.5) / p - 0.5 for p in parts]
        return np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).reshape(-1, 3)


def _to_inner(shape: Shape, geometry: Geometry) -> np.ndarray:
    """(3, 3): steps along (k, j, i) to steps in the shape's own space."""
    return shape.inverse @ geometry.affine[:3, 2::-1]


def _index_bounds(shape: Shape, geometry: Geometry) -> tuple[np.ndarray, np.ndarray]:
    """The box of the shape's bounds in voxels (k, j, i) from its centre, first and last."""
    inverse = np.linalg.inv(geometry.affine[:3, 2::-1])
    ends = inverse[None] * shape.bounds[:, None]  # (low or high, index axis, RAS axis)
    return ends.min(axis=0).sum(axis=1), ends.max(axis=0).sum(axis=1)
