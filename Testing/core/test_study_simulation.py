"""Coverage of the stated intervals in studies of known truth: few of them here, 1,000 in the benchmark."""

from __future__ import annotations

import numpy as np
import pytest
from freetumor.errors import BadInput
from freetumor.study import agreement
from freetumor.study.multireader import MEASURES, pooled
from freetumor.study.readers_model import Population
from freetumor.study.simulation import simulate

RUNS = 50


@pytest.fixture(scope="module")
def found():
    return simulate(runs=RUNS, seed=1)


def test_stated_intervals_contain_the_truth(found):
    # 50 intervals of 95 % contain it in 42 or more, but for one experiment in 300.
    assert all(share >= 0.84 for share in found["coverage"].values())
    stated = {name: one["coverage"] for name, one in found["stated"].items() if one["intervals"] == RUNS}
    assert 0.92 <= np.mean(list(stated.values())) <= 0.98
    for name in ("sensitivity", "specificity", "accuracy", "auc"):
        assert found["stated"][f"{name} of a reader"]["intervals"] == 13 * RUNS
        assert 0.92 <= found["coverage"][f"{name} of a reader"] <= 0.98
        assert f"pooled {name}" in found["coverage"]
    assert found["positive"] == "synthetic"


def test_reads_taken_as_independent_promise_too_much(found):
    for name in ("sensitivity", "specificity", "accuracy"):
        assert found["not_stated"][f"{name}, all reads as if independent"]["coverage"] < 0.85


def test_readers_who_can_tell_are_not_called_equivalent(found):
    # True accuracy 0.608, beyond the margin of 0.1.
    assert found["equivalent"] <= 0.1


def test_truth_of_the_model_is_what_large_studies_find():
    population = Population(0.511, 0.705, reader_sd=0.3, case_sd=0.6)
    rng = np.random.default_rng(2)
    truths = population.values
    draws = [population.draw(rng, 40, 250, 250, 250) for _ in range(8)]
    for measure in MEASURES:
        values = [pooled(draw.ratings, draw.synthetic, measure).value for draw in draws]
        assert np.mean(values) == pytest.approx(truths[measure], abs=0.015)
    kappas = [agreement.fleiss(draw.ratings[:, ::5], draw.synthetic[::5]).value for draw in draws]
    assert np.mean(kappas) == pytest.approx(truths["fleiss_kappa"], abs=0.02)
    own = [agreement.intra(list(draw.ratings), list(draw.again)).value for draw in draws]
    assert np.mean(own) == pytest.approx(truths["intra_reader_kappa"], abs=0.02)
    assert np.mean([draw.pairs.mean() for draw in draws]) == pytest.approx(truths["forced_choice"], abs=0.02)


def test_same_seed_same_studies():
    assert simulate(runs=2, seed=5) == simulate(runs=2, seed=5)
    assert simulate(runs=2, seed=5) != simulate(runs=2, seed=6)


@pytest.mark.parametrize(
    "wrong",
    [{"readers": 1}, {"runs": 0}, {"cases": 2}, {"sensitivity": 0.1, "accuracy": 0.9}, {"case_sd": -1}],
)
def test_studies_that_cannot_be_are_refused(wrong):
    with pytest.raises(BadInput) as error:
        simulate(**wrong)
    assert error.value.kind == "usage"
