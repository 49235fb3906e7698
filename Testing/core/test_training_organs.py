"""A segmenter of organs alone: the recipe on a miniature of its data, its model behind ``label-organs``."""

from __future__ import annotations

import json
from pathlib import Path

import freetumor
import numpy as np
import pytest
from freetumor.anatomy import ORGANS
from freetumor.errors import BadInput
from freetumor.models import read_model
from freetumor.training.config_file import read_config
from freetumor.training.feeding import feed_of
from freetumor.volume import write_volume
from phantom import make_phantom
from runs import array, command

RECIPE = Path(freetumor.__file__).parents[1] / "Resources" / "recipes" / "abdomen-organs-laptop.toml"
SMALL = (
    "segmenter.settings.features=[4, 8, 8]", "grid.spacing=[5.0, 4.0, 4.0]", "grid.patch=[16, 32, 32]",
    "loop.steps=4", "loop.warmup=0", "loop.precision=float32", "loop.validation_patches=4",
    "loop.validate_every=4", "loop.tensorboard=false",
)  # fmt: skip
# Who is labelled: all of it, two organs, and two in another scan that validates.
SCANS = {
    "whole": (("liver", "pancreas", "kidney"), "train", "Apache-2.0 (repository)"),
    "partly": (("liver", "kidney"), "train", "CC-BY-3.0"),
    "other": (("pancreas", "kidney"), "val", "CC-BY-4.0"),
    "lidc0001_abdomen": (("liver",), "test", "CC-BY-3.0"),
    "restricted": (("liver",), "train", "CC-BY-NC-4.0"),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Phantoms in the layout of the recipe's data: a manifest, and a folder for each scan."""
    folder = tmp_path_factory.mktemp("data")
    cases = []
    for seed, (name, (organs, split, licence)) in enumerate(SCANS.items()):
        phantom = make_phantom((60, 60, 84), (5.0, 4.0, 4.0), seed=seed)
        labels = np.zeros(phantom.ct.array.shape, np.uint8)
        for organ in organs:
            labels[phantom.organ(organ)] = ORGANS[organ].organ_label
        files = {key: f"abdomen/{name}/{key}.nii.gz" for key in ("ct", "labels")}
        (folder / "abdomen" / name).mkdir(parents=True)
        write_volume(phantom.ct, folder / files["ct"])
        write_volume(phantom.ct.like(labels), folder / files["labels"])
        held = {str(ORGANS[organ].organ_label): {"name": organ} for organ in organs}
        about = {"id": name, "group": "abdomen", "patient": name, "split": split, "licence": licence}
        cases.append(about | {"files": files, "labels": held})
    (folder / "manifest.json").write_text(json.dumps({"cases": cases}), "utf-8")
    return folder


def changes(data: Path, folder: Path) -> tuple[str, ...]:
    return (*SMALL, f"data.root={data}", f"data.cache={data / 'cache'}", f"out={folder / 'run'}")


def test_patches_show_organs_and_no_tumors(data, tmp_path):
    config = read_config(RECIPE, "segmenter", changes(data, tmp_path))
    assert (config.classes, config.lesion_classes) == ((0, 1, 3, 5), ())
    assert config.organ_parts == {2: 1, 4: 3, 6: 5}
    feed = feed_of(config, None, lambda message, share: None)
    assert [row["licence"] for row in feed.facts["training_data"]] == ["CC-BY-3.0", "Apache-2.0 (repository)"]
    samples = [feed.train[n] for n in range(40)]
    assert all(sample["kind"] == 2 and not sample["mask"].any() for sample in samples)
    rows = [list(ORGANS)[sample["organ"]] for sample in samples]
    assert all(rows.count(name) > 5 for name in ("liver", "pancreas", "kidney"))
    assert np.mean([(sample["label"] > 0).any() for sample in samples]) > 0.7
    names = {tuple(np.array([*ORGANS])[sample["unlabelled"]]) for sample in samples}
    assert names == {(), ("pancreas",)}
    assert {tuple(np.array([*ORGANS])[sample["unlabelled"]]) for sample in feed.validation} == {("liver",)}


def test_the_recipe_makes_a_model_that_labels_organs(data, tmp_path, store):
    options = [word for change in changes(data, tmp_path) for word in ("--set", change)]
    said = command("train", "segmenter", "--config", RECIPE, *options, "--json")
    assert said.code == 0, said
    model = read_model(Path(said.json["model"]))
    assert model.network("segmenter").settings["classes"] == [0, 1, 3, 5]
    assert model.use == "free"
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    (validation,) = [line for line in lines if line["event"] == "validation"]
    assert {"dice pancreas", "dice kidney"} <= set(validation)
    assert "dice liver" not in validation
    assert command("models", "import", model.folder).code == 0
    ct = data / "abdomen" / "other" / "ct.nii.gz"
    said = command("label-organs", ct, "--crumbs", "--out", tmp_path / "labels.nii.gz", "--json")
    assert said.code == 0 or said.json["kind"] == "organ_absent", said  # four steps teach little
    if said.code == 0:
        assert set(np.unique(array(tmp_path / "labels.nii.gz"))) <= {0, 1, 3, 5}
    # Nobody takes it for a segmenter of tumors.
    said = command("segment", ct, "--organ", "liver", "--out", tmp_path / "lesions.nii.gz", "--json")
    assert (said.code, said.json["kind"]) == (2, "no_model")


@pytest.mark.parametrize("classes", ["[1, 3, 5]", "[0, 1, 1]", "[0, 9]", '["liver"]'])
def test_classes_that_are_none_are_refused(classes):
    with pytest.raises(BadInput, match=r"segmenter\.settings\.classes"):
        read_config(RECIPE, "segmenter", [f"segmenter.settings.classes={classes}"])
