"""Is accuracy equivalent to chance? Not "no significant difference", which few reads always give.

Two one-sided tests (Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15, 1987): equivalence is
shown where accuracy is significantly above ``chance - margin`` and significantly below ``chance + margin``.
Each is a score test, its variance that at the limit which is tested, with the error of readers and cases
(:mod:`freetumor.study.multireader`): the 90 % interval lies within the limits exactly where both are
significant at 5 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from freetumor.errors import BadInput
from freetumor.study.multireader import Pooled, limits

CHANCE = 0.5
ALPHA = 0.05


@dataclass(frozen=True)
class Equivalence:
    """What the tests say.

    Attributes:
        margin: around `chance`, as a share. low, high: the interval of level 1 - 2 alpha.
        p_above, p_below: that accuracy is not above the lower limit, not below the upper one.
        p: of equivalence, the larger of both. p_difference: that accuracy is chance, two-sided.
        equivalent, different: at `alpha`. Both can be true: a difference too small to matter.
    """

    value: float
    margin: float
    low: float
    high: float
    p_above: float
    p_below: float
    p: float
    p_difference: float
    equivalent: bool
    different: bool
    chance: float = CHANCE
    alpha: float = ALPHA

    @property
    def said(self) -> str:
        """In words."""
        within = f"chance ± {self.margin * 100:g} percentage points"
        if self.equivalent and self.different:
            return f"equivalent to {within}, though different from chance itself"
        if self.equivalent:
            return f"equivalent to {within}"
        if self.different:
            return f"different from chance, and not shown to be equivalent to {within}"
        return f"inconclusive: neither different from chance nor shown to be equivalent to {within}"


def check_margin(margin: float) -> None:
    """Raise :class:`BadInput` where `margin` is not a share between 0 and 0.5."""
    if not 0 < margin < CHANCE:
        raise BadInput(
            "a margin between 0 and 0.5, such as 0.10 for 10 percentage points", f"{margin:g}", kind="usage"
        )


def equivalence(pooled: Pooled, margin: float = 0.10, *, alpha: float = ALPHA) -> Equivalence | None:
    """The tests for a pooled accuracy; None where it has no value.

    Raises:
        BadInput: kind "usage": the margin.
    """
    check_margin(margin)
    if pooled.value is None or pooled.error is None:
        return None
    value, error, freedom = pooled.value, pooled.error, pooled.freedom
    spread = value * (1 - value)
    if spread <= 0 or error <= 0:
        number, freedom = float(pooled.cases), float(max(pooled.cases - 1, 1))
    else:
        number = spread / error**2

    def score(limit: float) -> float:
        return (value - limit) / np.sqrt(limit * (1 - limit) / number)

    above = float(stats.t.sf(score(CHANCE - margin), freedom))
    below = float(stats.t.cdf(score(CHANCE + margin), freedom))
    difference = float(2 * stats.t.sf(abs(score(CHANCE)), freedom))
    low, high = limits(value, error, freedom, pooled.cases, 1 - 2 * alpha)
    p = max(above, below)
    return Equivalence(
        value, margin, low, high, above, below, p, difference, p < alpha, difference < alpha, alpha=alpha
    )
