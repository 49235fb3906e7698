"""Which real lesion stands against which synthetic one, and in what order readers see them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from freetumor.errors import BadInput
from freetumor.study.advice import few_pairs, most_often
from freetumor.study.balance import balance, balanced
from freetumor.study.division import divided
from freetumor.study.lesions import Found, Spot
from freetumor.study.matching import Pair, match, shown_ct
from freetumor.study.orders import Shown, main_order, same_patient_in_a_row, sides, spread
from freetumor.study.presentations import draw_orders, neutral_cases
from freetumor.study.scans import number_patients
from hypothesis import given, settings
from hypothesis import strategies as st
from study_pools import a_lesion


def chance(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def matched(lesions, per_patient: int = 2, spots: set = frozenset()):
    return match(Found(list(lesions), [], set(spots)), per_patient, chance())


def pool(count: int, **facts: object) -> list:
    return [a_lesion(kind, n, **facts) for n in range(count) for kind in (False, True)]


def reason(result, name: str) -> str:
    return next(entry["why"] for entry in result.unmatched if name in entry["what"])


def test_lesions_find_the_partner_of_their_size():
    sizes = (8.0, 30.0, 15.0)
    real = [a_lesion(False, n, diameter_mm=mm) for n, mm in enumerate(sizes)]
    synthetic = [a_lesion(True, n, diameter_mm=mm * 1.1) for n, mm in enumerate(reversed(sizes))]
    pairs = matched(real + synthetic).pairs
    assert len(pairs) == 3
    assert all(pair.synthetic.diameter_mm == pytest.approx(1.1 * pair.real.diameter_mm) for pair in pairs)


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        ({"diameter_mm": 40.0}, "diameter"),
        ({"spacing": (5.0, 0.8, 0.8)}, "slice thickness"),
        ({"spacing": (2.5, 1.5, 1.5)}, "pixel size"),
        ({"noise_hu": 25.0}, "noise"),
        ({"organ_hu": -600.0}, "contrast phase"),
        ({"air_share": 0.2}, "air around the body"),
        ({"lung_share": 0.1}, "lung in view"),
        ({"scan_share": 0.4}, "inside the scan"),
        ({"organ": "liver"}, "no real liver lesion"),
    ],
)
def test_what_tells_lesions_apart_keeps_them_from_matching_and_is_said(facts, word):
    result = matched([a_lesion(False, 0), a_lesion(True, 0, **facts)])
    assert not result.pairs
    assert word in reason(result, "synthetic 0")
    assert "helps" in most_often(result.unmatched)


def test_a_partner_in_the_same_scan_is_preferred():
    twin = a_lesion(True, 7, scan=0, patient=0, center=(30, 40, 150))
    lesions = [a_lesion(False, 0), *(a_lesion(True, n) for n in range(5)), twin]
    (pair,) = matched(lesions).pairs
    assert pair.synthetic.name == twin.name


def test_a_scan_is_shown_in_one_version_and_its_real_lesion_in_the_same():
    real = a_lesion(False, 0)
    made = {"scan": 0, "patient": 0}
    first = a_lesion(True, 1, **made, center=(30, 40, 150))
    second = a_lesion(True, 2, **made, center=(30, 140, 50))
    result = matched([real, first, second, a_lesion(False, 5), a_lesion(False, 6)])
    shown = {pair.synthetic.name for pair in result.pairs}
    assert len(shown) == 1
    other = ({first.name, second.name} - shown).pop()
    assert "one version" in reason(result, other)
    chosen = [pair.synthetic for pair in result.pairs]
    assert shown_ct(real, result.pairs).ct == chosen[0].ct
    # Where none of its synthetic lesions is shown, the scan is shown as it was.
    assert shown_ct(real, []).ct == real.ct


def test_of_the_versions_of_a_scan_the_one_that_is_most_like_real_lesions_is_shown():
    real = [a_lesion(False, n, scan=0, patient=0, center=(30, 40, 60 * n)) for n in range(2)]
    over = [a_lesion(True, 1, scan=0, patient=0, center=(30, 40, 60 * n), ct=Path("over")) for n in range(2)]
    elsewhere = [
        a_lesion(True, n, scan=0, patient=0, center=(30, 160, 60 * n), lung_share=share, ct=Path(name))
        for name, share in (("far", 0.25), ("near", 0.28), ("farther", 0.38))
        for n in range(2)
    ]
    result = matched([*real, *over, *elsewhere])
    assert {pair.synthetic.ct.name for pair in result.pairs} == {"near"}
    # Another lesion does not help where no real one is like it.
    more = a_lesion(True, 3, scan=0, patient=0, center=(90, 160, 0), diameter_mm=60.0, ct=Path("far"))
    result = matched([*real, *over, *elsewhere, more])
    assert {pair.synthetic.ct.name for pair in result.pairs} == {"near"}


def test_a_real_lesion_under_a_synthetic_one_is_not_shown():
    real = a_lesion(False, 0)
    over = a_lesion(True, 0, scan=0, patient=0, center=(31, 42, 52))
    result = matched([real, over, a_lesion(False, 3)])
    assert "over it" in reason(result, real.name)
    assert {pair.real.name for pair in result.pairs} == {"real 3"}


def test_no_patient_fills_the_study():
    many = [a_lesion(False, n, patient=0, scan=0, center=(30, 40, 20 * n)) for n in range(6)]
    result = matched([*many, *(a_lesion(True, n) for n in range(6))], per_patient=2)
    assert len(result.pairs) == 2
    assert "patient shows 2" in reason(result, "real lung lesion")


def test_many_lesions_in_view_are_not_set_against_one_alone():
    sick = a_lesion(False, 0)
    spots = {Spot(sick.scan, None, (30, 40, 50 + 10 * n)) for n in range(9)}
    result = matched([sick, a_lesion(True, 0)], spots=spots)
    assert "lesions in view" in reason(result, sick.name)


def test_a_noisier_scanner_within_the_calipers_still_shows_and_stops_the_study():
    pairs = [
        Pair(a_lesion(False, n, noise_hu=10 + 0.1 * n), a_lesion(True, n, noise_hu=13 + 0.1 * n), 0.0)
        for n in range(20)
    ]
    (row,) = [row for row in balance(pairs) if row.telling]
    assert (row.covariate, row.auc) == ("noise", 1.0)
    # Leaving pairs out cannot mend it: it is said, not hidden.
    assert balanced(pairs) == (pairs, [])


def test_a_few_pairs_that_tip_the_balance_are_left_out():
    fair = [
        Pair(a_lesion(False, n, noise_hu=10 + n % 5), a_lesion(True, n, noise_hu=10 + n % 5), 0.0)
        for n in range(40)
    ]
    tipped = [
        Pair(a_lesion(False, n, noise_hu=9.0), a_lesion(True, n, noise_hu=15.0), 0.0) for n in range(40, 53)
    ]
    assert any(row.telling for row in balance(fair + tipped))
    kept, dropped = balanced(fair + tipped)
    assert not any(row.telling for row in balance(kept))
    assert {pair for pair, _ in dropped} <= set(tipped)
    assert {why for _, why in dropped} == {"noise"}


def test_too_few_lesions_say_why():
    found = Found([a_lesion(False, 0), a_lesion(True, 0, diameter_mm=60.0)])
    with pytest.raises(BadInput, match="diameter") as error:
        divided(found, cases=None, training=0, pairs=0, per_patient=2, rng=chance())
    assert error.value.kind == "too_few"
    assert "--count" in error.value.hint


def test_one_pair_is_no_study():
    with pytest.raises(BadInput, match="at least 2 pairs") as error:
        divided(Found(pool(1)), cases=None, training=0, pairs=0, per_patient=2, rng=chance())
    assert error.value.kind == "too_few"
    assert (
        len(divided(Found(pool(2)), cases=None, training=0, pairs=0, per_patient=2, rng=chance()).pairs) == 2
    )


def test_the_reason_that_most_lesions_have_is_told_first_and_with_what_helps():
    cut = {"what": "a lesion", "why": "cut by the end of the scan"}
    versions = [
        {"what": "a lesion", "why": f"its scan is shown as in /made/{n}: one version of a scan"}
        for n in range(3)
    ]
    first, second = most_often([cut, *versions]).split("; its"), most_often([cut]).split("; helps: ")
    assert "(3; helps: several tumors in each set)" in first[0]
    assert "/made/" not in first[0]
    assert second == ["cut by the end of the scan (1", "scans that hold the whole lesion)"]


def test_organs_of_too_few_pairs_for_a_balance_are_named_with_their_number():
    found = Found(pool(10) + pool(3, organ="liver", organ_hu=100.0))
    main = divided(found, cases=None, training=0, pairs=0, per_patient=2, rng=chance()).blocks["main"]
    liver, kidney = few_pairs(main, ("lung", "liver", "kidney"))
    assert liver.startswith("liver: only 3 pairs")
    assert kidney.startswith("kidney: no pair")
    assert "--count" in liver


def test_blocks_share_no_lesion_and_hold_both_classes_and_organs_alike():
    lesions = pool(12) + pool(12, organ="liver", organ_hu=100.0)
    found = Found([a for n, a in enumerate(lesions) if n < 48])
    division = divided(found, cases=20, training=4, pairs=3, per_patient=2, rng=chance())
    assert {block: len(pairs) for block, pairs in division.blocks.items()} == {
        "main": 10, "training": 2, "pairs": 3,
    }  # fmt: skip
    shown = [id(one) for pair in division.pairs for one in (pair.real, pair.synthetic)]
    assert len(set(shown)) == len(shown)
    main = division.blocks["main"]
    assert sum(pair.real.organ == "liver" for pair in main) == 5
    assert len(division.unmatched) == len(lesions) - len(shown)


@settings(max_examples=50)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=40), st.integers(0, 1000))
def test_no_two_cases_of_a_patient_follow_where_that_is_possible(owners, seed):
    cases = [f"c{n}" for n in range(len(owners))]
    patients = dict(zip(cases, owners, strict=True))
    order = spread(cases, patients, chance(seed))
    assert sorted(order) == sorted(cases)
    most = max(owners.count(owner) for owner in owners)
    unavoidable = max(0, 2 * most - 1 - len(owners))
    assert same_patient_in_a_row([Shown(case) for case in order], patients) == unavoidable


@settings(max_examples=50)
@given(st.integers(8, 60), st.floats(0.05, 0.2), st.integers(0, 1000))
def test_repeats_come_late_of_both_classes_and_never_at_once(count, share, seed):
    cases = [f"c{n}" for n in range(count)]
    synthetic = {case: n % 2 == 0 for n, case in enumerate(cases)}
    patients = {case: n // 2 for n, case in enumerate(cases)}
    order = main_order(cases, synthetic, patients, share, chance(seed))
    names = [shown.case for shown in order]
    again = [n for n, shown in enumerate(order) if shown.again]
    assert len(again) == round(share * count)
    assert sorted(shown.case for shown in order if not shown.again) == sorted(cases)
    for place in again:
        assert names.index(names[place]) <= place - max(3, count // 4)
    classes = [synthetic[names[n]] for n in again]
    assert abs(2 * sum(classes) - len(classes)) <= 1
    assert same_patient_in_a_row(order, patients) == 0


def test_forced_choices_have_the_synthetic_one_on_each_side_as_often():
    pairs = [(f"r{n}", f"s{n}") for n in range(8)]
    shown = sides(pairs, {case: n for n, pair in enumerate(pairs) for case in pair}, chance())
    assert sum(left[0] == "s" for left, _ in shown) == 4
    assert {frozenset(pair) for pair in shown} == {frozenset(pair) for pair in pairs}


def test_neither_ids_nor_orders_tell_the_classes_apart():
    found = Found(pool(20))
    ranks = []
    for seed in range(12):
        rng = chance(seed)
        division = divided(found, cases=None, training=0, pairs=0, per_patient=2, rng=rng)
        cases = neutral_cases(division, 0, rng)
        orders = draw_orders(cases, 1, 0.1, rng)
        shown = [one["cases"][0] for one in orders.blocks["reader-01"]["main"]]
        for names in (sorted(cases.keyed), shown):
            places = np.linspace(-0.5, 0.5, len(names))
            ranks.append(
                [place for place, case in zip(places, names, strict=True) if cases.keyed[case]["synthetic"]]
            )
    for some in (ranks[0::2], ranks[1::2]):
        places = np.concatenate(some)
        # The standard error of a mean of uniform numbers from -0.5 to 0.5; half of the cases are drawn.
        assert abs(places.mean()) < 4 * np.sqrt(1 / 12 / len(places))


def test_patients_are_joined_by_name_and_by_scan():
    assert number_patients([0, 1, 1, 2, 3], ["a", "a", "b", "c", "b"]) == [0, 0, 0, 3, 0]


def test_lesions_keep_the_path_of_no_class_in_their_ids():
    rng = chance()
    division = divided(Found(pool(4)), cases=None, training=1, pairs=1, per_patient=2, rng=rng)
    cases = neutral_cases(division, 1, rng)
    assert {len(name) for name in cases.keyed} == {16}
    roles = [facts["role"] for facts in cases.keyed.values()]
    assert (roles.count("training"), roles.count("pairs"), roles.count("main")) == (1, 2, 4)
    single = next(facts for facts in cases.keyed.values() if facts["role"] == "training")
    assert single["match"] is None
    for name, facts in cases.keyed.items():
        if facts["match"]:
            assert cases.keyed[facts["match"]]["match"] == name
    assert all(isinstance(lesion.ct, Path) for lesion in cases.lesions.values())
