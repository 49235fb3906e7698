"""FreeTumor Synth with models: engines with networks, the judge, what is missing, and a saved scene."""

from __future__ import annotations

import shutil

import pytest
import slicer
from freetumor.models import NetworkSpec
from made_models import made_model, threshold_segmenter
from synth_steps import array, choose, finish, load, mask, sample, synthesize

# Coarse and small, so that random networks take no time.
COARSE = {"spacing": [5.0, 5.0, 5.0], "patch": [32, 32, 32]}
LEARNED = {"generator": NetworkSpec("conditional-unet", {"features": [4, 4], "style": 4})}
RELEASED = {"generator": NetworkSpec("released-unet", {"out_channels": 1})}


@pytest.fixture
def ready(synth, phantom):
    """The panel with CT and liver chosen and a sampled tumor asked for; what fails the test is kept."""
    choose(synth, *load(phantom))
    sample(synth)
    synth.ui.keepRejectedCheckBox.checked = True
    return synth


def use(synth, engine: str) -> None:
    """Choose an engine, after the user came back to the module."""
    synth.enter()
    synth.ui.engineComboBox.setCurrentText(engine)


def items(combo) -> list[str]:
    return [combo.itemText(row) for row in range(combo.count)]


@pytest.mark.parametrize("engine", ["released", "learned"])
def test_an_engine_without_a_model_says_what_is_missing_and_what_to_do(ready, engine):
    use(ready, engine)
    assert not ready.ui.applyButton.enabled
    reason = ready.ui.applyButton.toolTip
    assert f"engine {engine} for liver tumors" in reason
    assert "FreeTumor > Models" in reason
    assert items(ready.ui.modelComboBox) == ["none installed"]
    assert "No model" in ready.ui.modelNote.text
    use(ready, "procedural")
    assert ready.ui.applyButton.enabled
    assert ready.ui.modelComboBox.isHidden()
    assert ready.ui.deviceComboBox.isHidden()


def test_only_models_of_the_engine_and_the_organ_are_offered(ready, models):
    made_model(models, "abdomen", LEARNED, name="ours", **COARSE)
    made_model(models, "abdomen", RELEASED, name="theirs", organs=["pancreas"], **COARSE)
    made_model(models, "chest", LEARNED, name="ours-chest", **COARSE)
    use(ready, "learned")
    assert items(ready.ui.modelComboBox) == ["automatic: ours", "ours"]
    use(ready, "released")
    assert not ready.ui.applyButton.enabled
    ready.ui.organComboBox.setCurrentText("pancreas")
    assert items(ready.ui.modelComboBox) == ["automatic: theirs", "theirs"]


def test_a_licence_for_research_is_seen_before_the_model_is_used(ready, models):
    made_model(models, "abdomen", LEARNED, name="ours", licence="research only", **COARSE)
    use(ready, "learned")
    assert "FOR RESEARCH ONLY" in ready.ui.modelNote.text
    assert "asked to accept" in ready.ui.modelNote.text


def test_research_weights_make_and_judge_nothing_before_their_terms_are_accepted(
    ready, models, messages, monkeypatch
):
    made_model(models, "abdomen", LEARNED, name="ours", licence="CC-BY-NC-4.0", **COARSE)
    threshold_segmenter(models, "abdomen", 0, 82, name="strict", licence="in-house")
    use(ready, "learned")
    ready.ui.askModelCheckBox.click()
    started = []
    monkeypatch.setattr(ready.logic.runner, "start", lambda *given, **_rest: started.append(given))
    messages.answer(True, False)
    ready.ui.applyButton.click()
    asked = messages.texts()
    assert len(asked) == 2
    for text, words in zip(asked, (("ours", "CC-BY-NC-4.0"), ("strict", "in-house")), strict=True):
        assert all(word in text for word in words)
    assert started == []
    assert "strict" in ready.ui.statusLabel.text
    assert "terms were not accepted" in ready.ui.statusLabel.text
    messages.clear()
    messages.answer(True)
    ready.ui.applyButton.click()
    assert ["strict" in text for text in messages.texts()] == [True]  # the other one is remembered
    assert len(started) == 1
    ready.ui.applyButton.click()
    assert len(messages.texts()) == 1


def test_the_choice_of_the_engine_says_for_which_tumors_there_are_learned_weights(ready, models):
    note = ready.ui.engineNote
    assert note.text == "No learned weights for liver tumors: the procedural engine is the default."
    ready.ui.organComboBox.setCurrentText("covid")
    assert "No learned weights for COVID-19 lesions" in note.text
    made_model(models, "abdomen", LEARNED, name="ours", organs=["liver"], **COARSE)
    made_model(models, "abdomen", RELEASED, name="theirs", organs=["kidney"], **COARSE)
    ready.ui.organComboBox.setCurrentText("liver")
    assert note.text == "Learned weights for liver tumors: ours (engine learned)."
    ready.ui.organComboBox.setCurrentText("kidney")
    assert "No learned weights for kidney tumors" in note.text


