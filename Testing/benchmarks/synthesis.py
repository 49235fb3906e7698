"""Speed and memory of synthesis, on the sample CT: ratios in one run, for this machine.

    python Testing/benchmarks/synthesis.py [--runs N]

Prints three tables:
* a lesion into a CT in memory, for each organ: seconds (median), and as a share of reading the CT;
* extra memory at the peak (VmHWM, each in a process of its own) as a multiple of the volume;
* from file to case folder: the share of reading, synthesizing and writing.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from freetumor.anatomy import ORGANS, organ
from freetumor.job import Job, run
from freetumor.organs import OrganLabels, organ_labels
from freetumor.pipeline import Request, synthesize
from freetumor.sample_data import fetch_sample
from freetumor.volume import Geometry, Volume, read_volume

DIAMETER = 15.0


def main() -> None:
    """Run the benchmarks and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=9, help="seeds per organ")
    arguments = parser.parse_args()
    fetch_sample()
    in_memory(arguments.runs)
    memory()
    files()


def sample(name: str) -> tuple[Volume, OrganLabels]:
    """The sample CT and the labels of an organ."""
    paths = fetch_sample()
    ct, labels = read_volume(paths.ct), read_volume(paths.labels)
    return ct, organ_labels(labels, organ(name), convention="totalsegmentator")


def in_memory(runs: int) -> None:
    """Seconds for one lesion in a CT that is in memory."""
    start = time.perf_counter()
    ct, _ = sample("liver")
    reading = time.perf_counter() - start
    print(f"\n{DIAMETER:g} mm lesion into {ct.geometry} in memory (reading CT and labels: {reading:.2f} s)")
    print(f"{'organ':<10}{'median s':>10}{'max s':>8}{'of reading':>12}")
    for name in ORGANS:
        ct, labels = sample(name)
        synthesize(ct, labels, Request(diameter=DIAMETER, gate=False), in_place=True).undo()
        seconds = []
        for seed in range(1, runs + 1):
            start = time.perf_counter()
            result = synthesize(ct, labels, Request(diameter=DIAMETER, seed=seed, gate=False), in_place=True)
            seconds.append(time.perf_counter() - start)
            result.undo()
        median = statistics.median(seconds)
        print(f"{name:<10}{median:>10.3f}{max(seconds):>8.3f}{median / reading:>11.0%}")


def memory() -> None:
    """Peak extra memory, measured by the kernel in fresh processes."""
    print(f"\n{'extra memory at the peak':<44}{'volume MiB':>12}{'extra MiB':>11}{'ratio':>8}")
    for title, target in (
        ("512x512x133, in place", _sample_in_place),
        ("512x512x133, into a copy", _sample_copy),
        ("512x512x500, in place", _long_in_place),
    ):
        volume, extra = _in_process(target)
        print(f"{title:<44}{volume:>12.0f}{extra:>11.0f}{extra / volume:>8.2f}")


def files() -> None:
    """Where the time goes from a file to a case folder."""
    paths = fetch_sample()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "case"
        job = Job(paths.ct, "liver", out, paths.labels, "totalsegmentator", request=Request(DIAMETER))
        seconds = run(job).seconds
    total = sum(seconds.values())
    shares = ", ".join(f"{step} {s:.2f} s ({s / total:.0%})" for step, s in seconds.items())
    print(f"\nfrom file to case folder: {total:.2f} s: {shares}")


def _sample_in_place() -> tuple[float, float]:
    ct, labels = sample("liver")
    return _measured(ct, lambda: synthesize(ct, labels, Request(DIAMETER, gate=False), in_place=True))


def _sample_copy() -> tuple[float, float]:
    ct, labels = sample("liver")
    return _measured(ct, lambda: synthesize(ct, labels, Request(DIAMETER, gate=False)))


def _long_in_place() -> tuple[float, float]:
    ct, labels = sample("liver")
    repeats = np.resize(np.arange(len(ct.array)), 500)
    geometry = Geometry((500, *ct.array.shape[1:]), ct.geometry.affine)
    long = Volume(ct.array[repeats], geometry, ct.storage)
    ids = Volume(labels.labels.array[repeats], geometry)
    del ct, labels
    read = organ_labels(ids, organ("liver"), convention="totalsegmentator")
    return _measured(long, lambda: synthesize(long, read, Request(DIAMETER, gate=False), in_place=True))


def _measured(ct: Volume, work: Callable[[], object]) -> tuple[float, float]:
    """MiB of the volume, and of the peak of `work` above what was there before."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = _status("VmRSS")
    work()
    return ct.array.nbytes / 2**20, _status("VmHWM") - before


def _status(key: str) -> float:
    line = next(s for s in Path("/proc/self/status").read_text().splitlines() if s.startswith(key))
    return float(line.split()[1]) / 1024.0


def _in_process(target: Callable[[], tuple[float, float]]) -> tuple[float, float]:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(target)


if __name__ == "__main__":
    main()
