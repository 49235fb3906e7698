"""Do readers agree with each other, and with themselves?

* Fleiss' kappa of "real" and "synthetic" over all readers (Fleiss, Psychological Bulletin 76, 1971), Cohen's
  for each pair of readers (Cohen, Educational and Psychological Measurement 20, 1960), and Krippendorff's
  alpha of the six ordered levels (Krippendorff, Content Analysis, 2019), by statsmodels, scikit-learn and
  krippendorff.
* Intervals of the first and the last: the jackknife over readers and cases (Efron and Stein, Annals of
  Statistics 9, 1981: the parts of readers and cases, less their common part, which both contain), centred
  where the jackknife over readers removes the bias of few readers, with t of Satterthwaite's degrees of
  freedom. Both speak of readers and cases like these.
* Readers with themselves: repeats are other cases for each reader, so that over all readers their reads are
  pooled and the jackknife leaves out readers.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from scipy.special import stdtrit

from freetumor.study.multireader import combine
from freetumor.study.record import FIRST_POSITIVE
from freetumor.study.statistics import LEVEL, LEVELS, Estimate


def fleiss(ratings: np.ndarray, synthetic: np.ndarray, level: float = LEVEL) -> Estimate:
    """Fleiss' kappa of the binary answers, of the cases that all readers answered.

    Args:
        ratings: (readers, cases), 1 to 6, NaN where there is no answer. synthetic: (cases,), bool.
    """
    from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

    complete = np.isfinite(ratings).all(axis=0)
    ratings, synthetic = ratings[:, complete], synthetic[complete]
    if len(ratings) < 2 or ratings.shape[1] < 2:
        return Estimate(None, None, None, ratings.shape[1], level)
    called = (ratings >= FIRST_POSITIVE).astype(int)
    value = float(fleiss_kappa(aggregate_raters(called.T, n_cat=2)[0]))
    return _jackknifed(value, ratings, synthetic, _fleiss_of, level)


def alpha(ratings: np.ndarray, synthetic: np.ndarray, level: float = LEVEL) -> Estimate:
    """Krippendorff's ordinal alpha of the six levels; cases that one reader alone answered tell nothing."""
    import krippendorff

    told = np.isfinite(ratings).sum(axis=0) > 1
    ratings, synthetic = ratings[:, told], synthetic[told]
    seen = ratings[np.isfinite(ratings)]
    if not seen.size or seen.min() == seen.max():
        return Estimate(None, None, None, ratings.shape[1], level)
    value = float(
        krippendorff.alpha(ratings, value_domain=range(1, LEVELS + 1), level_of_measurement="ordinal")
    )
    return _jackknifed(value, ratings, synthetic, _alpha_of, level)


def cohen(first: np.ndarray, second: np.ndarray, weights: str | None = None) -> tuple[float | None, int]:
    """Cohen's kappa of two rows of answers and the number of cases in both; None where it is not defined.

    Args:
        weights: None, of binary answers; "quadratic", of the six levels.
    """
    from sklearn.metrics import cohen_kappa_score

    both = np.isfinite(first) & np.isfinite(second)
    first, second = first[both], second[both]
    count = int(both.sum())
    if weights is None:
        first, second = first >= FIRST_POSITIVE, second >= FIRST_POSITIVE
    if not count or (first.min() == first.max() == second.min() == second.max()):
        # One answer throughout: agreement by chance would be complete too.
        return None, count
    return float(cohen_kappa_score(first.astype(int), second.astype(int), weights=weights)), count


def cohen_pairs(ratings: np.ndarray) -> np.ndarray:
    """Cohen's kappa of the binary answers of each two readers, (readers, readers); NaN where not defined."""
    table = np.full((len(ratings), len(ratings)), np.nan)
    for one, other in combinations(range(len(ratings)), 2):
        value, _ = cohen(ratings[one], ratings[other])
        table[one, other] = table[other, one] = np.nan if value is None else value
    return table


def intra(first: list[np.ndarray], again: list[np.ndarray], level: float = LEVEL) -> Estimate:
    """Cohen's kappa of the readers with themselves, their repeats pooled.

    Args:
        first, again: for each reader the binary or six-level answers to the repeated cases, in one order.
    """
    tables = np.array([_table(a, b) for a, b in zip(first, again, strict=True)])
    tables = tables[tables.sum(axis=(1, 2)) > 0] if len(tables) else np.zeros((0, 2, 2))
    total = tables.sum(axis=0)
    count, value = int(total.sum()), float(_kappa_of(total))
    if not np.isfinite(value):
        return Estimate(None, None, None, count, level)
    readers = len(tables)
    left = _kappa_of(total - tables)
    if readers < 3 or not np.isfinite(left).all():
        return Estimate(value, None, None, count, level)
    error = np.sqrt((readers - 1) / readers * ((left - left.mean()) ** 2).sum())
    if error <= 0:
        return Estimate(value, None, None, count, level)
    centre = value - (readers - 1) * (left.mean() - value)
    half = stdtrit(readers - 1, (1 + level) / 2) * error
    return Estimate(value, max(float(centre - half), -1.0), min(float(centre + half), 1.0), count, level)


