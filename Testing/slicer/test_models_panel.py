"""Models in the hub as a user drives them: what there is, import, card, removal, and the set-up for them."""

from __future__ import annotations

import types

import pytest
from freetumor.models import catalogue, installed
from freetumor.models.catalogue import Entry
from made_models import made_model, threshold_segmenter
from waiting import turn


def states(hub) -> dict[str, str]:
    """State of each model in the table."""
    table = hub.ui.modelTable
    return {table.item(row, 0).text(): table.item(row, 3).text() for row in range(table.rowCount)}


def select(hub, name: str) -> None:
    hub.ui.modelTable.setCurrentCell(list(states(hub)).index(name), 0)


def importFile(hub, path) -> None:
    """Choose a file, press Import, wait."""
    hub.ui.modelFileEdit.setCurrentPath(str(path))
    assert hub.ui.importModelButton.enabled, hub.ui.importModelButton.toolTip
    hub.ui.importModelButton.click()
    turn(lambda: not hub.jobsPanel.runner.isRunning)


@pytest.fixture
def given(tmp_path):
    """A model that somebody gave to the user, as a folder."""
    return threshold_segmenter(
        tmp_path / "given",
        "abdomen",
        30,
        85,
        licence="CC BY-NC 4.0",
        limits=["Portal-venous phase only."],
    )


def test_without_models_the_hub_says_what_works_and_what_can_be_had(hub):
    assert "No model is installed" in hub.ui.modelsLabel.text
    assert "procedural" in hub.ui.modelsLabel.text
    assert set(states(hub).values()) <= {"to import", "to download"}
    assert hub.ui.cardButton.toolTip == "Select a model first."
    entry = next(entry for entry in catalogue() if entry.kind == "import")
    select(hub, entry.name)
    assert entry.files[0] in hub.ui.modelLabel.text
    assert not hub.ui.downloadButton.enabled
    assert "Not for download" in hub.ui.downloadButton.toolTip
    assert hub.ui.removeModelButton.toolTip == "It is not installed."


def test_a_models_folder_is_imported_in_the_background_and_listed_with_its_licence(hub, given, models):
    importFile(hub, given.folder / "model.json")
    assert hub.ui.progressLabel.text == "Done."
    assert hub.ui.statusLabel.text == f"Installed {given.name}."
    assert states(hub)[given.name] == "terms not accepted"
    assert "FOR RESEARCH ONLY" in hub.ui.modelLabel.text
    assert "Portal-venous phase only" in hub.ui.modelLabel.text
    assert "segmenter" in hub.ui.modelLabel.text
    assert [model.folder for model in installed()[0]] == [models / given.name]
    assert str(models) in hub.ui.modelsLabel.text


def test_the_terms_of_research_weights_are_shown_and_accepted_once(hub, given, messages):
    importFile(hub, given.folder / "model.json")
    assert hub.ui.termsButton.enabled
    messages.answer(False)
    hub.ui.termsButton.click()
    for words in ("CC BY-NC 4.0", "made for tests", "Portal-venous phase only.", "research only"):
        assert words in messages.texts()[-1]
    assert states(hub)[given.name] == "terms not accepted"
    assert "terms were not accepted" in hub.ui.statusLabel.text
    messages.answer(True)
    hub.ui.termsButton.click()
    assert states(hub)[given.name] == "for research only"
    assert not hub.ui.termsButton.enabled
    assert "has it" in hub.ui.termsButton.toolTip
    hub.ui.removeModelButton.click()
    importFile(hub, given.folder / "model.json")
    assert states(hub)[given.name] == "for research only"


def test_the_group_is_asked_for_a_checkpoint_and_not_for_a_folder_that_says_it(hub, given, tmp_path):
    (tmp_path / "TGAN.pt").write_bytes(b"x")
    hub.ui.modelFileEdit.setCurrentPath(str(tmp_path / "TGAN.pt"))
    assert hub.ui.modelGroupCombo.enabled
    hub.ui.modelFileEdit.setCurrentPath(str(given.folder / "model.json"))
    assert not hub.ui.modelGroupCombo.enabled
    hub.ui.modelFileEdit.setCurrentPath(str(tmp_path / "nothing.pt"))
    assert hub.ui.importModelButton.toolTip == "Choose a file first."


