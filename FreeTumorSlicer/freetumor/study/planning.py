"""How many readers and cases a study needs to show that readers do no better than chance.

The question is one of equivalence: accuracy within `margin` of 50 %, by two one-sided tests (Schuirmann 1987,
Journal of Pharmacokinetics and Biopharmaceutics 15:657). "Not significantly different" would show nothing.

Independent reads: n = p (1 - p) (z(1 - alpha) + z(1 - beta / 2))^2 / margin^2 with p = 0.5 (Chow, Shao and
Wang, Sample Size Calculations in Clinical Research, one-proportion equivalence).

Reads of one reader are alike, and so are those of one case. With R readers who all read C cases

    variance of the accuracy = between readers / R + between cases / C + rest / (R C),

the random-effects model of multi-reader multi-case studies (Obuchowski and Rockette 1995, Communications in
Statistics - Simulation and Computation 24:285); the design effect is that variance over the one of as many
independent reads. Few readers also make the variance itself uncertain: quantiles are those of Student's t
with Satterthwaite's degrees of freedom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import ceil, inf, sqrt

from scipy import stats

from freetumor.errors import BadInput

ACCURACY = 0.5
_READERS = (3, 4, 5, 6, 8, 10, 13, 16, 20, 30)
_MOST_CASES = 20_000
SECONDS_PER_READ = 30.0


@dataclass(frozen=True)
class Spread:
    """Standard deviation of the accuracy between readers, and between cases.

    The defaults are assumptions, those of :mod:`freetumor.study.readers_model`: 95 % of
    readers within 10 points of the mean, 95 % of cases within 40. A pilot tells better ones.
    """

    readers: float = 0.05
    cases: float = 0.20

    def __post_init__(self) -> None:
        if min(self.readers, self.cases) < 0 or self.readers**2 + self.cases**2 >= ACCURACY * (1 - ACCURACY):
            raise BadInput(
                "standard deviations from 0 that leave something to chance (squares below 0.25 together)",
                f"{self.readers:g} and {self.cases:g}", "0.05 and 0.2 are usual.", kind="usage",
            )  # fmt: skip


@dataclass(frozen=True)
class Needed:
    """A number of readers, who all read all cases; None: no number of cases is enough for so few."""

    readers: int
    cases: int | None
    reads: int | None
    design_effect: float | None
    power: float | None
    hours_per_reader: float | None


@dataclass(frozen=True)
class Plan:
    """What :func:`plan` found; `independent_reads` is the number without any design effect."""

    margin: float
    power: float
    alpha: float
    spread: Spread
    independent_reads: int
    needed: tuple[Needed, ...]

    def to_dict(self) -> dict:
        """For ``--json``."""
        return {"status": "done", **asdict(self)}


def plan(
    margin: float = 0.10,
    power: float = 0.9,
    *,
    alpha: float = 0.05,
    spread: Spread | None = None,
    readers: Sequence[int] = _READERS,
) -> Plan:
    """Reads, readers and cases that show equivalence, if the true accuracy is 50 %.

    Args:
        margin: largest difference from 0.5 that does not matter. power: chance to show it.
        alpha: of each of the two tests.
        readers: numbers of readers to say the cases for.

    Raises:
        BadInput: kind "usage".
    """
    if not (0 < margin < 0.5 and 0.5 <= power < 1 and 0 < alpha < 0.5 and min(readers, default=0) >= 1):
        raise BadInput(
            "a margin above 0 and below 0.5, a power from 0.5 to below 1, an alpha below 0.5, readers from 1",
            f"{margin:g}, {power:g}, {alpha:g}, {list(readers)}", kind="usage",
        )  # fmt: skip
    spread = spread or Spread()
    quantiles = stats.norm.ppf(1 - alpha) + stats.norm.ppf((1 + power) / 2)
    reads = ceil(ACCURACY * (1 - ACCURACY) * (quantiles / margin) ** 2)
    rows = tuple(_needed(n, margin, power, alpha, spread) for n in sorted(set(readers)))
    return Plan(margin, power, alpha, spread, reads, rows)


def design_effect(readers: int, cases: int, spread: Spread) -> float:
    """Variance of the mean of all reads over that of as many independent ones."""
    total = ACCURACY * (1 - ACCURACY)
    return (spread.readers**2 * (cases - 1) + spread.cases**2 * (readers - 1)) / total + 1.0


def power_of(readers: int, cases: int, margin: float, alpha: float, spread: Spread) -> float:
    """Chance that both one-sided tests reject, if the true accuracy is 50 %."""
    total = ACCURACY * (1 - ACCURACY)
    error = sqrt(total * design_effect(readers, cases, spread) / (readers * cases))
    freedom = _freedom(readers, cases, spread)
    if freedom <= 0:
        return 0.0
    law = stats.norm if freedom == inf else stats.t(freedom)
    return max(0.0, 2 * float(law.cdf(margin / error - law.ppf(1 - alpha))) - 1)


def _freedom(readers: int, cases: int, spread: Spread) -> float:
    """Satterthwaite's degrees of freedom of (MS readers + MS cases - MS rest) / (R C)."""
    if readers < 2 or cases < 2:
        return 0.0
    rest = ACCURACY * (1 - ACCURACY) - spread.readers**2 - spread.cases**2
    by_reader, by_case = rest + cases * spread.readers**2, rest + readers * spread.cases**2
    whole = (by_reader + by_case - rest) ** 2
    parts = by_reader**2 / (readers - 1) + by_case**2 / (cases - 1)
    return whole / (parts + rest**2 / ((readers - 1) * (cases - 1)))


def _needed(readers: int, margin: float, power: float, alpha: float, spread: Spread) -> Needed:
    def enough(cases: int) -> bool:
        return power_of(readers, cases, margin, alpha, spread) >= power

    # Half of the cases are synthetic: an even number. More cases never take power away.
    low, high = 0, 1
    while 2 * high <= _MOST_CASES and not enough(2 * high):
        low, high = high, 2 * high
    if 2 * high > _MOST_CASES:
        return Needed(readers, None, None, None, None, None)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(2 * middle) else (middle, high)
    cases = 2 * high
    return Needed(
        readers=readers,
        cases=cases,
        reads=readers * cases,
        design_effect=round(design_effect(readers, cases, spread), 2),
        power=round(power_of(readers, cases, margin, alpha, spread), 4),
        hours_per_reader=round(cases * SECONDS_PER_READ / 3600, 1),
    )
