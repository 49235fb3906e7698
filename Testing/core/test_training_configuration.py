"""Configuration files of trainings: what is read, what is refused, and in which words."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from freetumor.anatomy import ORGANS
from freetumor.errors import BadInput
from freetumor.training.config_file import differences, read_config, settings, to_dict
from runs import command

FILE = """
name = "mine"
organs = ["liver", "kidney"]
[data]
root = "scans"
[loop]
steps = 100
[generator.settings]
features = [4, 8]
[stages.generator.loop]
steps = 700
[stages.generator.generator.settings]
style = 8
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "files" / "mine.toml"
    path.parent.mkdir()
    path.write_text(FILE, "utf-8")
    return path


def test_one_file_configures_all_stages(file):
    one, two, three = (read_config(file, stage) for stage in ("segmenter", "generator", "target"))
    assert [c.model_name for c in (one, two, three)] == ["mine-segmenter", "mine-generator", "mine-target"]
    assert [c.loop.steps for c in (one, two, three)] == [100, 700, 100]
    assert two.generator.settings == {"features": [4, 8], "style": 8}
    assert one.generator.settings == {"features": [4, 8]}
    # The paper's, where nobody says otherwise.
    assert (two.loop.optimizer, two.loop.betas, two.loop.learning_rate) == ("adam", (0.0, 0.999), 1e-4)
    assert (three.loop.optimizer, three.loop.learning_rate, three.loop.schedule) == ("adamw", 3e-4, "cosine")
    assert (one.grid.window, one.grid.spacing, one.grid.patch) == (
        ORGANS["liver"].window,
        ORGANS["liver"].working_spacing,
        ORGANS["liver"].patch,
    )
    assert one.classes == (0, 1, 2, 5, 6)
    assert one.lesion_classes == (2, 4)
    assert (one.sampling.synthetic, three.sampling.synthetic) == (0.0, 1.0)


def test_the_weight_of_the_classifier_is_that_of_the_papers_group(file):
    assert read_config(file, "generator").losses.real == 0.1
    assert read_config(file, "generator", ['organs=["lung"]']).losses.real == 0.5
    assert read_config(file, "generator", ["losses.real=0.3"]).losses.real == 0.3


def test_paths_in_a_file_start_there_and_those_of_changes_where_the_user_is(file, tmp_path):
    config = read_config(file, "segmenter", base=tmp_path)
    assert config.data.root == file.parent / "scans"
    assert config.out == tmp_path / "runs" / "mine-segmenter"
    assert config.data.cache == tmp_path / "runs" / "cache"
    changed = read_config(file, "segmenter", ["data.root=other", "out=here"], tmp_path)
    assert (changed.data.root, changed.out) == (tmp_path / "other", tmp_path / "here")


def test_changes_are_read_as_in_the_file(file):
    changes = ["loop.betas=[0.5, 0.9]", "name=other", "loop.learning_rate=1", "sampling.quality_test=false"]
    config = read_config(file, "target", changes)
    assert (config.loop.betas, config.name, config.loop.learning_rate) == ((0.5, 0.9), "other", 1.0)
    assert config.sampling.quality_test is False
    told = list(differences(to_dict(read_config(file, "target")), to_dict(config)))
    assert "name: mine -> other" in told
    assert "loop.betas: [0.9, 0.999] -> [0.5, 0.9]" in told
    json.dumps(to_dict(config))


def test_another_architecture_takes_no_settings_of_the_one_before(file):
    config = read_config(file, "generator", ["generator.architecture=released-unet"])
    assert config.generator.settings == {}
    changes = ["generator.architecture=released-unet", "generator.settings.out_channels=1"]
    assert read_config(file, "generator", changes).generator.settings == {"out_channels": 1}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("loop.stepss=3", ("loop.stepss", "Did you mean loop.steps?")),
        ("lop.steps=3", ("lop", "Did you mean loop?")),
        ("loop.steps=0", ("loop.steps", "at least 1", "got 0")),
        ("loop.steps=1.5", ("loop.steps", "a whole number", "1.5")),
        ("loop.steps=true", ("loop.steps", "a whole number")),
        ("loop.learning_rate=0", ("above 0",)),
        ("loop.learning_rate=nan", ("a number",)),
        ("loop.betas=[0.1, 1.0]", ("loop.betas", "below 1")),
        ("loop.precision=half", ("auto, float32, bfloat16", "'half'")),
        ("loop=3", ("loop", "a table")),
        ("grid.patch=[64, 64]", ("grid.patch", "a list of 3")),
        ("sampling.threshold=1", ("sampling.threshold", "below 1")),
        ("data.fold=5", ("data.fold", "below data.folds, 5")),
        ('organs=["liver", "lung"]', ("organs of one group",)),
        ('organs=["spleen"]', ("an organ of liver",)),
        ("organs=[]", ("organs",)),
        ("name=", ("name",)),
        ("stage=target", ("Leave it out",)),
        ("stages.first.loop.steps=3", ("a key of", "stages")),
        ("loop.steps", ("--set key=value",)),
    ],
)
def test_what_is_wrong_is_named(file, change, words):
    with pytest.raises(BadInput) as error:
        read_config(file, "segmenter", [change])
    for word in words:
        assert word in str(error.value)


def test_a_file_that_is_none_is_told(tmp_path):
    with pytest.raises(BadInput, match="does not exist"):
        read_config(tmp_path / "none.toml", "segmenter")
    (tmp_path / "bad.toml").write_text("name = ", "utf-8")
    with pytest.raises(BadInput, match="TOML"):
        read_config(tmp_path / "bad.toml", "segmenter")
    with pytest.raises(BadInput, match="a stage of segmenter, generator, target"):
        read_config(tmp_path / "bad.toml", "teacher")


def test_every_default_has_a_reason_and_is_allowed():
    rows = list(settings())
    assert len({key for key, _, _ in rows}) == len(rows) > 50
    assert all(reason for _, _, reason in rows)
    said = command("train", "settings", "--json")
    assert {row["key"] for row in said.json["settings"]} == {key for key, _, _ in rows}
    for key, default, _ in rows:
        assert f"{key} = {default!r}: " in command("train", "settings").out
        break


def test_a_command_without_its_file_is_told(tmp_path):
    said = command("train", "segmenter", "--json")
    assert (said.code, said.json["kind"]) == (2, "usage")
    assert "--config" in said.line
    said = command("train", "segmenter", "--config", tmp_path / "none.toml", "--json")
    assert (said.code, said.json["kind"]) == (2, "not_found")


def test_reading_a_configuration_needs_no_torch(file):
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from freetumor.training.config_file import read_config\n"
        f"assert read_config({str(file)!r}, 'target').loop.steps == 100\n"
        "import freetumor.training, freetumor.training_job, freetumor.commands.train"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
