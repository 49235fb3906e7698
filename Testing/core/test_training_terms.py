"""What trained weights may be used for follows from data and models; research weights teach after consent."""

import json
from dataclasses import replace

import pytest
from freetumor import models
from freetumor.errors import BadInput
from freetumor.models.consent import ENVIRONMENT
from freetumor.training.built_on import models_of, without_consent
from freetumor.training.sources import read_cases
from freetumor.training.terms import terms_of
from small_models import small_model
from training_runs import tiny

NC = "CC-BY-NC-3.0"
CHEST = {"group": "chest", "organs": ["lung"]}
GENERATOR = {**CHEST, "networks": {"generator": {"architecture": "conditional-unet"}}}
FREE_DATA = {"name": "a, b", "cases": 2, "licence": "CC-BY-4.0"}


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """The user's folder of models, empty."""
    monkeypatch.setenv("FREETUMOR_MODELS", str(tmp_path / "models"))
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    return tmp_path / "models"


@pytest.mark.parametrize("licence", [NC, "CC BY-ND 4.0", "not stated", "in-house"])
def test_data_for_research_make_research_weights_and_the_card_says_by_what(tmp_path, licence):
    config = replace(tiny(tmp_path, "segmenter"), limits=("One scanner.",), licence="Apache-2.0")
    data = [FREE_DATA, {"name": "c", "cases": 3, "licence": licence}]
    said = terms_of(config, {"training_data": data}, [])
    assert said["use"] == "research"
    assert said["limits"] == ["One scanner.", f"Research only, by 3 cases under the licence '{licence}'."]
    assert terms_of(config, {"training_data": [FREE_DATA]}, []) == {"use": "free", "limits": ["One scanner."]}


def test_the_licence_of_the_configuration_can_only_be_stricter(tmp_path):
    config = tiny(tmp_path, "segmenter")
    data = {"training_data": [FREE_DATA]}
    assert terms_of(replace(config, licence="in-house"), data, [])["use"] == "free"
    assert terms_of(replace(config, licence="CC-BY-NC-4.0"), data, [])["use"] == "research"


@pytest.mark.parametrize(
    ("stage", "changes", "teacher"),
    [
        ("generator", ["critic=teacher"], CHEST),
        ("target", ["sampling.engine=learned", "sampling.model=teacher"], GENERATOR),
        ("target", ["sampling.judge=teacher"], CHEST),
    ],
)
def test_critic_engine_and_judge_pass_their_terms_on_after_consent(mine, tmp_path, stage, changes, teacher):
    model = small_model(mine, "teacher", licence=NC, **teacher)
    config = tiny(tmp_path, stage, changes)
    assert [m.name for m in models_of(config)] == ["teacher"]
    assert [m.name for m in without_consent(config)] == ["teacher"]
    said = terms_of(config, {"training_data": [FREE_DATA]}, models_of(config))
    assert (said["use"], said["limits"]) == ("research", ["Research only, by the research weights teacher."])

    from freetumor.training.journal import Voice
    from freetumor.training.train import train

    with pytest.raises(BadInput, match="freetumor models accept teacher") as error:
        train(config, Voice(print))
    assert error.value.kind == "consent"
    assert not config.out.exists()
    models.accept(model)
    assert without_consent(config) == []


def test_a_baseline_on_real_tumors_asks_for_no_model(mine, tmp_path):
    changes = ["sampling.engine=learned", "sampling.judge=nobody", "sampling.mode=real"]
    assert models_of(tiny(tmp_path, "target", changes)) == []


def test_what_another_stage_of_the_same_runs_made_needs_no_consent_but_passes_its_terms_on(mine, tmp_path):
    small_model(tmp_path / "tiny-segmenter" / "model", "tiny-segmenter", licence=NC, **CHEST)
    config = tiny(tmp_path, "generator")
    assert without_consent(config) == []
    assert terms_of(config, {}, models_of(config))["use"] == "research"


@pytest.mark.parametrize(
    ("made_with", "licence"),
    [
        ({"model": None, "judges": [{"name": "model-free"}]}, "CC0"),
        ({"model": {"name": "m", "use": "free"}}, "CC0"),
        ({"model": {"name": "m", "use": "research"}}, "CC0; made with research weights"),
        ({"judges": [{"name": "learned", "use": "research"}]}, "CC0; made with research weights"),
    ],
)
def test_synthetic_cases_remember_what_they_were_made_with(tmp_path, made_with, licence):
    folder = tmp_path / "cases" / "a"
    folder.mkdir(parents=True)
    for name in ("ct.nii.gz", "labels.nii.gz", "tumor_mask.nii.gz"):
        (folder / name).write_bytes(b"")
    record = {"group": "chest", "organ": "lung", "input": {"ct_sha256": "0"}, **made_with}
    (folder / "provenance.json").write_text(json.dumps(record), "utf-8")
    (case,) = read_cases({"kind": "cases", "path": "cases", "licence": "CC0"}, tmp_path)
    assert case.licence == licence
    assert (models.use_of_data([case.licence]) == "free") == (licence == "CC0")
