"""Training in the hub as a user drives it: plan, dry run, start, stop, resume, failures, and the model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from freetumor.files import write_json
from freetumor.models import installed
from freetumor.training.config_file import read_config, to_dict
from made_models import threshold_segmenter
from PIL import Image
from training_runs import TINY
from training_trees import Patient, write_list
from waiting import alive, turn

SOURCE = '[[data.sources]]\nkind = "list"\npath = "cases.json"\nlicence = "CC-BY-NC-4.0"\n'
LOSSES = {"segmenter": 0.5, "dice": 0.4, "cross_entropy": 0.1}


class Runner:
    """Stands in for the process: takes what is started, and tells what a test wants told."""

    def __init__(self) -> None:
        self.started, self.callbacks = [], {}
        self.isRunning = self.isCancelling = False

    def start(self, kind, parameters, folder=None, **callbacks) -> Path | None:
        self.started.append((kind, parameters, folder))
        self.callbacks, self.isRunning = callbacks, True
        return folder

    def cancel(self) -> None:
        self.isCancelling = True

    def cleanup(self, patience=0.0) -> None:
        self.isRunning = self.isCancelling = False

    def end(self, name: str, *told) -> None:
        self.isRunning = self.isCancelling = False
        self.callbacks[name](*told)


@pytest.fixture
def config(tmp_path) -> Path:
    """A tiny configuration; there are no data."""
    path = tmp_path / "tiny.toml"
    path.write_text(f"# Tiny lungs.\n{TINY}\n{SOURCE}", "utf-8")
    return path


@pytest.fixture
def panel(hub, config, tmp_path):
    """The hub with the form filled in, and a runner that starts nothing."""
    hub.trainingPanel.runner = Runner()
    fill(hub, config, tmp_path / "runs")
    return hub


def fill(hub, config, out) -> None:
    hub.ui.trainingConfigEdit.setCurrentPath(str(config))
    hub.ui.trainingOutEdit.setCurrentPath(str(out))


def writeRun(folder: Path, config: Path, steps: int = 3, **events) -> Path:
    """The folder of a run as a training leaves it."""
    (folder / "pictures").mkdir(parents=True)
    write_json(folder / "config.json", to_dict(read_config(config, "segmenter", [f"out={folder}"])))
    lines = [{"event": "step", "step": n + 1, "losses": LOSSES} for n in range(steps)]
    lines.append({"event": "checkpoint", "step": steps, "folder": "checkpoints"})
    Image.new("RGB", (800, 200), (90, 20, 20)).save(folder / "pictures" / f"step-{steps:08d}.png")
    lines.append({"event": "picture", "step": steps, "file": f"pictures/step-{steps:08d}.png"})
    lines += [{"event": name, "step": steps, **event} for name, event in events.items()]
    (folder / "log.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    return folder


def enabled(hub) -> set[str]:
    names = ("dryRunButton", "trainButton", "resumeTrainingButton", "stopTrainingButton")
    return {name for name in names if getattr(hub.ui, name).enabled}


def test_recipes_are_offered_and_say_what_they_are_for_and_what_is_missing(hub, tmp_path):
    ui = hub.ui
    assert enabled(hub) == set()
    assert "recipe" in ui.trainButton.toolTip
    names = [ui.recipeCombo.itemText(row) for row in range(ui.recipeCombo.count)]
    assert {"lits", "msd-lung", "lung-laptop", "kits23"} <= set(names)
    ui.recipeCombo.currentIndex = names.index("lits")
    assert Path(ui.trainingConfigEdit.currentPath).name == "lits.toml"
    assert "Liver tumors at the paper's scale" in ui.trainingPlanLabel.text
    assert "folder of the data" in ui.trainButton.toolTip
    ui.trainingDataEdit.setCurrentPath(str(tmp_path))
    assert "folder for the runs" in ui.trainButton.toolTip
    ui.trainingOutEdit.setCurrentPath(str(tmp_path / "runs"))
    assert enabled(hub) == {"dryRunButton", "trainButton"}
    assert "lits-segmenter: 50000 steps on patches of 96 x 96 x 96" in ui.trainingPlanLabel.text
    ui.trainingStageCombo.setCurrentText("generator")
    assert "lits-generator: 10000 steps" in ui.trainingPlanLabel.text
    own = tmp_path / "own.toml"
    own.write_text(TINY, "utf-8")
    ui.trainingConfigEdit.setCurrentPath(str(own))
    assert ui.recipeCombo.currentIndex == 0


def test_nothing_is_written_where_the_recipes_are_installed(hub, tmp_path):
    hub.trainingPanel.runner = Runner()
    hub.ui.recipeCombo.currentIndex = hub.ui.recipeCombo.findText("lung-laptop")
    hub.ui.trainingDataEdit.setCurrentPath(str(tmp_path))
    hub.ui.trainingOutEdit.setCurrentPath(str(tmp_path / "runs"))
    hub.ui.trainButton.click()
    ((kind, job, folder),) = hub.trainingPanel.runner.started
    assert (kind, folder) == ("train", tmp_path / "runs" / "lung-light-segmenter" / "job")
    made = read_config(job["config"], job["stage"], job["set"], folder)
    assert made.out == tmp_path / "runs" / "lung-light-segmenter"
    assert made.data.cache == tmp_path / "runs" / "cache"
    assert made.data.root == tmp_path


def test_changes_are_checked_while_they_are_typed(panel):
    panel.ui.trainingChangesEdit.text = "loop.steps=7; seed=3"
    assert "7 steps" in panel.ui.trainingPlanLabel.text
    for text, words in (("loop.stepz=7", "Did you mean loop.steps"), ("loop.steps=many", "a whole number")):
        panel.ui.trainingChangesEdit.text = text
        assert words in panel.ui.trainingPlanLabel.text
        assert enabled(panel) == set()
    panel.ui.trainingChangesEdit.text = ""
    assert enabled(panel) == {"dryRunButton", "trainButton"}


def test_a_dry_run_keeps_nothing_and_says_what_a_training_would_need(panel, tmp_path):
    panel.ui.trainingChangesEdit.text = "loop.steps=7200; loop.accumulate=2"
    panel.ui.dryRunButton.click()
    ((kind, job, folder),) = panel.trainingPanel.runner.started
    assert (kind, job["dry_run"], folder) == ("train", True, None)
    result = {
        "cases": {"train": 5, "val": 3, "test": 1},
        "case": {"name": "lung-1", "shape": [100, 90, 80], "seconds": 12.3},
        "step_seconds": 1.5,
        "memory_bytes": 2_500_000_000,
        "licence": "CC-BY-NC-3.0",
        "use": "research",
        "notes": ["The model x is not there yet."],
    }
    panel.trainingPanel.runner.end("onDone", result, None)
    said = panel.ui.trainingStatusLabel.text
    for words in ("5 cases to learn", "100 x 90 x 80", "6 hours for 7200 steps", "2.5 GB", "RESEARCH ONLY"):
        assert words in said
    assert "not there yet" in said
    assert not (tmp_path / "runs").exists()


def test_a_run_that_is_there_is_shown_and_resumed_not_overwritten(panel, config, tmp_path):
    writeRun(tmp_path / "runs" / "tiny-segmenter", config, validation={"score": 0.61})
    panel.enter()
    assert enabled(panel) == {"dryRunButton", "resumeTrainingButton"}
    assert "Resume goes on at step 3" in panel.ui.trainingPlanLabel.text
    assert "run already" in panel.ui.trainButton.toolTip
    for label in (panel.ui.trainingCurvesLabel, panel.ui.trainingPictureLabel):
        assert 240 <= label.pixmap.width() <= 420  # made to fit
    panel.ui.enlargePictureButton.click()
    panel.trainingPanel.view.close()
    panel.ui.resumeTrainingButton.click()
    assert panel.trainingPanel.runner.started[0][1]["resume"] is True
    assert enabled(panel) == {"stopTrainingButton"}


def test_a_run_is_followed_by_its_numbers_its_picture_and_its_last_words(panel, config, tmp_path):
    panel.ui.trainButton.click()
    tell = panel.trainingPanel.runner.callbacks
    folder = writeRun(tmp_path / "runs" / "tiny-segmenter", config, validation={"score": 0.61})
    tell["onLog"]("classifier collapse at step 3")
    tell["onProgress"]("step 3 of 8, 10 min left", 3 / 8)
    said = panel.ui.trainingStatusLabel.text
    for words in ("step 3 of 8", "validation 0.61", "collapse"):
        assert words in said
    assert "cross_entropy 0.1" in panel.ui.trainingStatusLabel.toolTip
    assert panel.ui.trainingBar.value == 375
    assert panel.trainingPanel.view.run.picture == folder / "pictures" / "step-00000003.png"
    assert "collapse" in panel.ui.trainingLogText.toPlainText()


def test_a_stop_waits_for_the_checkpoint_and_says_where_it_goes_on(panel, config, tmp_path):
    panel.ui.trainButton.click()
    writeRun(tmp_path / "runs" / "tiny-segmenter", config)
    panel.ui.stopTrainingButton.click()
    assert "after this step" in panel.ui.trainingStatusLabel.text
    assert panel.ui.stopTrainingButton.text == "End at once"
    panel.trainingPanel.runner.end("onError", "stopped", "stopped at step 3 of 8")
    assert panel.ui.trainingStatusLabel.text == "Stopped; Resume goes on at step 3 of 8."
    assert enabled(panel) == {"dryRunButton", "resumeTrainingButton"}
    panel.ui.resumeTrainingButton.click()
    panel.ui.stopTrainingButton.click()
    panel.ui.stopTrainingButton.click()
    assert not panel.trainingPanel.runner.isRunning
    assert "Resume goes on at step 3" in panel.ui.trainingStatusLabel.text


def test_a_failure_is_told_by_its_kind_with_what_to_do(panel):
    for kind, title, advice in (
        ("ghost_tumor", "given up: ghost tumors", "press Resume"),
        ("not_finite", "not finite", "press Resume"),
        ("no_cases", "no cases", ""),
        ("missing_dependency", "A package is missing", "section Set-up"),
        ("out_of_memory", "Not enough memory", "device 'cpu'"),
        ("consent", "terms of the model", "Accept terms"),
    ):
        panel.ui.trainButton.click()
        panel.trainingPanel.runner.end("onError", kind, "The reason.")
        said = panel.ui.trainingStatusLabel.text
        for words in (title, "The reason.", advice):
            assert words in said
        assert panel.ui.trainButton.enabled


def test_a_critic_of_research_weights_asks_first(panel, models, messages):
    threshold_segmenter(models, "chest", -900, 0, name="teacher", licence="CC-BY-NC-4.0")
    panel.ui.trainingStageCombo.setCurrentText("generator")
    panel.ui.trainingChangesEdit.text = "critic=teacher"
    messages.answer(False)
    panel.ui.trainButton.click()
    assert "CC-BY-NC-4.0" in messages.texts()[-1]
    assert panel.trainingPanel.runner.started == []
    assert "not accepted" in panel.ui.trainingStatusLabel.text
    messages.answer(True)
    panel.ui.trainButton.click()
    assert len(panel.trainingPanel.runner.started) == 1


def test_a_closed_scene_does_not_end_a_training(panel, scene):
    panel.ui.trainButton.click()
    scene.Clear(0)
    assert panel.trainingPanel.runner.isRunning
    panel.trainingPanel.runner.callbacks["onProgress"]("step 4", 0.5)
    assert "step 4" in panel.ui.trainingStatusLabel.text
    panel.trainingPanel.runner.end("onError", "os", "The disk is gone.")
    assert "The disk is gone." in panel.ui.trainingStatusLabel.text


def test_closing_lets_a_training_reach_its_checkpoint(host, tmp_path, monkeypatch):
    from FreeTumorSlicerLib import processes
    from FreeTumorSlicerLib.jobs import JobRunner

    script = tmp_path / "stops.py"
    script.write_text(
        "import pathlib, sys, time\n"
        "folder = pathlib.Path(sys.argv[1]).parent\n"
        "(folder / 'begun').touch()\n"
        "while not (folder / 'stop').exists(): time.sleep(0.01)\n"
        "(folder / 'checkpoint').touch()\n"
    )
    monkeypatch.setattr(processes, "scriptPath", lambda: script)
    runner = JobRunner()
    runner.start("train", {}, folder=tmp_path / "job")
    turn(lambda: (tmp_path / "job" / "begun").exists())
    process = runner.processId
    runner.cleanup(patience=30.0)
    assert (tmp_path / "job" / "checkpoint").exists()
    assert not alive(process)


def test_a_training_from_the_form_to_the_list_of_models(hub, config, tmp_path, models):
    write_list(tmp_path / "cases.json", {"train": [Patient("lung", 0)], "val": [Patient("lung", 1)]})
    fill(hub, config, tmp_path / "runs")
    spacing = "grid.spacing=[8, 8, 8]; grid.patch=[16, 16, 32]"
    hub.ui.trainingChangesEdit.text = (
        f"{spacing}; loop.steps=2; loop.epoch=1; sampling.real=1; sampling.tumor_free=0"
    )
    hub.ui.trainButton.click()
    turn(lambda: not hub.trainingPanel.runner.isRunning, 300)
    assert "Trained: tiny-segmenter" in hub.ui.trainingStatusLabel.text, hub.ui.trainingStatusLabel.text
    (model,) = installed()[0]
    assert (model.name, model.use) == ("tiny-segmenter", "research")
    table = hub.ui.modelTable
    assert (table.item(0, 0).text(), table.item(0, 3).text()) == ("tiny-segmenter", "terms not accepted")
    assert "Research only, by 1 case under the licence 'CC-BY-NC-4.0'" in hub.ui.modelLabel.text
    assert "It is finished" in hub.ui.trainingPlanLabel.text
    assert hub.trainingPanel.view.run.picture is not None
