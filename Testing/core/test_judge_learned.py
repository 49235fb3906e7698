"""The learned judge: what it finds is the lesion, only the lesion, and was not there before."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from freetumor.anatomy import ORGANS, organ
from freetumor.errors import BadInput, Rejected
from freetumor.masks import TumorMask
from freetumor.models import NetworkSpec
from freetumor.organs import OrganLabels, organ_labels
from freetumor.pipeline import Request, synthesize
from freetumor.quality import Evidence, LearnedJudge, Verdict, judges_of
from freetumor.quality.learned import is_independent
from freetumor.synthesis import Patch, Style
from freetumor.synthesis.engines import Options
from freetumor.synthesis.provenance import provenance
from freetumor.volume import Box, Geometry, Volume
from hypothesis import given, settings
from hypothesis import strategies as st
from made_models import made_model, threshold_segmenter
from networks_seen import Counted

SPACING, SIDE = 2.0, 56
ORGAN_HU, LESION_HU = 100.0, 40.0
EVERYTHING = (-5000.0, 5000.0)
SOFT_TISSUE = (-150.0, 220.0)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A threshold segmenter by its limits and group, made once; its folder."""
    folder = tmp_path_factory.mktemp("models")

    @cache
    def make(low: float, high: float, name: str = "liver") -> str:
        group = organ(name).group
        model = threshold_segmenter(
            folder, group, low, high, organ=name, name=f"{name}-{len(list(folder.iterdir()))}"
        )
        return str(model.folder)

    return make


def ball(centre, radius: float) -> np.ndarray:
    index = np.indices((SIDE,) * 3).reshape(3, -1).T
    inside = np.linalg.norm((index - np.asarray(centre)) * SPACING, axis=1) <= radius
    return inside.reshape((SIDE,) * 3)


def scene(name: str, tumor: np.ndarray, *, organ_mm: float = 50.0, beside=None, labelled=False, earlier=()):
    """A patch around `tumor` in a ball of organ; `beside`: voxels that have the HU of a lesion already."""
    row = organ(name)
    body = ball((SIDE / 2,) * 3, organ_mm)
    hu = np.where(body, ORGAN_HU, -90.0).astype(np.float32)
    label = np.where(body, row.organ_label, 0).astype(np.uint8)
    if beside is not None:
        hu[beside] = LESION_HU
        label[beside & labelled] = row.lesion_label
    geometry = Geometry(hu.shape, np.diag([-SPACING, -SPACING, SPACING, 1.0]))
    ids = (row.organ_label,), (row.lesion_label,)
    labels = OrganLabels(Volume(label, geometry), row, *ids, "freetumor")
    return Patch.around(Volume(hu, geometry), labels, mask_of(tumor, geometry), 14.0, earlier)


def mask_of(tumor: np.ndarray, geometry: Geometry) -> TumorMask:
    box = Box.of(tumor)
    inside = tumor[box.slices]
    return TumorMask(box, inside, inside.astype(np.float32), geometry.cropped(box))


def judged(patch: Patch, folder: str, change: np.ndarray | float = LESION_HU - ORGAN_HU, t: float = 0.7):
    """The verdict on a patch whose mask is changed by `change` HU."""
    made = judges_of(("learned",), patch.organ, Options(folder, backend="torch"), t)
    return Verdict(tuple(made["learned"](Evidence(patch, patch.hu + change * patch.inside))))


def failed(verdict: Verdict) -> set[str]:
    assert verdict.passed == (not verdict.reasons)
    return {f.name for f in verdict.findings if not f.passed}


MIDDLE = (28, 26, 30)


@pytest.mark.parametrize("name", ORGANS)
@pytest.mark.parametrize("radius", [6.0, 11.0, 30.0])
def test_a_good_judge_passes_a_good_lesion(models, name, radius):
    verdict = judged(scene(name, ball(MIDDLE, radius)), models(0.0, 70.0, name))
    assert failed(verdict) == set()
    assert [f.name for f in verdict.findings][:3] == ["recall", "precision", "overlap (Dice)"]
    assert min(f.value for f in verdict.findings) > 0.75


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(sorted(ORGANS)),
    organ_mm=st.floats(10.0, 55.0),
    share=st.floats(0.15, 1.2),
    centre=st.tuples(*[st.integers(20, 36)] * 3),
    threshold=st.floats(0.0, 0.99),
    limits=st.sampled_from([EVERYTHING, SOFT_TISSUE]),
)
def test_a_judge_that_calls_everything_tumor_passes_nothing(
    models, name, organ_mm, share, centre, threshold, limits
):
    # From a speck to a lesion that is the whole organ, or the whole patch.
    tumor = ball(centre, organ_mm) if share > 1 else ball(centre, max(3.0, share * organ_mm))
    patch = scene(name, tumor, organ_mm=max(organ_mm, 22.0))
    verdict = judged(patch, models(*limits, name), t=threshold)
    assert "cause" in failed(verdict)


@pytest.mark.parametrize("name", ["liver", "lung"])
def test_an_unchanged_ct_is_a_ghost_tumor(models, name):
    assert "recall" in failed(judged(scene(name, ball(MIDDLE, 10.0)), models(0.0, 70.0, name), change=0.0))


