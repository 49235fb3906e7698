"""Statistics of reader studies against published examples and the reference libraries."""

from __future__ import annotations

import numpy as np
import pytest
from freetumor.study import agreement
from freetumor.study.bootstrap import crossed
from freetumor.study.equivalence import equivalence
from freetumor.study.multireader import MEASURES, Pooled, pooled, pooled_share
from freetumor.study.statistics import auc, confusion, mean_roc, rates, roc_points, wilson
from sklearn.metrics import roc_auc_score
from statsmodels.stats.proportion import proportions_ztost

# Van Dyke et al. (1993), spin-echo MRI of thoracic aortic dissection: five readers, 69 patients without and
# 45 with it, ratings 1 to 5. The example of Obuchowski-Rockette analysis in OR-DBM MRMC and RJafroc.
VAN_DYKE = (
    "122151111111411111111131311214111113121211233131133111111221111332111"
    "555545554555434245555555154454553555115554451",
    "232222222322522232222222422223222222222222222222222222222432232222222"
    "535555542555442225555555243354552425225555352",
    "222235112242422232221232411322112224121412112222223211211221151421212"
    "545555555555542355555555252255552555225555552",
    "111111311111111111112111211112111111111111111111331111111111111311111"
    "555555555555555155555555554544553555125555555",
    "351211112221211122113221111211211231221113332111211111111341231212113"
    "525255551545452235555554144322151515115553552",
)
WITHOUT, WITH = 69, 45


@pytest.fixture(scope="module")
def van_dyke():
    ratings = np.array([[int(r) for r in row] for row in VAN_DYKE], float)
    return ratings, np.arange(WITHOUT + WITH) >= WITHOUT


@pytest.fixture
def guesses():
    """Readers who guess, with readers and cases that differ a little."""
    rng = np.random.default_rng(4)
    latent = rng.normal(size=(6, 60)) + 0.4 * rng.normal(size=60) + 0.3 * rng.normal(size=(6, 1))
    return np.clip(np.round(latent * 1.3 + 3.5), 1, 6), np.arange(60) < 30


