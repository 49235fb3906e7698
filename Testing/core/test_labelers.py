"""Labelers: which one is taken, what each gives, and what is said where none can."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from freetumor.anatomy import ORGANS
from freetumor.errors import BadInput, FreeTumorError
from freetumor.labelers import LABELERS, Options, labeler_for, rows_of
from freetumor.models import Model, NetworkSpec, default_model, list_models
from freetumor.segmentation.organ_map import organ_classes, segment_organs
from made_models import made_model, threshold_segmenter
from made_totalsegmentator import NAMES, install
from phantom import Phantom, make_phantom

ABDOMEN = rows_of(["liver", "pancreas", "kidney"])
KIDNEY = ORGANS["kidney"]
pytestmark = pytest.mark.usefixtures("store")
CPU = {"device": "cpu", "backend": "torch"}
SPACING = (5.0, 4.0, 4.0)


@pytest.fixture(scope="module")
def still() -> Phantom:
    """A phantom without noise: a threshold finds what has a HU of its own."""
    return make_phantom((60, 60, 84), SPACING, noise_hu=0.0)


def kidney_model(folder: Path, **record: object) -> Model:
    """Kidneys from 135 to 225 HU, which aorta and vessels of the liver share; their medulla is a lesion."""
    said = {"spacing": list(SPACING), "patch": [64, 64, 64], **record}
    return threshold_segmenter(folder, "abdomen", 143, 172, organ="kidney", organ_hu=(135, 225), **said)


@pytest.fixture
def totalsegmentator(tmp_path, monkeypatch, still) -> Path:
    """A made TotalSegmentator that knows the truth; its folder."""
    return install(tmp_path / "site", still.totalsegmentator(), monkeypatch)


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * (a & b).sum() / (a.sum() + b.sum())


# Which one ------------------------------------------------------------------------------------------------


def test_lungs_need_nothing_and_the_abdomen_takes_totalsegmentator_before_a_model(store, request):
    assert labeler_for([ORGANS["lung"]]).name == "thresholds"
    kidney_model(store)
    assert labeler_for([KIDNEY]).name == "learned"
    request.getfixturevalue("totalsegmentator")
    assert labeler_for([KIDNEY]).name == "totalsegmentator"
    assert labeler_for([KIDNEY], options=Options(model="threshold-abdomen")).name == "learned"
    assert labeler_for([KIDNEY], "learned").name == "learned"


def test_where_none_can_it_says_how_to_get_each_the_recommended_one_first():
    with pytest.raises(BadInput) as error:
        labeler_for(ABDOMEN)
    said = str(error.value)
    assert error.value.kind == "labels_missing"
    assert said.index("pip install TotalSegmentator") < said.index("freetumor models import")
    assert "Recommended" in said
    for name, kind in (("totalsegmentator", "missing_dependency"), ("learned", "no_model")):
        with pytest.raises(BadInput) as error:
            labeler_for(ABDOMEN, name)
        assert error.value.kind == kind


@pytest.mark.parametrize(
    ("organs", "name", "options", "words"),
    [
        (ABDOMEN, "magic", Options(), ("thresholds, totalsegmentator, learned", "'magic'")),
        (ABDOMEN, "thresholds", Options(), ("liver, pancreas, kidney", "lung, covid")),
        (ABDOMEN, "totalsegmentator", Options(model="m"), ("--model", "(learned)")),
        (ABDOMEN, "learned", Options(fast=True), ("--fast", "(totalsegmentator)")),
    ],
)
def test_a_labeler_that_does_not_fit_is_refused(organs, name, options, words):
    with pytest.raises(BadInput) as error:
        labeler_for(organs, name, options)
    assert error.value.kind == "usage"
    assert all(word in str(error.value) for word in words)


def test_one_map_holds_organs_of_one_group_each_once():
    assert [row.name for row in rows_of(["kidney", "liver", "kidney"])] == ["kidney", "liver"]
    assert [row.name for row in rows_of(["lung", "covid"])] == ["lung"]
    for names in (["liver", "lung"], []):
        with pytest.raises(BadInput, match="one group"):
            rows_of(names)


# A model of the store -------------------------------------------------------------------------------------


def test_a_model_labels_both_kidneys_with_their_lesions_and_nothing_that_looks_like_them(still, store):
    model = kidney_model(store)
    made = LABELERS["learned"].label(still.ct, [KIDNEY], Options(**CPU))
    assert made.labels.geometry.same_grid(still.ct.geometry, 1e-6)
    found = made.labels.array
    assert found.dtype == np.uint8
    assert set(np.unique(found)) == {0, KIDNEY.organ_label}
    assert dice(found > 0, still.organ("kidney")) > 0.9
    for side in ("kidney_left", "kidney_right"):
        assert found[still.labels[side]].mean() > 0.85 * KIDNEY.organ_label
    assert not found[still.labels["aorta"]].any()
    record = json.loads(json.dumps(made.record))
    assert (record["name"], record["model"], record["use"]) == ("learned", "threshold-abdomen", "free")
    assert record["weights_sha256"] == model.facts["sha256"]
    assert record["crumbs_left_out_ml"] > 50


def test_lesions_and_crumbs_stay_on_request(still, store):
    model = kidney_model(store)
    whole, _ = segment_organs(still.ct, [KIDNEY], model, crumbs=True, **CPU)
    assert whole.array[still.labels["aorta"]].mean() > 0.5 * KIDNEY.organ_label
    kept, facts = segment_organs(still.ct, [KIDNEY], model, lesions=True, **CPU)
    one, _ = segment_organs(still.ct, [KIDNEY], model, **CPU)
    assert set(np.unique(kept.array)) == {0, KIDNEY.organ_label, KIDNEY.lesion_label}
    assert dice(kept.array > 0, one.array > 0) > 0.99
    assert facts["lesions"] == "kept"


def test_other_organs_of_the_model_compete_whether_asked_for_or_not(still, tmp_path):
    spec = {"segmenter": NetworkSpec("voxelwise", {"classes": [0, 1, 2, 3, 4, 5, 6]})}
    model = made_model(tmp_path, "abdomen", spec, spacing=list(SPACING), patch=[64, 64, 64])
    both, _ = segment_organs(still.ct, rows_of(["liver", "kidney"]), model, crumbs=True, **CPU)
    one, _ = segment_organs(still.ct, [KIDNEY], model, crumbs=True, **CPU)
    assert np.array_equal(np.where(both.array == KIDNEY.organ_label, both.array, 0), one.array)


def test_a_model_without_the_organ_is_refused_and_one_of_organs_alone_finds_no_lesions(store):
    organs = NetworkSpec("light-unet", {"classes": [0, 1, 3, 5], "features": [4, 4, 8]})
    model = made_model(store, "abdomen", {"segmenter": organs}, name="organs-alone")
    assert organ_classes(model) == {"liver", "pancreas", "kidney"}
    assert labeler_for(ABDOMEN).name == "learned"
    # It is no judge of tumors, and nothing that 'segment' would take.
    assert list_models("segmenter", "liver") == []
    assert [m.name for m in list_models(organ="liver")] == ["organs-alone"]
    with pytest.raises(BadInput, match="a segmenter for the liver"):
        default_model("segmenter", "liver")
    lungs = made_model(store, "chest", {"segmenter": NetworkSpec("voxelwise", {"classes": [0, 2]})})
    with pytest.raises(BadInput) as error:
        labeler_for([ORGANS["lung"]], "learned", Options(model=lungs.name))
    assert error.value.kind == "wrong_organ"


def test_weights_for_research_only_are_not_taken_before_the_terms_are_accepted(store, monkeypatch):
    kidney_model(store, licence="CC-BY-NC-4.0")
    with pytest.raises(BadInput) as error:
        labeler_for([KIDNEY], "learned")
    assert error.value.kind == "consent"
    monkeypatch.setenv("FREETUMOR_ACCEPT_RESEARCH", "1")
    assert labeler_for([KIDNEY], "learned").name == "learned"


# TotalSegmentator -----------------------------------------------------------------------------------------


def test_totalsegmentator_gives_our_ids_on_the_grid_of_the_ct(totalsegmentator, still, capsys):
    said: list[str] = []
    options = Options(device="cpu", log=said.append)
    made = LABELERS["totalsegmentator"].label(still.ct, ABDOMEN, options)
    assert np.array_equal(made.labels.array, still.label_map("abdomen").array)
    assert made.labels.geometry.same_grid(still.ct.geometry, 1e-6)
    asked = json.loads((totalsegmentator / "asked.json").read_text())
    wanted = ["liver", "pancreas", "kidney_right", "kidney_left"]
    assert asked == {"ml": True, "fast": True, "task": "total", "roi_subset": wanted, "device": "cpu"}
    assert dict(made.record) == {
        "name": "totalsegmentator",
        "version": "2.18.0",
        "task": "total",
        "fast": True,
        "licence": "Apache-2.0 (TotalSegmentator and its weights of the task total)",
    }
    # What it prints is not our output; what it sends to others is told.
    assert capsys.readouterr().out == ""
    assert any("statistics" in line for line in said)
    assert any("--no-fast" in line for line in said)
    options = Options(fast=False, device="cpu")
    lungs = LABELERS["totalsegmentator"].label(still.ct, [ORGANS["lung"]], options)
    assert not lungs.record["fast"]
    assert np.array_equal(lungs.labels.array > 0, still.organ("lung"))


@pytest.mark.parametrize(
    ("mark", "kind", "word"), [("fails", "labeler_failed", "no weights"), ("shifts", "grid_mismatch", "grid")]
)
def test_what_goes_wrong_in_totalsegmentator_is_told(totalsegmentator, still, mark, kind, word):
    (totalsegmentator / mark).touch()
    with pytest.raises(FreeTumorError, match=word) as error:
        LABELERS["totalsegmentator"].label(still.ct, [KIDNEY], Options(device="cpu"))
    assert error.value.kind == kind
    assert "TotalSegmentator" in str(error.value)


def test_a_version_with_other_classes_is_noticed_not_misread(tmp_path, monkeypatch, still):
    install(tmp_path / "site", still.totalsegmentator(), monkeypatch, NAMES | {7: "aorta"})
    with pytest.raises(BadInput, match="class 7 is pancreas") as error:
        LABELERS["totalsegmentator"].label(still.ct, ABDOMEN, Options())
    assert error.value.kind == "wrong_version"
    assert "pip install --upgrade TotalSegmentator" in str(error.value)
