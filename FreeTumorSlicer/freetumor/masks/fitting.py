"""Putting a shape on the CT's grid so that it has the asked volume there, organ and all.

The shape is an implicit function: voxels are ordered by it and the first n are taken, n being the asked
volume in voxels. A lesion that the organ's border cuts grows on its free side by a few per cent instead
of ending up smaller than asked; one that would have to grow further does not fit, nor does one that the
border makes longer and thinner than any real tumor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from freetumor.masks.raster import Raster
from freetumor.masks.shape_measures import axis_ratio
from freetumor.masks.shapes import MAX_STRETCH, Shape
from freetumor.masks.tumor_mask import TumorMask, sphere_diameter, sphere_volume
from freetumor.volume import Box, Geometry

SIZE_TOLERANCE = 0.10  # of the diameter
MINIMUM_OF_SHAPE = 0.82  # of the shape's volume must find room as it is, or it would take the organ's form
MINIMUM_ANCHORED = 0.4  # share of an exophytic tumor that must lie in its organ
_RESOLVED = 150  # voxels; fewer show their voxels, not their shape
_HALVINGS = 8  # of the interval in which the largest size that fits is looked for

# box -> bool array (k, j, i): where tumor may be
Allowed = Callable[[Box], np.ndarray]


@dataclass(frozen=True, eq=False)
class Room:
    """Where a lesion may be, on the grid of `geometry`: within `allowed`.

    With an `anchor` (the organ), at least :data:`MINIMUM_ANCHORED` of the lesion must lie in it.
    """

    geometry: Geometry
    allowed: Allowed
    anchor: Allowed | None = None


def fit(raster: Raster, index: np.ndarray, room: Room, *, details: dict | None = None) -> TumorMask | None:
    """The shape of `raster` at voxel `index` (k, j, i) in `room`, on the grid of both; None if it has none.

    The result's equivalent-sphere diameter is the shape's up to half a voxel of volume.
    """
    box, part = raster.placed(index)
    found = _inside(raster, box, part, room)
    if found is None:
        return None
    # Beyond the scan the raster may go on; no tumor is there.
    inside, around = np.zeros((2, *raster.centres.shape), bool)
    inside[part], around[part] = found
    soft, inside = raster.soft(inside, around)[part], found[0]
    tight = Box.of(inside | (soft > 0))
    absolute = Box(
        tuple(a + b for a, b in zip(box.start, tight.start, strict=True)),
        tuple(a + b for a, b in zip(box.start, tight.stop, strict=True)),
    )
    return TumorMask(
        absolute,
        inside[tight.slices],
        soft[tight.slices],
        room.geometry.cropped(absolute),
        raster.shape.diameter,
        dict(details or {}),
    )


def fits(raster: Raster, index: np.ndarray, room: Room) -> bool:
    """Whether :func:`fit` finds room."""
    box, part = raster.placed(index)
    return _inside(raster, box, part, room) is not None


def size_is_reachable(diameter: float, geometry: Geometry) -> bool:
    """Whether a whole number of voxels comes within the tolerance of `diameter` (mm)."""
    wanted = round(sphere_volume(diameter) / geometry.voxel_volume)
    got = sphere_diameter(wanted * geometry.voxel_volume)
    return wanted >= 1 and abs(got / diameter - 1.0) <= SIZE_TOLERANCE


def largest_that_fits(shape: Shape, centre: np.ndarray, room_for: Callable[[float], Room]) -> float:
    """Largest diameter in mm, up to the shape's own, at which it fits at `centre`; 0 if none does.

    Args:
        centre: RAS mm. room_for: a lesion of that diameter in mm.
    """
    low, high = 0.0, shape.diameter
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        room = room_for(middle)
        raster = Raster.of(shape.scaled(middle), room.geometry, centre)
        low, high = (middle, high) if fits(raster, raster.index(centre), room) else (low, middle)
    return low


def _inside(
    raster: Raster, box: Box, part: tuple[slice, slice, slice], room: Room
) -> tuple[np.ndarray, np.ndarray] | None:
    """The lesion in `box`, `part` of the raster, and all that it could have taken; None if it has no room."""
    volume = sphere_volume(raster.shape.diameter) / room.geometry.voxel_volume
    wanted = round(volume)
    if not 1 <= wanted <= box.size:
        return None
    free = room.allowed(box)
    # The share of voxels, not their number: of a small lesion few voxels are whole.
    if (raster.share[part] * free).sum(dtype=np.float64) < MINIMUM_OF_SHAPE * volume:
        return None
    # A lesion of few voxels must have the choice of one more.
    stretch = max(MAX_STRETCH, 1.0 + float(np.linalg.norm(room.geometry.spacing)) / raster.shape.diameter)
    value = np.where(free, raster.value[part], np.float32(np.inf))
    around = _component_nearest(value <= stretch, value)
    inside = _first(wanted, around, value)
    if inside is None or _touches_end(inside, box, room.geometry):
        return None
    most = raster.shape.largest_axis_ratio
    if wanted >= _RESOLVED and axis_ratio(inside, room.geometry.spacing) > most:
        return None
    if room.anchor is not None and room.anchor(box)[inside].mean() < MINIMUM_ANCHORED:
        return None
    return inside, around


def _component_nearest(mask: np.ndarray, value: np.ndarray) -> np.ndarray:
    """The connected part of `mask` that holds its innermost voxel."""
    parts, count = ndimage.label(mask)
    return mask if count <= 1 else parts == parts.flat[value.argmin()]


def _first(wanted: int, around: np.ndarray, value: np.ndarray) -> np.ndarray | None:
    """The `wanted` voxels of `around` with the least `value`, in one piece; None if there are not so many."""
    places = np.flatnonzero(around)
    if len(places) < wanted:
        return None
    chosen = places[np.argpartition(value.ravel()[places], wanted - 1)[:wanted]]
    inside = np.zeros(value.shape, bool)
    inside.ravel()[chosen] = True
    return _main_part(inside)


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
