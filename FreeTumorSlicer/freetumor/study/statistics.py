"""What one reader did: rates with Wilson intervals, the area under the ROC curve with a bootstrap interval.

The positive class is "synthetic": sensitivity is the share of synthetic lesions called synthetic,
specificity the share of real ones called real.

The bootstrap draws synthetic and real cases apart, as the study was designed (Efron and Tibshirani, An
Introduction to the Bootstrap, 1993, chapters 8 and 13). A rating has six levels, so that a resample of n
cases is one draw of a multinomial distribution: exactly the same, and hundreds of times faster.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from freetumor.errors import BadInput
from freetumor.study.record import FIRST_POSITIVE, SCALE

LEVEL = 0.95
LEVELS = len(SCALE)
LIBRARIES = ("sklearn", "statsmodels", "krippendorff", "matplotlib", "jinja2")


@dataclass(frozen=True)
class Estimate:
    """A number with its interval.

    Attributes:
        value: None where nothing tells it. low, high: of the interval; None where there is none.
        count: what it was counted in: cases, or reads.
        level: of the interval.
    """

    value: float | None
    low: float | None
    high: float | None
    count: int
    level: float = LEVEL


def check_libraries(names: tuple[str, ...] = LIBRARIES) -> None:
    """Raise :class:`BadInput` with the command to install what is missing, before any work is done."""
    from importlib.util import find_spec

    missing = [name for name in names if find_spec(name) is None]
    if missing:
        raise BadInput(
            "the libraries for reader studies",
            f"no {' and no '.join(missing)}",
            "Install them: pip install 'freetumor[study]'.",
            kind="missing_library",
        )


def wilson(positive: int, count: int, level: float = LEVEL) -> Estimate:
    """A share with the interval of Wilson (1927), as statsmodels computes it."""
    if count == 0:
        return Estimate(None, None, None, 0, level)
    return Estimate(positive / count, *_wilson_limits(int(positive), int(count), level), int(count), level)


@cache
def _wilson_limits(positive: int, count: int, level: float) -> tuple[float, float]:
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(positive, count, alpha=1 - level, method="wilson")
    return float(low), float(high)


def confusion(ratings: np.ndarray, synthetic: np.ndarray) -> dict[str, int]:
    """Counts of one reader, or of all reads together.

    Args:
        ratings: 1 to 6, NaN where there is no answer; any shape. synthetic: bool, of the same shape.
    """
    read = np.isfinite(ratings)
    called = ratings >= FIRST_POSITIVE
    return {
        "true_positive": int(np.count_nonzero(read & called & synthetic)),
        "false_negative": int(np.count_nonzero(read & ~called & synthetic)),
        "false_positive": int(np.count_nonzero(read & called & ~synthetic)),
        "true_negative": int(np.count_nonzero(read & ~called & ~synthetic)),
    }


def rates(counts: dict[str, int], level: float = LEVEL) -> dict[str, Estimate]:
    """Sensitivity, specificity and accuracy of a confusion table, each with its Wilson interval."""
    hits, misses = counts["true_positive"], counts["false_negative"]
    alarms, rejections = counts["false_positive"], counts["true_negative"]
    return {
        "sensitivity": wilson(hits, hits + misses, level),
        "specificity": wilson(rejections, rejections + alarms, level),
        "accuracy": wilson(hits + rejections, hits + misses + alarms + rejections, level),
    }


def auc(
    ratings: np.ndarray,
    synthetic: np.ndarray,
    rng: np.random.Generator,
    samples: int = 2000,
    level: float = LEVEL,
) -> Estimate:
    """Empirical area under the ROC curve of one reader, with the percentile interval of the bootstrap.

    Args:
        ratings: (cases,), 1 to 6, NaN where there is no answer. synthetic: (cases,), bool.

    Returns:
        No interval where the reader told all cases apart, or where a class has fewer than two cases: no
        resample would then differ.
    """
    read = np.isfinite(ratings)
    positive, negative = (
        np.bincount(ratings[read & cases].astype(int) - 1, minlength=LEVELS)
        for cases in (synthetic, ~synthetic)
    )
    count = int(positive.sum() + negative.sum())
    if not (positive.any() and negative.any()):
        return Estimate(None, None, None, count, level)
    value = float(area(positive, negative))
    if min(positive.sum(), negative.sum()) < 2 or value in (0.0, 1.0):
        return Estimate(value, None, None, count, level)
    drawn = [
        rng.multinomial(found.sum(), found / found.sum(), size=samples) for found in (positive, negative)
    ]
    low, high = np.quantile(area(*drawn), [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, float(low), float(high), count, level)


def area(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Area under the empirical ROC curve of counts per rating, along the last axis: ties count half."""
    below = np.cumsum(negative, axis=-1) - negative / 2
    return (positive * below).sum(axis=-1) / (positive.sum(axis=-1) * negative.sum(axis=-1))


def roc_points(ratings: np.ndarray, synthetic: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False and true positive rates of one reader's empirical ROC curve, from (0, 0) to (1, 1)."""
    from sklearn.metrics import roc_curve

    read = np.isfinite(ratings)
    false_positive, true_positive, _ = roc_curve(synthetic[read], ratings[read], drop_intermediate=False)
    return false_positive, true_positive


def mean_roc(curves: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """The readers' curves averaged upwards: the area under it is the mean of their areas."""
    # Twice where a curve goes straight up, so that steps stay steps.
    grid = np.unique(np.concatenate([x for x, _ in curves]))
    grid = np.repeat(grid, 2)
    heights = []
    for x, y in curves:
        first, last = np.searchsorted(x, grid[::2], "left"), np.searchsorted(x, grid[::2], "right") - 1
        between = np.interp(grid[::2], x, y)
        on = np.isin(grid[::2], x)
        low = np.where(on, y[np.minimum(first, len(y) - 1)], between)
        high = np.where(on, y[last], between)
        heights.append(np.stack([low, high], axis=1).ravel())
    return grid, np.mean(heights, axis=0)
