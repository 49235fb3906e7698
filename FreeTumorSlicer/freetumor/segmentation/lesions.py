"""The lesions of a label map as instances: each connected part of a lesion label is one lesion."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from freetumor.anatomy import ORGANS, Organ
from freetumor.organs import OrganLabels
from freetumor.volume import Box, Volume, check_same_grid

# Parts that touch only by a corner are one lesion, as readers and the lesion-wise metrics of LiTS see it.
_CONNECTIVITY = 26


@dataclass(frozen=True, eq=False)
class Part:
    """A connected part of a mask: `inside`, bool (k, j, i), in the smallest `box` that holds it."""

    box: Box
    inside: np.ndarray


def parts_of(mask: np.ndarray) -> Iterator[Part]:
    """The connected parts of `mask`, bool (k, j, i), in the order of their first voxels."""
    outer = Box.of(mask)
    if not outer.size:
        return
    numbers = _numbered(np.ascontiguousarray(mask[outer.slices]))
    for number, where in enumerate(ndimage.find_objects(numbers), start=1):
        start = tuple(o + s.start for o, s in zip(outer.start, where, strict=True))
        stop = tuple(o + s.stop for o, s in zip(outer.start, where, strict=True))
        yield Part(Box(start, stop), numbers[where] == number)


def _numbered(mask: np.ndarray) -> np.ndarray:
    """Number of its connected part in each voxel of `mask`, in the order of the parts' first voxels."""
    try:
        import cc3d
    except ImportError:
        # 3D Slicer does not carry it: a review must work before anything is installed.
        logging.getLogger("freetumor").info("without connected-components-3d, lesions are found slower")
        return ndimage.label(mask, np.ones((3, 3, 3)))[0]
    # As bytes: of a bool array that is a line of three voxels or five, cc3d 4.1 miscounts, and gives up.
    return cc3d.connected_components(mask.view(np.uint8), connectivity=_CONNECTIVITY)


def near_organ(part: Part, box: Box, labels: OrganLabels, mm: float) -> bool:
    """Whether a voxel of `part`, found in a crop `box` of the CT, is within `mm` of the organ of `labels`."""
    start, stop = (tuple(np.add(end, box.start).tolist()) for end in (part.box.start, part.box.stop))
    own = Box(start, stop)
    if (labels.mask(own) & part.inside).any():
        return True
    around = own.grown(labels.geometry.margin(mm), labels.geometry.shape)
    organ = labels.mask(around)
    if not organ.any():
        return False
    away = ndimage.distance_transform_edt(~organ, sampling=labels.geometry.spacing)
    return bool(away[own.within(around)][part.inside].min() <= mm)


@dataclass(frozen=True)
class Lesion:
    """One lesion as found in a label map.

    Attributes:
        number: 1, 2, ... from the largest lesion to the smallest.
        diameter_mm: of the sphere of the same volume.
        mean_hu: None where no CT was given.
        centre_ras: the voxel of the lesion nearest to its centre of mass, RAS mm: a crescent's centre of
            mass lies outside of it, and who jumps to a lesion wants to see it.
        organ: name in the organ table.
        label: id in the label map.
        probability: mean of the probability map inside, 0..1; None where no such map was given.
    """

    number: int
    voxels: int
    volume_mm3: float
    diameter_mm: float
    mean_hu: float | None
    centre_ras: tuple[float, float, float]
    organ: str
    label: int
    probability: float | None = None


def lesion_rows(organ: Organ) -> dict[int, Organ]:
    """Rows of the group of `organ` by their lesion id; `organ` itself wins where two rows share one."""
    rows = {}
    for row in ORGANS.values():
        if row.group == organ.group:
            rows.setdefault(row.lesion_label, row)
    rows[organ.lesion_label] = organ
    return rows


def find_lesions(
    labels: Volume,
    organ: Organ,
    *,
    ct: Volume | None = None,
    probability: Volume | None = None,
    smallest_mm3: float = 0.0,
) -> list[Lesion]:
    """Lesions of all organs in the group of `organ`, the largest first.

    Args:
        labels: integer label map (k, j, i) in the ``freetumor`` convention.
        organ: tells the group, and the name of lesions where two rows share an id (lung, COVID-19).
        ct: on the same grid, for the mean HU.
        probability: lesion probability 0..1 on the same grid.
        smallest_mm3: parts below this volume are left out.

    Raises:
        BadInput: `ct` or `probability` is on another grid.
    """
    for other, what in ((ct, "the CT"), (probability, "the probability map")):
        if other is not None:
            check_same_grid(labels, other, what, hint="Choose the one that this segmentation was made on.")
    found = []
    boxes = ndimage.find_objects(labels.array)  # one pass for all ids
    for value, row in lesion_rows(organ).items():
        if value <= len(boxes) and boxes[value - 1] is not None:
            found += _parts(labels, boxes[value - 1], value, row, ct, probability, smallest_mm3)
    found.sort(key=lambda lesion: (-lesion["volume_mm3"], lesion["centre_ras"]))
    return [Lesion(number=number, **lesion) for number, lesion in enumerate(found, start=1)]


def _parts(
    labels: Volume,
    where: tuple[slice, ...],
    value: int,
    row: Organ,
    ct: Volume | None,
    probability: Volume | None,
    smallest_mm3: float,
) -> list[dict]:
    outer = Box(tuple(w.start for w in where), tuple(w.stop for w in where))
    found = []
    for part in parts_of(labels.array[where] == value):
        inside = part.inside
        volume = float(inside.sum()) * labels.geometry.voxel_volume
        if volume < smallest_mm3:
            continue
        box = Box(*(tuple(np.add(end, outer.start).tolist()) for end in (part.box.start, part.box.stop)))
        found.append(
            {
                "voxels": int(inside.sum()),
                "volume_mm3": volume,
                "diameter_mm": float((6.0 * volume / np.pi) ** (1 / 3)),
                "mean_hu": None if ct is None else float(ct.hu(box)[inside].mean()),
                "centre_ras": _centre(labels, box, inside),
                "organ": row.name,
                "label": value,
                "probability": None if probability is None else float(probability.hu(box)[inside].mean()),
            }
        )
    return found


def _centre(labels: Volume, box: Box, inside: np.ndarray) -> tuple[float, float, float]:
    index = np.argwhere(inside)
    away = (index - index.mean(axis=0)) * labels.geometry.spacing
    nearest = index[np.argmin((away**2).sum(axis=1))] + np.array(box.start)
    return tuple(float(c) for c in labels.geometry.index_to_ras(nearest))
