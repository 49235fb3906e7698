"""Do the stated 95 % intervals contain the truth in 95 % of studies? Studies of known readers tell.

The default is the study of the FreeTumor paper (13 readers, 90 cases, 51.1 % sensitivity, 60.8 % accuracy),
with readers and cases that differ. All that is simulated goes through the functions that analyze a real
study.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

import numpy as np

from freetumor.errors import BadInput
from freetumor.study import agreement
from freetumor.study.bootstrap import crossed
from freetumor.study.equivalence import equivalence
from freetumor.study.multireader import MEASURES, pooled, pooled_share
from freetumor.study.readers_model import Draw, Population
from freetumor.study.statistics import LEVEL, auc, check_libraries, confusion, rates

READERS, CASES, SENSITIVITY, ACCURACY = 13, 90, 0.511, 0.608
REPEATS = 0.12  # share of the cases that a reader sees again
PAIRS = 20
PARTS = 3  # an organ or size class is one of so many
_SAMPLES = 400

_Check = tuple[str, float | None, float | None, float]


def simulate(
    readers: int = READERS,
    cases: int = CASES,
    sensitivity: float = SENSITIVITY,
    accuracy: float = ACCURACY,
    runs: int = 1000,
    reader_sd: float = 0.3,
    case_sd: float = 0.6,
    seed: int = 0,
    *,
    margin: float = 0.10,
    progress: Callable[[str, float], None] | None = None,
) -> dict:
    """Draw `runs` studies and count how often each stated interval contains the truth.

    Args:
        readers, cases: of each study; half of the cases are synthetic.
        sensitivity, accuracy: of all readers on all cases, as shares. Positive class: synthetic.
        reader_sd, case_sd: see :class:`freetumor.study.readers_model.Population`.
        margin: of the test of equivalence.
        progress: called with words and the share done.

    Returns:
        ``truth``; ``coverage``: name → share of the intervals that a report states which contain the truth;
        ``stated``: the same with "width", "intervals" and "without_interval"; ``not_stated``: of the plain
        ones, to see why they are not; ``equivalent``: share of the studies that show equivalence to chance.

    Raises:
        BadInput: kind "usage": no such study.
    """
    check_libraries(("sklearn", "statsmodels", "krippendorff"))
    specificity = 2 * accuracy - sensitivity
    if not (readers > 1 and cases >= 4 and runs > 0 and reader_sd >= 0 and case_sd >= 0):
        got = f"{readers} readers, {cases} cases, {runs} runs, SD {reader_sd:g} and {case_sd:g}"
        raise BadInput("two readers or more, four cases or more, and runs", got, kind="usage")
    if not (0 < sensitivity < 1 and 0 < specificity < 1):
        got = f"sensitivity {sensitivity:g}, accuracy {accuracy:g}: specificity {specificity:g}"
        raise BadInput("shares between 0 and 1", got, kind="usage")
    population = Population(sensitivity, specificity, reader_sd, case_sd)
    synthetic = cases // 2
    # The same studies, whatever is drawn to analyze them.
    rng, analysis = np.random.default_rng(seed).spawn(2)
    found: dict[str, list[tuple[bool, float]]] = defaultdict(list)
    plain: dict[str, list[tuple[bool, float]]] = defaultdict(list)
    without: dict[str, int] = defaultdict(int)
    equivalent = 0
    for run in range(runs):
        draw = population.draw(rng, readers, synthetic, cases - synthetic, PAIRS)
        for into, of in ((found, _stated), (plain, _plain)):
            for name, low, high, truth in of(draw, population, analysis):
                if low is None or high is None:
                    without[name] += 1
                else:
                    into[name].append((low <= truth <= high, high - low))
        shown = equivalence(pooled(draw.ratings, draw.synthetic, "accuracy"), margin)
        equivalent += shown.equivalent
        if progress is not None:
            progress(f"study {run + 1} of {runs}", (run + 1) / runs)
    stated = {name: _summary(checks, without[name]) for name, checks in found.items()}
    return {
        "readers": readers,
        "cases": cases,
        "runs": runs,
        "reader_sd": reader_sd,
        "case_sd": case_sd,
        "seed": seed,
        "positive": "synthetic",
        "level": LEVEL,
        "truth": population.values,
        "coverage": {name: one["coverage"] for name, one in stated.items()},
        "stated": stated,
        "not_stated": {name: _summary(checks, without[name]) for name, checks in plain.items()},
        "margin": margin,
        "equivalent": equivalent / runs,
    }


def _stated(draw: Draw, population: Population, rng: np.random.Generator) -> Iterator[_Check]:
    """Every interval that a report states."""
    truths = population.values
    part = np.arange(len(draw.synthetic)) % PARTS == 0
    for measure in MEASURES:
        whole = pooled(draw.ratings, draw.synthetic, measure)
        some = pooled(draw.ratings[:, part], draw.synthetic[part], measure)
        # Of all cases, not of as many synthetic as real ones.
        truth = truths[measure] if measure != "accuracy" else _accuracy(truths, draw.synthetic)
        part_truth = truths[measure] if measure != "accuracy" else _accuracy(truths, draw.synthetic[part])
        yield f"pooled {measure}", whole.low, whole.high, truth
        yield f"{measure} of a third of the cases", some.low, some.high, part_truth
    choice = pooled_share(draw.pairs)
    yield "pooled forced choice", choice.low, choice.high, truths["forced_choice"]
    kappa = agreement.fleiss(draw.ratings, draw.synthetic)
    yield "Fleiss kappa", kappa.low, kappa.high, truths["fleiss_kappa"]
    alpha = agreement.alpha(draw.ratings, draw.synthetic)
    yield "Krippendorff alpha", alpha.low, alpha.high, truths["krippendorff_alpha"]
    first, again = [], []
    for reader in range(len(draw.ratings)):
        chosen = rng.choice(len(part), max(round(REPEATS * len(part)), 2), replace=False)
        first.append(draw.ratings[reader, chosen])
        again.append(draw.again[reader, chosen])
    own = agreement.intra(first, again)
    yield "intra-reader kappa, pooled", own.low, own.high, truths["intra_reader_kappa"]
    reached = population.of_readers(draw.criterion, draw.skill)
    for reader, row in enumerate(draw.ratings):
        for measure, estimate in rates(confusion(row, draw.synthetic)).items():
            truth = reached[measure][reader]
            if measure == "accuracy":
                truth = _accuracy({name: reached[name][reader] for name in reached}, draw.synthetic)
            yield f"{measure} of a reader", estimate.low, estimate.high, truth
        area = auc(row, draw.synthetic, rng, _SAMPLES)
        yield "auc of a reader", area.low, area.high, reached["auc"][reader]


def _plain(draw: Draw, population: Population, rng: np.random.Generator) -> Iterator[_Check]:
    """What is often stated instead."""
    truths = population.values
    drawn = crossed(draw.ratings, draw.synthetic, rng, _SAMPLES)
    reads = rates(confusion(draw.ratings, np.broadcast_to(draw.synthetic, draw.ratings.shape)))
    for measure in MEASURES:
        truth = truths[measure] if measure != "accuracy" else _accuracy(truths, draw.synthetic)
        if drawn[measure] is not None:
            yield f"{measure}, plain bootstrap of readers x cases", *drawn[measure], truth
        if measure in reads:
            yield f"{measure}, all reads as if independent", reads[measure].low, reads[measure].high, truth


def _accuracy(values: dict, synthetic: np.ndarray) -> float:
    share = float(np.mean(synthetic))
    return share * values["sensitivity"] + (1 - share) * values["specificity"]


def _summary(checks: list[tuple[bool, float]], without: int) -> dict:
    inside, widths = np.array(checks, float).T
    return {
        "coverage": float(inside.mean()),
        "width": float(widths.mean()),
        "intervals": len(checks),
        "without_interval": without,
    }
