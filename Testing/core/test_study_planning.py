"""How many reads, readers and cases show equivalence: by closed forms, a library and simulated studies."""

from __future__ import annotations

import numpy as np
import pytest
from freetumor.errors import BadInput
from freetumor.study.planning import Spread, design_effect, plan, power_of
from runs import command

ALIKE = Spread(0.0, 0.0)


@pytest.mark.parametrize(("margin", "reads"), [(0.10, 271), (0.05, 1083)])
def test_independent_reads_are_those_of_the_textbook(margin, reads):
    """0.25 (1.6449 + 1.6449)^2 / margin^2 is 270.6 and 1082.2."""
    assert plan(margin, 0.9).independent_reads == reads


@pytest.mark.parametrize(
    ("margin", "power", "alpha"), [(0.1, 0.9, 0.05), (0.05, 0.8, 0.05), (0.12, 0.9, 0.025)]
)
def test_independent_reads_have_the_power_that_statsmodels_gives_them(margin, power, alpha):
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    reads = plan(margin, power, alpha=alpha).independent_reads

    def of(count: int) -> float:
        return float(
            proportion.power_ztost_prop(
                0.5 - margin, 0.5 + margin, count, 0.5, alpha=alpha, variance_prop=0.5, discrete=False
            )[0]
        )

    assert of(reads - 1) < power <= of(reads)


def test_the_design_effect_is_the_variance_of_simulated_studies():
    rng = np.random.default_rng(1)
    readers, cases, spread = 8, 60, Spread(0.06, 0.15)
    accuracies = []
    for _ in range(4000):
        chance = 0.5 + rng.normal(0, spread.readers, (readers, 1)) + rng.normal(0, spread.cases, cases)
        accuracies.append((rng.random((readers, cases)) < chance).mean())
    independent = 0.25 / (readers * cases)
    # The standard error of a variance of n normal values is sqrt(2 / n) of it.
    found = np.var(accuracies) / independent
    assert found == pytest.approx(design_effect(readers, cases, spread), rel=4 * np.sqrt(2 / 4000))
    assert design_effect(readers, cases, ALIKE) == 1


def test_planned_studies_have_the_power_asked_for_and_no_case_too_many():
    made = plan(0.1, 0.9)
    for row in made.needed:
        if row.cases is None:
            assert power_of(row.readers, 20_000, 0.1, 0.05, made.spread) < 0.9
            continue
        assert row.cases % 2 == 0
        assert row.reads == row.readers * row.cases >= made.independent_reads
        assert power_of(row.readers, row.cases, 0.1, 0.05, made.spread) >= 0.9
        assert power_of(row.readers, row.cases - 2, 0.1, 0.05, made.spread) < 0.9
    fewer = [row.cases for row in made.needed if row.cases]
    assert fewer == sorted(fewer, reverse=True)


def test_the_command_says_reads_readers_and_cases():
    said = command("study", "plan", "--margin", "0.10", "--power", "0.9", "--json")
    assert said.json["independent_reads"] == 271
    words = command("study", "plan", "--readers", "10", "--readers", "2").out
    assert "271 independent reads" in words
    assert "no number of cases is enough" in words
    (ten,) = [row for row in said.json["needed"] if row["readers"] == 10]
    assert f"{ten['cases']:>8}" in words


@pytest.mark.parametrize(
    "options", [("--margin", "0.7"), ("--power", "1"), ("--case-sd", "0.6"), ("--readers", "0")]
)
def test_what_makes_no_sense_is_refused(options):
    said = command("study", "plan", *options, "--json")
    assert (said.code, said.json["kind"]) == (2, "usage")


def test_a_spread_that_leaves_nothing_to_chance_is_refused():
    with pytest.raises(BadInput, match="standard deviations"):
        Spread(0.4, 0.4)
