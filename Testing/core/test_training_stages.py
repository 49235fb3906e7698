"""The three stages one after the other on a phantom, by command and by job; and the recipes, tried out."""

from __future__ import annotations

import io
import json
from pathlib import Path

import freetumor
import numpy as np
import pytest
from freetumor.jobs import run
from freetumor.models import NetworkSpec, find_model, read_model
from freetumor.nets import load_network
from freetumor.training import fingerprints
from freetumor.training.config_file import read_config
from freetumor.training.configuration import STAGES
from freetumor.training.feeding import divided
from made_models import made_model
from PIL import Image
from runs import command, tree
from training_trees import write_contoured, write_msd, write_nnunet

RECIPES = Path(freetumor.__file__).parents[1] / "Resources" / "recipes"
MSD = {"0": "background", "1": "liver", "2": "cancer"}
CONFIG = """
name = "phantom"
organs = ["liver"]
limits = ["Made of phantoms."]
[grid]
spacing = [5.0, 4.0, 4.0]
patch = [16, 32, 32]
[data]
root = "."
cache = "cache"
folds = 2
[[data.sources]]
kind = "msd"
path = "Task"
group = "abdomen"
label_map = { cancer = "liver tumor" }
[segmenter.settings]
features = [4, 8, 8]
[classifier.settings]
features = [4, 8, 8]
[generator.settings]
features = [4, 8]
style = 8
[loop]
steps = 3
batch = 2
workers = 0
threads = 1
precision = "float32"
tensorboard = false
log_every = 1
validation_patches = 2
[stages.target.sampling]
engine = "learned"
quality_test = false
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two patients as an MSD task, and the configuration of a training."""
    folder = tmp_path_factory.mktemp("phantoms")
    write_msd(folder / "Task", "liver", MSD, {"organ": 1, "tumor": 2})
    (folder / "phantom.toml").write_text(CONFIG, "utf-8")
    return folder


def train(folder: Path, stage: str, *options: object):
    config = ("train", stage, "--config", folder / "phantom.toml", "--set", f"out={folder / stage}")
    names = [f"{name}={folder / part / 'model' / f'phantom-{part}'}" for name, part in (
        ("critic", "segmenter"), ("sampling.model", "generator"),
    )]  # fmt: skip
    return command(*config, *(word for name in names for word in ("--set", name)), *options, "--json")


@pytest.fixture(scope="module")
def trained(folder):
    """The models of all three stages, by stage."""
    models = {}
    for stage in STAGES:
        said = train(folder, stage)
        assert said.code == 0, said
        assert said.json["step"] == 3
        models[stage] = read_model(Path(said.json["model"]))
    return models


def test_each_stage_makes_a_model_that_says_what_it_was_made_of(trained, folder):
    assert {stage: tuple(model.networks) for stage, model in trained.items()} == {
        "segmenter": ("segmenter",),
        "generator": ("generator", "classifier"),
        "target": ("segmenter",),
    }
    for stage, model in trained.items():
        assert (model.name, model.organs, model.patch) == (f"phantom-{stage}", ("liver",), (16, 32, 32))
        facts = model.facts
        assert (facts["licence"], facts["use"]) == ("CC-BY-SA 4.0", "free")
        assert [(row["cases"], row["licence"]) for row in facts["training_data"]] == [(1, "CC-BY-SA 4.0")]
        assert facts["measured_seconds"][0]["seconds"] > 0
        assert facts["limits"] == ["Made of phantoms."]
        assert facts["training"]["configuration"]["loop"]["steps"] == 3
        # A model is passed on: it says nothing of this computer.
        assert str(folder) not in json.dumps(facts["training"])
        for part in model.networks:
            load_network(model, part)
    assert trained["generator"].trained_against == ("phantom-segmenter",)
    assert trained["target"].trained_against == ("phantom-generator",)
    assert trained["segmenter"].network("segmenter").settings["classes"] == [0, 1, 2]
    assert trained["generator"].network("generator").settings["organs"] == ["liver"]


