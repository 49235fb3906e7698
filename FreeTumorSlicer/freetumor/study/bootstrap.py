"""The plain bootstrap of readers x cases: for comparison, not the interval that is stated.

Readers and cases are drawn apart, with replacement, and every read of a drawn reader and a drawn case counts
as often as both were drawn. Its variance counts what is left of a single read (beside reader and case) three
times (McCullagh, Bernoulli 6, 2000; Owen, Annals of Applied Statistics 1, 2007). Answers of readers who
guess are largely of that kind, so that in a Turing test the percentile interval is too wide: its 95 % of the
accuracy contain the truth in 98 to 99 % of studies. ``freetumor study simulate`` shows both.
"""

from __future__ import annotations

import numpy as np

from freetumor.study.multireader import MEASURES
from freetumor.study.record import FIRST_POSITIVE
from freetumor.study.statistics import LEVEL, LEVELS


def crossed(
    ratings: np.ndarray,
    synthetic: np.ndarray,
    rng: np.random.Generator,
    samples: int = 2000,
    level: float = LEVEL,
) -> dict[str, tuple[float, float] | None]:
    """Percentile intervals of :data:`freetumor.study.multireader.MEASURES`.

    Args:
        ratings: (readers, cases), 1 to 6, NaN where there is no answer. synthetic: (cases,), bool.

    Returns:
        None for a measure that no resample tells.
    """
    readers = len(ratings)
    positives, negatives = np.flatnonzero(synthetic), np.flatnonzero(~synthetic)
    drawn = [
        rng.multinomial(number, np.full(number, 1 / number), size=samples).astype(float)
        for number in (readers, len(positives), len(negatives))
        if number
    ]
    if len(drawn) < 3:
        return dict.fromkeys(MEASURES)
    people, above, below = drawn
    read = np.isfinite(ratings)
    called = read & (ratings >= FIRST_POSITIVE)

    def counted(table: np.ndarray, cases: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return ((people @ table[:, cases]) * weights).sum(axis=1)

    hits, all_positives = counted(called, positives, above), counted(read, positives, above)
    right, all_negatives = counted(read & ~called, negatives, below), counted(read, negatives, below)
    # Ratings of a reader and resample: one histogram for each class, (samples, readers, levels).
    histograms = [
        np.stack([weights @ (ratings[:, cases] == level + 1).T for level in range(LEVELS)], axis=-1)
        for cases, weights in ((positives, above), (negatives, below))
    ]
    before = np.cumsum(histograms[1], axis=-1) - histograms[1] / 2
    pairs = histograms[0].sum(axis=-1) * histograms[1].sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        areas = (histograms[0] * before).sum(axis=-1) / pairs
        told = (pairs > 0) * people
        values = {
            "sensitivity": hits / all_positives,
            "specificity": right / all_negatives,
            "accuracy": (hits + right) / (all_positives + all_negatives),
            "auc": (np.where(pairs > 0, areas, 0) * told).sum(axis=1) / told.sum(axis=1),
        }
    return {name: _percentiles(value, level) for name, value in values.items()}


def _percentiles(values: np.ndarray, level: float) -> tuple[float, float] | None:
    values = values[np.isfinite(values)]
    if not values.size:
        return None
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
