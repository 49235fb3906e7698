"""Samples a second of online synthesis, without networks: one worker, one thread, by size of the tumor.

    OMP_NUM_THREADS=1 python Testing/benchmarks/online_synthesis.py [--runs N] [--organ NAME]

"ours" is what training runs: mask, engine "procedural", composition and quality test on the working grid of
the sample CT, tries that were rejected included. "naive" does the steps of the published method's synthesis
equation (a deformed ellipsoid, its blur, the residual's blur, a texture, x - B d t) on the whole 96^3 crop;
it is our own implementation for comparison. It has two rows: the texture made anew for each sample, and cut
from a stock that was made before, as the published program does. All are run in turn, and CPU time is
measured, which other work on the machine changes little. Ours does more: places by the whole organ, sizes in
mm, measures and keeps the scan's noise, and tests each tumor. The last table is the whole sample as the data
loader gets it.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from freetumor.anatomy import SIZE_CLASSES, organ
from freetumor.sample_data import fetch_sample
from freetumor.training.cache import Prepared, prepared
from freetumor.training.online import OnlineSynthesis
from freetumor.training.patches import PatchSet, PatchSettings
from freetumor.training.sources import Case
from scipy import ndimage

CROP = 96
RADII = {"tiny": 4, "small": 8, "medium": 16, "large": 32}  # of the published classes, voxels


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=40, help="samples for each size")
    parser.add_argument("--organ", default="liver")
    arguments = parser.parse_args()
    row = organ(arguments.organ)
    with tempfile.TemporaryDirectory() as folder:
        scan = _scan(arguments.organ, Path(folder))
        shape = "x".join(map(str, scan.geometry.shape[::-1]))
        print(f"{row.title}s in {shape} voxels of {scan.geometry.spacing[-1]:g} mm, CPU time on one thread")
        _synthesis(scan, arguments.organ, arguments.runs)
        _samples(scan, arguments.organ, arguments.runs)


def _scan(name: str, folder: Path) -> Prepared:
    row, paths = organ(name), fetch_sample()
    case = Case(
        name="sample",
        patient="sample",
        ct=paths.ct,
        labels=None,
        group=row.group,
        organs=(name,),
        lesions_known=False,
        organ_labels=paths.labels,
        organ_convention="totalsegmentator",
    )
    return prepared(case, row.working_spacing, row.window, row.group, folder)


def _synthesis(scan: Prepared, name: str, runs: int) -> None:
    row = organ(name)
    online = OnlineSynthesis(PatchSettings((CROP,) * 3, (name,)).request(), tries=4)
    crop = np.clip(scan.ct.array[:CROP, :CROP, :CROP].astype(float), *row.window)
    crop = np.pad(crop, [(0, CROP - n) for n in crop.shape], mode="edge")
    first, _ = _timed(lambda: online.tumor(scan, row, "medium", 0))
    again, _ = _timed(lambda: online.tumor(scan, row, "medium", 0))
    print(f"the organ's map, once for each scan and worker: about {1000 * (first - again):.0f} ms\n")
    stock = [_texture(np.random.default_rng(n)) for n in range(4)]
    print(
        f"{'size':<8}{'ours':>10}{'naive':>12}{'from stock':>12}{'ratio':>9}{'to stock':>10}{'rejected':>10}"
    )
    print(f"{'':<8}{'samples/s':>10}{'samples/s':>12}{'samples/s':>12}")
    everything: list[tuple[float, float, float, int]] = []
    for size in SIZE_CLASSES:
        ours, naive, from_stock, rejected = [], [], [], 0
        for n in range(-3, runs):
            seconds, made = _timed(lambda n=n, size=size: online.tumor(scan, row, size, n + 3))
            slow, _ = _timed(lambda n=n, size=size: _naive(crop, RADII[size], n + 3, None))
            quick, _ = _timed(lambda n=n, size=size: _naive(crop, RADII[size], n + 3, stock[n % 4]))
            if n >= 0:  # the first ones warm up
                ours.append(seconds)
                naive.append(slow)
                from_stock.append(quick)
                rejected += made.rejected
        means = (*(statistics.mean(times) for times in (ours, naive, from_stock)), rejected)
        everything.append(means)
        _print_row(size, *means)
    # As training draws them: each size as often as the others.
    times = [statistics.mean(column) for column in list(zip(*everything, strict=True))[:3]]
    _print_row("all", *times, sum(means[3] for means in everything))


def _print_row(title: str, mean: float, slow: float, quick: float, rejected: int) -> None:
    print(
        f"{title:<8}{1 / mean:>10.0f}{1 / slow:>12.1f}{1 / quick:>12.1f}{slow / mean:>9.1f}"
        f"{quick / mean:>10.1f}{rejected:>10}"
    )


def _samples(scan: Prepared, name: str, runs: int) -> None:
    print(f"\n{'whole samples of ' + str(CROP) + '^3':<40}{'samples/s':>10}")
    for title, synthetic in (("without a tumor", 0.0), ("with a synthetic tumor", 1.0)):
        for augmented in (False, True):
            more = {} if augmented else {"augment": None}
            shares = {"real": 0.0, "synthetic": synthetic, "tumor_free": 1.0 - synthetic}
            settings = PatchSettings((CROP,) * 3, (name,), **shares, **more)
            patches = PatchSet([scan], settings, seed=1, length=runs + 3)
            times = [_timed(lambda n=n, patches=patches: patches[n])[0] for n in range(runs + 3)][3:]
            said = f"{title}{', augmented' if augmented else ''}"
            print(f"{said:<40}{1 / statistics.mean(times):>10.0f}")


def _timed(work: Callable[[], object]) -> tuple[float, object]:
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


# The naive path ------------------------------------------------------------------------------------------


def _naive(crop: np.ndarray, radius: int, seed: int, texture: np.ndarray | None) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mask = _mask(radius, rng)
    blurred = ndimage.gaussian_filter(mask.astype(float), rng.uniform(1.0, 2.0))
    difference = np.full(crop.shape, rng.uniform(0.2, 0.7) * (crop.max() - crop.min()))
    difference = ndimage.gaussian_filter(difference, 1.0, radius=3)
    texture = _texture(rng) if texture is None else texture
    return np.where(blurred > 0, crop - blurred * difference * texture, crop)


def _texture(rng: np.random.Generator) -> np.ndarray:
    """Smoothed noise as a probability, drawn from it, smoothed again, mean about 1/2."""
    shape = (CROP,) * 3
    chance = ndimage.gaussian_filter(rng.random(shape), rng.uniform(3.0, 15.0))
    low, high = chance.min(), chance.max()
    chance = 0.05 + 0.2 * (chance - low) / (high - low)
    field = ndimage.gaussian_filter((rng.random(shape) < chance).astype(float), rng.uniform(3.0, 8.0))
    return np.clip(0.5 * field / field.mean(), 0.0, 1.0)


def _mask(radius: int, rng: np.random.Generator) -> np.ndarray:
    """An ellipsoid, deformed in each pair of planes, in the middle of the crop."""
    radii = radius * rng.uniform(0.75, 1.25, 3)
    half = min(int(1.5 * radius) + 2, CROP // 2)
    axes = np.ogrid[tuple(slice(-half, half) for _ in range(3))]
    body = (sum((a / r) ** 2 for a, r in zip(axes, radii, strict=True)) <= 1.0).astype(float)
    for axis in range(3):
        planes = np.moveaxis(body, axis, 0)
        shifts = [
            ndimage.zoom(rng.normal(0.0, radius / 8.0, (3, 3)), 2 * half / 3, order=3) for _ in range(2)
        ]
        grid = np.indices((2 * half, 2 * half)) + np.stack(shifts)
        moved = [ndimage.map_coordinates(plane, grid, order=0) for plane in planes]
        body = np.moveaxis(np.stack(moved), 0, axis)
    mask = np.zeros((CROP,) * 3, bool)
    start = CROP // 2 - half
    mask[start : start + 2 * half, start : start + 2 * half, start : start + 2 * half] = body > 0
    return mask


if __name__ == "__main__":
    main()
