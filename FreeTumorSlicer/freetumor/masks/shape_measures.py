"""Measures of a tumor's shape: size, elongation, flatness, roughness of a binary mask.

The same measures describe real masks (``Scripts/derive_shape_statistics.py``) and sampled shapes
(:mod:`freetumor.masks.shapes`), so that the two can be compared number by number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from freetumor.errors import BadInput


@dataclass(frozen=True)
class ShapeMeasures:
    """What :func:`measure` returns.

    Attributes:
        voxels: number of voxels of the mask.
        volume_mm3: their volume, mm^3.
        diameter_mm: diameter of the sphere of that volume, mm.
        elongation: major / intermediate axis of the ellipsoid of the same second moments, >= 1.
        flatness: intermediate / minor axis of that ellipsoid, >= 1.
        roughness: of the outlines in slices: the share of a slice of the mask outside the ellipse of the
            same area, centroid and second moments; mean over the slices with at least half the area of
            the largest, weighted by area. 0 is an ellipse. Real masks are drawn slice by slice, often on
            thick slices, so that borders jump from slice to slice; this measure does not see that.
        roughness_3d: the same in space: share of the mask outside the matched ellipsoid. Of real masks it
            counts those jumps, too: there it is two to three times `roughness`, in isotropically rough
            bodies 1.7 to 2 times.
    """

    voxels: int
    volume_mm3: float
    diameter_mm: float
    elongation: float
    flatness: float
    roughness: float
    roughness_3d: float


def measure(mask: np.ndarray, spacing: Sequence[float], *, slice_axis: int = 0) -> ShapeMeasures:
    """Measures of `mask`, non-zero inside; all its voxels together are taken for one lesion.

    Args:
        mask: 3-D, any axis order.
        spacing: voxel size in mm along the array's axes, in the array's order.
        slice_axis: the axis across the slices, 0 for arrays in this package's order (k, j, i).
    """
    index = np.argwhere(mask)
    if mask.ndim != 3 or not len(index):
        raise BadInput("a 3-D mask with a lesion", f"{mask.ndim}-D, {len(index)} voxels", kind="empty_mask")
    spacing = np.asarray(spacing, dtype=np.float64)
    moments, outside = _against_ellipsoid(index, spacing)
    minor, middle, major = np.sqrt(np.linalg.eigvalsh(moments))
    volume = len(index) * float(np.prod(spacing))
    return ShapeMeasures(
        voxels=len(index),
        volume_mm3=volume,
        diameter_mm=float(np.cbrt(6.0 * volume / np.pi)),
        elongation=float(major / middle),
        flatness=float(middle / minor),
        roughness=_outline_roughness(index, spacing, slice_axis),
        roughness_3d=outside,
    )


def axis_ratio(mask: np.ndarray, spacing: Sequence[float]) -> float:
    """Major / minor axis of the ellipsoid of the same second moments; arguments as in :func:`measure`."""
    points = np.argwhere(mask) * np.asarray(spacing, dtype=np.float64)
    minor, _, major = np.linalg.eigvalsh(_moments(points - points.mean(axis=0), spacing))
    return float(np.sqrt(major / minor))


def _outline_roughness(index: np.ndarray, spacing: np.ndarray, axis: int) -> float:
    """Area-weighted mean of the roughness of the slices; `index`: voxels (n, 3)."""
    order = np.argsort(index[:, axis], kind="stable")
    _, starts = np.unique(index[order, axis], return_index=True)
    pixels = np.split(np.delete(index[order], axis, axis=1), starts[1:])
    largest = max(len(p) for p in pixels)
    kept = [p for p in pixels if 2 * len(p) >= largest]
    outside = [_against_ellipsoid(p, np.delete(spacing, axis))[1] for p in kept]
    return float(np.average(outside, weights=[len(p) for p in kept]))


def _against_ellipsoid(index: np.ndarray, spacing: np.ndarray) -> tuple[np.ndarray, float]:
    """Second moments in mm^2 (d, d) of voxels (n, d), and the share outside the matched ellipsoid (d = 3)
    or ellipse (d = 2), which has the voxels' volume or area.
    """
    points = index * spacing
    points -= points.mean(axis=0)
    moments = _moments(points, spacing)
    size = len(points) * np.prod(spacing)
    dimensions = len(spacing)
    unit_ball = np.pi if dimensions == 2 else 4.0 * np.pi / 3.0
    bound = (size / unit_ball / np.sqrt(np.linalg.det(moments))) ** (2.0 / dimensions)
    distance = np.einsum("na,ab,nb->n", points, np.linalg.inv(moments), points)
    return moments, float(np.mean(distance > bound))


def _moments(points: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """Second moments in mm^2 of voxels around their centroid, mm (n, d)."""
    # A voxel is a box, not a point: its own second moment keeps flat or coarse masks from looking thinner.
    return points.T @ points / len(points) + np.diag(np.square(spacing) / 12.0)
