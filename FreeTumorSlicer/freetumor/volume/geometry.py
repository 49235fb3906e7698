"""Where voxels are: boxes of voxels, and the affine from voxel indices to RAS millimetres.

Arrays are indexed ``(k, j, i)`` (slice, row, column), as in SimpleITK and Slicer; every triple that
belongs to an array (index, shape, spacing, margin) has that order. World points are RAS mm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

# ITK and DICOM speak LPS, the whole of this package RAS: the one conversion between the two.
LPS_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Box:
    """Half-open box of voxels: ``start`` and ``stop`` in array order (k, j, i)."""

    start: tuple[int, int, int]
    stop: tuple[int, int, int]

    @classmethod
    def whole(cls, shape: Sequence[int]) -> Box:
        """The box of all voxels of an array of `shape`."""
        return cls((0, 0, 0), tuple(int(n) for n in shape))

    @classmethod
    def of(cls, mask: np.ndarray) -> Box:
        """Smallest box that holds all non-zero voxels of `mask` (3-D); an empty box if there are none."""
        start, stop = [], []
        plane = mask.any(axis=0)  # reductions over the last axis alone are many times slower
        for inside in (mask.any(axis=(1, 2)), plane.any(axis=1), plane.any(axis=0)):
            line = np.flatnonzero(inside)
            start.append(int(line[0]) if line.size else 0)
            stop.append(int(line[-1]) + 1 if line.size else 0)
        return cls(tuple(start), tuple(stop))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along (k, j, i); 0 where the box is empty."""
        return tuple(max(0, b - a) for a, b in zip(self.start, self.stop, strict=True))

    @property
    def size(self) -> int:
        """Number of voxels."""
        return int(np.prod(self.shape))

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """Index for the box in the whole array."""
        return tuple(slice(a, b) for a, b in zip(self.start, self.stop, strict=True))

    def grown(self, margin: Sequence[int], shape: Sequence[int]) -> Box:
        """The box grown by `margin` voxels on each side, clipped to an array of `shape`."""
        return Box(
            tuple(max(0, int(a - m)) for a, m in zip(self.start, margin, strict=True)),
            tuple(min(int(n), int(b + m)) for b, m, n in zip(self.stop, margin, shape, strict=True)),
        )

    def common(self, other: Box) -> Box:
        """The part that both boxes share; of size 0 if there is none."""
        return Box(
            tuple(max(a, b) for a, b in zip(self.start, other.start, strict=True)),
            tuple(min(a, b) for a, b in zip(self.stop, other.stop, strict=True)),
        )

    def within(self, outer: Box) -> tuple[slice, slice, slice]:
        """Slices of this box in an array that covers only `outer`."""
        return self.relative_to(outer).slices

    def relative_to(self, outer: Box) -> Box:
        """This box in an array that covers only `outer`."""
        return Box(
            tuple(a - o for a, o in zip(self.start, outer.start, strict=True)),
            tuple(b - o for b, o in zip(self.stop, outer.start, strict=True)),
        )


@dataclass(frozen=True, eq=False)
class Geometry:
    """Grid of a volume.

    Attributes:
        shape: voxels along (k, j, i).
        affine: 4 x 4, maps the homogeneous voxel index **(i, j, k, 1)** to RAS mm, as in NIfTI and in
            Slicer's IJK-to-RAS matrix.
    """

    shape: tuple[int, int, int]
    affine: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        object.__setattr__(self, "affine", np.array(self.affine, dtype=np.float64))

    @classmethod
    def from_lps(cls, size_ijk, spacing_ijk, origin_lps, direction_lps) -> Geometry:
        """From ITK's description: size and spacing in (i, j, k), origin and direction in LPS."""
        affine = np.eye(4)
        affine[:3, :3] = np.reshape(direction_lps, (3, 3)) * np.asarray(spacing_ijk)
        affine[:3, 3] = origin_lps
        return cls(tuple(reversed(size_ijk)), LPS_RAS @ affine)

    def to_lps(self) -> tuple[tuple, tuple, tuple]:
        """ITK's description: spacing (i, j, k), origin (LPS), direction (LPS, row-major)."""
        lps = LPS_RAS @ self.affine
        spacing = np.linalg.norm(lps[:3, :3], axis=0)
        return tuple(spacing), tuple(lps[:3, 3]), tuple((lps[:3, :3] / spacing).ravel())

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size in mm along (k, j, i)."""
        return tuple(float(s) for s in np.linalg.norm(self.affine[:3, :3], axis=0)[::-1])

    @property
    def voxel_volume(self) -> float:
        """Volume of a voxel in mm^3."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    def index_to_ras(self, index: np.ndarray) -> np.ndarray:
        """Voxel indices (k, j, i), shape (..., 3), to RAS mm, shape (..., 3)."""
        ijk = np.asarray(index, dtype=np.float64)[..., ::-1]
        return ijk @ self.affine[:3, :3].T + self.affine[:3, 3]

    def ras_to_index(self, ras: np.ndarray) -> np.ndarray:
        """RAS mm, shape (..., 3), to continuous voxel indices (k, j, i), shape (..., 3)."""
        inverse = np.linalg.inv(self.affine)
        return (np.asarray(ras, dtype=np.float64) @ inverse[:3, :3].T + inverse[:3, 3])[..., ::-1]

    def cropped(self, box: Box) -> Geometry:
        """The grid of ``array[box.slices]``."""
        affine = self.affine.copy()
        affine[:3, 3] = self.index_to_ras(np.array(box.start))
        return Geometry(box.shape, affine)

    def strided(self, step: Sequence[int]) -> Geometry:
        """The grid of ``array[::step[0], ::step[1], ::step[2]]``."""
        affine = self.affine.copy()
        affine[:3, :3] *= np.asarray(step, dtype=np.float64)[::-1]
        return Geometry(tuple(-(-n // s) for n, s in zip(self.shape, step, strict=True)), affine)

    def margin(self, mm: float) -> tuple[int, int, int]:
        """Voxels along (k, j, i) that cover `mm`."""
        return tuple(int(np.ceil(mm / s)) for s in self.spacing)

    def patient_axes(self) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
        """Array axes that run nearest to (superior, anterior, right), and 1 or -1 where they run against."""
        direction = self.affine[:3, :3][::-1, ::-1] / self.spacing  # rows S, A, R; columns k, j, i
        axes = max(permutations(range(3)), key=lambda p: sum(abs(direction[row, p[row]]) for row in range(3)))
        return axes, tuple(1 if direction[row, axes[row]] >= 0 else -1 for row in range(3))

    def same_grid(self, other: Geometry, tolerance: float = 1e-2) -> bool:
        """Same shape, and no corner of the grid more than `tolerance` mm apart."""
        if self.shape != other.shape:
            return False
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in self.shape])).reshape(3, -1).T
        gap = self.index_to_ras(corners) - other.index_to_ras(corners)
        return bool(np.abs(gap).max() <= tolerance)

    def __str__(self) -> str:
        size = "x".join(str(n) for n in reversed(self.shape))
        return f"{size} voxels of {'x'.join(f'{s:.4g}' for s in reversed(self.spacing))} mm"
