"""A label map from any tool, read into FreeTumor's own ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from freetumor.anatomy import ORGANS, Organ
from freetumor.errors import BadInput
from freetumor.organs.labels import CONVENTIONS, as_integers, check_convention
from freetumor.volume import Volume, check_same_grid, on_grid, resample_labels


@dataclass(frozen=True, eq=False)
class Imported:
    """A label map in the ``freetumor`` convention.

    Attributes:
        labels: uint8, (k, j, i).
        organ: the row asked for; its group gives the ids their meaning.
        ignored: ids of the source that mean nothing to FreeTumor.
    """

    labels: Volume
    organ: Organ
    ignored: tuple[int, ...]


def import_labels(
    source: Volume,
    organ: Organ,
    *,
    ct: Volume | None = None,
    convention: str = "freetumor",
    organ_values: Sequence[int] = (),
    lesion_values: Sequence[int] = (),
    resample: bool = False,
) -> Imported:
    """Translate `source` into the ids of the group of `organ`.

    Args:
        source: label map; integers, or floats that are whole numbers.
        ct: where given, the result is on its grid.
        convention: name in ``organs.labels.CONVENTIONS``; ignored where values are given.
        organ_values, lesion_values: ids in `source` of the organ and of its lesions, where `source`
            follows no convention. A mask of lesions alone has no organ values.
        resample: bring `source` to the grid of `ct` (nearest neighbour) instead of refusing it.

    Raises:
        BadInput: unknown convention, fractions, another grid, an id that is said to be both, or nothing
            in it that the convention knows.
    """
    translation = _translation(organ, convention, organ_values, lesion_values)
    source = as_integers(source)
    if ct is not None:
        source = on_grid(source, ct.geometry)
        if resample and not ct.geometry.same_grid(source.geometry):
            source = resample_labels(source, ct.geometry)
        hint = "Allow resampling, or choose the CT that it was made on."
        check_same_grid(ct, source, "the label map", hint=hint)
    held = _values(source.array)
    known = [value for value in held if value in translation]
    if not known:
        raise BadInput(
            f"at least one of the ids {_listed(sorted(translation))} in the label map",
            f"only {_listed(held)}" if held else "an empty label map",
            "Choose another convention, or name the ids of the organ and of its lesions.",
            kind="organ_absent",
        )
    ignored = tuple(value for value in held if value not in translation)
    if ignored and convention == "freetumor" and not organ_values and not lesion_values:
        raise BadInput(
            f"only the ids {_listed(sorted(translation))} of the {organ.group} in the label map",
            f"also {_listed(ignored)}",
            "It follows another convention: choose that, or name the ids of the organ and its lesions.",
            kind="unknown_labels",
        )
    out = np.zeros(source.array.shape, np.uint8)
    for value in known:
        out[source.array == value] = translation[value]
    return Imported(source.like(out, source.name), organ, ignored)


def _translation(
    organ: Organ, convention: str, organ_values: Sequence[int], lesion_values: Sequence[int]
) -> dict[int, int]:
    """Id in the source -> id in the ``freetumor`` convention."""
    if organ_values or lesion_values:
        both = sorted({*organ_values} & {*lesion_values})
        if both:
            raise BadInput("ids of either the organ or its lesions", f"{_listed(both)} as both", kind="usage")
        return dict.fromkeys(organ_values, organ.organ_label) | dict.fromkeys(
            lesion_values, organ.lesion_label
        )
    check_convention(convention)
    translation = {}
    for row in ORGANS.values():
        if row.group == organ.group:
            organ_ids, lesion_ids = CONVENTIONS[convention](row)
            translation |= dict.fromkeys(organ_ids, row.organ_label)
            translation |= dict.fromkeys(lesion_ids, row.lesion_label)
    return translation


def _values(array: np.ndarray) -> list[int]:
    """Ids in a label map without background, sorted; a slice at a time, as np.unique sorts a copy."""
    held: set[int] = set()
    for plane in array:
        # Counting is several times faster than sorting, but takes a counter for each possible value.
        counted = plane.dtype == np.uint8
        held |= set((np.flatnonzero(np.bincount(plane.ravel())) if counted else np.unique(plane)).tolist())
    return sorted(held - {0})


def _listed(values: Sequence[int]) -> str:
    return ", ".join(str(v) for v in values[:12]) + (" ..." if len(values) > 12 else "")
