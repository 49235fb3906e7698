"""What real and synthetic lesions are matched by: what a reader, or a program, could tell the classes by
although it is no tumor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from freetumor.anatomy import ORGANS
from freetumor.study.lesions import Lesion

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
        return f"a factor of {np.exp(limit):.2g}" if self.ratio else f"{limit:.3g} {self.unit}".rstrip()


def _factor(factor: float) -> Callable[[Lesion], float]:
    limit = float(np.log(factor))
    return lambda lesion: limit


def _percent(points: float) -> Callable[[Lesion], float]:
    return lambda lesion: points


def _share(name: str) -> Callable[[Lesion], float]:
    return lambda lesion: 100.0 * getattr(lesion, name)


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
    Covariate("air around the body in view", "%", _percent(5), _share("air_share"), ratio=False),
    Covariate("lung in view", "%", _percent(10), _share("lung_share"), ratio=False),
    Covariate("view inside the scan", "%", _percent(20), _share("scan_share"), ratio=False),
)


def costs(real: Sequence[Lesion], synthetic: Sequence[Lesion]) -> np.ndarray:
    """Cost of each pair, (real, synthetic): the sum of squared distances in calipers, and what another scan
    or collection costs; infinite outside the calipers.
    """
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


def assigned(table: np.ndarray) -> list[tuple[int, int]]:
    """Rows and columns of the best assignment in a table of :func:`costs`: most pairs, then least cost."""
    # As many pairs as possible come first: one that is not allowed costs more than all others together.
    finite = np.isfinite(table)
    never = 1.0 + table[finite].sum()
    rows, columns = linear_sum_assignment(np.where(finite, table, never))
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if finite[r, c]]