def vessels() -> np.ndarray:
    """Tubes through the organ that pass the lesion at 8 mm."""
    tubes = np.zeros((SIDE,) * 3, bool)
    for step in (-8, 8):
        tubes[10:46, MIDDLE[1] + step : MIDDLE[1] + step + 3, MIDDLE[2] - 3 : MIDDLE[2] + 3] = True
    return tubes


def test_a_judge_that_also_marks_vessels_fails_by_precision(models):
    tumor = ball(MIDDLE, 8.0)
    verdict = judged(scene("liver", tumor, beside=vessels()), models(0.0, 70.0))
    assert failed(verdict) == {"precision"}
    assert any("near the lesion" in reason and "%" in reason for reason in verdict.reasons)


def test_a_prediction_that_runs_on_beyond_the_lesion_overlaps_too_little(models):
    tumor = ball(MIDDLE, 6.0)
    longer = ball(MIDDLE, 6.0) | ball((28, 26, 38), 9.0) | ball((28, 26, 22), 9.0)
    verdict = judged(scene("liver", tumor, beside=longer & ~ball(MIDDLE, 6.0)), models(0.0, 70.0))
    assert "overlap (Dice)" in failed(verdict)


def test_known_lesions_are_no_false_alarms(models):
    tumor, others = ball(MIDDLE, 8.0), vessels()
    folder = models(0.0, 70.0)
    assert failed(judged(scene("liver", tumor, beside=others, labelled=True), folder)) == set()
    geometry = Geometry((SIDE,) * 3, np.diag([-SPACING, -SPACING, SPACING, 1.0]))
    made_before = [mask_of(others, geometry)]
    assert failed(judged(scene("liver", tumor, beside=others, earlier=made_before), folder)) == set()


