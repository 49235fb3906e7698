"""Pooled values of several readers of the same cases, with intervals that respect both.

Reads of one reader are alike, and so are reads of one case: pretending that they are independent gives
intervals that are too narrow. The variance is that of Obuchowski and Rockette (Communications in Statistics
- Simulation and Computation 24, 1995) for one modality with random readers and random cases, in the form of
Hillis (Statistics in Medicine 33, 2014):

    variance = (MS(readers) + max(R Cov2, 0)) / R

with MS the mean square of the readers' values and Cov2 the mean covariance of two readers that comes from
reading the same cases, estimated by the jackknife. For shares this is the analysis of variance of the
reader x case table. MS is not taken below what it would be if readers did not differ, which two or three
readers often make it by chance. Degrees of freedom are Satterthwaite's, with those of the cases beside those
of the readers.

The interval is Wilson's with the effective number of reads value (1 - value) / variance in place of the
number of reads, and the quantile of t: unlike value ± t x error it stays within 0 and 1 and keeps its
coverage near them. (The plain bootstrap of readers x cases is in freetumor.study.bootstrap, and why it is
not the interval that is stated.)

Cases of one patient count as one cluster (Obuchowski, Biometrics 53, 1997).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from freetumor.study.record import FIRST_POSITIVE
from freetumor.study.statistics import LEVEL

MEASURES = ("sensitivity", "specificity", "accuracy", "auc")
LEAST = 2  # cases of a class that a reader must have read


@dataclass(frozen=True)
class Pooled:
    """A value of several readers and cases.

    Attributes:
        value: mean of the readers' values; None where no reader has one.
        low, high: the interval, for readers and cases like these; None where there is none.
        error: standard error. freedom: degrees of freedom.
        readers, cases, reads: that it was computed from.
        design_effect: variance of the value by that of as many independent reads (shares only).
        reader_sd, case_sd: standard deviations of readers and of cases, to plan the next study (shares
            only; None with one reader).
    """

    value: float | None
    low: float | None
    high: float | None
    error: float | None
    freedom: float | None
    readers: int
    cases: int
    reads: int
    design_effect: float | None = None
    reader_sd: float | None = None
    case_sd: float | None = None
    level: float = LEVEL


def pooled(
    ratings: np.ndarray,
    synthetic: np.ndarray,
    measure: str,
    patients: np.ndarray | None = None,
    level: float = LEVEL,
) -> Pooled:
    """One of :data:`MEASURES` over readers and cases.

    Args:
        ratings: (readers, cases), 1 to 6, NaN where there is no answer. synthetic: (cases,), bool.
        patients: (cases,), which cases belong together; None: each stands alone.

    Readers with fewer than two cases of a class that the measure needs are left out.
    """
    values, influence, used = _COMPONENTS[measure](ratings, synthetic)
    return _pooled(values, influence, used, patients, level, is_share=measure != "auc")


def pooled_share(right: np.ndarray, patients: np.ndarray | None = None, level: float = LEVEL) -> Pooled:
    """A share over readers and cases: `right` (readers, cases) 1 or 0, NaN where there is no answer."""
    values, influence, used = _share(right, np.ones(right.shape[1], bool))
    return _pooled(values, influence, used, patients, level, is_share=True)


def limits(
    value: float, error: float, freedom: float, least: int, level: float = LEVEL
) -> tuple[float, float]:
    """Wilson's interval with an effective number of reads.

    Args:
        least: number of reads where the error is 0, as where all readers agree on all cases. The number of
            cases is right if one reader tells all about the others: nobody else would have added anything.
    """
    spread = value * (1 - value)
    if spread <= 0 or error <= 0:
        number, freedom = float(least), float(max(least - 1, 1))
    else:
        number = spread / error**2
    t = stdtrit(freedom, (1 + level) / 2)
    middle = (value + t**2 / (2 * number)) / (1 + t**2 / number)
    half = t / (1 + t**2 / number) * np.sqrt(spread / number + t**2 / (4 * number**2))
    return max(float(middle - half), 0.0), min(float(middle + half), 1.0)


def combine(among_readers: float, among_cases: float, readers: int, case_freedom: int) -> tuple[float, float]:
    """Standard error and Satterthwaite's degrees of freedom of two parts of a variance."""
    variance = among_readers + among_cases
    if variance <= 0:
        return 0.0, float(max(readers - 1, 1))
    parts = 0.0 if readers < 2 else among_readers**2 / (readers - 1)
    parts += among_cases**2 / max(case_freedom, 1)
    return float(np.sqrt(variance)), float(variance**2 / parts)


