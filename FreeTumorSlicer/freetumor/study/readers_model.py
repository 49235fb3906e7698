"""Readers of whom everything is known: a model of their answers, and what it is that statistics estimate.

An answer is a latent value cut into six levels:

    latent = class + criterion(reader) ± skill(reader) + case + taste(reader, case) + moment

all normal, taste and moment of variance 1 together; a repeat differs in its moment only. Such a model (Roe
and Metz, Academic Radiology 4, 1997) has the values of whole populations of readers and cases in closed
form, or as integrals in one or two dimensions, so that the coverage of an interval can be told exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.stats import multivariate_normal, norm

from freetumor.study.record import FIRST_POSITIVE
from freetumor.study.statistics import LEVELS, area

CUTS = np.array([-1.2, -0.6, 0.0, 0.6, 1.2])
SKILL = 0.5  # SD of skill by that of criterion
TASTE = 0.5  # share of the variance within reader and case that stays with a repeat
_NODES = 24


@dataclass(frozen=True)
class Draw:
    """One study.

    Attributes:
        ratings, again: (readers, cases), 1 to 6; `again`: the same cases once more.
        synthetic: (cases,), bool. pairs: (readers, pairs), was the synthetic one found.
        criterion, skill: of the readers.
    """

    ratings: np.ndarray
    again: np.ndarray
    synthetic: np.ndarray
    pairs: np.ndarray
    criterion: np.ndarray
    skill: np.ndarray


@dataclass(frozen=True)
class Population:
    """Readers and cases to draw from.

    Args:
        sensitivity, specificity: of all readers on all cases.
        reader_sd: SD of the readers' criterion; their skill varies by half of it.
        case_sd: SD of cases being harder or easier for all, where a single answer's own is 1.
    """

    sensitivity: float
    specificity: float
    reader_sd: float = 0.3
    case_sd: float = 0.6

    def draw(self, rng: np.random.Generator, readers: int, synthetic: int, real: int, pairs: int) -> Draw:
        """A study with so many readers, cases and forced choices."""
        truth = np.arange(synthetic + real) < synthetic
        criterion = rng.normal(0, self.reader_sd, readers)
        skill = rng.normal(0, self.reader_sd * SKILL, readers)
        shape = readers, len(truth)
        lasting = np.where(truth, *self._means) + criterion[:, None] + np.where(truth, 1, -1) * skill[:, None]
        lasting = lasting + rng.normal(0, self.case_sd, len(truth))
        lasting = lasting + np.sqrt(TASTE) * rng.normal(size=shape)
        first, again = (lasting + np.sqrt(1 - TASTE) * rng.normal(size=shape) for _ in range(2))
        between = (
            self._distance
            + 2 * skill[:, None]
            + np.sqrt(2) * (rng.normal(0, self.case_sd, pairs) + rng.normal(size=(readers, pairs)))
        )
        found = np.where(between > 0, 1.0, 0.0)
        return Draw(_cut(first), _cut(again), truth, found, criterion, skill)

    @cached_property
    def total_sd(self) -> float:
        """SD of the latent value of a class over readers, cases and answers."""
        return float(np.sqrt(1 + self.reader_sd**2 * (1 + SKILL**2) + self.case_sd**2))

    def of_readers(self, criterion: np.ndarray, skill: np.ndarray) -> dict[str, np.ndarray]:
        """What these readers would reach on all cases: sensitivity, specificity, auc; accuracy of as many
        synthetic as real cases.
        """
        sd = np.sqrt(1 + self.case_sd**2)
        cuts = np.concatenate([[-np.inf], CUTS, [np.inf]])
        shares = [
            np.diff(norm.cdf((cuts - (mean + criterion + sign * skill)[..., None]) / sd), axis=-1)
            for mean, sign in zip(self._means, (1, -1), strict=True)
        ]
        sensitivity = shares[0][..., FIRST_POSITIVE - 1 :].sum(axis=-1)
        specificity = shares[1][..., : FIRST_POSITIVE - 1].sum(axis=-1)
        return {
            "sensitivity": sensitivity,
            "specificity": specificity,
            "accuracy": (sensitivity + specificity) / 2,
            "auc": area(*shares),
        }

    @cached_property
    def values(self) -> dict[str, float]:
        """What all readers reach on all cases, half of them synthetic, and how they agree."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
        grid = np.meshgrid(nodes, nodes * SKILL, indexing="ij")
        areas = self.of_readers(*(self.reader_sd * axis for axis in grid))["auc"]
        weights = weights / weights.sum()
        same_case = self.case_sd**2 / self.total_sd**2
        same_read = 1 - (1 - TASTE) / self.total_sd**2
        between_sd = np.sqrt(2 + 2 * self.case_sd**2 + (2 * self.reader_sd * SKILL) ** 2)
        return {
            "sensitivity": self.sensitivity,
            "specificity": self.specificity,
            "accuracy": (self.sensitivity + self.specificity) / 2,
            "auc": float(weights @ areas @ weights),
            "fleiss_kappa": _kappa(self._coincidences(same_case)),
            "krippendorff_alpha": _alpha(self._coincidences(same_case)),
            "intra_reader_kappa": _kappa(self._coincidences(same_read)),
            "forced_choice": float(norm.cdf(self._distance / between_sd)),
        }

    @cached_property
    def _means(self) -> tuple[float, float]:
        return (
            float(self.total_sd * norm.ppf(self.sensitivity)),
            float(-self.total_sd * norm.ppf(self.specificity)),
        )

    @cached_property
    def _distance(self) -> float:
        return self._means[0] - self._means[1]

    def _coincidences(self, correlation: float) -> np.ndarray:
        """Shares of two answers to one case of either class, (levels, levels)."""
        both = multivariate_normal(cov=[[1, correlation], [correlation, 1]])
        total = np.zeros((LEVELS, LEVELS))
        for mean in self._means:
            # Far enough for no answer to lie beyond it.
            cuts = np.concatenate([[-9], (CUTS - mean) / self.total_sd, [9]])
            below = both.cdf(np.stack(np.meshgrid(cuts, cuts, indexing="ij"), axis=-1))
            total += np.diff(np.diff(below, axis=0), axis=1) / 2
        return total


def _cut(latent: np.ndarray) -> np.ndarray:
    return (np.searchsorted(CUTS, latent) + 1).astype(float)


def _kappa(coincidences: np.ndarray) -> float:
    first = FIRST_POSITIVE - 1
    positive = coincidences[first:].sum()
    same = coincidences[:first, :first].sum() + coincidences[first:, first:].sum()
    chance = positive**2 + (1 - positive) ** 2
    return float((same - chance) / (1 - chance))


def _alpha(coincidences: np.ndarray) -> float:
    given = coincidences.sum(axis=1)
    rank = np.cumsum(given) - given / 2
    distance = (rank[:, None] - rank) ** 2
    return float(1 - (coincidences * distance).sum() / (np.outer(given, given) * distance).sum())
