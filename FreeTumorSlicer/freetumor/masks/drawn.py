"""Tumor masks drawn by a person: any mask on the CT's grid, each connected part one lesion."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from freetumor.errors import BadInput
from freetumor.masks.tumor_mask import TumorMask
from freetumor.organs.labels import OrganLabels
from freetumor.volume import Box, Volume

MINIMUM_INSIDE = 0.5  # share of a drawn lesion that must lie in the organ
_MAX_LESIONS = 100


def drawn_masks(mask: Volume, labels: OrganLabels) -> list[TumorMask]:
    """Lesions of a drawn `mask` (non-zero = tumor; several values = several lesions).

    Raises:
        BadInput: the mask is empty, lies outside the organ, or covers so much that it must be an organ mask.
    """
    box = Box.of(mask.array != 0)
    if box.size == 0:
        raise BadInput(
            "a tumor mask with at least one voxel",
            "an empty mask",
            "Draw the tumor, or leave --mask out and ask for a size with --diameter.",
            kind="mask_empty",
        )
    values = mask.array[box.slices]
    lesions = []
    for value in np.unique(values[values != 0]):
        parts, _ = ndimage.label(values == value, structure=np.ones((3, 3, 3)))
        for number, where in enumerate(ndimage.find_objects(parts), start=1):
            lesions.append(_lesion(parts[where] == number, where, box, mask, labels))
            if len(lesions) > _MAX_LESIONS:
                raise BadInput(
                    f"a mask of at most {_MAX_LESIONS} lesions",
                    "more connected parts than that",
                    "Smooth the mask (it may be a thresholded CT) or remove specks.",
                    kind="mask_too_many",
                )
    _check_not_an_organ(lesions, labels)
    return lesions


def _lesion(
    inside: np.ndarray, where: tuple[slice, ...], outer: Box, mask: Volume, labels: OrganLabels
) -> TumorMask:
    start = tuple(s.start + o for s, o in zip(where, outer.start, strict=True))
    box = Box(start, tuple(a + n for a, n in zip(start, inside.shape, strict=True)))
    share = (labels.mask(box) & inside).sum() / inside.sum()
    lesion = TumorMask(
        box, inside, inside.astype(np.float32), mask.geometry.cropped(box), None, {"source": "drawn"}
    )
    if share < MINIMUM_INSIDE:
        at = ", ".join(f"{c:.0f}" for c in lesion.centre_ras)
        organ = labels.organ.site.meaning.lower()
        raise BadInput(
            f"a tumor mask with at least {MINIMUM_INSIDE:.0%} of each lesion in the {organ}",
            f"{share:.0%} for the lesion at R,A,S = {at} mm",
            f"Move the mask into the {organ}, or name the organ it lies in with --organ.",
            kind="mask_outside_organ",
        )
    return lesion


def _check_not_an_organ(lesions: list[TumorMask], labels: OrganLabels) -> None:
    step = [max(1, int(3.0 // s)) for s in labels.geometry.spacing]
    organ_mm3 = labels.strided(step).sum() * labels.geometry.strided(step).voxel_volume
    drawn_mm3 = sum(lesion.volume_mm3 for lesion in lesions)
    if drawn_mm3 > 0.8 * organ_mm3:
        raise BadInput(
            f"a tumor mask smaller than the {labels.organ.site.meaning.lower()}",
            f"a mask of {drawn_mm3 / 1000:.0f} ml for an organ of {organ_mm3 / 1000:.0f} ml",
            "Is this the organ's mask? Give the tumor's.",
            kind="mask_is_organ",
        )
