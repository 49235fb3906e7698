"""FreeTumor Synth when its job is cancelled or killed or fails, the scene is closed, the module unloaded."""

from __future__ import annotations

from pathlib import Path

import pytest
import slicer
import slicerhost
from synth_steps import choose, finish, load, sample, synthesize
from waiting import alive, turn

SYNTH = Path(__file__).resolve().parents[2] / "FreeTumorSynth" / "FreeTumorSynth.py"


@pytest.fixture
def ready(synth, phantom):
    """The panel with CT and liver chosen and a sampled tumor asked for."""
    choose(synth, *load(phantom))
    sample(synth)
    return synth


@pytest.fixture
def failing(monkeypatch, tmp_path):
    """Jobs that end in a given way."""
    from FreeTumorSlicerLib import processes

    def fail(code: str) -> None:
        script = tmp_path / "fails.py"
        script.write_text("import json, os, sys\n" + code)
        monkeypatch.setattr(processes, "scriptPath", lambda: script)

    return fail


def running(synth) -> tuple:
    """Start a job that hangs; process IDs of it and of its child."""
    synth.ui.applyButton.click()
    turn(lambda: synth.ui.logText.toPlainText())
    return synth.logic.runner.processId, int(synth.ui.logText.toPlainText())


def all_gone(pids) -> bool:
    return not any(alive(pid) for pid in pids)


def volumes() -> int:
    return slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")


def test_the_button_becomes_cancel_and_cancel_leaves_no_process_and_no_node(ready, endless):
    pids, before = running(ready), volumes()
    assert ready.ui.applyButton.text == "Cancel"
    assert ready.ui.applyButton.enabled
    assert "running" in ready.ui.labelOrganButton.toolTip
    ready.ui.applyButton.click()
    assert not ready.ui.applyButton.enabled
    assert "cancelled" in ready.ui.applyButton.toolTip
    finish(ready)
    turn(lambda: all_gone(pids), seconds=5)
    assert ready.ui.applyButton.text == "Synthesize"
    assert "Stopped" in ready.ui.statusLabel.text
    assert volumes() == before


def test_after_a_cancel_the_next_job_runs(ready, endless, monkeypatch):
    running(ready)
    ready.ui.applyButton.click()
    finish(ready)
    monkeypatch.undo()
    synthesize(ready)


def test_a_scene_that_is_closed_takes_its_job_with_it(ready, endless, phantom):
    pids = running(ready)
    slicer.mrmlScene.Clear(0)
    turn(lambda: all_gone(pids), seconds=5)
    assert not ready.logic.runner.isRunning
    assert "scene was closed" in ready.ui.statusLabel.text
    assert ready.ui.applyButton.text == "Synthesize"
    assert "Choose a CT" in ready.ui.applyButton.toolTip


def test_after_a_closed_scene_the_module_works_on_the_next_one(ready, phantom):
    slicer.mrmlScene.Clear(0)
    choose(ready, *load(phantom))
    sample(ready)
    synthesize(ready)


def test_a_ct_that_is_removed_during_the_job_is_no_error(ready):
    ready.ui.applyButton.click()
    turn(lambda: ready.logic.runner.processId is not None)
    slicer.mrmlScene.RemoveNode(ready.ui.inputVolumeSelector.currentNode())
    finish(ready)
    assert ready.panel.result is None
    assert volumes() == 0
    assert "the CT was removed" in ready.ui.statusLabel.text
    assert ready.ui.progressBar.isHidden()


def test_a_module_that_is_unloaded_takes_its_job_with_it(scene, phantom, endless):
    module = slicerhost.loadModule(SYNTH)
    widget = module.widget
    module.widgetRepresentation().enter()
    choose(widget, *load(phantom))
    sample(widget)
    pids = running(widget)
    slicerhost.unloadModule("FreeTumorSynth")
    turn(lambda: all_gone(pids), seconds=5)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("os.kill(os.getpid(), 9)", "memory"),
        ("raise RuntimeError('a bug')", "a bug"),
        (
            "print(json.dumps({'event': 'error', 'kind': 'out_of_memory', 'message': 'm'}))",
            "Not enough memory",
        ),
        ("print(json.dumps({'event': 'error', 'kind': 'missing_package', 'message': 'torch'}))", "Set-up"),
        (
            "print(json.dumps({'event': 'error', 'kind': 'rejected', 'message': 'too dark'}))",
            "Try another seed",
        ),
    ],
)
def test_every_kind_of_failure_is_told_with_what_to_do_and_nothing_is_lost(ready, failing, code, words):
    result = synthesize(ready)
    failing(code)
    ready.ui.anotherButton.click()
    finish(ready)
    assert words in ready.ui.statusLabel.text
    assert result.volume.GetScene() is not None
    assert ready.panel.result.volume is result.volume
    assert ready.ui.applyButton.enabled


def test_a_result_that_was_tampered_with_becomes_a_message(ready, failing):
    failing("print(json.dumps({'event': 'done', 'result': {'organ': 'liver', 'lesions': [{}]}}))")
    ready.ui.applyButton.click()
    finish(ready)
    assert "The job failed" in ready.ui.statusLabel.text
    assert volumes() == 1


def test_the_self_test_of_the_module_passes(synth):
    import FreeTumorSynth

    FreeTumorSynth.FreeTumorSynthTest().runTest()
