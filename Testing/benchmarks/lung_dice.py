"""Table of the lung labeler on real CTs: Dice, lesions covered, seconds, peak extra memory.

    python Testing/benchmarks/lung_dice.py --data ../shared/data [--sample CT LABELS] [--only NAME ...]

The reference is lung and lesion together; a sample's labels are TotalSegmentator's. Abdominal CTs have no
reference: their row gives the millilitres found.
"""

from __future__ import annotations

import argparse
import threading
import time
from pathlib import Path

import numpy as np
import psutil
from freetumor.anatomy import organ
from freetumor.errors import BadInput
from freetumor.organs.lung import label_lungs
from freetumor.volume import Volume, read_volume

GROUPS = ("chest", "chest_unlabeled", "abdomen", "abdomen_unlabeled")


class PeakMemory:
    """Highest resident memory above that at the start, MiB, sampled every 5 ms."""

    def __enter__(self) -> PeakMemory:
        self.process, self.stop = psutil.Process(), threading.Event()
        self.start = self.peak = self.process.memory_info().rss
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()
        return self

    def _watch(self) -> None:
        while not self.stop.wait(0.005):
            self.peak = max(self.peak, self.process.memory_info().rss)

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join()
        self.mib = (self.peak - self.start) / 2**20


def row(name: str, ct: Volume, truth: np.ndarray | None, lesion: np.ndarray | None) -> str:
    begin = time.perf_counter()
    try:
        with PeakMemory() as memory:
            lung = label_lungs(ct).array > 0
    except BadInput as error:
        return f"{name:<20} {error}"
    seconds = time.perf_counter() - begin
    cost = f"{seconds:7.1f} {memory.mib:9.0f} {ct.array.nbytes / 2**20:7.0f}"
    millilitres = np.count_nonzero(lung) * ct.geometry.voxel_volume / 1000
    if truth is None:
        return f"{name:<20} {'':>6} {'':>7} {'':>7} {'':>7} {millilitres:7.0f} {cost}"
    both, size = np.count_nonzero(lung & truth), np.count_nonzero(truth)
    dice = 2 * both / (np.count_nonzero(lung) + size)
    extra = (np.count_nonzero(lung) - both) / size
    covered = f"{lung[lesion].mean():7.3f}" if lesion is not None and lesion.any() else f"{'':>7}"
    return f"{name:<20} {dice:6.4f} {1 - both / size:7.4f} {extra:7.4f} {covered} {millilitres:7.0f} {cost}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with chest/, abdomen/, ...")
    parser.add_argument("--sample", type=Path, nargs=2, metavar=("CT", "LABELS"))
    parser.add_argument("--only", nargs="*", default=[], help="names of cases")
    args = parser.parse_args()
    print(
        f"{'case':<20} {'Dice':>6} {'missed':>7} {'extra':>7} {'lesion':>7} {'ml':>7}"
        f" {'seconds':>7} {'extra MiB':>9} {'CT MiB':>7}"
    )
    if args.sample and (not args.only or "sample" in args.only):
        labels = read_volume(args.sample[1]).array
        print(
            row("sample", read_volume(args.sample[0]), np.isin(labels, organ("lung").totalsegmentator), None)
        )
    for group in GROUPS:
        for folder in sorted((args.data / group).glob("*/")):
            # The ibsi cases are cropped to one lung, open at the border of the scan.
            if folder.name.startswith("ibsi") or (args.only and folder.name not in args.only):
                continue
            labels = read_volume(folder / "labels.nii.gz").array if group.startswith("chest") else None
            lung, lesion = (None, None) if labels is None else (labels > 0, labels == 2)
            print(row(folder.name, read_volume(folder / "ct.nii.gz"), lung, lesion), flush=True)


if __name__ == "__main__":
    main()