def test_the_card_is_shown_and_a_removal_asks_first(hub, given, messages, models):
    importFile(hub, given.folder / "model.json")
    hub.ui.cardButton.click()
    assert "Not for clinical use" in hub.modelsPanel._card.page.toPlainText()
    messages.answer(False)
    hub.ui.removeModelButton.click()
    assert given.name in messages.texts()[-1]
    assert (models / given.name).is_dir()
    messages.answer(True)
    hub.ui.removeModelButton.click()
    assert hub.ui.statusLabel.text == f"Removed {given.name}."
    assert not (models / given.name).exists()
    assert given.name not in states(hub)


@pytest.mark.parametrize("content", [b"<!DOCTYPE html><html>sign in</html>", b"PK\x03\x04 cut off"])
def test_a_file_that_is_no_checkpoint_is_told_in_words_and_nothing_is_left(hub, tmp_path, content, models):
    (tmp_path / "TGAN.pt").write_bytes(content)
    importFile(hub, tmp_path / "TGAN.pt")
    assert "The file of the model is damaged" in hub.ui.progressLabel.text
    assert "TGAN.pt" in hub.ui.progressLabel.text
    assert hub.ui.importModelButton.enabled
    assert installed() == ([], {})
    assert not list(models.glob("*"))


def test_a_damaged_model_is_listed_with_the_reason_and_can_be_removed(hub, models, messages):
    model = threshold_segmenter(models, "abdomen", 30, 85)
    model.weights.write_bytes(model.weights.read_bytes()[:-4])
    hub.enter()
    assert states(hub)[model.name] == "not usable"
    select(hub, model.name)
    assert "cut off" in hub.ui.modelLabel.text
    assert not hub.ui.cardButton.enabled
    hub.ui.removeModelButton.click()
    assert not model.folder.exists()


def test_a_model_with_an_address_is_downloaded_as_a_job(hub, monkeypatch):
    from FreeTumorSlicerLib import modelspanel

    record = {"name": "far-away", "group": "abdomen", "organs": ["liver"], "bytes": 5_000_000}
    record["networks"] = {"segmenter": {"architecture": "voxelwise"}}
    entry = Entry("download", record, url="https://example.org/far-away")
    monkeypatch.setattr(modelspanel, "catalogue", lambda: [entry])
    started = []
    monkeypatch.setattr(hub.jobsPanel.runner, "start", lambda *given, **_callbacks: started.append(given))
    hub.enter()
    assert states(hub) == {"far-away": "to download"}
    select(hub, "far-away")
    hub.ui.downloadButton.click()
    assert started == [("download-model", {"model": "far-away"})]


def test_while_a_job_runs_no_other_model_comes_or_goes(hub, given, models, monkeypatch):
    importFile(hub, given.folder / "model.json")
    monkeypatch.setattr(type(hub.jobsPanel.runner), "isRunning", property(lambda runner: True))
    hub.jobsPanel.update()
    for button in (hub.ui.importModelButton, hub.ui.removeModelButton):
        assert not button.enabled
        assert "A job is running" in button.toolTip
    assert hub.ui.cardButton.enabled


def test_monai_waits_for_the_pytorch_of_the_extension_or_pip_would_bring_another(host, monkeypatch):
    import slicer.packaging
    from FreeTumorSlicerLib import dependencies

    order = []
    monkeypatch.setattr(
        slicer.packaging,
        "pip_ensure",
        lambda requirements, requester: order.append([r.name for r in requirements]),
    )
    monkeypatch.setattr(dependencies, "installTorch", lambda: order.append("torch"))
    monkeypatch.setattr(dependencies, "_version", lambda name: None)
    assert not dependencies.install()
    before, torch, after = order
    assert torch == "torch"
    assert "monai" in after
    assert "monai" not in before
    assert "openvino" not in before + after
    order.clear()
    dependencies.install(optional=True)
    assert "openvino" in order[0]


def test_what_is_optional_is_not_called_missing(hub, monkeypatch):
    from FreeTumorSlicerLib import dependencies

    monkeypatch.setattr(dependencies, "_version", lambda name: None if name == "openvino" else "1.0")
    hub.ui.checkButton.click()
    assert hub.ui.statusLabel.text == "Everything is installed."
    hub.ui.optionalCheck.checked = True
    hub.ui.checkButton.click()
    assert hub.ui.statusLabel.text == "Not installed: openvino."


def test_a_model_of_the_users_own_comes_before_one_of_the_same_name_in_the_catalogue(hub, models):
    made_model(
        models,
        "abdomen",
        {"segmenter": types.SimpleNamespace(architecture="voxelwise", settings={"classes": [0, 1, 2]})},
        name=catalogue()[0].name,
    )
    hub.enter()
    assert states(hub)[catalogue()[0].name] == "installed"