@pytest.mark.parametrize(("engine", "parts"), [("learned", LEARNED), ("released", RELEASED)])
def test_a_network_makes_the_tumor_and_the_result_names_it(ready, models, engine, parts):
    model = made_model(models, "abdomen", parts, **COARSE)
    use(ready, engine)
    ready.ui.modelComboBox.setCurrentText(model.name)
    ready.ui.deviceComboBox.setCurrentText("cpu")
    ready.ui.backendComboBox.setCurrentText("torch")  # OpenVINO takes longer to start than the work takes
    result = synthesize(ready)
    record = result.provenance
    assert (record["engine"], record["model"]["name"]) == (engine, model.name)
    assert record["model"]["weights_sha256"] == model.facts["sha256"]
    assert f"the engine {engine} with the model {model.name}" in ready.ui.verdictLabel.text
    changed = array(result.volume) != array(result.input)
    tumor = mask(result.segmentation, result.segmentIDs[0], result.input)
    assert changed.any()
    assert changed[tumor].mean() > 0.5


def test_the_judge_is_asked_and_says_how_much_of_the_tumor_it_finds(ready, models):
    threshold_segmenter(models, "abdomen", 0, 82, organ_hu=(0, 250), name="strict", sharpness=2.0)
    ui = ready.ui
    assert ui.judgeModelComboBox.isHidden()
    ready.enter()
    ui.askModelCheckBox.click()
    ui.backendComboBox.setCurrentText("torch")
    assert items(ui.judgeModelComboBox) == ["automatic: strict", "strict"]
    ui.ownContrastCheckBox.click()
    ui.contrastSlider.value = -70
    ui.keepRejectedCheckBox.checked = False
    result = synthesize(ready)
    (judge,) = [j for j in result.provenance["judges"] if j["name"] == "learned"]
    assert (judge["model"], judge["threshold"]) == ("strict", 0.7)
    assert "Passed the quality test. The model strict finds" in ui.verdictLabel.text
    ui.contrastSlider.value = -15  # too faint for this judge
    before = ready.panel.result.volume
    ui.applyButton.click()
    finish(ready)
    assert "Rejected by the quality test" in ui.statusLabel.text
    assert "the judge strict finds" in ui.statusLabel.text
    assert ready.panel.result.volume is before


def test_without_a_segmentation_model_none_can_be_asked(ready):
    ready.ui.askModelCheckBox.click()
    assert "No segmentation model for liver tumors" in ready.ui.applyButton.toolTip
    assert "do not ask one" in ready.ui.applyButton.toolTip
    ready.ui.askModelCheckBox.click()
    assert ready.ui.applyButton.enabled


def test_a_judge_that_the_generator_was_trained_to_please_is_the_last_choice_and_said_to_be_one(
    ready, models
):
    threshold_segmenter(models, "abdomen", 0, 80, name="a-friend")
    threshold_segmenter(models, "abdomen", 0, 81, name="b-stranger")
    made_model(models, "abdomen", LEARNED, name="ours", trained_against=["a-friend"], **COARSE)
    use(ready, "learned")
    ready.ui.askModelCheckBox.click()
    assert ready.ui.judgeModelComboBox.currentText == "automatic: b-stranger"
    assert "NOT INDEPENDENT" not in ready.ui.judgeNote.text
    ready.ui.judgeModelComboBox.setCurrentText("a-friend")
    assert "NOT INDEPENDENT" in ready.ui.judgeNote.text
    assert ready.ui.applyButton.enabled


def test_what_a_network_decides_itself_cannot_be_chosen_and_is_not_asked_of_it(ready, models):
    from FreeTumorSynthLib.request import requestOf

    made_model(models, "abdomen", LEARNED, **COARSE)
    ready.ui.rimComboBox.setCurrentText("yes")
    assert requestOf(ready.panel.parameters)["style"]["rim"] is True
    use(ready, "learned")
    assert not ready.ui.rimComboBox.enabled
    assert "decides that" in ready.ui.rimComboBox.toolTip
    assert requestOf(ready.panel.parameters)["style"]["rim"] is None


def test_the_preview_is_the_built_in_engines_and_the_tool_tip_says_so(ready, models):
    made_model(models, "abdomen", LEARNED, **COARSE)
    assert ready.ui.livePreviewCheckBox.enabled
    use(ready, "learned")
    assert not ready.ui.livePreviewCheckBox.enabled
    assert "procedural" in ready.ui.livePreviewCheckBox.toolTip


def test_every_choice_survives_a_saved_scene_and_a_model_that_is_missing_there_is_told(
    ready, models, scene, tmp_path
):
    model = made_model(models, "abdomen", LEARNED, name="ours", **COARSE)
    threshold_segmenter(models, "abdomen", 0, 80, name="judge")
    use(ready, "learned")
    ready.ui.modelComboBox.setCurrentText("ours")
    ready.ui.askModelCheckBox.click()
    ready.ui.judgeModelComboBox.setCurrentText("judge")
    ready.ui.judgeThresholdSlider.value = 0.5
    ready.ui.deviceComboBox.setCurrentText("cpu")
    names = ("engine", "model", "askModel", "judgeModel", "judgeThreshold", "device", "backend")
    before = {name: ready.panel.parameters.getValue(name) for name in names}
    assert (before["model"], before["judgeModel"], before["device"]) == ("ours", "judge", "cpu")
    slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    scene.Clear(0)
    shutil.rmtree(model.folder)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    slicer.app.processEvents()
    assert {name: ready.panel.parameters.getValue(name) for name in names} == before
    assert ready.ui.judgeModelComboBox.currentText == "judge"
    assert ready.ui.judgeThresholdSlider.value == pytest.approx(0.5)
    assert "The model ours is not installed" in ready.ui.applyButton.toolTip
    assert "ours (cannot be used)" in items(ready.ui.modelComboBox)
