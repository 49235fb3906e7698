"""A run followed from outside, by the files that it writes; without torch."""

import json
import subprocess
import sys

import numpy as np
import pytest
from freetumor.training.curves import write_curves
from freetumor.training.following import read_run
from PIL import Image
from small_models import small_model
from training_runs import log_of, train_balls

CHANGES = ("loop.steps=4", "loop.epoch=2", "loop.validate_every=2", "loop.validation_patches=4")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of 4 steps."""
    folder = tmp_path_factory.mktemp("followed")
    train_balls(folder, changes=CHANGES)
    return folder


def test_a_run_tells_how_far_it_is_what_it_loses_and_what_it_shows(trained):
    run = read_run(trained / "run")
    lines = log_of(trained)
    assert (run.name, run.wanted, run.step, run.checkpoint) == ("tiny-segmenter", 4, 4, 4)
    assert run.steps[4]["losses"] == lines[-1]["losses"]
    curves = run.curves()
    assert list(curves) == ["loss segmenter", "validation"]
    assert curves["loss segmenter"] == [(line["step"], line["losses"]["segmenter"]) for line in lines]
    assert [step for step, _ in curves["validation"]] == [2, 4]
    assert run.picture == trained / "run" / "pictures" / "step-00000004.png"
    assert run.model is None


def test_a_finished_run_has_its_model(trained, tmp_path):
    small_model(trained / "run" / "model", "tiny-segmenter")
    assert read_run(trained / "run").model == trained / "run" / "model" / "tiny-segmenter"


def test_half_a_line_and_other_files_disturb_nobody(trained, tmp_path):
    for name in ("config.json", "log.jsonl"):
        (tmp_path / name).write_bytes((trained / "run" / name).read_bytes())
    warning = {"event": "warning", "step": 3, "message": "classifier collapse"}
    with (tmp_path / "log.jsonl").open("a") as log:
        log.write(json.dumps(warning) + '\nnull\n{"event": "step", "step": 5, "los')
    run = read_run(tmp_path)
    assert (run.step, run.warnings, run.picture) == (4, ("classifier collapse",), None)


def test_where_there_is_no_run_there_is_none(tmp_path):
    assert read_run(tmp_path) is None
    assert read_run(tmp_path / "nothing") is None
    (tmp_path / "config.json").write_text("{")
    (tmp_path / "log.jsonl").write_text("")
    assert read_run(tmp_path) is None


def test_the_curves_show_the_losses_going_down_and_the_score_going_up(tmp_path):
    steps = range(0, 101, 10)
    curves = {
        "loss generator": [(s, 2.0 - s / 100) for s in steps],
        "loss classifier": [(s, 1.0) for s in steps],
        "validation": [(s, s / 200) for s in steps],
    }
    write_curves(tmp_path / "c.png", curves, 100, (420, 130))
    with Image.open(tmp_path / "c.png") as picture:
        assert picture.size == (420, 130)
        pixels = np.asarray(picture).astype(int)[24:-20, 44:-40]  # without the words

    def rows(color) -> list[float]:
        """Mean row of a color at the left and at the right end."""
        there = np.abs(pixels - color).sum(-1) < 120
        return [float(np.nonzero(part)[0].mean()) for part in (there[:, :60], there[:, -60:])]

    left, right = rows((110, 180, 255))
    assert right > left + 20
    left, right = rows((240, 120, 200))
    assert left > right + 20


@pytest.mark.parametrize(
    "curves", [{}, {"loss segmenter": [(1, 0.5)]}, {"loss a": [(1, 0.0), (2, 0.0)], "validation": [(2, 0.0)]}]
)
def test_a_run_that_has_hardly_begun_can_be_drawn(tmp_path, curves):
    write_curves(tmp_path / "c.png", curves, 10, (420, 130))
    assert (tmp_path / "c.png").stat().st_size > 200


def test_following_needs_no_torch():
    rooms = ("following", "curves", "built_on", "terms", "config_file")
    code = (
        f"import sys; [__import__('freetumor.training.' + r) for r in {rooms}]; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