@pytest.mark.parametrize(
    ("positive", "count", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_as_published_by_newcombe(positive, count, low, high):
    # Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, method 3.
    estimate = wilson(positive, count)
    assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=6e-5)


def test_area_under_the_curve_of_hanley_and_mcneil():
    # Hanley and McNeil, Radiology 143 (1982) 29-36: 58 normal and 51 abnormal scans, area 0.893.
    counts = (33, 6, 6, 11, 2), (3, 2, 2, 11, 33)
    ratings = np.concatenate([np.repeat(np.arange(1.0, 6.0), row) for row in counts])
    abnormal = np.arange(109) >= 58
    estimate = auc(ratings, abnormal, np.random.default_rng(0))
    assert estimate.value == pytest.approx(0.893, abs=5e-4)
    assert estimate.value == pytest.approx(roc_auc_score(abnormal, ratings))
    # Their standard error is 0.032.
    assert (estimate.high - estimate.low) / 3.92 == pytest.approx(0.032, abs=0.002)


def test_pooled_area_of_van_dyke_as_published(van_dyke):
    # RJafroc 2, dataset02, treatment 0, Obuchowski-Rockette, random readers and cases: areas of the readers,
    # mean, standard error. Its degrees of freedom, 12.74, are Hillis's, without those of the cases.
    ratings, diseased = van_dyke
    published = 0.91964573, 0.85877617, 0.90386473, 0.97310789, 0.82979066
    values = [roc_auc_score(diseased, row) for row in ratings]
    assert values == pytest.approx(published, abs=1e-8)
    found = pooled(ratings, diseased, "auc")
    assert found.value == pytest.approx(0.89703704, abs=1e-8)
    assert found.error == pytest.approx(0.033173597, abs=1e-8)
    assert 12.0 < found.freedom < 12.7447
    # Of the same width as the symmetric one (0.825 to 0.969), but pulled away from 1.
    assert found.low < 0.82522
    assert found.high < 0.96885
    assert found.high - found.low == pytest.approx(0.96884 - 0.82522, abs=0.01)


def test_pooled_share_is_the_analysis_of_variance_of_readers_and_cases():
    rng = np.random.default_rng(1)
    latent = rng.normal(size=(6, 60)) + rng.normal(size=60) + rng.normal(size=(6, 1))
    ratings, synthetic = np.clip(np.round(latent + 3.5), 1, 6), np.arange(60) < 30
    right = (ratings[:, synthetic] >= 4).astype(float)
    readers, cases = right.shape
    mean, by_reader, by_case = right.mean(), right.mean(axis=1), right.mean(axis=0)
    rest = ((right - by_reader[:, None] - by_case + mean) ** 2).sum() / ((readers - 1) * (cases - 1))
    variance = (cases * by_reader.var(ddof=1) + readers * by_case.var(ddof=1) - rest) / (readers * cases)
    found = pooled(ratings, synthetic, "sensitivity")
    assert found.value == pytest.approx(mean)
    assert found.error**2 == pytest.approx(variance)
    assert found.reads == right.size
    assert found.readers == readers
    assert found.cases == cases
    assert found.design_effect == pytest.approx(variance / (mean * (1 - mean) / right.size))


def test_specificity_and_sensitivity_change_places_with_the_classes(guesses):
    ratings, synthetic = guesses
    one, other = pooled(ratings, synthetic, "sensitivity"), pooled(7 - ratings, ~synthetic, "specificity")
    assert one == other
    both = pooled(ratings, synthetic, "auc"), pooled(7 - ratings, ~synthetic, "auc")
    assert both[0].value == pytest.approx(both[1].value)
    assert both[0].error == pytest.approx(both[1].error)


def test_cases_of_one_patient_count_as_one(guesses):
    ratings, synthetic = guesses
    single = pooled(ratings, synthetic, "accuracy")
    twice, classes = np.repeat(ratings, 2, axis=1), np.repeat(synthetic, 2)
    patients = np.repeat(np.arange(len(synthetic)), 2)
    assert pooled(twice, classes, "accuracy", patients).error == pytest.approx(single.error, rel=0.03)
    assert pooled(twice, classes, "accuracy").error < 0.97 * single.error


@pytest.mark.parametrize("measure", MEASURES)
def test_readers_who_all_know_still_leave_an_interval(measure):
    synthetic = np.arange(40) < 20
    found = pooled(np.tile(np.where(synthetic, 6.0, 1.0), (5, 1)), synthetic, measure)
    assert found.value == found.high == 1.0
    # As from one reader: nobody knows how often all of them would be wrong together.
    assert 0.75 < found.low < 0.95


def test_unanswered_cases_are_left_out(guesses):
    ratings, synthetic = guesses
    ratings[2, :7] = np.nan
    ratings[3, synthetic] = np.nan
    found = pooled(ratings, synthetic, "sensitivity")
    assert found.readers == 5
    assert found.reads == 4 * 30 + 23
    values = [np.mean(row[synthetic & np.isfinite(row)] >= 4) for row in np.delete(ratings, 3, axis=0)]
    assert found.value == pytest.approx(np.mean(values))
    assert pooled(ratings, synthetic, "auc").readers == 5
    assert pooled(ratings[3:4], synthetic, "auc") == Pooled(None, None, None, None, None, 0, 0, 0)


def test_one_reader_gets_an_interval_for_cases_only(guesses):
    ratings, synthetic = guesses
    found = pooled(ratings[:1], synthetic, "sensitivity")
    alone = rates(confusion(ratings[0], synthetic))["sensitivity"]
    assert found.value == pytest.approx(alone.value)
    assert (found.low, found.high) == pytest.approx((alone.low, alone.high), abs=0.02)
    assert found.reader_sd is None


def test_mean_curve_has_the_mean_area(van_dyke):
    ratings, diseased = van_dyke
    curves = [roc_points(row, diseased) for row in ratings]
    x, y = mean_roc(curves)
    assert np.trapezoid(y, x) == pytest.approx(pooled(ratings, diseased, "auc").value)
    assert np.all(np.diff(y) >= -1e-12)
    assert y[-1] == 1.0


def test_plain_bootstrap_has_the_same_middle_and_is_wider(guesses):
    ratings, synthetic = guesses
    drawn = crossed(ratings, synthetic, np.random.default_rng(0), 2000)
    for measure in MEASURES:
        low, high = drawn[measure]
        found = pooled(ratings, synthetic, measure)
        assert (low + high) / 2 == pytest.approx(found.value, abs=0.02)
        assert high - low > found.high - found.low


@pytest.mark.parametrize("right", [520, 560, 590, 450])
def test_equivalence_of_independent_reads_is_that_of_statsmodels(right):
    count, value = 1000, right / 1000
    error = np.sqrt(value * (1 - value) / count)
    found = equivalence(Pooled(value, 0, 1, error, np.inf, 10, 100, count), 0.10)
    p, above, below = proportions_ztost(right, count, 0.4, 0.6, prop_var="limits")
    assert found.p == pytest.approx(p)
    assert (found.p_above, found.p_below) == pytest.approx((above[1], below[1]))
    # The 90 % interval and the tests say the same.
    assert found.equivalent == (found.low > 0.4 and found.high < 0.6) == (p < 0.05)


def test_equivalence_says_what_is_known():
    def said(value, error):
        return equivalence(Pooled(value, 0, 1, error, 20.0, 10, 100, 1000), 0.10).said

    assert said(0.5, 0.02) == "equivalent to chance ± 10 percentage points"
    assert said(0.55, 0.015).startswith("equivalent to")
    assert said(0.55, 0.015).endswith("different from chance itself")
    assert said(0.7, 0.03).startswith("different from chance, and not")
    assert said(0.5, 0.15).startswith("inconclusive")


def test_krippendorff_alpha_as_published():
    # Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), example C with ordinal metric: 0.815.
    text = "123321412...", "1233224125.3", ".3332342251.", "12332441251."
    ratings = np.array([[np.nan if sign == "." else float(sign) for sign in row] for row in text])
    found = agreement.alpha(ratings, np.arange(12) % 2 == 0)
    assert found.value == pytest.approx(0.815, abs=5e-4)
    assert found.low < found.value < found.high


def test_cohen_kappa_of_a_known_table():
    # 20 and 15 of 50 alike, 5 and 10 not: agreement 0.7, by chance 0.5, kappa 0.4.
    first = np.repeat([6.0, 6.0, 1.0, 1.0], [20, 5, 10, 15])
    second = np.repeat([4.0, 3.0, 5.0, 2.0], [20, 5, 10, 15])
    assert agreement.cohen(first, second) == (pytest.approx(0.4), 50)
    assert agreement.cohen(first, np.full(50, np.nan)) == (None, 0)
    assert agreement.cohen(np.full(9, 5.0), np.full(9, 6.0)) == (None, 9)


def test_leaving_nothing_out_gives_the_libraries_kappa(guesses):
    ratings, synthetic = guesses
    counts = (ratings[..., None] == np.arange(1, 7)).sum(axis=0).astype(float)
    whole = agreement._coincidences(counts).sum(axis=0)
    assert agreement._alpha_of(whole) == pytest.approx(agreement.alpha(ratings, synthetic).value)
    assert agreement._fleiss_of(whole) == pytest.approx(agreement.fleiss(ratings, synthetic).value)


def test_readers_who_repeat_themselves_agree_with_themselves():
    rng = np.random.default_rng(0)
    first = [rng.integers(1, 7, 12).astype(float) for _ in range(8)]
    again = [np.where(rng.random(12) < 0.8, row, 7 - row) for row in first]
    found = agreement.intra(first, again)
    assert 0.1 < found.low < found.value < found.high < 0.95
    assert found.count == 96
    same = agreement.intra(first, first)
    assert same.value == 1.0
    assert same.low is None
    nothing = agreement.intra([np.array([])], [np.array([])])
    assert nothing.value is None
    assert nothing.count == 0


def test_forced_choices_pool_like_shares():
    right = np.array([[1, 1, 0, 1], [1, 0, np.nan, 1], [1, 1, 1, 0]], float)
    found = pooled_share(right)
    assert found.value == pytest.approx(np.mean([0.75, 2 / 3, 0.75]))
    assert found.reads == 11
    assert found.low < found.value < found.high
