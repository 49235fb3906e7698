"""Milliseconds a step of the live preview takes on the sample CT, slider by slider.

    python Testing/benchmarks/live_preview.py

The bar is 100 ms; median and worst are printed, the first step (which warms up) is left out.
"""

from __future__ import annotations

import statistics
import time

import numpy as np
from freetumor.anatomy import organ
from freetumor.live import LivePreview
from freetumor.organs import organ_labels
from freetumor.sample_data import fetch_sample
from freetumor.volume import read_volume

SEED = 3


def main() -> None:
    """Print the table."""
    paths = fetch_sample()
    ct, labels = read_volume(paths.ct), read_volume(paths.labels)
    print(f"{'organ':<10}{'slider':<10}{'median ms':>10}{'worst ms':>10}")
    for name in ("liver", "kidney", "lung"):
        preview = LivePreview(ct, organ_labels(labels, organ(name), convention="totalsegmentator"))
        at = np.array(preview.update(diameter=20.0, seed=SEED).mask.centre_ras)
        darker = organ(name).polarity
        drags = {
            "size": [{"diameter": d} for d in (15.0, 17.0, 20.0, 22.0, 25.0)],
            "place": [{"at": at + k} for k in (0.5, 1.0, 1.5, 2.0, -1.0)],
            "contrast": [{"contrast": darker * c} for c in (20.0, 30.0, 40.0, 50.0, 60.0)],
            "seed": [{"seed": SEED + k} for k in range(1, 6)],
            "size 40": [{"diameter": d} for d in (36.0, 38.0, 40.0, 42.0, 44.0)],
        }
        for slider, steps in drags.items():
            preview.update(diameter=20.0, at=at, seed=SEED)
            start = {"diameter": 20.0, "at": at, "seed": SEED}
            times = [_milliseconds(preview, start | step) for step in steps]
            print(f"{name:<10}{slider:<10}{statistics.median(times):>10.0f}{max(times):>10.0f}")
        preview.reset()


def _milliseconds(preview: LivePreview, step: dict) -> float:
    start = time.perf_counter()
    preview.update(**step)
    return 1000.0 * (time.perf_counter() - start)


if __name__ == "__main__":
    main()
