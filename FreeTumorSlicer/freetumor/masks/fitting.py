"""Putting a shape on the CT's grid so that it has the asked volume there, organ and all.

The shape is an implicit function: voxels are ordered by it and the first n are taken, n being the asked
volume in voxels. A lesion that the organ's border cuts grows on its free side by a few per cent instead
of ending up smaller than asked; one that would have to grow further does not fit.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from freetumor.masks.shapes import Shape
from freetumor.masks.tumor_mask import TumorMask, sphere_diameter, sphere_volume
from freetumor.volume import Box, Geometry

MAX_STRETCH = 1.2  # how far, in radii, the surface may move outwards to make up for what the organ cuts
SIZE_TOLERANCE = 0.10  # of the diameter
MINIMUM_OF_SHAPE = 0.82  # of the shape's volume must find room as it is, or it would take the organ's form
MINIMUM_ANCHORED = 0.4  # share of an exophytic tumor that must lie in its organ
_MAX_POINTS = 1_500_000
_POINTS_AT_A_TIME = 1 << 14

# box -> bool array (k, j, i): where tumor may be
Allowed = Callable[[Box], np.ndarray]


def fit(
    shape: Shape,
    centre: np.ndarray,
    geometry: Geometry,
    allowed: Allowed,
    *,
    anchor: Allowed | None = None,
    details: dict | None = None,
) -> TumorMask | None:
    """Voxelise `shape` at `centre` (RAS mm) within `allowed`; None where it does not fit.

    With an `anchor` (the organ), at least :data:`MINIMUM_ANCHORED` of the lesion must lie in it. The
    result's equivalent-sphere diameter is the shape's up to half a voxel of volume.
    """
    box = _reach_box(shape, centre, geometry)
    wanted = round(sphere_volume(shape.diameter) / geometry.voxel_volume)
    free = allowed(box)
    if wanted < 1 or free.sum() < wanted:
        return None
    sub_values = _values(shape, centre, geometry, box, free)
    value = np.full(box.shape, np.inf, np.float32)
    value[free] = sub_values.mean(axis=-1)
    if (value <= 1.0).sum() < MINIMUM_OF_SHAPE * wanted:
        return None
    candidates = _component_nearest(value <= MAX_STRETCH, value)
    if candidates is None or candidates.sum() < wanted:
        return None
    places = np.flatnonzero(candidates)
    flat = value.ravel()
    chosen = places[np.argsort(flat[places], kind="stable")[:wanted]]
    inside = np.zeros(box.shape, bool)
    inside.ravel()[chosen] = True
    inside = _main_part(inside)
    if inside is None or _touches_end(inside, box, geometry):
        return None
    if anchor is not None and anchor(box)[inside].mean() < MINIMUM_ANCHORED:
        return None
    level = max(float(flat[chosen[-1]]), 1e-3)
    soft = np.zeros(box.shape, np.float32)
    soft[free] = (sub_values <= level).mean(axis=-1, dtype=np.float32)
    tight = Box.of(inside | (soft > 0))
    absolute = Box(
        tuple(a + b for a, b in zip(box.start, tight.start, strict=True)),
        tuple(a + b for a, b in zip(box.start, tight.stop, strict=True)),
    )
    return TumorMask(
        absolute,
        inside[tight.slices],
        soft[tight.slices],
        geometry.cropped(absolute),
        shape.diameter,
        dict(details or {}),
    )


def size_is_reachable(diameter: float, geometry: Geometry) -> bool:
    """Whether a whole number of voxels comes within the tolerance of `diameter` (mm)."""
    wanted = round(sphere_volume(diameter) / geometry.voxel_volume)
    got = sphere_diameter(wanted * geometry.voxel_volume)
    return wanted >= 1 and abs(got / diameter - 1.0) <= SIZE_TOLERANCE


def largest_that_fits(
    shape: Shape, centre: np.ndarray, geometry: Geometry, allowed: Allowed, *, anchor: Allowed | None = None
) -> float:
    """Largest diameter in mm, up to the shape's own, at which it fits at `centre`; 0 if none does."""
    low, high = 0.0, shape.diameter
    for _ in range(9):
        middle = (low + high) / 2.0
        if fit(shape.scaled(middle), centre, geometry, allowed, anchor=anchor) is None:
            high = middle
        else:
            low = middle
    return low


def _reach_box(shape: Shape, centre: np.ndarray, geometry: Geometry) -> Box:
    index = np.rint(geometry.ras_to_index(centre)).astype(int)
    start = np.clip(index, 0, np.array(geometry.shape) - 1)
    return Box(tuple(start), tuple(start + 1)).grown(
        geometry.margin(shape.reach * MAX_STRETCH), geometry.shape
    )


def _values(shape: Shape, centre: np.ndarray, geometry: Geometry, box: Box, free: np.ndarray) -> np.ndarray:
    """Values of the shape at sub-points of the voxels `free`: float32, (voxels, points)."""
    fine = max(0.5, shape.diameter / 16.0)
    parts = [int(np.clip(np.ceil(s / fine), 1, 6)) for s in geometry.spacing]
    while box.size * np.prod(parts) > _MAX_POINTS and max(parts) > 1:
        parts[int(np.argmax(parts))] -= 1
    offsets = np.stack(
        np.meshgrid(*[(np.arange(p) + 0.5) / p - 0.5 for p in parts], indexing="ij"), axis=-1
    ).reshape(-1, 3)
    grid = np.argwhere(free) + box.start
    # Affine maps are linear: voxel centres and offsets are turned into mm separately and added up.
    centres_mm = (geometry.index_to_ras(grid) - centre).astype(np.float32)
    offsets_mm = (geometry.index_to_ras(offsets) - geometry.index_to_ras(np.zeros(3))).astype(np.float32)
    values = np.empty((len(grid), len(offsets)), np.float32)
    # Of a small lesion many sub-points at a time: calls would cost more than what they compute.
    several = max(1, _POINTS_AT_A_TIME // max(1, len(grid)))
    for n in range(0, len(offsets), several):
        part = slice(n, n + several)
        values[:, part] = shape.value(centres_mm[:, None] + offsets_mm[part])
    return values


def _component_nearest(mask: np.ndarray, value: np.ndarray) -> np.ndarray | None:
    """The connected part of `mask` that holds its innermost voxel."""
    parts, count = ndimage.label(mask)
    if count == 0:
        return None
    innermost = np.argmin(np.where(mask, value, np.inf))
    return parts == parts.flat[innermost]


def _main_part(inside: np.ndarray) -> np.ndarray | None:
    """The lesion without crumbs; None if they are more than 2 % of it (26-neighbourhood)."""
    parts, count = ndimage.label(inside, structure=np.ones((3, 3, 3)))
    if count <= 1:
        return inside
    sizes = np.bincount(parts.ravel())[1:]
    return parts == 1 + int(sizes.argmax()) if sizes.max() >= 0.98 * sizes.sum() else None


def _touches_end(inside: np.ndarray, box: Box, geometry: Geometry) -> bool:
    """Whether the lesion reaches the outermost voxels of the scan, where part of it would be cut off."""
    held = Box.of(inside)
    first = np.array(held.start) + box.start
    last = np.array(held.stop) + box.start
    return bool((first == 0).any() or (last == geometry.shape).any())