def test_the_models_work_at_once_in_engine_segmentation_and_store(trained, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("FREETUMOR_MODELS", str(tmp_path / "store"))
    for stage in ("generator", "target"):
        said = command("models", "import", trained[stage].folder, "--json")
        assert said.code == 0, said
    assert find_model("phantom-target").network("segmenter")
    ct, labels = folder / "Task/imagesTr/case_000.nii.gz", folder / "Task/labelsTr/case_000.nii.gz"
    made = ("synthesize", ct, "--organ", "liver", "--labels", labels, "--diameter", "20", "--no-gate")
    said = command(*made, "--engine", "learned", "--out", tmp_path / "case", "--json")
    assert said.code == 0, said
    assert said.json["engine"] == "learned"


def test_a_run_shows_its_tumors_and_can_be_followed(trained, folder):
    for stage in STAGES:
        names = tree(folder / stage)
        assert "config.json" in names
        assert "checkpoints/step-00000003/optimizers.safetensors" in names
        with Image.open(folder / stage / "pictures" / "step-00000003.png") as picture:
            shown = np.asarray(picture)
        assert shown.std() > 20
        lines = (folder / stage / "log.jsonl").read_text().splitlines()
        events = [json.loads(line)["event"] for line in lines]
        assert events == [*["step"] * 3, "validation", "picture", "checkpoint"]


def test_the_next_start_divides_the_cases_without_reading_a_ct(trained, folder, monkeypatch):
    config = read_config(folder / "phantom.toml", "segmenter")
    before = divided(config)
    assert [len(before[side]) for side in ("train", "val")] == [1, 1]

    def read(path: Path) -> None:
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr(fingerprints, "read_volume", read)
    assert divided(config) == before


def test_a_finished_run_is_not_overwritten_but_can_go_on(trained, folder):
    said = train(folder, "segmenter")
    assert (said.code, said.json["kind"]) == (2, "exists")
    said = train(folder, "segmenter", "--resume", "--set", "loop.steps=4")
    assert said.code == 0, said
    assert said.json["step"] == 4
    assert (folder / "segmenter" / "model-1" / "phantom-segmenter").is_dir()
    again = train(folder, "segmenter", "--resume", "--set", "loop.steps=4").json
    assert (again["model"], again["step"]) == (said.json["model"], 4)
    assert not (folder / "segmenter" / "model-2").exists()


def test_a_stage_whose_model_is_missing_says_what_to_do(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("FREETUMOR_MODELS", str(tmp_path))
    for stage, before in (("generator", "segmenter"), ("target", "generator")):
        out = ("--set", f"out={tmp_path / stage}")
        said = command("train", stage, "--config", folder / "phantom.toml", *out, "--json")
        assert (said.code, said.json["kind"]) == (2, "no_model")
        assert f"freetumor train {before}" in said.line
        assert not (tmp_path / stage).exists()


def test_a_critic_that_sees_another_window_is_refused(folder, tmp_path):
    spec = {"segmenter": NetworkSpec("voxelwise", {"classes": [0, 1, 2]})}
    critic = made_model(tmp_path, "abdomen", spec, spacing=[5.0, 4.0, 4.0], window=[-100.0, 250.0])
    options = ("--set", f"critic={critic.folder}", "--set", f"out={tmp_path / 'run'}")
    said = command("train", "generator", "--config", folder / "phantom.toml", *options, "--json")
    assert (said.code, said.json["kind"]) == (2, "wrong_model")
    assert "grid.window" in said.line


def test_the_same_file_trains_as_a_job(folder, tmp_path):
    config = tmp_path / "phantom.toml"
    config.write_text(CONFIG.replace('root = "."', f'root = "{folder}"'), "utf-8")
    job = tmp_path / "job.json"
    parameters = {"stage": "segmenter", "config": "phantom.toml", "set": ["loop.steps=2"]}
    job.write_text(json.dumps({"kind": "train", "parameters": parameters}), "utf-8")
    events = io.StringIO()
    assert run(job, events) == 0, events.getvalue()
    told = [json.loads(line) for line in events.getvalue().splitlines()]
    assert told[-1]["event"] == "done"
    made = tmp_path / "runs" / "phantom-segmenter" / "model" / "phantom-segmenter"
    assert Path(told[-1]["result"]["model"]) == made
    messages = [event["message"] for event in told if event["event"] == "progress"]
    assert any("step 2 of 2, loss segmenter" in message and "samples/s" in message for message in messages)


def test_a_job_that_is_asked_to_stop_says_so_and_leaves_no_model(folder, tmp_path):
    (tmp_path / "phantom.toml").write_text(CONFIG.replace('root = "."', f'root = "{folder}"'), "utf-8")
    (tmp_path / "stop").touch()
    job = tmp_path / "job.json"
    parameters = {"stage": "segmenter", "config": "phantom.toml"}
    job.write_text(json.dumps({"kind": "train", "parameters": parameters}), "utf-8")
    events = io.StringIO()
    assert run(job, events) == 1
    last = json.loads(events.getvalue().splitlines()[-1])
    assert (last["event"], last["kind"]) == ("error", "stopped")
    assert not (tmp_path / "runs" / "phantom-segmenter" / "model").exists()


# Recipes ------------------------------------------------------------------------------------------------

CANCER = {"0": "background", "1": "cancer"}
TREES = {
    "lits": lambda f: write_msd(f / "Task03_Liver", "liver", MSD, {"organ": 1, "tumor": 2}, 1),
    "msd-pancreas": lambda f: write_msd(
        f / "Task07_Pancreas", "pancreas", MSD | {"1": "pancreas"}, {"organ": 1, "tumor": 2}, 1
    ),
    "kits23": lambda f: write_nnunet(
        f / "Dataset220_KiTS2023",
        "kidney",
        {"background": 0, "kidney": 1, "tumor": 2, "cyst": 3},
        {"organ": 1, "tumor": 2},
        1,
    ),
    "msd-lung": lambda f: write_msd(f / "Task06_Lung", "lung", CANCER, {"tumor": 1}, 1),
    "covid-19-20": lambda f: write_nnunet(
        f / "Dataset019_COVID1920", "covid", {"background": 0, "lesion": 1}, {"tumor": 1}, 1
    ),
    "liver-laptop": write_contoured,
}
# Name of the models, and learning rates: a laptop takes fewer steps than the papers.
LAPTOP = {"liver-laptop": ("liver-light", (2e-4, 2e-3)), "lung-laptop": ("lung-light", (2e-4, 1e-3))}
# What makes them small enough for a test: nothing else is changed.
SMALL = (
    "grid.spacing=[5.0, 4.0, 4.0]", "grid.patch=[32, 32, 64]", "generator.settings.features=[4, 8]",
    "classifier.settings.features=[4, 8, 8]", "loop.batch=1", "loop.threads=1", "loop.precision=float32",
)  # fmt: skip
PAPERS = ("segmenter.settings.feature_size=12",)
LIGHT = ("segmenter.architecture=light-unet", "segmenter.settings.features=[4, 8, 8]")


def dry_run(recipe: str, stage: str, root: Path):
    segmenter = PAPERS if recipe == "lits" else LIGHT
    changes = (*SMALL, *segmenter, f"data.root={root}")
    options = [word for change in changes for word in ("--set", change)]
    return command("train", stage, "--config", RECIPES / f"{recipe}.toml", *options, "--dry-run", "--json")


@pytest.mark.parametrize(
    ("recipe", "stage"),
    [("lits", "generator"), *((name, "target") for name in TREES if name != "lits")],
)
def test_a_recipe_does_a_step_on_a_miniature_of_its_data(recipe, stage, tmp_path, monkeypatch):
    monkeypatch.setenv("FREETUMOR_MODELS", str(tmp_path / "store"))
    TREES[recipe](tmp_path / "data")
    before = tree(tmp_path)
    monkeypatch.chdir(tmp_path)
    said = dry_run(recipe, stage, tmp_path / "data")
    assert said.code == 0, said
    told = said.json
    assert sum(told["cases"].values()) == (4 if recipe in LAPTOP else 1)
    assert all(np.isfinite(loss) for loss in told["losses"].values())
    assert "freetumor train" in told["notes"][0]  # the model of the stage before is not there yet
    assert tree(tmp_path) == before


def test_every_recipe_can_be_read_and_holds_the_papers_values():
    tumors = {path for path in RECIPES.glob("*.toml") if path.stem != "abdomen-organs-laptop"}
    assert {path.stem for path in tumors} == {*TREES, *LAPTOP}
    for path in tumors:
        one, two, three = (read_config(path, stage) for stage in STAGES)
        name, rates = LAPTOP.get(path.stem, (path.stem, (1e-4, 3e-4)))
        assert one.name == name
        assert len({(c.grid.spacing, c.grid.window) for c in (one, two, three)}) == 1
        assert (two.loop.betas, two.loop.optimizer) == ((0.0, 0.999), "adam")
        assert (two.loop.learning_rate, three.loop.learning_rate) == rates
        assert three.loop.optimizer == "adamw"
        assert (three.sampling.engine, three.sampling.threshold) == ("learned", 0.7)
        if path.stem not in LAPTOP:
            row = one.organs[0]
            chest = row in ("lung", "covid")
            assert one.grid.patch == ((32, 192, 192) if chest else (96, 96, 96))
            assert one.grid.spacing == ((5.0, 1.25, 1.25) if chest else (1.5, 1.5, 1.5))
            assert one.segmenter.architecture == "swinunetr"
