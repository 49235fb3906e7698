"""Patches for training: sample n is a pure function of cases, settings, seed and n.

However many workers and ranks there are, and wherever a training goes on, sample n is the same: all its
chance comes from ``numpy.random.default_rng([seed, n])``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from freetumor.anatomy import ORGANS, Organ
from freetumor.training.augment import NO_AUGMENT, Transform, change_brightness
from freetumor.training.cache import Prepared
from freetumor.training.drawing import REAL, SYNTHETIC, TUMOR_FREE, Drawing, Plan, box_around
from freetumor.training.patch_settings import PatchSettings
from freetumor.training.sources import NOT_LABELLED
from freetumor.volume import Box
from freetumor.volume.working_grid import AIR_HU

_ROWS = tuple(ORGANS)


class PatchSet:
    """A data set (map style) of patches of prepared cases; needs no torch itself.

    A sample is a dictionary; its arrays are (channel, x=R, y=A, z=S):

    * ``image`` float32 (1, ...): the CT in its window, 0..1; air beyond a scan that is smaller.
    * ``label`` int64 (1, ...): ids of the organs that are trained and of their lesions, 0 elsewhere, 255
      where nothing is known. Where nobody looked for lesions, organ is organ.
    * ``unlabelled`` bool (K,): of the rows of the organ table those that are trained and that the case has
      no labels of: what is 0 may be one of these.
    * ``mask`` float32 (1, ...): share of each voxel that is synthetic tumor.
    * ``organ_mask`` float32 (1, ...): the organ that the patch was drawn for, with its lesions. ``organ``:
      its row, an index into the organ table.
    * ``kind``: what it shows, 1 a synthetic tumor, 0 a real one (and no synthetic one), 2 none. A patch
      may show another thing than it was drawn for.
    * ``known``: 1 if the lesions of the case are labelled, 0 if there may be more.
    * ``rejected``: tries at a synthetic tumor that were thrown away. ``index``: n.

    With engine "none" a patch of kind 1 has a mask, but CT and labels show no tumor.

    Args:
        cases: prepared with one spacing and window, of the group of the organs.
        length: number of samples.

    Raises:
        BadInput: kind "no_cases": nothing to draw from for a share that is not 0; or engine or judge
            cannot be had.
    """

    def __init__(
        self, cases: Sequence[Prepared], settings: PatchSettings, seed: int = 0, length: int = 1
    ) -> None:
        self.settings, self.seed, self.length = settings, seed, length
        self._augment = settings.augment or NO_AUGMENT
        self._drawing = Drawing(tuple(cases), settings)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, n: int) -> dict[str, np.ndarray | int]:
        if not 0 <= n < self.length:
            raise IndexError(n)
        rng = np.random.default_rng([self.seed, n])
        plan = self._drawing.plan(rng)
        spacing = plan.scan.geometry.spacing
        transform = Transform.draw(self._augment, self.settings.patch, spacing, rng)
        hu, labels, mask = _piece(plan, box_around(plan.centre, transform.source_shape, plan.scan))
        # The axes are turned while the voxels still are small: copies are most of the work.
        hu = _turned(transform.linear(hu)).astype(np.float32, copy=False)
        labels = _turned(transform.nearest(labels))
        mask = np.zeros(hu.shape, np.float32) if mask is None else _turned(transform.linear(mask))
        hu = change_brightness(hu, self._augment, spacing[::-1], rng)
        organ = plan.organ
        return {
            "image": _windowed(hu, plan.scan.window)[None],
            "label": _trained(labels, self.settings.rows).astype(np.int64)[None],
            "unlabelled": _unlabelled(plan.scan, self.settings.rows),
            "mask": mask[None],
            "organ_mask": _is_one_of(labels, organ.organ_label, organ.lesion_label).astype(np.float32)[None],
            "organ": _ROWS.index(organ.name),
            "kind": _kind(labels, mask, self.settings.rows),
            "known": int(plan.scan.case.lesions_known),
            "rejected": plan.rejected,
            "index": n,
        }


def _piece(plan: Plan, box: Box) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """HU as stored, labels, and share of synthetic tumor (None: no tumor) in a box; air beyond the scan."""
    scan, made = plan.scan, plan.made
    hu, labels = _taken(scan.ct.array, box, AIR_HU), _taken(scan.labels.array, box, 0)
    if scan.mask is not None:
        return hu, labels, _taken(scan.mask, box, 0).astype(np.float32) / np.float32(255.0)
    if made is None or made.mask is None:
        return hu, labels, None
    tumor = made.mask
    mask = np.zeros(box.shape, np.float32)
    inner = box.common(tumor.box)
    if inner.size:
        mask[inner.within(box)] = tumor.soft[inner.within(tumor.box)]
    if made.after is not None:
        edited = box.common(made.box)
        if edited.size:
            hu[edited.within(box)] = made.after[edited.within(made.box)]
        if inner.size:
            labels[inner.within(box)][tumor.inside[inner.within(tumor.box)]] = plan.organ.lesion_label
    return hu, labels, mask


def _taken(array: np.ndarray, box: Box, pad: float) -> np.ndarray:
    """A copy of `array` in `box`, `pad` where that reaches beyond it."""
    inner = box.common(Box.whole(array.shape))
    if inner == box:
        return array[box.slices].copy()
    out = np.full(box.shape, pad, array.dtype)
    if inner.size:
        out[inner.within(box)] = array[inner.slices]
    return out


def _turned(array: np.ndarray) -> np.ndarray:
    """(k, j, i) as networks have it, (x, y, z), contiguous."""
    return np.ascontiguousarray(array.transpose(2, 1, 0))


def _windowed(hu: np.ndarray, window: tuple[float, float]) -> np.ndarray:
    """HU scaled from the window to 0..1, in place."""
    low, high = window
    np.clip(hu, low, high, out=hu)
    hu -= np.float32(low)
    hu /= np.float32(high - low)
    return hu


def _unlabelled(scan: Prepared, rows: Sequence[Organ]) -> np.ndarray:
    labelled = {ORGANS[name].organ_label for name in scan.case.organs}
    names = {row.name for row in rows if row.organ_label not in labelled}
    return np.array([name in names for name in _ROWS])


def _trained(labels: np.ndarray, rows: Sequence[Organ]) -> np.ndarray:
    """The ids of a scan that are trained; 0 for others."""
    table = np.zeros(256, np.uint8)
    for value in (NOT_LABELLED, *(row.organ_label for row in rows), *(row.lesion_label for row in rows)):
        table[value] = value
    return np.take(table, labels, mode="clip")  # the mode is only the fastest one


def _kind(labels: np.ndarray, mask: np.ndarray, rows: Sequence[Organ]) -> int:
    if mask.any():
        return SYNTHETIC
    return REAL if _is_one_of(labels, *{row.lesion_label for row in rows}).any() else TUMOR_FREE


def _is_one_of(labels: np.ndarray, *ids: int) -> np.ndarray:
    """Many times faster than np.isin for the few ids there are."""
    return np.logical_or.reduce([labels == value for value in ids])
