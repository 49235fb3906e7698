"""A case on the working grid: HU, labels in the ids of its group, and where organs and lesions are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from freetumor.anatomy import ORGANS, Organ
from freetumor.errors import BadInput
from freetumor.masks import sphere_diameter
from freetumor.organs import CONVENTIONS, label_organ
from freetumor.organs.labels import as_integers
from freetumor.training.contours import draw_contours, read_contours
from freetumor.training.sources import AUTOMATIC, Case
from freetumor.volume import Box, Volume, WorkingGrid, check_ct, check_same_grid, on_grid, read_volume

_HU = (-1024, 3071)
_TOUCHING = np.ones((3, 3, 3), bool)  # parts that touch by a corner are one lesion
_ORGAN_PLACES, _LESION_PLACES = 4096, 256  # voxels kept to draw patches from
_LEAST_SHARE = 0.5  # of the largest share: what is kept of a lesion that would vanish


@dataclass(frozen=True)
class Places:
    """Voxels of an organ or of one lesion, to draw patches from: ``first`` to ``last`` of all places.

    Attributes:
        label: id in the label map. voxels: how many there are in all.
        diameter_mm: of the sphere of the same volume. synthetic: put there by a computer.
    """

    label: int
    voxels: int
    diameter_mm: float
    first: int
    last: int
    synthetic: bool = False


@dataclass(frozen=True, eq=False)
class Arrays:
    """What is kept of a case; arrays are (k, j, i) on `grid`.

    Attributes:
        hu: int16. labels: uint8, ids of the group, 255 where nothing is known.
        mask: share of synthetic tumor in 1/255, uint8; None where there is none.
        places: voxels (n, 3), int32. organs, lesions: what they belong to.
    """

    grid: WorkingGrid
    hu: np.ndarray
    labels: np.ndarray
    mask: np.ndarray | None
    places: np.ndarray
    organs: tuple[Places, ...]
    lesions: tuple[Places, ...]


def prepare(case: Case, spacing: Sequence[float], ct: Volume | None = None) -> Arrays:
    """Bring a case to the working grid of `spacing` mm (k, j, i).

    Labels go through the share that they fill of each voxel; the largest share wins. A lesion that would
    vanish so, because it is smaller than a voxel of the grid, keeps the voxels that it fills most.

    Raises:
        BadInput: the CT or a label map is not usable; names the case.
    """
    try:
        ct = ct or read_volume(case.ct)
        check_ct(ct)
        native = labels_on_ct(case, ct)
        tumor = _tumor_mask(case, ct)
    except BadInput as error:
        raise BadInput(f"case {case.name} to be usable", str(error), kind=error.kind) from error
    grid = WorkingGrid.covering(ct.geometry, None, spacing)
    hu = np.clip(np.rint(grid.sample(ct)), *_HU).astype(np.int16)
    rows = {row.lesion_label: row for row in ORGANS.values() if row.group == case.group}
    labels = _on_grid(native, grid, set(rows))
    mask = None
    if tumor is not None:
        mask = np.rint(255.0 * grid.sample_mask(tumor)).astype(np.uint8)
    return _with_places(Arrays(grid, hu, labels, mask, np.zeros((0, 3), np.int32), (), ()), rows)


def labels_on_ct(case: Case, ct: Volume) -> np.ndarray:
    """The labels of a case on the grid of its CT in the ids of its group: uint8, (k, j, i).

    Raises:
        BadInput: kind "unknown_labels", "grid_mismatch", or a file is not usable.
    """
    out = np.zeros(ct.array.shape, np.uint8)
    if case.labels is not None:
        source = _read(case.labels, ct, "its label map")
        translation = dict(case.label_map) or {v: v for v in _ids(case.group)}
        held = _held(source)
        strangers = sorted(held - set(translation))
        if strangers:
            raise BadInput(
                f"the labels {', '.join(map(str, sorted(translation)))} in {case.labels}",
                f"also {', '.join(map(str, strangers[:8]))}",
                "Say in label_map what they are.",
                kind="unknown_labels",
            )
        for value in held:
            out[source == value] = translation[value]
    _add_organs(case, ct, out)
    if case.contours is not None:
        draw_contours(read_contours(case.contours)[case.name], ct.geometry, out)
    return out


def _add_organs(case: Case, ct: Volume, out: np.ndarray) -> None:
    """Fill in, under what is labelled, the organs of the case that its second label map holds."""
    if case.organ_labels is None:
        return
    missing = {
        row.organ_label: row
        for row in (ORGANS[name] for name in reversed(case.organs))
        if not (out == row.organ_label).any()
    }
    if case.organ_labels != AUTOMATIC and missing:
        source = _read(case.organ_labels, ct, "its organ labels")
    for label, row in missing.items():
        if case.organ_labels == AUTOMATIC:
            found = label_organ(ct, row).array == row.organ_label
        else:
            found = np.isin(source, sum(CONVENTIONS[case.organ_convention](row), ()))
        out[found & (out == 0)] = label


def _tumor_mask(case: Case, ct: Volume) -> np.ndarray | None:
    return None if case.tumor_mask is None else _read(case.tumor_mask, ct, "its tumor mask") > 0


def _read(path: object, ct: Volume, what: str) -> np.ndarray:
    volume = on_grid(as_integers(read_volume(path)), ct.geometry)
    check_same_grid(ct, volume, what)
    return volume.array


def _ids(group: str) -> set[int]:
    rows = [row for row in ORGANS.values() if row.group == group]
    return {row.organ_label for row in rows} | {row.lesion_label for row in rows}


def _held(array: np.ndarray) -> set[int]:
    held: set[int] = set()
    for plane in array:
        held |= set(np.unique(plane).tolist())
    return held - {0}


def _on_grid(native: np.ndarray, grid: WorkingGrid, lesions: set[int]) -> np.ndarray:
    labels = np.zeros(grid.shape, np.uint8)
    best, rest = np.zeros(grid.shape, np.float32), np.ones(grid.shape, np.float32)
    held = sorted(_held(native))
    for value in held:
        box = Box.of(native == value)
        share = grid.sample_mask(native[box.slices] == value, box)
        rest -= share
        better = share > best
        labels[better] = value
        best[better] = share[better]
    labels[rest > best] = 0
    for value in lesions & set(held):
        _keep_small(native == value, grid, labels, value)
    return labels


def _keep_small(native: np.ndarray, grid: WorkingGrid, labels: np.ndarray, value: int) -> None:
    """Give each lesion that has no voxel on the grid those that it fills most."""
    whole = Box.of(native)
    parts, _ = ndimage.label(native[whole.slices], _TOUCHING)
    for number, inner in enumerate(ndimage.find_objects(parts), start=1):
        start = tuple(w + i.start for w, i in zip(whole.start, inner, strict=True))
        part = parts[inner] == number
        box = Box(start, tuple(a + n for a, n in zip(start, part.shape, strict=True)))
        near = WorkingGrid.covering(grid.source, box, grid.spacing, margin_mm=max(grid.spacing))
        # Both are parts of one lattice: the difference of their starts is the place of one in the other.
        first = np.subtract(near.start, grid.start)
        place = Box(tuple(map(int, first)), tuple(map(int, first + near.shape))).common(Box.whole(grid.shape))
        share = near.sample_mask(part, box)[place.within(Box(tuple(map(int, first)), place.stop))]
        held = labels[place.slices] == value
        if share.size and not (held & (share > 0)).any():
            labels[place.slices][share >= _LEAST_SHARE * share.max()] = value


def _with_places(arrays: Arrays, rows: dict[int, Organ]) -> Arrays:
    rng = np.random.default_rng(arrays.hu.size)  # any will do, as long as it is the same next time
    voxel = float(np.prod(arrays.grid.spacing))
    organs, lesions, kept, count = [], [], [], 0

    def add(found: np.ndarray, most: int, label: int, synthetic: bool = False) -> Places:
        nonlocal count
        chosen = found if len(found) <= most else found[np.sort(rng.choice(len(found), most, replace=False))]
        kept.append(chosen.astype(np.int32))
        count += len(chosen)
        size = sphere_diameter(len(found) * voxel)
        return Places(label, len(found), round(size, 3), count - len(chosen), count, synthetic)

    for label in sorted({row.organ_label for row in rows.values()}):
        found = np.argwhere(arrays.labels == label)
        if len(found):
            organs.append(add(found, _ORGAN_PLACES, label))
    for label in sorted(rows):
        inside = arrays.labels == label
        if not inside.any():
            continue
        box = Box.of(inside)
        parts, _ = ndimage.label(inside[box.slices], _TOUCHING)
        for number, inner in enumerate(ndimage.find_objects(parts), start=1):
            start = [a + s.start for a, s in zip(box.start, inner, strict=True)]
            found = np.argwhere(parts[inner] == number) + start
            made = arrays.mask is not None and bool(arrays.mask[tuple(found.T)].any())
            lesions.append(add(found, _LESION_PLACES, label, made))
    places = np.concatenate(kept) if kept else np.zeros((0, 3), np.int32)
    return replace(arrays, places=places, organs=tuple(organs), lesions=tuple(lesions))
