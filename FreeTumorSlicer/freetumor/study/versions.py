"""Which of its synthetic cases shows a scan: who sees a scan twice must not see a lesion come and go."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from freetumor.study.covariates import assigned, costs
from freetumor.study.lesions import Lesion

Versions = dict[int, Path]


def best_versions(lesions: Sequence[Lesion], rng: np.random.Generator) -> Versions:
    """The synthetic case that shows a scan, for each that has any.

    It is the one with most lesions that a real one is like, less the real ones that they hide; of equal
    ones that with the nearest likenesses.
    """
    real = [lesion for lesion in lesions if not lesion.synthetic]
    made: dict[int, dict[Path, list[Lesion]]] = {}
    for lesion in lesions:
        if lesion.synthetic:
            made.setdefault(lesion.scan, {}).setdefault(lesion.ct, []).append(lesion)
    best: Versions = {}
    for scan, versions in made.items():
        order = sorted(versions)
        chances = dict(zip(order, rng.random(len(order)), strict=True))
        best[scan] = min(order, key=lambda ct: (*_rank(versions[ct], real), chances[ct]))
    return best


def _rank(made: Sequence[Lesion], real: Sequence[Lesion]) -> tuple[int, float]:
    """The less the better; the number of lesions decides first."""
    seen = [one for one in real if not any(hides(other, one) for other in made)]
    gained, cost = len(seen) - len(real), 0.0
    for organ in {one.organ for one in made}:
        table = costs(*([one for one in some if one.organ == organ] for some in (seen, made)))
        pairs = assigned(table)
        gained += len(pairs)
        cost += sum(float(table[pair]) for pair in pairs)
    return -gained, cost


def hides(made: Lesion, real: Lesion) -> bool:
    """Whether a synthetic lesion lies over or beside a real one of the same scan."""
    if made.scan != real.scan:
        return False
    gap = np.linalg.norm(np.subtract(made.center, real.center) * real.spacing)
    return bool(gap <= made.extent_mm + real.extent_mm)
