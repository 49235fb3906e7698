"""The training loop: what is the same however it is cut into batches and runs, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import training_runs
from freetumor.errors import BadInput
from freetumor.training.configuration import Loop
from freetumor.training.hardware import workers_of
from freetumor.training.journal import STOP, Voice
from freetumor.training.loading import Steps, batches
from freetumor.training.loop import learning_rate
from freetumor.training.signatures import TrainingFailed
from training_runs import Balls, log_of, tiny, train_balls, trainer_of

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}


def losses(folder: Path) -> dict[int, dict]:
    return {line["step"]: line["losses"] for line in log_of(folder)}


def weights(trainer) -> dict[str, torch.Tensor]:
    return trainer.stage.trained["segmenter"].state_dict()


def same(one: dict, other: dict) -> bool:
    return all(torch.equal(one[key], other[key]) for key in one)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of eight steps that nobody disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    trainer, end, _ = train_balls(folder)
    assert (end.step, end.stopped) == (8, False)
    return folder, trainer


def start(folder: Path, changes: list[str], *, resume: bool) -> subprocess.Popen:
    arguments = {"folder": str(folder), "changes": changes, "resume": resume}
    command = [sys.executable, training_runs.__file__, json.dumps(arguments)]
    return subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def test_a_killed_run_goes_on_with_the_very_losses_that_it_would_have_had(whole, tmp_path):
    # With a worker process, which the reference run had not.
    changes = ["loop.checkpoint_minutes=0", "loop.workers=1"]
    child = start(tmp_path, changes, resume=False)
    end = time.monotonic() + 240
    while len(log_of(tmp_path, "checkpoint")) < 3:
        assert child.poll() is None, child.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.002)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    kept = sorted((tmp_path / "run" / "checkpoints").glob("step-*"))
    assert kept
    before = int(kept[-1].name.removeprefix("step-"))
    assert 2 <= before < 8
    trainer, end, said = train_balls(tmp_path, changes=["loop.checkpoint_minutes=0"], resume=True)
    assert end.step == 8
    assert said == ["resumed with another configuration: loop.workers: 1 -> 0"]
    assert losses(tmp_path) == losses(whole[0])
    assert same(weights(trainer), weights(whole[1]))
    assert same(
        trainer.averages.networks["segmenter"].state_dict(),
        whole[1].averages.networks["segmenter"].state_dict(),
    )


def test_a_stop_file_ends_the_run_after_a_checkpoint_and_it_can_go_on(whole, tmp_path):
    config = tiny(tmp_path, "segmenter")
    voice = Voice(lambda message: None, stops=lambda: len(log_of(tmp_path)) >= 2)
    end = trainer_of(config, voice).run()
    assert end.stopped
    assert 3 <= end.step < 8
    with pytest.raises(BadInput, match="--resume"):
        train_balls(tmp_path)
    (config.out / STOP).touch()  # left over: a new start removes it
    trainer, end, _ = train_balls(tmp_path, resume=True)
    assert (end.step, end.stopped) == (8, False)
    assert losses(tmp_path) == losses(whole[0])
    assert same(weights(trainer), weights(whole[1]))


def test_of_a_damaged_checkpoint_the_one_before_is_taken(whole, tmp_path):
    train_balls(tmp_path, changes=["loop.checkpoint_minutes=0", "loop.steps=6"])
    last = tmp_path / "run" / "checkpoints" / "step-00000006" / "optimizers.safetensors"
    last.write_bytes(last.read_bytes()[:100])
    _, end, said = train_balls(tmp_path, changes=["loop.checkpoint_minutes=0"], resume=True)
    assert any("damaged" in message and "step-00000006" in message for message in said)
    assert end.step == 8
    names = sorted(p.name for p in (tmp_path / "run" / "checkpoints").iterdir())
    assert names == ["step-00000007", "step-00000008"]
    # The rate falls to 0 at the last step: with other steps it is another run from step 1 on.
    assert losses(tmp_path)[1] == losses(whole[0])[1]


def gradients(trainer) -> dict[str, torch.Tensor]:
    """The gradient of the first step, which Adam's first moment holds."""
    state = trainer.optimizers["segmenter"].state
    return {name: state[p]["exp_avg"] for name, p in trainer.stage.trained["segmenter"].named_parameters()}


def test_batches_in_parts_are_one_batch(tmp_path):
    one, _, _ = train_balls(tmp_path / "one", changes=["loop.batch=4", "loop.steps=1"])
    parts = ["loop.batch=1", "loop.accumulate=4", "loop.steps=1"]
    other, _, _ = train_balls(tmp_path / "parts", changes=parts)
    assert losses(tmp_path / "parts")[1] == pytest.approx(losses(tmp_path / "one")[1], rel=1e-5)
    for name, gradient in gradients(one).items():
        torch.testing.assert_close(gradients(other)[name], gradient, rtol=1e-3, atol=2e-5)


