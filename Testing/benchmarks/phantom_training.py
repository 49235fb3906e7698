"""Do all losses fall, and does synthesis help where real tumors are few? Liver tumors in phantoms, on a CPU.

One patient with one large tumor of high contrast trains; patients with tumors of all sizes and contrasts,
none of them seen, are segmented whole. For each seed:

* real: a segmenter on the real tumor alone. mixed: the same, as many steps, with two synthetic patches
  (engine "procedural") for each real one. Both are rated on the whole scans of the test: Dice, lesions
  found, false ones.
* generator: half as many adversarial steps against the segmenter of "real", with a classifier of its own.

What is asked for: every loss falls, in every run (the mean of its last tenth is below that of its first);
with synthesis, the mean Dice over the seeds is higher by :data:`MARGIN` at least, and higher for each seed.

    OMP_NUM_THREADS=1 python Testing/benchmarks/phantom_training.py [--steps N] [--seeds N]

The body is the same in all phantoms; noise, and the tumor's place, size and contrast, are not. Times are CPU
time on one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from freetumor.anatomy import ORGANS
from freetumor.evaluation import Rules, evaluate
from freetumor.models import read_model
from freetumor.organs import organ_labels
from freetumor.segmentation.whole_volume import segment_volume
from freetumor.training.config_file import read_config
from freetumor.training.journal import Voice
from freetumor.training.train import train
from freetumor.volume import Volume
from training_trees import Patient, label_map, made, write_list

MARGIN = 0.1
LIVER = ORGANS["liver"]
IDS = {"organ": LIVER.organ_label, "tumor": LIVER.lesion_label}
CONFIG = """
name = "phantom"
organs = ["liver"]
[grid]
spacing = [5.0, 4.0, 4.0]
patch = [16, 32, 32]
[[data.sources]]
kind = "list"
path = "cases.json"
[segmenter.settings]
features = [16, 16, 32]
[classifier.settings]
features = [8, 16, 16]
[generator.settings]
features = [8, 16]
style = 8
[sampling]
real = 1.0
synthetic = 2.0
tumor_free = 1.0
[loop]
batch = 4
workers = 0
threads = 1
precision = "float32"
tensorboard = false
learning_rate = 0.003
warmup = 10
ema = 0.97
log_every = 1
epoch = 100000
validate_every = 100000
validation_patches = 0
"""
# What is to fall, by stage; 1 - p_tumor is the critic's term of the generator.
FALLING = {
    "target": ("segmenter", "dice", "cross_entropy"),
    "generator": ("generator", "1 - p_tumor", "implausible", "classifier"),
}


def patients() -> dict[str, list[Patient]]:
    """One for training; for the test all sizes and contrasts, none of them seen."""
    tests = [
        Patient("liver", seed=100 + n, radius_mm=radius, contrast=contrast)
        for n, (radius, contrast) in enumerate((r, c) for r in (6.0, 9.0, 14.0) for c in (30.0, 45.0, 60.0))
    ]
    return {"train": [Patient("liver", seed=1, radius_mm=20.0, contrast=60.0)], "test": tests}


def run(folder: Path, stage: str, name: str, seed: int, steps: int, *changes: str) -> dict:
    """Train a stage: its model's folder, its losses at the beginning and at the end, and its seconds."""
    out = folder / f"{name}-{seed}"
    own = (f"seed={seed}", f"loop.steps={steps}", f"out={out}", f"data.cache={folder / 'cache'}")
    started = time.process_time()
    done = train(read_config(folder / "phantom.toml", stage, own + changes), Voice(lambda message: None))
    return {
        "model": done["model"],
        "losses": losses_of(out / "log.jsonl", FALLING[stage]),
        "seconds": time.process_time() - started,
    }


def losses_of(log: Path, names: tuple[str, ...]) -> dict[str, tuple[float, float]]:
    """Means of the first and of the last tenth of the steps."""
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    steps = [line["losses"] for line in lines if line["event"] == "step"]
    few = max(1, len(steps) // 10)

    def mean(some: list[Mapping], name: str) -> float:
        values = [1 - told["p_tumor"] if name.startswith("1 -") else told[name] for told in some]
        return float(np.mean(values))

    return {name: (mean(steps[:few], name), mean(steps[-few:], name)) for name in names}


def rated(model: str) -> dict[str, float]:
    """A segmenter on the whole scans of the test, in the organ as a user would have it labelled."""
    segmenter = read_model(Path(model))

    def cases() -> Iterator[tuple[str, Volume, Volume]]:
        for patient in patients()["test"]:
            ct, truth = made(patient)[0].ct, label_map(patient, IDS)
            organ = organ_labels(truth, LIVER)
            found = segment_volume(ct, LIVER, segmenter, labels=organ, device="cpu", backend="torch")
            yield f"{patient.radius_mm:g} mm, {patient.contrast:g} HU", truth, found.labels

    result = evaluate(cases(), Rules(LIVER))
    return {name: result.numbers[name].value for name in ("dice", "sensitivity", "false_positives")}


def compare(folder: Path, steps: int, seeds: int) -> list[dict]:
    """For each seed the three runs, and what the segmenters find."""
    write_list(folder / "cases.json", patients())
    (folder / "phantom.toml").write_text(CONFIG, "utf-8")
    rows = []
    for seed in range(seeds):
        row = {}
        for mode in ("real", "mixed"):
            row[mode] = run(folder, "target", mode, seed, steps, f"sampling.mode={mode}")
            row[mode] |= rated(row[mode]["model"])
        critic = (f"critic={row['real']['model']}", "loop.learning_rate=0.001")
        row["generator"] = run(folder, "generator", "generator", seed, steps // 2, *critic)
        rows.append(row)
        _tell(seed, row)
    return rows


def _tell(seed: int, row: Mapping) -> None:
    for name, said in row.items():
        falls = ", ".join(f"{loss} {a:.2f} -> {b:.2f}" for loss, (a, b) in said["losses"].items())
        found = ""
        if "dice" in said:
            found = f"Dice {said['dice']:.3f}, found {said['sensitivity']:.0%}, "
            found += f"false {said['false_positives']:.2f} a scan; "
        sys.stdout.write(f"seed {seed}, {name:9s}: {found}{falls}; {said['seconds']:.0f} s\n")
    sys.stdout.flush()


def main() -> int:
    """Print the table; 1 if something is not as asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = compare(Path(folder), given.steps, given.seeds)
    gains = [row["mixed"]["dice"] - row["real"]["dice"] for row in rows]
    helps = min(gains) > 0 and np.mean(gains) >= MARGIN
    rising = [
        f"{name} of {mode}, seed {seed}"
        for seed, row in enumerate(rows)
        for mode, said in row.items()
        for name, (first, last) in said["losses"].items()
        if not last < first
    ]
    gain, said = f"{np.mean(gains):+.3f} (least {min(gains):+.3f})", "reached" if helps else "missed"
    sys.stdout.write(f"Dice by synthesis: {gain}; {MARGIN} is asked for: {said}\n")
    sys.stdout.write(f"losses that did not fall: {', '.join(rising) or 'none'}\n")
    return 0 if helps and not rising else 1


if __name__ == "__main__":
    sys.exit(main())