def test_the_threshold_is_what_recall_must_exceed(models):
    tumor = ball(MIDDLE, 12.0)
    patch = scene("kidney", tumor)
    half = np.zeros(patch.hu.shape, np.float32)
    half[:, : half.shape[1] // 2] = LESION_HU - ORGAN_HU
    folder = models(0.0, 70.0, "kidney")
    found = judged(patch, folder, half, t=0.3).findings[0].value
    assert 0.35 < found < 0.65
    assert failed(judged(patch, folder, half, t=found - 0.01)) == set()
    assert failed(judged(patch, folder, half, t=found)) == {"recall"}


def test_the_segmenter_runs_once_on_one_small_patch_where_the_organ_vouches_for_it(models, monkeypatch):
    counted = Counted(monkeypatch)
    patch, options = scene("liver", ball(MIDDLE, 10.0)), Options(models(0.0, 70.0), backend="torch")
    judge = LearnedJudge.of(organ("liver"), options, 0.7, None, print)
    judge(Evidence(patch, patch.hu))
    judge(Evidence(patch, patch.hu - 60.0 * patch.inside))
    assert len(counted.inputs) == 2
    assert {image.shape for (image,) in counted.inputs} == {(1, 64, 64, 64)}


def test_it_looks_at_the_ct_before_the_edit_where_the_organ_does_not_vouch_for_it(models, monkeypatch):
    counted = Counted(monkeypatch)
    # What is around the lesion is less than the lesion: nothing tells the segmenter from one that says yes.
    patch = scene("liver", ball(MIDDLE, 20.0), organ_mm=22.0)
    judge = LearnedJudge.of(organ("liver"), Options(models(0.0, 70.0), backend="torch"), 0.7, None, print)
    judge(Evidence(patch, patch.hu))
    assert len(counted.inputs) == 1  # not found: there is nothing to ask the cause of
    for change in (-60.0, -55.0):
        findings = judge(Evidence(patch, patch.hu + change * patch.inside))
        assert findings[-1].name == "cause"
        assert findings[-1].passed
    assert len(counted.inputs) == 4  # what was there before is known the second time


# In the whole synthesis


@pytest.fixture
def store(tmp_path, monkeypatch) -> Path:
    """An empty store of models."""
    monkeypatch.setenv("FREETUMOR_MODELS", str(tmp_path / "store"))
    return tmp_path / "store"


_USUAL = {"diameter": 20.0, "seed": 2, "judges": ("model-free", "learned")}


def liver(phantom, **asked):
    labels = organ_labels(phantom.label_map("abdomen"), organ("liver"))
    networks = {"backend": "torch"} if "learned" in asked.get("judges", ("learned",)) else {}
    request = Request(**(_USUAL | networks | asked))
    return synthesize(phantom.ct, labels, request)


def test_both_judges_and_all_that_they_are_go_into_the_provenance(phantom, store):
    model = threshold_segmenter(store, "abdomen", 0.0, 85.0)
    result = liver(phantom, style=Style(-60.0, False, False))
    record = json.loads(json.dumps(provenance(result, {"ct": "0"})))
    free, learned = record["judges"]
    assert free == {"name": "model-free"}
    assert learned["model"] == model.name
    assert learned["weights_sha256"] == model.facts["sha256"]
    assert (learned["threshold"], learned["independent"], learned["device"]) == (0.7, True, "cpu")
    verdict = record["lesions"][0]["verdict"]
    assert verdict["judges"] == {"model-free": True, "learned": True}
    said = [f["name"] for f in verdict["findings"] if f["judge"] == "learned"]
    assert said == ["recall", "precision", "overlap (Dice)"]


def test_a_lesion_that_the_judge_does_not_find_is_rejected_and_leaves_nothing(phantom, store):
    threshold_segmenter(store, "abdomen", -50.0, 0.0)
    before = phantom.ct.array.copy()
    with pytest.raises(Rejected, match="threshold-abdomen finds") as caught:
        liver(phantom, style=Style(-40.0, False, False), tries=2)
    assert [v["judges"] for v in caught.value.verdicts] == [{"model-free": True, "learned": False}] * 2
    assert (phantom.ct.array == before).all()


def test_a_folder_given_as_judge_stays_out_of_the_provenance(phantom, store, tmp_path):
    model = threshold_segmenter(tmp_path / "elsewhere", "abdomen", 0.0, 85.0)
    result = liver(phantom, style=Style(-60.0, False, False), judge_model=str(model.folder))
    record = json.dumps(provenance(result, {"ct": "0"}))
    assert str(tmp_path) not in record
    assert json.loads(record)["request"]["judge_model"] == model.name


def generator(folder: Path, **record):
    spec = NetworkSpec("conditional-unet", {"features": [4, 4]})
    return made_model(folder, "abdomen", {"generator": spec}, **record)


def test_without_a_name_the_first_independent_segmenter_judges(store, tmp_path):
    made = generator(tmp_path, trained_against=["a-teacher"])
    for name in ("a-teacher", "b-other"):
        threshold_segmenter(store, "abdomen", 0.0, 85.0, name=name, title=name)
    said: list[str] = []
    row = organ("liver")
    judge = LearnedJudge.of(row, Options(), 0.7, made, said.append)
    # The two have the same weights, but only one of them is the one that the generator was to please.
    assert (judge.model.name, judge.independent, said) == ("b-other", True, [])
    judge = LearnedJudge.of(row, Options("a-teacher"), 0.7, made, said.append)
    assert not judge.record()["independent"]
    assert len(said) == 1
    assert "not independent" in said[0]
    assert LearnedJudge.of(row, Options("a-teacher"), 0.7, None, said.append).independent


def test_a_model_does_not_judge_its_own_tumors_unnoticed(tmp_path):
    parts = {
        "generator": NetworkSpec("conditional-unet", {"features": [4, 4]}),
        "segmenter": NetworkSpec("voxelwise", {"classes": [0, 1, 2]}),
    }
    model = made_model(tmp_path, "abdomen", parts)
    said: list[str] = []
    judge = LearnedJudge.of(organ("liver"), Options(str(model.folder)), 0.7, model, said.append)
    assert not judge.independent
    assert said


def test_the_segmenter_of_a_generator_is_known_again_where_it_was_imported_alone(tmp_path):
    made = generator(tmp_path / "both", segmenter_sha256="5e" * 32)
    alone = threshold_segmenter(tmp_path / "alone", "abdomen", 0.0, 85.0, segmenter_sha256="5e" * 32)
    other = threshold_segmenter(tmp_path / "other", "abdomen", 0.0, 85.0, segmenter_sha256="07" * 32)
    assert not is_independent(alone, made)
    assert is_independent(other, made)


def test_a_segmenter_that_learned_from_a_generators_tumors_does_not_judge_them_unnoticed(tmp_path):
    made = generator(tmp_path / "made")
    pupil = threshold_segmenter(tmp_path / "pupil", "abdomen", 0.0, 85.0, trained_against=[made.name])
    stranger = threshold_segmenter(tmp_path / "stranger", "abdomen", 0.0, 85.0)
    assert not is_independent(pupil, made)
    assert is_independent(stranger, made)


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        ({}, "no_model"),
        ({"judge_model": "nobody"}, "no_model"),
        ({"judge_model": "chest"}, "wrong_organ"),
        ({"judge_model": "no-lesions"}, "wrong_organ"),
        ({"judge_model": "only-makes"}, "wrong_part"),
        ({"judges": ("model-free", "x")}, "usage"),
        ({"judges": ()}, "usage"),
        ({"judge_threshold": 1.0}, "usage"),
        ({"judge_threshold": float("nan")}, "usage"),
        ({"judges": ("model-free",), "judge_model": "chest"}, "usage"),
        ({"judges": ("model-free",), "judge_threshold": 0.5}, "usage"),
    ],
)
def test_a_judge_that_cannot_be_is_said_before_any_work(phantom, store, asked, kind):
    if "judge_model" in asked:
        threshold_segmenter(store, "chest", -500.0, 0.0, name="chest")
        spec = NetworkSpec("voxelwise", {"classes": [0, 1]})
        made_model(store, "abdomen", {"segmenter": spec}, name="no-lesions")
        generator(store, name="only-makes")
    with pytest.raises(BadInput) as caught:
        liver(phantom, **asked)
    assert caught.value.kind == kind
