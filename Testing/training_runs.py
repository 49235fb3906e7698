"""Tiny trainings without a scan: an organ that fills the patch, a ball in it. Also a script, for processes
that are killed or run side by side: ``training_runs.py JSON`` with the arguments of :func:`train_balls`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from freetumor.anatomy import ORGANS
from freetumor.training.config_file import read_config, to_dict
from freetumor.training.configuration import Config
from freetumor.training.feeding import Feed, Pairs
from freetumor.training.hardware import fabric_of
from freetumor.training.journal import Journal, Voice
from freetumor.training.loop import End, Trainer
from freetumor.training.train import stage_of

_ROWS = list(ORGANS)
TINY = """
name = "tiny"
organs = ["lung"]
[grid]
spacing = [2.0, 2.0, 2.0]
patch = [16, 16, 16]
[segmenter.settings]
features = [4, 8, 8]
norm = "instance"
[classifier.settings]
features = [4, 8, 8]
[generator.settings]
features = [4, 8]
style = 8
[loop]
steps = 8
workers = 0
threads = 1
precision = "float32"
warmup = 0
learning_rate = 0.005
log_every = 1
epoch = 1000
validate_every = 1000
validation_patches = 0
tensorboard = false
"""


@dataclass(frozen=True)
class Balls:
    """Patches (1, x, y, z) of `size` with a ball in the organ; `tumor`: the ball is seen and labelled.

    Where it is not seen, ``mask`` holds it instead. `organs` take turns. Pure functions of the number.
    """

    organs: Sequence[str] = ("lung",)
    size: int = 16
    tumor: bool = True
    length: int = 1 << 30

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, n: int) -> dict:
        if not 0 <= n < self.length:
            raise IndexError(n)
        rng = np.random.default_rng([7, n])
        row = ORGANS[self.organs[n % len(self.organs)]]
        place = np.indices((self.size,) * 3)
        centre = rng.uniform(0.35, 0.65, (3, 1, 1, 1)) * self.size
        ball = np.linalg.norm(place - centre, axis=0) < rng.uniform(0.15, 0.28) * self.size
        low, high = row.window
        hu = np.mean(row.organ_hu) + 10 * rng.standard_normal(ball.shape)
        label = np.full(ball.shape, row.organ_label)
        if self.tumor:
            hu[ball] += row.polarity * np.mean(row.contrast.limits)
            label[ball] = row.lesion_label
        image = np.clip((hu - low) / (high - low), 0, 1).astype(np.float32)
        return {
            "image": image[None],
            "label": label.astype(np.int64)[None],
            "unlabelled": np.zeros(len(_ROWS), bool),
            "mask": (ball & (not self.tumor)).astype(np.float32)[None],
            "organ_mask": np.ones((1, *ball.shape), np.float32),
            "organ": _ROWS.index(row.name),
            "kind": 0 if self.tumor else 1,
            "index": n,
        }


def tiny(folder: Path, stage: str, changes: Sequence[str] = ()) -> Config:
    """The configuration of a tiny training whose run is ``folder/run``."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tiny.toml"
    path.write_text(TINY, "utf-8")
    return read_config(path, stage, (f"out={folder / 'run'}", *changes))


def balls(config: Config) -> Feed:
    """What the stage of `config` learns from, and four samples to validate."""
    tumors, masks = (Balls(config.organs, config.grid.patch[0], tumor) for tumor in (True, False))
    if config.stage != "generator":
        return Feed(tumors, [tumors[n] for n in range(4)], {})
    shown = Pairs(masks, tumors, 99, other=False)
    return Feed(Pairs(masks, tumors, config.seed, other=True), [shown[n] for n in range(4)], {})


def trainer_of(config: Config, voice: Voice, *, resume: bool = False, feed: Feed | None = None) -> Trainer:
    """Everything but the steps."""
    fabric = fabric_of(config.loop)
    fabric.launch()
    journal = Journal(config.out, voice, writes=fabric.is_global_zero)
    journal.open(to_dict(config), resume=resume)
    fabric.barrier()
    return Trainer(fabric, stage_of(config, untrained=True), feed or balls(config), config, journal)


def train_balls(
    folder: Path, stage: str = "segmenter", changes: Sequence[str] = (), *, resume: bool = False
) -> tuple[Trainer, End, list[str]]:
    """Train `stage`; the trainer with its networks, how it ended, and what it said."""
    said: list[str] = []
    trainer = trainer_of(tiny(Path(folder), stage, changes), Voice(said.append), resume=resume)
    return trainer, trainer.run(resume=resume), said


def log_of(folder: Path, event: str = "step") -> list[dict]:
    """Lines of the log of the run in ``folder/run``."""
    path = folder / "run" / "log.jsonl"
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    whole = [json.loads(line) for line in lines if line.endswith("}")]
    return [line for line in whole if line["event"] == event]


if __name__ == "__main__":
    arguments = json.loads(sys.argv[1])
    trainer, *_ = train_balls(**arguments)
    rank = trainer.fabric.global_rank
    tensors = trainer.stage.trained["segmenter"].state_dict()
    np.savez(Path(arguments["folder"]) / f"rank{rank}.npz", **{k: v.numpy() for k, v in tensors.items()})
