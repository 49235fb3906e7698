"""What a patch is drawn for, and where it lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from freetumor.anatomy import SIZE_CLASSES, Organ
from freetumor.errors import BadInput
from freetumor.training.cache import Prepared
from freetumor.training.online import Made, OnlineSynthesis
from freetumor.training.patch_settings import IN_CASES, NO_ENGINE, PatchSettings
from freetumor.training.preparation import Places
from freetumor.volume import Box

REAL, SYNTHETIC, TUMOR_FREE = range(3)  # what a patch is drawn for, and what it shows
_JITTER = 0.25  # of the patch: so far may a tumor's voxel lie off its centre
_CENTRES = 8  # tried for a patch without a lesion


@dataclass(frozen=True, eq=False)
class Plan:
    """A patch of `scan` around voxel `centre` (k, j, i), drawn for `organ`.

    Attributes:
        made: the tumor that is put in. rejected: tries at one that were thrown away.
    """

    scan: Prepared
    centre: np.ndarray
    organ: Organ
    made: Made | None = None
    rejected: int = 0


class Drawing:
    """Draws plans from `cases`.

    Raises:
        BadInput: kind "no_cases": nothing to draw from for a share that is not 0; "usage": the cases were
            not prepared alike; or engine or judge cannot be had.
    """

    def __init__(self, cases: Sequence[Prepared], settings: PatchSettings) -> None:
        self._cases, self._settings = cases, settings
        shares = np.array([settings.real, settings.synthetic, settings.tumor_free], float)
        self._shares = shares / shares.sum()
        self._labelled = _Lesions(cases, settings, synthetic=False)
        self._in_cases = _Lesions(cases, settings, synthetic=True)
        # A scan that already holds synthetic tumors gets no more.
        self._scans = {
            row.name: [s for s in cases if s.mask is None and s.organ_ml(row.organ_label) >= row.minimum_ml]
            for row in settings.rows
        }
        self._rows = [row for row in settings.rows if self._scans[row.name]]
        self._check()

    def plan(self, rng: np.random.Generator) -> Plan:
        """The next plan of `rng`."""
        kind = int(rng.choice(3, p=self._shares))
        if kind == REAL:
            return self._at_lesion(self._labelled, rng)
        if kind == SYNTHETIC and self._settings.engine == IN_CASES:
            return self._at_lesion(self._in_cases, rng)
        row = self._rows[rng.integers(len(self._rows))]
        scan = self._scans[row.name][rng.integers(len(self._scans[row.name]))]
        if kind == TUMOR_FREE:
            return Plan(scan, self._without_lesion(scan, row, rng), row)
        small = self._settings.small_of_synthetic
        chances = [small / 2, small / 2, (1.0 - small) / 2, (1.0 - small) / 2]
        size_class = str(rng.choice(list(SIZE_CLASSES), p=chances))
        made = self._online.tumor(scan, row, size_class, int(rng.integers(2**62)))
        if made.mask is None:
            return Plan(scan, self._without_lesion(scan, row, rng), row, None, made.rejected)
        voxels = np.argwhere(made.mask.inside) + made.mask.box.start
        centre = self._near(voxels[rng.integers(len(voxels))], rng)
        return Plan(scan, centre, row, made, made.rejected)

    def _at_lesion(self, lesions: _Lesions, rng: np.random.Generator) -> Plan:
        scan, lesion, row = lesions.draw(rng)
        return Plan(scan, self._near(scan.places[rng.integers(lesion.first, lesion.last)], rng), row)

    def _near(self, voxel: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The centre of a patch that shows `voxel`, but not always in its middle."""
        return voxel + np.rint(rng.uniform(-_JITTER, _JITTER, 3) * self._settings.patch).astype(int)

    def _without_lesion(self, scan: Prepared, row: Organ, rng: np.random.Generator) -> np.ndarray:
        """A centre at the organ or anywhere; of a patch without lesions, if one is wanted and found."""
        lesions = {r.lesion_label for r in self._settings.rows} if self._settings.avoid_lesions else ()
        organ = next(places for places in scan.organs if places.label == row.organ_label)
        for _ in range(_CENTRES):
            if rng.random() < self._settings.foreground:
                centre = self._near(scan.places[rng.integers(organ.first, organ.last)], rng)
            else:
                centre = rng.integers(0, scan.geometry.shape)
            shown = box_around(centre, self._settings.patch, scan).common(Box.whole(scan.geometry.shape))
            inside = scan.labels.array[shown.slices]
            if not any((inside == label).any() for label in lesions):
                break
        return centre

    @cached_property
    def _online(self) -> OnlineSynthesis:
        nothing = self._settings.engine == NO_ENGINE
        return OnlineSynthesis(None if nothing else self._settings.request(), self._settings.tries)

    def __getstate__(self) -> dict:
        # Engines hold networks, and maps of organs: each process makes its own.
        return {name: value for name, value in self.__dict__.items() if name != "_online"}

    def _check(self) -> None:
        settings = self._settings
        grids = {tuple(np.round(scan.geometry.spacing, 4).tolist()) for scan in self._cases}
        windows = {scan.window for scan in self._cases}
        if len(grids) > 1 or len(windows) > 1:
            got = f"spacings {sorted(grids)} and windows {sorted(windows)}"
            raise BadInput("cases prepared with one spacing and one window", got, kind="usage")
        names, missing = ", ".join(settings.organs), []
        in_cases = settings.engine == IN_CASES
        if settings.real and not self._labelled:
            missing.append(f"labelled tumors ({names})")
        if settings.synthetic and in_cases and not self._in_cases:
            missing.append(f"case folders with synthetic tumors ({names})")
        if (settings.tumor_free or (settings.synthetic and not in_cases)) and not self._rows:
            least = ", ".join(f"{row.name} {row.minimum_ml:g} ml" for row in settings.rows)
            missing.append(f"scans with enough of an organ that is labelled ({least})")
        if missing:
            raise BadInput(
                f"{' and '.join(missing)} to draw patches from",
                f"{len(self._cases)} cases without",
                "Add cases, check label_map and organs of the sources, or set that share to 0.",
                kind="no_cases",
            )
        if settings.synthetic and not in_cases:
            for row in self._rows:
                self._online.check(row)


