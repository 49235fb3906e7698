"""Do real and synthetic lesions of a study differ in anything but the tumor? The table 1 of a paper.

The measure is the area under the ROC curve of each covariate alone: the chance that a synthetic lesion has a
larger value than a real one (Mann and Whitney 1947). 0.5: the covariate tells nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import sqrt

import numpy as np

from freetumor.study.covariates import COVARIATES, Covariate
from freetumor.study.matching import Pair

# A program that knew the covariate alone would be right more often than the margin of the study allows.
WORST = 0.1
_ALPHA = 1.96
# More than this share of an organ's pairs is not given up for balance: then the sources are to blame.
_MOST_DROPPED = 0.34


@dataclass(frozen=True)
class Row:
    """One covariate in one organ: medians, AUC, and whether it tells the classes apart."""

    organ: str
    covariate: str
    unit: str
    pairs: int
    real: float
    synthetic: float
    auc: float
    telling: bool

    def to_dict(self) -> dict:
        """For JSON."""
        return asdict(self)


def balance(pairs: Sequence[Pair]) -> list[Row]:
    """The table of all organs and covariates."""
    rows = []
    for organ in sorted({pair.real.organ for pair in pairs}):
        some = [pair for pair in pairs if pair.real.organ == organ]
        rows += [_row(organ, covariate, some) for covariate in COVARIATES]
    return rows


def balanced(pairs: Sequence[Pair]) -> tuple[list[Pair], list[tuple[Pair, str]]]:
    """Pairs of which no covariate tells the classes apart, as far as leaving some out achieves it.

    Returns:
        The pairs that stay, and those left out with the covariate they were left out for. Where more than a
        third of an organ's pairs would have to go, all stay: :func:`balance` tells what is wrong with them.
    """
    kept, dropped = [], []
    for organ in sorted({pair.real.organ for pair in pairs}):
        some = [pair for pair in pairs if pair.real.organ == organ]
        left, out = list(some), []
        while (worst := _worst(organ, left)) and len(out) < _MOST_DROPPED * len(some):
            covariate, row = worst
            sign = 1 if row.auc > 0.5 else -1
            far = max(left, key=lambda p: sign * (covariate.scaled(p.synthetic) - covariate.scaled(p.real)))
            left.remove(far)
            out.append((far, covariate.name))
        if _worst(organ, left):
            left, out = some, []
        kept += left
        dropped += out
    return kept, dropped


def _worst(organ: str, pairs: Sequence[Pair]) -> tuple[Covariate, Row] | None:
    rows = [(covariate, _row(organ, covariate, pairs)) for covariate in COVARIATES]
    telling = [(covariate, row) for covariate, row in rows if row.telling]
    return max(telling, key=lambda item: abs(item[1].auc - 0.5), default=None)


def _row(organ: str, covariate: Covariate, pairs: Sequence[Pair]) -> Row:
    real = np.array([covariate.value(pair.real) for pair in pairs])
    synthetic = np.array([covariate.value(pair.synthetic) for pair in pairs])
    auc = float(
        np.mean((synthetic[:, None] > real[None, :]) + 0.5 * (synthetic[:, None] == real[None, :]))
        if len(pairs)
        else 0.5
    )
    # Standard error without a difference between the classes (Mann and Whitney 1947).
    n = max(1, len(pairs))
    error = sqrt((2 * n + 1) / (12 * n * n))
    return Row(
        organ=organ,
        covariate=covariate.name,
        unit=covariate.unit,
        pairs=len(pairs),
        real=round(float(np.median(real)), 3) if len(pairs) else 0.0,
        synthetic=round(float(np.median(synthetic)), 3) if len(pairs) else 0.0,
        auc=round(auc, 3),
        telling=abs(auc - 0.5) > max(WORST, _ALPHA * error),
    )
