"""Numbers over cases with bootstrap intervals.

Every number here is a sum over cases divided by another one: a mean (value by 1), or a share of lesions
(found by all). Cases are drawn, not lesions: lesions of one patient are not independent. The interval is
the percentile interval of Efron and Tibshirani (An Introduction to the Bootstrap, 1993, chapter 13). Where
all cases agree (everything found, say) it has no width, however few they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from freetumor.errors import BadInput

LEVEL, RESAMPLES = 0.95, 2000
FEW = 10  # cases; with fewer the percentile interval is too narrow


@dataclass(frozen=True)
class Estimate:
    """A number over cases.

    Attributes:
        value: None where no case tells anything. low, high: the interval; None below two cases.
        cases: that tell something. count: what the sum is divided by (cases, or lesions).
        few: fewer than :data:`FEW` cases: the interval is not to be relied on.
        level: of the interval.
    """

    value: float | None
    low: float | None
    high: float | None
    cases: int
    count: int
    few: bool
    level: float = LEVEL


def pooled(
    above: Sequence[float], below: Sequence[float], *, seed: int = 0, resamples: int = RESAMPLES
) -> Estimate:
    """``sum(above) / sum(below)`` over cases, with its bootstrap interval.

    Args:
        above, below: one number for each case; a case with 0 and 0 tells nothing.
        seed: of the resamples: the same cases and seed give the same interval, and numbers of the same
            cases share their resamples.
    """
    if len(above) != len(below) or resamples < 1:
        got = f"{len(above)}, {len(below)} and {resamples} resamples"
        raise BadInput("two numbers for each case, and resamples", got, kind="usage")
    upper, lower = np.asarray(above, float), np.asarray(below, float)
    telling = int(np.count_nonzero(lower))
    few = telling < FEW
    if telling == 0:
        return Estimate(None, None, None, 0, 0, few)
    value = float(upper.sum() / lower.sum())
    low = high = None
    if telling > 1:
        rng = np.random.default_rng(seed)
        drawn = rng.integers(0, len(upper), (resamples, len(upper)))
        sums = lower[drawn].sum(axis=1)
        # A resample of cases that tell nothing has no value.
        values = upper[drawn].sum(axis=1)[sums > 0] / sums[sums > 0]
        low, high = (float(v) for v in np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]))
    return Estimate(value, low, high, telling, round(float(lower.sum())), few)