def _table(first: np.ndarray, again: np.ndarray) -> np.ndarray:
    both = np.isfinite(first) & np.isfinite(again)
    one, other = (answers[both] >= FIRST_POSITIVE for answers in (first, again))
    cells = ~one & ~other, ~one & other, one & ~other, one & other
    return np.array([np.count_nonzero(cell) for cell in cells]).reshape(2, 2)


def _kappa_of(table: np.ndarray) -> np.ndarray:
    """Cohen's kappa of tables (..., 2, 2)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        share = table / table.sum(axis=(-1, -2), keepdims=True)
        seen = share[..., 0, 0] + share[..., 1, 1]
        chance = (share.sum(axis=-1) * share.sum(axis=-2)).sum(axis=-1)
        return (seen - chance) / (1 - chance)


def _jackknifed(value: float, ratings: np.ndarray, synthetic: np.ndarray, of, level: float) -> Estimate:
    """The interval of a statistic `of` coincidences (..., levels, levels), summed over cases."""
    readers, cases = ratings.shape
    answers = (ratings[..., None] == np.arange(1, LEVELS + 1)).astype(float)
    with_all = _coincidences(answers.sum(axis=0))
    without = _coincidences(answers.sum(axis=0) - answers)
    if readers < 3:
        # Without one of two readers nothing coincides: only cases can be left out.
        left_cases = of(with_all.sum(axis=0) - with_all)
        error, freedom = combine(0.0, _spread(left_cases, synthetic), 1, cases - 1)
        return _symmetric(value, value, error, freedom, cases, level)
    left_readers = of(without.sum(axis=1))
    left_cases = of(with_all.sum(axis=0) - with_all)
    left_both = of(without.sum(axis=1)[:, None] - without)
    among_readers = (readers - 1) / readers * ((left_readers - left_readers.mean()) ** 2).sum()
    among_cases = _spread(left_cases, synthetic)
    common = 0.0
    for cls in (synthetic, ~synthetic):
        number = np.count_nonzero(cls)
        if number > 1:
            both = left_both[:, cls] - left_readers[:, None] - left_cases[cls] + value
            both = both - both.mean(axis=1, keepdims=True)
            both = both - both.mean(axis=0)
            common += (readers - 1) * (number - 1) / (readers * number) * (both**2).sum()
    error, freedom = combine(among_readers, max(among_cases - common, 0.0), readers, cases - 1)
    centre = value - (readers - 1) * (left_readers.mean() - value)
    return _symmetric(value, centre, error, freedom, cases, level)


def _symmetric(
    value: float, centre: float, error: float, freedom: float, count: int, level: float
) -> Estimate:
    if not (np.isfinite(error) and np.isfinite(centre)) or error <= 0:
        return Estimate(value, None, None, count, level)
    half = stdtrit(freedom, (1 + level) / 2) * error
    return Estimate(value, max(float(centre - half), -1.0), min(float(centre + half), 1.0), count, level)


def _spread(left: np.ndarray, synthetic: np.ndarray) -> float:
    """Jackknife variance over cases, their numbers in each class being fixed."""
    total = 0.0
    for cls in (synthetic, ~synthetic):
        number = np.count_nonzero(cls)
        if number > 1:
            total += (number - 1) / number * ((left[cls] - left[cls].mean()) ** 2).sum()
    return float(total)


def _coincidences(counts: np.ndarray) -> np.ndarray:
    """Pairs of answers to a case, (..., levels, levels), of how often each was given, (..., levels)."""
    others = counts.sum(axis=-1)[..., None, None] - 1
    pairs = counts[..., :, None] * counts[..., None, :] - counts[..., None] * np.eye(counts.shape[-1])
    return np.divide(pairs, others, out=np.zeros_like(pairs), where=others > 0)


def _alpha_of(coincidences: np.ndarray) -> np.ndarray:
    given = coincidences.sum(axis=-1)
    total = given.sum(axis=-1)
    rank = np.cumsum(given, axis=-1) - given / 2
    distance = (rank[..., :, None] - rank[..., None, :]) ** 2
    seen = (coincidences * distance).sum(axis=(-1, -2))
    chance = (given[..., :, None] * given[..., None, :] * distance).sum(axis=(-1, -2)) / (total - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return 1 - seen / chance


def _fleiss_of(coincidences: np.ndarray) -> np.ndarray:
    first = FIRST_POSITIVE - 1
    total = coincidences.sum(axis=(-1, -2))
    with np.errstate(invalid="ignore", divide="ignore"):
        share = coincidences[..., first:, :].sum(axis=(-1, -2)) / total
        same = coincidences[..., :first, :first].sum(axis=(-1, -2)) + coincidences[..., first:, first:].sum(
            axis=(-1, -2)
        )
        chance = share**2 + (1 - share) ** 2
        return (same / total - chance) / (1 - chance)
