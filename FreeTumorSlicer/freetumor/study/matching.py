"""Which real lesion stands against which synthetic one.

Optimal assignment (Hungarian method) within calipers, as in matched cohort studies (Rosenbaum and Rubin
1985, The American Statistician 39:33; Austin 2011, Multivariate Behavioral Research 46:399). Matched is what
a reader, or a program, could tell the classes by although it is no tumor: size, voxel size, noise, phase.
Lesions in the same scan are preferred, then those of the same collection.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from freetumor.anatomy import ORGANS
from freetumor.study.lesions import Found, Lesion, Spot, spoken
from freetumor.study.packing import CONTEXT_MM

# Share of the plausible range of an organ's HU: unenhanced and portal venous phase are farther apart.
_PHASE_SHARE = 0.2
_SAME_SOURCE, _OTHER_SOURCE = 0.25, 1.0


@dataclass(frozen=True)
class Covariate:
    """What lesions are matched by.

    Attributes:
        name: for people. caliper: the largest distance of a pair; 1 in the cost.
        value: of a lesion; pairs are as far apart as their values are.
    """

    name: str
    unit: str
    caliper: Callable[[Lesion], float]
    value: Callable[[Lesion], float]
    ratio: bool = True

    def distance(self, a: Lesion, b: Lesion) -> float:
        """How far apart two lesions are, in calipers."""
        return abs(self.scaled(a) - self.scaled(b)) / self.caliper(a)

    def scaled(self, lesion: Lesion) -> float:
        """The value on the scale on which distances are taken: logarithms where ratios count."""
        value = self.value(lesion)
        return float(np.log(max(value, 1e-3))) if self.ratio else value

    def allowed(self, lesion: Lesion) -> str:
        """The caliper in words."""
        limit = self.caliper(lesion)
        return f"a factor of {np.exp(limit):.2g}" if self.ratio else f"{limit:.0f} {self.unit}"


def _factor(factor: float) -> Callable[[Lesion], float]:
    limit = float(np.log(factor))
    return lambda lesion: limit


def _phase(lesion: Lesion) -> float:
    low, high = ORGANS[lesion.organ].organ_hu
    return _PHASE_SHARE * (high - low)


COVARIATES = (
    Covariate("diameter", "mm", _factor(1.4), lambda lesion: lesion.diameter_mm),
    Covariate("slice thickness", "mm", _factor(1.6), lambda lesion: lesion.spacing[0]),
    Covariate("pixel size", "mm", _factor(1.4), lambda lesion: lesion.spacing[2]),
    Covariate("noise", "HU", _factor(1.6), lambda lesion: lesion.noise_hu),
    Covariate("lesions in view", "", _factor(3.0), lambda lesion: 1.0 + lesion.others),
    Covariate("organ's HU (contrast phase)", "HU", _phase, lambda lesion: lesion.organ_hu, ratio=False),
)


@dataclass(frozen=True)
class Pair:
    """A real lesion and its synthetic partner.

    `cost`: sum of squared distances in calipers, and what another scan or collection costs.
    """

    real: Lesion
    synthetic: Lesion
    cost: float


@dataclass(frozen=True)
class Matched:
    """Pairs, the best first, and the lesions without a partner: {"what", "why"}."""

    pairs: list[Pair]
    unmatched: list[dict]


def match(found: Found, per_patient: int, rng: np.random.Generator) -> Matched:
    """Match real to synthetic lesions.

    Args:
        per_patient: lesions of one patient and class, at most.
        rng: for choices between equals.
    """
    lesions = found.lesions
    versions = _versions(lesions, rng)
    usable, unmatched = [], []
    for lesion in lesions:
        why = _hidden(lesion, versions, lesions)
        if why:
            unmatched.append({"what": spoken(lesion), "why": why})
        else:
            usable.append(replace(lesion, others=_others(lesion, versions, found.spots)))
    pairs: list[Pair] = []
    for organ in sorted({lesion.organ for lesion in usable}):
        pairs += _of_organ([lesion for lesion in usable if lesion.organ == organ], per_patient, rng)
    pairs.sort(key=lambda pair: pair.cost)
    taken = {id(one) for pair in pairs for one in (pair.real, pair.synthetic)}
    unmatched += [
        {"what": spoken(lesion), "why": _why(lesion, usable, pairs, per_patient)}
        for lesion in usable
        if id(lesion) not in taken
    ]
    return Matched(pairs, unmatched)


def shown_ct(real: Lesion, pairs: Sequence[Pair]) -> Lesion:
    """`real` with the CT that shows it: the synthetic case of its scan, where one of the pairs shows that.

    Both show the same scan then in the very same voxels.
    """
    same = [pair.synthetic.ct for pair in pairs if pair.synthetic.scan == real.scan]
    return replace(real, ct=same[0]) if same else real


def _versions(lesions: Sequence[Lesion], rng: np.random.Generator) -> dict[int, object]:
    """The synthetic case that shows a scan, for each that has any: the one with most lesions."""
    counts = Counter((lesion.scan, lesion.ct) for lesion in lesions if lesion.synthetic)
    chance = {version: rng.random() for version in sorted(counts, key=str)}
    best: dict[int, object] = {}
    for (scan, ct), _ in sorted(counts.items(), key=lambda item: (-item[1], chance[item[0]])):
        best.setdefault(scan, ct)
    return best


def _hidden(lesion: Lesion, versions: dict[int, object], lesions: Sequence[Lesion]) -> str:
    """Why a lesion cannot be shown together with the others of its scan; empty where it can."""
    version = versions.get(lesion.scan)
    if lesion.synthetic:
        # Who sees a scan twice must not see a lesion come and go.
        return "" if lesion.ct == version else f"its scan is shown as in {version}: one version of a scan"
    for other in lesions:
        if other.synthetic and other.scan == lesion.scan and other.ct == version:
            gap = np.linalg.norm(np.subtract(other.center, lesion.center) * lesion.spacing)
            if gap <= other.extent_mm + lesion.extent_mm:
                return f"{other.name} was put beside it or over it"
    return ""


def _others(lesion: Lesion, versions: dict[int, object], spots: Collection[Spot]) -> int:
    """Lesions in the picture of `lesion` beside itself: many may tell a diseased organ, and so a real one."""
    beside = 0
    for spot in spots:
        if spot.scan == lesion.scan and spot.ct in (None, versions.get(lesion.scan)):
            gap = np.abs(np.subtract(spot.center, lesion.center) * lesion.spacing)
            beside += bool((gap <= CONTEXT_MM).all())
    return max(0, beside - 1)


def _of_organ(lesions: Sequence[Lesion], per_patient: int, rng: np.random.Generator) -> list[Pair]:
    left = {
        synthetic: [lesions[n] for n in rng.permutation(len(lesions)) if lesions[n].synthetic == synthetic]
        for synthetic in (False, True)
    }
    shown: Counter = Counter()
    kept: list[Pair] = []
    while left[False] and left[True]:
        # A patient that has lesions enough gives its place to others: assign again among the rest.
        new = [pair for pair in _assigned(left[False], left[True]) if _room(pair, shown, per_patient)]
        if not new:
            break
        kept += new
        taken = {id(one) for pair in new for one in (pair.real, pair.synthetic)}
        for some in left.values():
            some[:] = [
                one
                for one in some
                if id(one) not in taken and shown[one.patient, one.synthetic] < per_patient
            ]
    return kept


def _room(pair: Pair, shown: Counter, per_patient: int) -> bool:
    keys = [(one.patient, one.synthetic) for one in (pair.real, pair.synthetic)]
    if any(shown[key] >= per_patient for key in keys):
        return False
    shown.update(keys)
    return True


def _assigned(real: Sequence[Lesion], synthetic: Sequence[Lesion]) -> list[Pair]:
    """The best assignment within the calipers, the best pair first."""
    costs = _costs(real, synthetic)
    # As many pairs as possible come first: one that is not allowed costs more than all others together.
    never = 1.0 + np.where(np.isfinite(costs), costs, 0.0).sum()
    rows, columns = linear_sum_assignment(np.where(np.isfinite(costs), costs, never))
    pairs = [
        Pair(real[r], synthetic[c], float(costs[r, c]))
        for r, c in zip(rows, columns, strict=True)
        if np.isfinite(costs[r, c])
    ]
    return sorted(pairs, key=lambda pair: pair.cost)


def _costs(real: Sequence[Lesion], synthetic: Sequence[Lesion]) -> np.ndarray:
    """Cost of each pair, (real, synthetic); infinite outside the calipers."""
    distances = []
    for covariate in COVARIATES:
        ours, theirs = ([covariate.scaled(one) for one in some] for some in (real, synthetic))
        limits = np.array([covariate.caliper(one) for one in real])
        distances.append(np.abs(np.subtract.outer(ours, theirs)) / limits[:, None])

    def alike(attribute: str) -> np.ndarray:
        ours, theirs = (np.array([getattr(one, attribute) for one in some]) for some in (real, synthetic))
        return ours[:, None] == theirs[None, :]

    source = np.where(alike("scan"), 0.0, np.where(alike("source"), _SAME_SOURCE, _OTHER_SOURCE))
    return np.where(np.max(distances, axis=0) > 1.0, np.inf, source + np.square(distances).sum(axis=0))


def _why(lesion: Lesion, usable: Sequence[Lesion], pairs: Sequence[Pair], per_patient: int) -> str:
    others = [o for o in usable if o.synthetic != lesion.synthetic and o.organ == lesion.organ]
    kind = "real" if lesion.synthetic else "synthetic"
    if not others:
        return f"no {kind} {lesion.organ} lesion"
    left = others
    for covariate in COVARIATES:
        within = [other for other in left if covariate.distance(lesion, other) <= 1.0]
        if not within:
            nearest = min(left, key=lambda other: covariate.distance(lesion, other))
            return (
                f"no {kind} {lesion.organ} lesion of like {covariate.name} (within "
                f"{covariate.allowed(lesion)}); nearest: {covariate.value(nearest):.3g} for "
                f"{covariate.value(lesion):.3g} {covariate.unit}"
            )
        left = within
    shown = sum(
        one.patient == lesion.patient
        for pair in pairs
        for one in (pair.synthetic if lesion.synthetic else pair.real,)
    )
    if shown >= per_patient:
        return f"its patient shows {shown} others already"
    return f"the {kind} lesions like it are matched to others"
