"""Research weights: known by their record and licence, and used only after consent."""

import pytest
from freetumor import models
from freetumor.errors import BadInput
from freetumor.models import FREE, RESEARCH, store, use_of, use_of_data
from freetumor.models.consent import ENVIRONMENT
from runs import command
from small_models import small_model

NC = "CC-BY-NC-4.0"


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """The user's folder of models, empty."""
    monkeypatch.setenv("FREETUMOR_MODELS", str(tmp_path / "models"))
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    monkeypatch.setattr(store, "_PACKAGED", tmp_path / "packaged")
    return tmp_path / "models"


@pytest.fixture
def ct(phantom, tmp_path):
    from freetumor.volume import write_volume

    write_volume(phantom.ct, tmp_path / "ct.nii.gz")
    return tmp_path / "ct.nii.gz"


def refused(function, *arguments):
    with pytest.raises(BadInput) as error:
        function(*arguments)
    assert error.value.kind == "consent", error.value
    return str(error.value)


@pytest.mark.parametrize(
    "licence",
    [
        "CC-BY-4.0", "CC BY 3.0", "CC-BY-SA 4.0", "CC0", "CC0-1.0", "Apache-2.0", "MIT", "BSD-3-Clause",
        "CC-BY-3.0; CC-BY-4.0", "Apache-2.0 (repository)",
        "CC-BY-4.0 (figshare; the repository itself has no licence file)",
    ],
)  # fmt: skip
def test_licences_that_allow_everything_are_free(licence):
    assert use_of({"licence": licence}) == use_of_data([licence]) == FREE


@pytest.mark.parametrize(
    "licence",
    [
        "", "not stated", "in-house", "CC-BY-NC-3.0", "CC BY-NC-SA 4.0", "cc-by-nd-4.0", "CC-BY-NC-ND-4.0",
        "research only", "for academic use", "Non-Commercial", "unknown: ask the authors",
        "CC-BY-SA-4.0 (image, MSD; LiTS original CC-BY-NC-ND) + CC-BY-NC-SA-4.0 (tumour labels, ULS23)",
        "BSD-3-Clause (package; origin of the scans not stated)", "CC-BY-4.0; in-house", "CC-BY-4.0; ",
    ],
)  # fmt: skip
def test_all_other_licences_and_none_mean_research(licence):
    assert use_of({"licence": licence}) == use_of_data(["CC-BY-4.0", licence]) == RESEARCH


def test_the_stricter_of_record_and_licence_counts():
    assert use_of({"use": "research", "licence": "MIT"}) == RESEARCH
    assert use_of({"use": "free", "licence": NC}) == RESEARCH
    assert use_of({"use": "free", "licence": "in-house"}) == FREE
    assert use_of({"use": "free"}) == FREE
    assert use_of({}) == RESEARCH


def test_research_weights_are_used_after_consent_which_is_remembered_by_their_hash(mine, tmp_path):
    model = small_model(mine, licence=NC, training_data=[{"name": "a few", "cases": 3, "licence": NC}])
    for name in (None, "small", str(model.folder)):
        message = refused(models.model_for, "segmenter", "liver", name)
        for said in ("freetumor models accept small", "--accept-research", NC, "a few (3 cases)"):
            assert said in message
    assert models.find_model("small").use == RESEARCH  # to look at it is allowed
    models.accept(model)
    assert models.model_for("segmenter", "liver").name == "small"
    # The same weights under another name need no other consent, other weights do.
    models.copy_model(model, "copy")
    assert models.model_for("segmenter", "liver", "copy").name == "copy"
    small_model(mine, "other", licence=NC, networks={"generator": {"architecture": "conditional-unet"}})
    refused(models.model_for, "generator", "liver", "other")
    assert [m.name for m in models.list_models()] == ["copy", "other", "small"]


def test_a_consent_that_cannot_be_read_is_none_and_is_asked_again(mine):
    model = small_model(mine, licence=NC)
    for content in ("{", "[]", "\x00"):
        models.accept(model).write_text(content, "utf-8")
        refused(models.check_consent, model)
    models.accept(model)
    models.check_consent(model)


def test_what_is_chosen_by_itself_is_free_where_there_is_such_a_one(mine):
    research = small_model(mine, "a-research", licence=NC)
    small_model(mine, "b-free")
    assert models.default_model("segmenter", "liver").name == "b-free"
    models.accept(research)
    assert models.default_model("segmenter", "liver").name == "a-research"


def test_consent_for_now_ends_with_the_run(mine, monkeypatch):
    model = small_model(mine, licence=NC)
    with models.accepted_for_now():
        models.check_consent(model)
    refused(models.check_consent, model)
    monkeypatch.setenv(ENVIRONMENT, "1")
    with models.accepted_for_now():
        pass
    models.check_consent(model)


def test_the_command_lists_shows_and_accepts(mine):
    small_model(mine, licence=NC, limits=["Portal-venous phase only."])
    small_model(mine, "open")
    rows = {row["name"]: row for row in command("models", "list", "--json").json["installed"]}
    assert (rows["small"]["use"], rows["small"]["accepted"]) == ("research", False)
    assert (rows["open"]["use"], rows["open"]["accepted"]) == ("free", True)
    said = command("models", "list").out
    assert "research only, first: freetumor models accept small" in said
    assert "**Research weights.**" in command("models", "info", "small").out
    assert "Research weights" not in command("models", "info", "open").out
    said = command("models", "accept", "small").out
    for words in (f"Licence: {NC}.", "Trained on: not stated.", "Portal-venous phase only.", "research only"):
        assert words in said
    assert command("models", "list", "--json").json["installed"][1]["accepted"] is True
    assert "first: freetumor models accept small" not in command("models", "list").out
    assert "needs no consent" in command("models", "accept", "open").out
    assert command("models", "accept", "none", "--json").json["kind"] == "no_model"


def test_commands_ask_for_consent_before_they_read_anything(mine, tmp_path, ct):
    from made_models import threshold_segmenter

    threshold_segmenter(mine, "abdomen", 30, 85, licence=NC, spacing=[10.0, 10.0, 10.0], patch=[16, 16, 16])
    options = ("--organ", "liver", "--out", tmp_path / "out.nii.gz", "--json")
    said = command("segment", tmp_path / "not there.nii.gz", *options)
    assert (said.code, said.json["kind"]) == (2, "consent")
    judged = ("--organ", "liver", "--out", tmp_path / "case", "--judge", "learned", "--json")
    said = command("synthesize", tmp_path / "not there.nii.gz", *judged)
    assert (said.code, said.json["kind"]) == (2, "consent")
    said = command("synthesize", tmp_path / "not there.nii.gz", *judged, "--accept-research")
    assert said.json["kind"] != "consent"
    assert command("segment", ct, *options, "--accept-research").code == 0
    (tmp_path / "out.nii.gz").unlink()
    assert command("segment", ct, *options).json["kind"] == "consent"  # that was for one run
    assert command("models", "accept", "threshold-abdomen").code == 0
    assert command("segment", ct, *options).code == 0


def test_entries_of_the_catalogue_say_that_they_lead_to_research_weights():
    for entry in models.catalogue():
        assert use_of(entry.record) == RESEARCH, entry.name