def test_two_processes_end_with_equal_weights_having_seen_what_one_would_have(tmp_path):
    arguments = {"folder": str(tmp_path / "two"), "changes": ["loop.batch=2", "loop.steps=2"]}
    command = ("torch.distributed.run", "--standalone", "--nproc-per-node", "2", training_runs.__file__)
    ran = subprocess.run(
        [sys.executable, "-m", *command, json.dumps(arguments)],
        env=ENVIRONMENT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    ranks = [np.load(tmp_path / "two" / f"rank{n}.npz") for n in range(2)]
    assert all(np.array_equal(ranks[0][key], ranks[1][key]) for key in ranks[0].files)
    one, _, _ = train_balls(tmp_path / "one", changes=["loop.batch=4", "loop.steps=2"])
    # The loss of step 1 is that of the same samples, the loss of step 2 that of the same gradient.
    for step, rel in ((1, 1e-5), (2, 1e-3)):
        assert losses(tmp_path / "two")[step] == pytest.approx(losses(tmp_path / "one")[step], rel=rel)
    moved = max(float((torch.from_numpy(ranks[0][k]) - v).abs().max()) for k, v in weights(one).items())
    assert moved < 2 * 2 * 0.005  # where a gradient is nearly 0, Adam may step the other way


def test_no_two_steps_processes_or_parts_share_a_sample():
    seen = [
        n
        for rank in range(3)
        for numbers in Steps(0, 4, batch=2, accumulate=2, rank=rank, world=3)
        for n in numbers
    ]
    assert sorted(seen) == list(range(4 * 2 * 2 * 3))
    later = list(Steps(2, 4, batch=2, accumulate=2, rank=1, world=3))
    assert later == list(Steps(0, 4, batch=2, accumulate=2, rank=1, world=3))[4:]


def test_batches_come_in_their_order():
    dataset = Balls()
    given = [batch["index"].tolist() for batch in batches(dataset, Steps(1, 4, batch=2), workers=0)]
    assert given == [[2, 3], [4, 5], [6, 7]]


def test_inside_an_application_no_worker_processes_are_started(monkeypatch):
    monkeypatch.delitem(sys.modules, "slicer", raising=False)  # which the tests of the modules import
    assert workers_of(Loop(workers=3), on_gpu=False) == 3
    assert workers_of(Loop(), on_gpu=False) == 1
    monkeypatch.setattr(sys, "executable", "/opt/Slicer/bin/PythonSlicer")
    assert workers_of(Loop(workers=3), on_gpu=False) == 0


def test_the_rate_rises_and_falls():
    loop = Loop(steps=110, warmup=10, learning_rate=1.0)
    rates = [learning_rate(loop, step) for step in range(111)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == rates[10] == pytest.approx(1.0)
    assert rates[60] == pytest.approx(0.5)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[110] == pytest.approx(0.0, abs=1e-12)
    assert learning_rate(Loop(schedule="constant", learning_rate=1.0), 5000) == 1.0


class Poisoned(Balls):
    """Values that are no number from sample 6 on."""

    def __getitem__(self, n: int) -> dict:
        sample = super().__getitem__(n)
        if n >= 6:
            sample["image"] = sample["image"] * np.float32("nan")
        return sample


def test_a_loss_that_is_no_number_ends_the_run_before_it_spoils_the_weights(tmp_path):
    config = tiny(tmp_path, "segmenter", ["loop.checkpoint_minutes=0"])
    feed = training_runs.Feed(Poisoned(), (), {})
    trainer = trainer_of(config, Voice(lambda message: None), feed=feed)
    with pytest.raises(TrainingFailed, match=r"step 4: .*learning_rate") as failed:
        trainer.run()
    assert failed.value.kind == "not_finite"
    assert all(torch.isfinite(value).all() for value in weights(trainer).values())
    assert sorted(p.name for p in (config.out / "checkpoints").iterdir())[-1] == "step-00000003"


def test_the_best_validation_is_kept_and_events_are_written(tmp_path):
    pytest.importorskip("tensorboard")
    changes = ["loop.steps=6", "loop.validate_every=2", "loop.epoch=3", "loop.tensorboard=true"]
    _, end, _ = train_balls(tmp_path, changes=changes)
    told = log_of(tmp_path, "validation")
    assert [line["step"] for line in told] == [2, 4, 6]
    assert end.best["score"] == max(line["score"] for line in told)
    assert (tmp_path / "run" / "best.safetensors").is_file()
    assert sorted(p.name for p in (tmp_path / "run" / "pictures").iterdir()) == [
        "step-00000003.png",
        "step-00000006.png",
    ]
    assert list((tmp_path / "run" / "tensorboard").glob("events.*"))


def test_without_tensorboard_a_run_says_so_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    _, end, said = train_balls(tmp_path, changes=["loop.steps=1", "loop.tensorboard=true"])
    assert end.step == 1
    assert any("tensorboard is not installed" in message for message in said)
