"""The organ table and label maps read by it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from freetumor.anatomy import ORGANS, SIZE_CLASSES, group_labels, organ
from freetumor.errors import BadInput
from freetumor.organs import label_organ, organ_labels
from freetumor.synthesis.engines import engine


def test_the_five_lesions_are_there_with_distinct_ids_in_their_group():
    assert list(ORGANS) == ["liver", "pancreas", "kidney", "lung", "covid"]
    assert group_labels("abdomen") == {
        "background": 0,
        "liver": 1,
        "liver tumor": 2,
        "pancreas": 3,
        "pancreas tumor": 4,
        "kidney": 5,
        "kidney tumor": 6,
    }
    assert group_labels("chest") == {"background": 0, "lung": 1, "lesion": 2}


@pytest.mark.parametrize("row", ORGANS.values(), ids=list(ORGANS))
def test_a_row_is_consistent(row):
    assert list(row.size_percentiles) == sorted(row.size_percentiles)
    for low, high in (row.window, row.organ_hu, row.lesion_hu, row.contrast.limits):
        assert low < high
    classes = [row.size_class(name) for name in SIZE_CLASSES]
    assert all(a[1] == b[0] for a, b in pairwise(classes))
    assert row.polarity in (-1, 1)


def test_unknown_names_are_refused_with_those_there_are():
    for call, name in ((organ, "spleen"), (engine, "magic"), (ORGANS["liver"].size_class, "huge")):
        with pytest.raises(BadInput, match="expected a") as caught:
            call(name)
        assert name in str(caught.value)


@pytest.mark.parametrize("name", ORGANS)
def test_both_conventions_and_explicit_values_give_the_same_mask(phantom, name):
    row = organ(name)
    by_name = organ_labels(phantom.label_map(row.group), row)
    by_totalsegmentator = organ_labels(phantom.totalsegmentator(), row, convention="totalsegmentator")
    by_value = organ_labels(phantom.totalsegmentator(), row, values=row.totalsegmentator)
    truth = phantom.organ(name)
    whole = by_name.strided((1, 1, 1))
    for read in (by_totalsegmentator, by_value):
        assert (read.strided((1, 1, 1)) == whole).all()
    assert (whole == truth).mean() > 0.999
    ids = by_totalsegmentator.in_group_convention()
    assert ((ids == row.organ_label) == whole).all()


def test_a_label_map_of_floats_with_whole_numbers_is_read_and_one_with_fractions_refused(phantom):
    labels = phantom.label_map("abdomen")
    read = organ_labels(labels.like(labels.array.astype(np.float32)), organ("liver"))
    assert (read.strided((1, 1, 1)) == phantom.organ("liver")).all()
    with pytest.raises(BadInput, match="whole numbers") as caught:
        organ_labels(labels.like(labels.array * np.float32(0.7)), organ("liver"))
    assert caught.value.kind == "not_labels"


def test_an_absent_organ_and_a_tiny_one_are_told_apart(phantom):
    labels = phantom.label_map("abdomen")
    none, few = labels.array.copy(), labels.array.copy()
    none[none == 1] = 0
    few[few == 1] = 0
    few[30:32, 60:66, 60:66] = 1
    for array, kind in ((none, "organ_absent"), (few, "organ_too_small")):
        with pytest.raises(BadInput, match="liver") as caught:
            organ_labels(labels.like(array), organ("liver"))
        assert caught.value.kind == kind


def test_an_organ_that_only_other_tools_label_says_which(phantom):
    with pytest.raises(BadInput, match="TotalSegmentator") as caught:
        label_organ(phantom.ct, organ("liver"))
    assert caught.value.kind == "labels_missing"
