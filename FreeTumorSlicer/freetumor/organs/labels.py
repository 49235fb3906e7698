"""Organ labels from any label map: by convention name or by explicit values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from freetumor.anatomy import ORGANS, Organ, group_labels
from freetumor.errors import BadInput
from freetumor.volume import Box, Geometry, Volume

# A convention maps an organ's row to (ids of the organ, ids of its real lesions).
CONVENTIONS = {
    "freetumor": lambda organ: ((organ.organ_label,), (organ.lesion_label,)),
    "totalsegmentator": lambda organ: (organ.totalsegmentator, ()),
}


@dataclass(frozen=True)
class OrganLabels:
    """A label map read as one organ: which ids are the organ, which its real lesions.

    The map itself stays as it is (any integer dtype); masks are made a box at a time.
    """

    labels: Volume
    organ: Organ
    organ_ids: tuple[int, ...]
    lesion_ids: tuple[int, ...]
    source: str

    @property
    def geometry(self) -> Geometry:
        """Grid of the label map, which is the CT's."""
        return self.labels.geometry

    def mask(self, box: Box) -> np.ndarray:
        """The organ with its real lesions in `box`: bool, (k, j, i)."""
        return _is_one_of(self.labels.array[box.slices], self.organ_ids + self.lesion_ids)

    def lesions(self, box: Box) -> np.ndarray:
        """Real lesions that the label map already holds in `box`: bool, (k, j, i)."""
        return _is_one_of(self.labels.array[box.slices], self.lesion_ids)

    def strided(self, step: Sequence[int]) -> np.ndarray:
        """The organ on every `step`-th voxel of each axis: bool."""
        thinned = self.labels.array[tuple(slice(None, None, s) for s in step)]
        return _is_one_of(thinned, self.organ_ids + self.lesion_ids)

    def in_group_convention(self) -> np.ndarray:
        """All organs of the group (with real lesions) as uint8 ids of the ``freetumor`` convention."""
        out = np.zeros(self.labels.array.shape, np.uint8)
        for ids, value in self._translation():
            for plane, target in zip(self.labels.array, out, strict=True):
                target[_is_one_of(plane, ids)] = value
        return out

    def _translation(self) -> Iterator[tuple[tuple[int, ...], int]]:
        if self.source in CONVENTIONS:
            rows = {row.organ_label: row for row in ORGANS.values() if row.group == self.organ.group}
            for row in rows.values():
                organ_ids, lesion_ids = CONVENTIONS[self.source](row)
                yield organ_ids, row.organ_label
                yield lesion_ids, row.lesion_label
        else:
            yield self.organ_ids, self.organ.organ_label


def organ_labels(
    labels: Volume,
    organ: Organ,
    *,
    convention: str = "freetumor",
    values: Sequence[int] = (),
) -> OrganLabels:
    """Read `labels` as the labels of `organ`.

    Args:
        labels: label map on the CT's grid.
        convention: name in :data:`CONVENTIONS`; ignored where `values` are given.
        values: explicit ids of the organ in this map.

    Raises:
        BadInput: unknown convention; the map holds fractions; the organ is absent or too small.
    """
    check_convention(convention)
    if values:
        organ_ids, lesion_ids, source = tuple(int(v) for v in values), (), "values"
    else:
        organ_ids, lesion_ids = CONVENTIONS[convention](organ)
        source = convention
    read = OrganLabels(as_integers(labels), organ, organ_ids, lesion_ids, source)
    if source == "freetumor":
        _check_own_convention(read)
    _check_present(read)
    return read


def check_convention(name: str) -> None:
    """Raise :class:`BadInput` naming the conventions there are, unless `name` is one."""
    if name not in CONVENTIONS:
        raise BadInput(f"a label convention of {', '.join(CONVENTIONS)}", repr(name), kind="usage")


def missing_labels(organ: Organ) -> BadInput:
    """The error for an organ without labels: says which tools make them."""
    return BadInput(
        f"a label map with the {organ.site.meaning.lower()} (--labels FILE)",
        "none",
        f"Make one with {organ.labelers}; name its ids with --label-convention or --organ-value.",
        kind="labels_missing",
    )


def as_integers(labels: Volume) -> Volume:
    """`labels` with an integer array and no scale; raises :class:`BadInput` if it holds fractions."""
    if labels.storage.slope == 1.0 and labels.storage.intercept == 0.0 and labels.array.dtype.kind in "ui":
        return labels
    ids = np.empty(labels.array.shape, np.int16)
    for k, target in enumerate(ids):
        plane = labels.hu(Box((k, 0, 0), (k + 1, *labels.array.shape[1:])))[0]
        target[:] = np.rint(plane)
        if not np.array_equal(target, plane):
            raise BadInput(
                "a label map of whole numbers",
                f"a value of {plane[target != plane][0]:.4g}",
                "Give a segmentation, not a CT or a probability map.",
                kind="not_labels",
            )
    return labels.like(ids, labels.name)


def _is_one_of(array: np.ndarray, ids: Sequence[int]) -> np.ndarray:
    """Faster than np.isin for the few ids an organ has: one table look-up or one comparison."""
    if len(ids) == 1:
        return array == ids[0]
    if array.dtype == np.uint8:
        table = np.zeros(256, bool)
        table[[i for i in ids if 0 <= i < 256]] = True
        return table[array]
    return np.isin(array, ids)


def _check_own_convention(read: OrganLabels) -> None:
    """Ids that the organ's group does not have tell a map of another convention."""
    known = group_labels(read.organ.group)
    held = np.unique(read.labels.array[tuple(slice(None, None, s) for s in _thinning(read.geometry))])
    others = [int(v) for v in held if v not in known.values()]
    if others:
        ids = ", ".join(f"{value} {name}" for name, value in known.items() if value)
        raise BadInput(
            f"a label map in the freetumor convention ({ids})",
            f"a map with other ids: {', '.join(map(str, others[:12]))}",
            "Name its convention (--label-convention totalsegmentator) or the organ's ids (--organ-value N).",
            kind="wrong_convention",
        )


def _thinning(geometry: Geometry) -> list[int]:
    return [max(1, int(3.0 // s)) for s in geometry.spacing]


def _check_present(read: OrganLabels) -> None:
    organ, geometry = read.organ, read.geometry
    step = _thinning(geometry)
    ml = read.strided(step).sum() * geometry.strided(step).voxel_volume / 1000.0
    ids = ", ".join(str(i) for i in read.organ_ids)
    if ml >= organ.minimum_ml:
        return
    found = np.unique(read.labels.array[:: step[0], :: step[1], :: step[2]])
    held = ", ".join(str(v) for v in found[:20]) + (" ..." if found.size > 20 else "")
    absent = not any(_is_one_of(plane, read.organ_ids).any() for plane in read.labels.array)
    raise BadInput(
        f"at least {organ.minimum_ml:g} ml of {organ.site.meaning.lower()} (id {ids}) in the label map",
        f"no such voxel (the map holds {held})" if absent else f"{ml:.1f} ml",
        "Check --label-convention / --organ-value, and that the organ lies in the scan.",
        kind="organ_absent" if absent else "organ_too_small",
    )