def _pooled(
    values: np.ndarray,
    influence: np.ndarray,
    used: np.ndarray,
    patients: np.ndarray | None,
    level: float,
    is_share: bool,
) -> Pooled:
    counts = np.isfinite(values)
    values, influence, used = values[counts], influence[counts], used[counts]
    cases, reads, readers = int(used.any(axis=0).sum()), int(used.sum()), len(values)
    if readers == 0:
        return Pooled(None, None, None, None, None, 0, 0, 0, level=level)
    value = float(values.mean())
    clusters = cases
    if patients is not None:
        _, number = np.unique(patients, return_inverse=True)
        influence = influence @ np.eye(number.max() + 1)[number]
        clusters = len(np.unique(number[used.any(axis=0)]))
    covariance = influence @ influence.T
    own = np.trace(covariance)
    reader_sd = case_sd = effect = None
    if readers == 1:
        # Nothing is known of other readers: the interval holds for this one.
        error, freedom = combine(0.0, float(own), 1, clusters - 1)
    else:
        among = max((covariance.sum() - own) / (readers * (readers - 1)), 0.0)
        # Readers who happen to agree: not less than the error of these readers on other cases.
        spread = max(values.var(ddof=1), own / readers - among)
        error, freedom = combine(spread / readers, among, readers, clusters - 1)
        if is_share:
            reader_sd = float(np.sqrt(max(values.var(ddof=1) - own / readers + among, 0.0)))
            case_sd = float(np.sqrt(among * cases))
    low, high = limits(value, error, freedom, clusters, level)
    independent = value * (1 - value) / reads
    if is_share and independent > 0:
        effect = error**2 / independent
    return Pooled(value, low, high, error, freedom, readers, cases, reads, effect, reader_sd, case_sd, level)


# Each gives the readers' values (NaN where a reader has none), what each case adds to the error of each
# reader's value (products summed over cases are the jackknife's covariances), and which reads were used.
_Parts = tuple[np.ndarray, np.ndarray, np.ndarray]


def _share(right: np.ndarray, cases: np.ndarray) -> _Parts:
    used = np.isfinite(right) & cases
    count = used.sum(axis=1).astype(float)
    count[count < LEAST] = np.nan
    values = np.where(used, right, 0).sum(axis=1) / count
    influence = np.where(used, right - values[:, None], 0) / np.sqrt(count * (count - 1))[:, None]
    return values, influence, used


def _right(ratings: np.ndarray, synthetic: np.ndarray) -> np.ndarray:
    right = ((ratings >= FIRST_POSITIVE) == synthetic).astype(float)
    return np.where(np.isfinite(ratings), right, np.nan)


def _sensitivity(ratings: np.ndarray, synthetic: np.ndarray) -> _Parts:
    return _share(_right(ratings, synthetic), synthetic)


def _specificity(ratings: np.ndarray, synthetic: np.ndarray) -> _Parts:
    return _share(_right(ratings, synthetic), ~synthetic)


def _accuracy(ratings: np.ndarray, synthetic: np.ndarray) -> _Parts:
    # The numbers of synthetic and real cases are fixed by the design: no error comes from them.
    parts = _sensitivity(ratings, synthetic), _specificity(ratings, synthetic)
    counts = np.array([used.sum(axis=1) for *_, used in parts], float)
    weights = counts / np.maximum(counts.sum(axis=0), 1)
    values = sum(weight * value for weight, (value, *_) in zip(weights, parts, strict=True))
    influence = sum(weight[:, None] * part for weight, (_, part, _) in zip(weights, parts, strict=True))
    return values, influence, parts[0][2] | parts[1][2]


def _auc(ratings: np.ndarray, synthetic: np.ndarray) -> _Parts:
    used = np.isfinite(ratings)
    values, influence = np.full(len(ratings), np.nan), np.full(ratings.shape, np.nan)
    for reader, own in enumerate(used):
        above, below = own & synthetic, own & ~synthetic
        positive, negative = np.count_nonzero(above), np.count_nonzero(below)
        if min(positive, negative) < LEAST:
            continue
        first, second = ratings[reader, above], ratings[reader, below]
        won = (first[:, None] > second) + 0.5 * (first[:, None] == second)
        values[reader] = won.mean()
        influence[reader] = 0
        jackknife = np.sqrt((positive + negative - 1) / (positive + negative))
        influence[reader, above] = jackknife * (won.mean(axis=1) - values[reader]) / (positive - 1)
        influence[reader, below] = jackknife * (won.mean(axis=0) - values[reader]) / (negative - 1)
    return values, influence, used


_COMPONENTS = {
    "sensitivity": _sensitivity,
    "specificity": _specificity,
    "accuracy": _accuracy,
    "auc": _auc,
}
