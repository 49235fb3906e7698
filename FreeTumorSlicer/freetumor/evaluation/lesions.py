"""Which lesions were found, and what was found that is none.

The rule is that of the PI-CAI challenge (Saha et al., Lancet Oncology 2024; its program picai_eval): lesions
are connected parts (26-neighbourhood); a predicted part hits a true lesion if their intersection over union
is at least 0.1, coarse enough for a finding and strict enough that a prediction of the whole organ hits
nothing; one part counts for one lesion, assigned so that the sum of overlaps is largest; a part that hits a
lesion which is found already is no false positive. With a threshold of 0 any common voxel is a hit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.optimize import linear_sum_assignment

from freetumor.anatomy import SIZE_CLASSES, Organ
from freetumor.masks import sphere_diameter
from freetumor.volume import Box, Geometry

LEAST_IOU = 0.1
_TOUCHING = np.ones((3, 3, 3), bool)


@dataclass(frozen=True)
class TrueLesion:
    """A lesion of the truth.

    Attributes:
        diameter_mm: of the sphere of the same volume. size_class: of :data:`freetumor.anatomy.SIZE_CLASSES`.
        centre_ras: centre of mass, RAS mm.
        found: whether a predicted part was assigned to it; `iou`: their intersection over union, else 0.
    """

    diameter_mm: float
    size_class: str
    centre_ras: tuple[float, float, float]
    found: bool
    iou: float


@dataclass(frozen=True)
class Matching:
    """Lesions of one scan. `false_mm`: diameters of the predicted parts that hit no lesion."""

    lesions: tuple[TrueLesion, ...]
    false_mm: tuple[float, ...]


def match_lesions(
    truth: np.ndarray,
    found: np.ndarray,
    geometry: Geometry,
    organ: Organ,
    *,
    least_iou: float = LEAST_IOU,
    smallest_mm3: float = 0.0,
) -> Matching:
    """Match the connected parts of two masks (k, j, i) on `geometry`.

    Args:
        organ: whose size classes are taken; see :func:`size_class_of`.
        least_iou: overlap from which a part hits a lesion, 0..1.
        smallest_mm3: smaller parts are not counted on either side; a part that hits a true one which is too
            small to count is no false positive.
    """
    box = Box.of(truth | found)
    if box.size == 0:
        return Matching((), ())
    true_parts, true_count = ndimage.label(truth[box.slices], _TOUCHING)
    parts, count = ndimage.label(found[box.slices], _TOUCHING)
    true_size = np.bincount(true_parts.ravel(), minlength=true_count + 1)[1:]
    size = np.bincount(parts.ravel(), minlength=count + 1)[1:]
    iou = _overlaps(true_parts, parts, true_size, size)
    hits = (iou >= least_iou) & (iou > 0)
    rows, columns = linear_sum_assignment(np.where(hits, iou, 0.0), maximize=True)
    assigned = {int(r): float(iou[r, c]) for r, c in zip(rows, columns, strict=True) if hits[r, c]}
    voxel = geometry.voxel_volume
    lesions = []
    centres = ndimage.center_of_mass(true_parts > 0, true_parts, range(1, true_count + 1))
    for number, centre in enumerate(centres):
        if true_size[number] * voxel < smallest_mm3:
            continue
        diameter = sphere_diameter(true_size[number] * voxel)
        ras = geometry.index_to_ras(np.array(centre) + box.start)
        place = tuple(round(float(c), 2) for c in ras)
        overlap = assigned.get(number, 0.0)
        lesions.append(
            TrueLesion(diameter, size_class_of(organ, diameter), place, number in assigned, overlap)
        )
    misses = ~hits.any(axis=0) & (size * voxel >= smallest_mm3)
    return Matching(tuple(lesions), tuple(sphere_diameter(n * voxel) for n in size[misses]))


def size_class_of(organ: Organ, diameter_mm: float) -> str:
    """The size class of a diameter; the first and the last class have no outer end."""
    for name in SIZE_CLASSES:
        if diameter_mm < organ.size_class(name)[1]:
            return name
    return name


def _overlaps(
    true_parts: np.ndarray, parts: np.ndarray, true_size: np.ndarray, size: np.ndarray
) -> np.ndarray:
    """Intersection over union of each true part with each found one: (true, found)."""
    shape = len(true_size) + 1, len(size) + 1
    both = (true_parts > 0) & (parts > 0)
    pairs = true_parts[both].astype(np.int64) * shape[1] + parts[both]
    common = np.bincount(pairs, minlength=shape[0] * shape[1]).reshape(shape)[1:, 1:]
    return common / np.maximum(true_size[:, None] + size[None, :] - common, 1)
