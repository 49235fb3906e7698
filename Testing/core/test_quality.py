"""The quality test: good tumors pass, each kind of bad one is named."""

from __future__ import annotations

import numpy as np
import pytest
from freetumor.anatomy import organ
from freetumor.organs import organ_labels
from freetumor.pipeline import Request, synthesize
from freetumor.quality import MODEL_FREE, Evidence, Finding, quality_test
from freetumor.synthesis import Patch
from scipy import ndimage


@pytest.fixture(scope="module")
def liver_patch(phantom) -> Patch:
    """A 20 mm lesion mask in the phantom's liver, at some depth, with nothing done to the CT."""
    labels = organ_labels(phantom.label_map("abdomen"), organ("liver"))
    result = synthesize(phantom.ct, labels, Request(diameter=20.0, seed=2, gate=False))
    return Patch.around(phantom.ct, labels, result.lesions[0].mask, 14.0)


def failed(patch: Patch, change: np.ndarray) -> set[str]:
    """Names of the checks that a change to the patch fails."""
    verdict = quality_test(Evidence(patch, patch.hu + change))
    assert verdict.passed == (not verdict.reasons)
    return {f.name for f in verdict.findings if not f.passed}


def test_a_plain_hypodense_lesion_passes(liver_patch):
    assert failed(liver_patch, -35.0 * liver_patch.inside) == set()


def test_no_change_is_a_ghost_tumor(liver_patch):
    assert "ghost tumor" in failed(liver_patch, np.zeros_like(liver_patch.hu))


def test_a_bright_liver_tumor_has_the_wrong_sign(liver_patch):
    assert "contrast" in failed(liver_patch, 30.0 * liver_patch.inside)


def test_a_liver_tumor_of_lung_density_has_implausible_hu(liver_patch):
    assert "lesion HU" in failed(liver_patch, -700.0 * liver_patch.inside)


def test_a_faint_lesion_in_noise_is_not_visible(phantom, liver_patch):
    noise = np.random.default_rng(0).normal(0, 45, liver_patch.hu.shape).astype(np.float32)
    noisy = Patch(**{**vars_of(liver_patch), "hu": liver_patch.hu + noise})
    assert "visibility (CNR)" in failed(noisy, -20.0 * noisy.inside)


def test_texture_that_bleeds_out_of_the_organ_is_leakage(liver_patch):
    outside = ~liver_patch.organ_mask & ~ndimage.binary_dilation(liver_patch.organ_mask, iterations=2)
    assert outside.any()
    change = -35.0 * liver_patch.inside
    assert "leakage" not in failed(liver_patch, change)
    assert "leakage" in failed(liver_patch, change - 35.0 * outside)


def test_a_mask_smaller_than_asked_has_not_reached_its_size(liver_patch):
    from dataclasses import replace

    mask = replace(liver_patch.mask, asked_mm=liver_patch.mask.diameter_mm * 1.3)
    patch = Patch(**{**vars_of(liver_patch), "mask": mask})
    assert failed(patch, -35.0 * patch.inside) == {"size"}


def test_reasons_are_words_with_numbers(liver_patch):
    verdict = quality_test(Evidence(liver_patch, liver_patch.hu))
    record = verdict.to_dict()
    assert not record["passed"]
    assert all(any(c.isdigit() for c in reason) and " " in reason for reason in record["reasons"])
    assert len(record["findings"]) == 6


def test_each_judge_has_its_say(liver_patch):
    grim = {**MODEL_FREE, "grim": lambda e: [Finding("grim", False, 0.0, "", "never", "nothing pleases it")]}
    verdict = quality_test(Evidence(liver_patch, liver_patch.hu - 35.0 * liver_patch.inside), grim)
    assert verdict.reasons == ["nothing pleases it"]
    assert verdict.to_dict()["judges"] == {"model-free": True, "grim": False}


def vars_of(patch: Patch) -> dict:
    """The fields of a patch (without what it has cached)."""
    return {name: getattr(patch, name) for name in Patch.__dataclass_fields__}