class _Lesions:
    """Lesions of the cases with their scan and row, to draw from. False if there are none."""

    def __init__(self, cases: Sequence[Prepared], settings: PatchSettings, *, synthetic: bool) -> None:
        rows = {row.lesion_label: row for row in reversed(settings.rows)}  # of two that share it the first
        self._found: list[tuple[Prepared, Places, Organ]] = []
        weights, small = [], []
        for scan in cases:
            lesions = [x for x in scan.lesions if x.label in rows and x.synthetic == synthetic]
            for lesion in lesions:
                row = rows[lesion.label]
                self._found.append((scan, lesion, row))
                # Every scan counts alike, however many lesions it has.
                weights.append(1.0 / len(lesions))
                small.append(lesion.diameter_mm < row.size_class("medium")[0])
        weight, is_small = np.array(weights), np.array(small, bool)
        if settings.small is not None and is_small.any() and not is_small.all():
            weight[is_small] *= settings.small / weight[is_small].sum()
            weight[~is_small] *= (1.0 - settings.small) / weight[~is_small].sum()
        self._upto = np.cumsum(weight) / max(weight.sum(), 1e-12)

    def __bool__(self) -> bool:
        return bool(self._found)

    def draw(self, rng: np.random.Generator) -> tuple[Prepared, Places, Organ]:
        """One of them."""
        place = int(np.searchsorted(self._upto, rng.random(), side="right"))
        return self._found[min(place, len(self._found) - 1)]


def box_around(centre: np.ndarray, shape: Sequence[int], scan: Prepared) -> Box:
    """The box of `shape` around voxel `centre`, moved so that it shows as much of the scan as it can.

    It reaches beyond a scan that is smaller than `shape`, on both sides alike.
    """
    start = []
    for middle, size, there in zip(centre, shape, scan.geometry.shape, strict=True):
        room = there - size
        start.append(int(np.clip(middle - size // 2, 0, room)) if room >= 0 else room // 2)
    return Box(tuple(start), tuple(a + int(n) for a, n in zip(start, shape, strict=True)))
