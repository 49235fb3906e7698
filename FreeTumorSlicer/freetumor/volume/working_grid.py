"""The grid that networks work on: patient axes at a given spacing, and the way to it and back.

The axes of a working grid run to the head, the front and the right (array order k, j, i), which is what
MONAI's ``Orientation("RAS")`` and ``Spacing`` give. A CT that lies obliquely keeps its own directions, only
turned and flipped to the nearest patient axes, so that resampling works axis by axis.

All working grids of a CT and a spacing share one lattice, which starts at the CT's outermost voxel to the
foot, back and left: grids that overlap have voxels in common, and at the CT's own spacing nothing is
interpolated.

Towards a finer grid values are interpolated linearly. Towards a coarser one the linear interpolant is
averaged over the width that is missing, ``sqrt(coarse^2 - fine^2)`` along each axis, as a scanner's thicker
slice would: a small nodule between two samples is not lost, and noise is not folded into texture. Both keep
linear fields exactly, so nothing shifts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from freetumor.volume.geometry import Box, Geometry
from freetumor.volume.volume import Volume

AIR_HU = -1000.0
_BLOCK = 32  # outputs that one small matrix makes: wide enough for BLAS, narrow enough to skip zeros
_SLAB = 16  # slices of the source that are float at a time


@dataclass(frozen=True, eq=False)
class WorkingGrid:
    """A box of the working lattice of a CT. Make one with :meth:`around` or :meth:`covering`.

    Attributes:
        source: the CT's grid.
        spacing: mm along (k, j, i) = (superior, anterior, right).
        start: first voxel on the lattice, (k, j, i); may lie outside the CT.
        shape: voxels along (k, j, i).
    """

    source: Geometry
    spacing: tuple[float, float, float]
    start: tuple[int, int, int]
    shape: tuple[int, int, int]

    @classmethod
    def around(
        cls, source: Geometry, centre_ras: Sequence[float], spacing: Sequence[float], shape: Sequence[int]
    ) -> WorkingGrid:
        """The grid of `shape` whose centre is nearest to a point.

        Args:
            source: the CT's grid. centre_ras: RAS mm. spacing: mm, (k, j, i). shape: voxels, (k, j, i).
        """
        lattice = cls(source, tuple(map(float, spacing)), (0, 0, 0), (1, 1, 1))
        centre = lattice._lattice(source.ras_to_index(np.asarray(centre_ras, dtype=np.float64)))
        start = np.rint(centre - (np.asarray(shape) - 1) / 2)
        return cls(source, lattice.spacing, _integers(start), _integers(shape))

    @classmethod
    def covering(
        cls,
        source: Geometry,
        box: Box | None,
        spacing: Sequence[float],
        margin_mm: float = 0.0,
        multiple: int = 1,
    ) -> WorkingGrid:
        """The smallest grid between whose voxels all voxel centres of `box` lie.

        Args:
            source: the CT's grid. box: a box of it; all of it if None. spacing: mm, (k, j, i).
            margin_mm: more on each side (also beyond the CT's border).
            multiple: each side is made a multiple of it, growing on both ends.
        """
        lattice = cls(source, tuple(map(float, spacing)), (0, 0, 0), (1, 1, 1))
        box = Box.whole(source.shape) if box is None else box
        ends = lattice._lattice(np.array([box.start, np.array(box.stop) - 1], dtype=np.float64))
        margin = margin_mm / np.array(lattice.spacing)
        # What rounding errors add to a whole number must not cost a layer of voxels.
        first = np.floor(ends.min(axis=0) - margin + 1e-4)
        last = np.ceil(ends.max(axis=0) + margin - 1e-4)
        count = last - first + 1
        shape = np.ceil(count / multiple) * multiple
        return cls(source, lattice.spacing, _integers(first - (shape - count) // 2), _integers(shape))

    @cached_property
    def axes(self) -> tuple[int, int, int]:
        """The CT's axis along (superior, anterior, right)."""
        return self.source.patient_axes()[0]

    @cached_property
    def geometry(self) -> Geometry:
        """The grid in RAS mm, for :class:`Volume`, distances and places."""
        affine = np.eye(4)
        steps = self._source_index(np.eye(3)) - self._source_index(np.zeros(3))
        affine[:3, :3] = (steps[:, ::-1] @ self.source.affine[:3, :3].T).T[:, ::-1]
        affine[:3, 3] = self.source.index_to_ras(self._source_index(np.array(self.start, dtype=np.float64)))
        return Geometry(self.shape, affine)

    def sample(self, ct: Volume, pad: float = AIR_HU) -> np.ndarray:
        """HU of `ct` on this grid: float32, (k, j, i); `pad` HU beyond its border."""
        return self._sampled(lambda box: ct.hu(box), Box.whole(self.source.shape), pad)

    def sample_mask(self, mask: np.ndarray, box: Box | None = None) -> np.ndarray:
        """Share of each voxel of this grid that a mask fills: float32 in 0..1, (k, j, i).

        Args:
            mask: bool or shares, (k, j, i), on `box` of the CT (all of it if None); 0 outside of `box`.
        """
        box = Box.whole(self.source.shape) if box is None else box
        return self._sampled(lambda part: mask[part.within(box)].astype(np.float32), box, 0.0)

    def back(self, field: np.ndarray, box: Box | None = None, pad: float = 0.0) -> np.ndarray:
        """A field on this grid (residual, probability), brought to the CT's grid.

        Args:
            field: float, (k, j, i) of :attr:`shape`. box: of the CT; all of it if None.
            pad: what is beyond this grid.

        Returns:
            float32, (k, j, i) of `box`.
        """
        box = Box.whole(self.source.shape) if box is None else box
        wanted = []
        for axis, (source_axis, step) in enumerate(zip(self.axes, self._steps, strict=True)):
            first = (box.start[source_axis] - self._offsets[axis]) / step - self.start[axis]
            size = self.shape[axis]
            wanted.append(_Line(first, 1 / step, box.shape[source_axis], size, (0, size)))
        made = _resampled(lambda part: field[part.slices].astype(np.float32), wanted, pad)
        return np.ascontiguousarray(made.transpose(np.argsort(self.axes)))

    def _sampled(self, read: Callable[[Box], np.ndarray], box: Box, pad: float) -> np.ndarray:
        wanted: list = [None, None, None]
        for axis, (source_axis, step) in enumerate(zip(self.axes, self._steps, strict=True)):
            first = self._offsets[axis] + step * self.start[axis]
            held = (box.start[source_axis], box.stop[source_axis])
            size = self.source.shape[source_axis]
            wanted[source_axis] = _Line(first, step, self.shape[axis], size, held)
        return np.ascontiguousarray(_resampled(read, wanted, pad).transpose(self.axes))

    @cached_property
    def _steps(self) -> np.ndarray:
        """Voxels of the CT for one voxel of the lattice, along each working axis; negative where flipped."""
        axes, signs = self.source.patient_axes()
        return np.array(signs) * np.array(self.spacing) / np.array(self.source.spacing)[list(axes)]

    @cached_property
    def _offsets(self) -> np.ndarray:
        """The CT's index at the lattice's origin, along each working axis."""
        size = np.array(self.source.shape)[list(self.axes)]
        return np.where(self._steps > 0, 0.0, size - 1.0)

    def _lattice(self, index: np.ndarray) -> np.ndarray:
        """Indices of the CT (k, j, i), shape (..., 3), to places on the lattice, shape (..., 3)."""
        return (index[..., list(self.axes)] - self._offsets) / self._steps

    def _source_index(self, lattice: np.ndarray) -> np.ndarray:
        return (self._offsets + self._steps * lattice)[..., np.argsort(self.axes)]


@dataclass(frozen=True)
class _Line:
    """`count` samples at ``first, first + step, ...`` of an axis of `size` voxels.

    `held` are the voxels that are at hand; the others are known to be the padding.
    """

    first: float
    step: float
    count: int
    size: int
    held: tuple[int, int]

    def blocks(self) -> Iterator[tuple[slice, slice, np.ndarray]]:
        """Runs of samples, the run of voxels that they need, and weights (samples, voxels), float32."""
        missing = self.step**2 - 1.0
        width = np.sqrt(missing) if missing > 1e-4 else 0.0  # headers hold spacings in single precision
        for start in range(0, self.count, _BLOCK):
            place = self.first + self.step * np.arange(start, min(self.count, start + _BLOCK))
            low = max(self.held[0], int(np.floor(place.min() - width / 2)) - 1)
            high = min(self.held[1], int(np.ceil(place.max() + width / 2)) + 2)
            if low < high:
                weights = self._weights(place[:, None], np.arange(low - 1, high + 1), width)
                yield slice(start, start + place.size), slice(low, high), weights

    def _weights(self, place: np.ndarray, voxel: np.ndarray, width: float) -> np.ndarray:
        """Weights of `voxel` without its first and last, which are there to find the border.

        The border's voxels keep their value up to their outer faces; samples beyond have no weights.
        """
        place = np.round(place, 6)  # at the CT's own spacing nothing is interpolated
        to_face = np.minimum(place + 0.5, self.size - 0.5 - place)
        if width == 0.0:
            weights = np.maximum(0.0, 1.0 - np.abs(place - voxel))
        else:
            # Near the border the average is taken over less, so that it stays centred on its place.
            width = np.clip(2 * to_face, 1e-3, width)
            upper, lower = (_tent_integral(place + end * width - voxel) for end in (0.5, -0.5))
            weights = (upper - lower) / width
        weights = weights * (to_face >= 0)
        inner = weights[:, 1:-1]
        if voxel[0] == -1:
            inner[:, 0] += weights[:, 0]
        if voxel[-1] == self.size:
            inner[:, -1] += weights[:, -1]
        return inner.astype(np.float32)


def _tent_integral(x: np.ndarray) -> np.ndarray:
    """Integral of ``max(0, 1 - |t|)`` from -1 to `x`."""
    x = np.clip(x, -1.0, 1.0)
    return 0.5 + x - np.sign(x) * x**2 / 2


def _resampled(read: Callable[[Box], np.ndarray], wanted: Sequence[_Line], pad: float) -> np.ndarray:
    """What `read` gives for boxes of the source, resampled along each of its axes; a few slices at a time."""
    shape = tuple(line.count for line in wanted)
    blocks = [list(line.blocks()) for line in wanted]
    if not all(blocks):
        return np.full(shape, pad, np.float32)
    start = [min(block[1].start for block in axis) for axis in blocks]
    stop = [max(block[1].stop for block in axis) for axis in blocks]
    middle = np.zeros((stop[0] - start[0], *shape[1:]), np.float32)
    for k in range(start[0], stop[0], _SLAB):
        part = Box((k, *start[1:]), (min(k + _SLAB, stop[0]), *stop[1:]))
        values = read(part) - np.float32(pad)
        rows = np.zeros((*values.shape[:2], shape[2]), np.float32)
        for out, needed, weights in blocks[2]:
            rows[..., out] = values[..., needed.start - start[2] : needed.stop - start[2]] @ weights.T
        for out, needed, weights in blocks[1]:
            lines = rows[:, needed.start - start[1] : needed.stop - start[1]]
            middle[part.start[0] - start[0] : part.stop[0] - start[0], out] = weights @ lines
    made = np.zeros(shape, np.float32)
    for out, needed, weights in blocks[0]:
        slices = middle[needed.start - start[0] : needed.stop - start[0]]
        made[out] = (weights @ slices.reshape(len(slices), -1)).reshape(-1, *shape[1:])
    made += np.float32(pad)
    return made


def _integers(values: Sequence[float]) -> tuple[int, int, int]:
    return tuple(int(v) for v in values)
