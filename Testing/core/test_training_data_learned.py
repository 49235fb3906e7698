"""Online synthesis with networks: the generator makes the tumor, a segmenter judges it with T."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from freetumor.anatomy import ORGANS
from freetumor.errors import BadInput
from freetumor.training.cache import Prepared
from freetumor.training.patches import PatchSet, PatchSettings
from made_models import threshold_segmenter
from networks_seen import COARSE, small_generators
from training_scans import phantom_scan

SETTINGS = PatchSettings((20, 32, 32), ("liver",), 0.0, 1.0, 0.0, augment=None, small=0.3)


@pytest.fixture(scope="module")
def scan(phantom, tmp_path_factory) -> Prepared:
    return phantom_scan(tmp_path_factory.mktemp("scan"), phantom)


def test_a_generator_makes_the_tumor_in_the_very_mask_that_is_sampled(scan, tmp_path):
    model = small_generators(tmp_path)["abdomen"]
    made = PatchSet([scan], replace(SETTINGS, engine="learned", model=model, quality_test=False), length=4)
    bare = PatchSet([scan], replace(SETTINGS, engine="none"), length=4)
    for n in range(2):
        with_tumor, without = made[n], bare[n]
        assert np.array_equal(with_tumor["mask"], without["mask"])
        changed = with_tumor["image"] != without["image"]
        assert changed[with_tumor["label"] == ORGANS["liver"].lesion_label].mean() > 0.5
        assert np.array_equal(made[n]["image"], with_tumor["image"])


def test_the_threshold_of_the_judge_decides_what_is_kept(scan, tmp_path):
    judge = str(threshold_segmenter(tmp_path, "abdomen", -300.0, 88.0, organ="liver", **COARSE).folder)
    rejected = []
    for threshold in (0.05, 0.97):
        settings = replace(SETTINGS, small=0.0, judge_model=judge, threshold=threshold, tries=2)
        samples = [PatchSet([scan], settings, length=12)[n] for n in range(12)]
        assert all(sample["kind"] == 1 or sample["rejected"] == 2 for sample in samples)
        rejected.append(sum(sample["rejected"] for sample in samples))
    assert rejected[0] <= 6
    assert rejected[1] >= 18


def test_a_missing_generator_is_said_before_the_first_sample(scan, tmp_path, monkeypatch):
    monkeypatch.setenv("FREETUMOR_MODELS", str(tmp_path))
    with pytest.raises(BadInput, match="model"):
        PatchSet([scan], replace(SETTINGS, engine="learned", model="nobody"))
