"""Which real lesion stands against which synthetic one.

Optimal assignment (Hungarian method) within calipers, as in matched cohort studies (Rosenbaum and Rubin
1985, The American Statistician 39:33; Austin 2011, Multivariate Behavioral Research 46:399). Matched is what
a reader, or a program, could tell the classes by although it is no tumor: size, voxel size, noise, phase, and
what else the picture shows (:mod:`freetumor.study.covariates`).
Lesions in the same scan are preferred, then those of the same collection.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from freetumor.study.covariates import COVARIATES, assigned, costs
from freetumor.study.lesions import Found, Lesion, Spot, spoken
from freetumor.study.picture import CONTEXT_MM
from freetumor.study.versions import Versions, best_versions, hides


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
    versions = best_versions(lesions, rng)
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


def _hidden(lesion: Lesion, versions: Versions, lesions: Sequence[Lesion]) -> str:
    """Why a lesion cannot be shown together with the others of its scan; empty where it can."""
    version = versions.get(lesion.scan)
    if lesion.synthetic:
        return "" if lesion.ct == version else f"its scan is shown as in {version}: one version of a scan"
    over = next((o for o in lesions if o.synthetic and o.ct == version and hides(o, lesion)), None)
    return f"{over.name} was put beside it or over it" if over else ""


def _others(lesion: Lesion, versions: Versions, spots: Collection[Spot]) -> int:
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
    table = costs(real, synthetic)
    pairs = [Pair(real[r], synthetic[s], float(table[r, s])) for r, s in assigned(table)]
    return sorted(pairs, key=lambda pair: pair.cost)


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
