"""Does a program tell the classes of reader studies of real CTs by their files?

    OMP_NUM_THREADS=1 python Testing/benchmarks/file_leaks.py --data ../shared/data [--studies N]

DATA holds manifest.json, as for 'freetumor train'. For each study the tumors are synthesized anew in all CTs
with lesions, six sets a CT, and 'freetumor study new' chooses and matches. Two classifiers get what a program
can read beside the tumor (header, sizes, noise, histogram outside of the lesion), and guess the lesions of
patients that they were not trained on. 0.5 is chance; p: the share of shufflings of the classes within
patients whose mean AUC is as high. About four minutes a study.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from complete_study import labelled_cases
from file_features import features, guessed
from freetumor.study import read_study
from freetumor.study.design import Design, new_study

SHUFFLINGS = 40

Table = tuple[np.ndarray, np.ndarray, np.ndarray]


def table(data: Path, folder: Path, seed: int) -> Table:
    """Features, classes and patients of a study."""
    folder.mkdir()
    cases = labelled_cases(data, folder, seed)
    organs = tuple(cases.organs.split(","))
    design = Design(organs=organs, readers=1, training=0, per_patient=cases.per_patient, seed=seed)
    new_study([cases.real], [cases.synthetic], design, folder / "study")
    return features(read_study(folder / "study"))


def mean(rates: list[dict[str, float]]) -> dict[str, float]:
    """Of the studies, for each classifier."""
    return {name: float(np.mean([rate[name] for rate in rates])) for name in rates[0]}


def shuffled(classes: np.ndarray, patients: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The classes of each patient's lesions in another order."""
    classes = classes.copy()
    for patient in set(patients):
        mine = np.flatnonzero(patients == patient)
        classes[mine] = rng.permutation(classes[mine])
    return classes


def main() -> None:
    """Print the areas under the ROC curve."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with manifest.json")
    parser.add_argument("--studies", type=int, default=5)
    given = parser.parse_args()
    tables, rates = [], []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(1, given.studies + 1):
            tables.append(table(given.data, Path(folder) / str(seed), seed))
            rates.append(guessed(*tables[-1]))
            _, classes, patients = tables[-1]
            said = ", ".join(f"{name} {rate:.2f}" for name, rate in rates[-1].items())
            print(
                f"study {seed}: {len(classes)} cases of {len(set(patients))} patients; AUC {said}", flush=True
            )
    rng = np.random.default_rng(0)
    chance = [mean([guessed(x, shuffled(y, g, rng), g) for x, y, g in tables]) for _ in range(SHUFFLINGS)]
    for name, rate in mean(rates).items():
        p = (1 + sum(one[name] >= rate for one in chance)) / (SHUFFLINGS + 1)
        print(f"mean of {len(rates)}: {name} {rate:.2f}, p {p:.2f}")


if __name__ == "__main__":
    main()
