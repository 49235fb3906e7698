"""Do the 95 % intervals of a reader study's report contain the truth in 95 % of studies? Table and verdict.

    python Testing/benchmarks/reader_study.py [--runs 1000] [--seed 0] [--all]

The study is that of the FreeTumor paper: 13 readers, 90 cases, sensitivity 51.1 %, accuracy 60.8 %, with
readers and cases that differ. Asked for: each stated interval contains the truth in 93 to 97 % of 1,000
studies. ``--all`` adds studies with fewer readers, other differences, and readers who can tell or cannot.
The exit code is 1 where the paper's study misses it.
"""

from __future__ import annotations

import argparse
import sys
import time

from freetumor.study.simulation import ACCURACY, CASES, READERS, SENSITIVITY, simulate

LEAST, MOST = 0.93, 0.97
PAPER = {"readers": READERS, "cases": CASES, "sensitivity": SENSITIVITY, "accuracy": ACCURACY}
OTHERS = {
    "4 readers": PAPER | {"readers": 4},
    "13 readers, 30 cases": PAPER | {"cases": 30},
    "readers differ little, cases much": PAPER | {"reader_sd": 0.1, "case_sd": 1.2},
    "readers differ much, cases little": PAPER | {"reader_sd": 0.6, "case_sd": 0.3},
    "readers who cannot tell": PAPER | {"sensitivity": 0.5, "accuracy": 0.5},
    "accuracy at the margin of equivalence": PAPER | {"sensitivity": 0.6, "accuracy": 0.6},
    "readers who can tell": PAPER | {"sensitivity": 0.9, "accuracy": 0.9},
}


def show(title: str, result: dict, seconds: float) -> list[str]:
    """Print a table; names of the stated intervals outside of what is asked for."""
    print(
        f"\n{title}: {result['runs']} studies, {result['readers']} readers, {result['cases']} cases,", end=" "
    )
    print(f"SD of readers {result['reader_sd']:g} and of cases {result['case_sd']:g}; {seconds:.0f} s")
    print(
        f"  called equivalent to chance ± {result['margin']:.0%}: {result['equivalent']:.1%} of the studies"
    )
    print(f"  {'95 % interval of':<48}{'covers':>8}{'width':>8}{'intervals':>11}{'none':>6}")
    missed = []
    for group in ("stated", "not_stated"):
        if group == "not_stated":
            print("  not stated in reports, for comparison:")
        for name, one in result[group].items():
            outside = group == "stated" and not LEAST <= one["coverage"] <= MOST
            missed += [name] if outside else []
            print(
                f"  {name:<48}{one['coverage']:>8.1%}{one['width']:>8.3f}{one['intervals']:>11}"
                f"{one['without_interval']:>6}{'  outside' if outside else ''}"
            )
    sys.stdout.flush()
    return missed


def timed(title: str, runs: int, seed: int, settings: dict) -> list[str]:
    """Simulate and show; what is outside."""
    begin = time.perf_counter()
    result = simulate(runs=runs, seed=seed, **settings)
    return show(title, result, time.perf_counter() - begin)


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--all", action="store_true", help="other studies too; a quarter of an hour")
    args = parser.parse_args()
    missed = timed("the paper's study", args.runs, args.seed, PAPER)
    for title, settings in OTHERS.items() if args.all else ():
        timed(title, args.runs, args.seed, settings)
    print(f"\n{LEAST:.0%} to {MOST:.0%} asked for: {', '.join(missed) or 'all stated intervals'}", end=" ")
    print("outside" if missed else "within")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
