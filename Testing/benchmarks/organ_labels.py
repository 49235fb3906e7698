"""Table of a labeler on real CTs whose organs are labelled: Dice and surface distance of each organ.

    python Testing/benchmarks/organ_labels.py --data ../shared/data --cases lidc0001_abdomen,lits000 \\
        [--labeler learned] [--model NAME] [--fast]

DATA holds manifest.json, as for 'freetumor train'. An organ's lesions count as organ; organs that a case has
no labels of are left out. Of "learned" each line comes twice: with only the largest parts of each organ, as
many as it has, and with all that was found.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from freetumor.anatomy import ORGANS, Organ
from freetumor.evaluation.overlap import dice, surface_distance
from freetumor.labelers import Labeler, Options, labeler_for
from freetumor.training.sources import Case, read_cases
from freetumor.volume import Volume, on_grid, read_volume


def inside(labels: Volume, organ: Organ) -> np.ndarray:
    """The organ with its lesions."""
    return (labels.array == organ.organ_label) | (labels.array == organ.lesion_label)


def lines(case: Case, labeler: Labeler, options: Options) -> Iterator[str]:
    """A line for each organ of a case."""
    ct = read_volume(case.ct)
    truth = on_grid(read_volume(case.labels), ct.geometry)
    organs = [ORGANS[name] for name in case.organs]
    begin = time.perf_counter()
    found = labeler.label(ct, organs, options).labels
    seconds = time.perf_counter() - begin
    for row in organs:
        true, ours = inside(truth, row), inside(found, row)
        surface = surface_distance(true, ours, ct.geometry)
        far = f"{'':>8} {'':>8}" if surface is None else f"{surface.mean_mm:8.1f} {surface.hd95_mm:8.1f}"
        ml = [np.count_nonzero(mask) * ct.geometry.voxel_volume / 1000 for mask in (true, ours)]
        parts = {"learned": "all" if options.crumbs else "largest"}.get(labeler.name, "")
        yield (
            f"{case.name:<18} {row.name:<9} {parts:<8} {dice(true, ours):6.3f} {far} "
            f"{ml[0]:7.0f} {ml[1]:7.0f} {seconds:8.1f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with manifest.json")
    parser.add_argument("--cases", required=True, help="names with commas between")
    parser.add_argument("--labeler", default="learned")
    parser.add_argument("--model", help="of 'learned': its name or folder")
    parser.add_argument("--fast", action="store_true", default=None, help="of 'totalsegmentator'")
    args = parser.parse_args()
    names = args.cases.split(",")
    cases = read_cases({"kind": "list", "path": "manifest.json", "names": names}, args.data)
    print(
        f"{'case':<18} {'organ':<9} {'parts':<8} {'Dice':>6} {'mean mm':>8} {'HD95 mm':>8} {'true ml':>7} "
        f"{'ours ml':>7} {'seconds':>8}"
    )
    for crumbs in (False, True) if args.labeler == "learned" else (False,):
        options = Options(model=args.model, crumbs=crumbs, fast=args.fast, log=print)
        for case in cases:
            organs = [ORGANS[name] for name in case.organs]
            for line in lines(case, labeler_for(organs, args.labeler, options), options):
                print(line, flush=True)


if __name__ == "__main__":
    main()
