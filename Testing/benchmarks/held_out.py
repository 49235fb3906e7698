"""Does synthesis help on real CTs that were not trained on? Segmenters of several trainings, compared.

Every model segments each whole CT without being told where the organ is. Reported by kind of training, over
its seeds: Dice of the tumors, lesions found, false alarms per scan, with bootstrap intervals over patients
(a patient's values are first averaged over the seeds: seeds are not patients); and, of the same patients,
the differences from the first kind.

    python Testing/benchmarks/held_out.py --data DATA --cases ibsi_pat1,lidc0001 --organ lung --out FOLDER \\
        real=RUN/model/A,RUN/model/B procedural=RUN/model/C learned=RUN/model/D

DATA holds manifest.json, as for 'freetumor train'. What was segmented once is kept in FOLDER.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
from freetumor.anatomy import ORGANS, Organ
from freetumor.evaluation.evaluation import CaseResult, Rules, evaluate_case
from freetumor.evaluation.statistics import pooled
from freetumor.models import Model, read_model
from freetumor.segmentation.whole_volume import segment_volume
from freetumor.training.sources import Case, read_cases
from freetumor.volume import read_volume

SEED = 0


def numbers_of(result: CaseResult) -> dict[str, float]:
    """Sums of one scan: what the shares are made of."""
    lesions = result.lesions.lesions
    return {
        "dice": result.dice or 0.0,
        "labelled": float(result.dice is not None),
        "organ_dice": result.organ_dice or 0.0,
        "with_organ": float(result.organ_dice is not None),
        "found": float(sum(x.found for x in lesions)),
        "lesions": float(len(lesions)),
        "false": float(len(result.lesions.false_mm)),
        "scans": 1.0,
        "found_ml": result.found_ml,
        "true_ml": result.true_ml,
    }


RATIOS = {
    "Dice of tumors": ("dice", "labelled"),
    "lesions found": ("found", "lesions"),
    "false alarms per scan": ("false", "scans"),
    "Dice of the organ": ("organ_dice", "with_organ"),
}


def measured(model: Model, case: Case, organ: Organ, folder: Path) -> dict[str, float]:
    """The numbers of one model on one CT, from `folder` if they are there."""
    kept = folder / f"{model.facts['sha256'][:16]}-{case.name}.json"
    if not kept.exists():
        found = segment_volume(read_volume(case.ct), organ, model)
        result = evaluate_case(case.name, read_volume(case.labels), found.labels, Rules(organ))
        content = {"model": model.name, "numbers": numbers_of(result), "lesions": asdict(result.lesions)}
        kept.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    return json.loads(kept.read_text("utf-8"))["numbers"]


def compare(table: dict[str, np.ndarray], names: list[str]) -> dict:
    """Estimates by kind and ratio; `table`: (seeds, cases, numbers) by kind, the numbers named by `names`."""
    report: dict = {}
    first = next(iter(table))
    draws = np.random.default_rng(SEED).integers(0, table[first].shape[1], (4000, table[first].shape[1]))
    for title, (above, below) in RATIOS.items():
        a, b = names.index(above), names.index(below)
        report[title] = {}
        for kind, values in table.items():
            mean = values.mean(axis=0)  # over seeds
            seeds = values[..., a].sum(1) / values[..., b].sum(1)
            line = asdict(pooled(mean[:, a], mean[:, b], seed=SEED)) | {"seeds": seeds.tolist()}
            if kind != first:
                base = table[first].mean(axis=0)
                gain = mean[:, a].sum() / mean[:, b].sum() - base[:, a].sum() / base[:, b].sum()
                below_drawn = mean[draws, b].sum(1)
                some = below_drawn > 0
                drawn = (mean[draws, a].sum(1) - base[draws, a].sum(1))[some] / below_drawn[some]
                telling = int((mean[:, b] > 0).sum())  # one patient tells nothing of others
                ends = np.quantile(drawn, [0.025, 0.975]).tolist() if telling > 1 else [None, None]
                line |= {"gain": gain, "gain_interval": ends}
            report[title][kind] = line
    return report


def interval(low: float | None, high: float | None, form: str = ".3f") -> str:
    """In words; a single patient gives none."""
    return "no interval" if low is None or high is None else f"{low:{form}} to {high:{form}}"


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cases", required=True, help="names, with commas")
    parser.add_argument("--organ", choices=list(ORGANS), required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("kinds", nargs="+", metavar="KIND=MODEL,MODEL")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    organ, wanted = ORGANS[given.organ], given.cases.split(",")
    source = {"kind": "list", "path": "manifest.json", "names": wanted}
    cases = read_cases(source, given.data)
    models = {}
    for text in given.kinds:
        kind, _, folders = text.partition("=")
        models[kind] = [read_model(Path(folder)) for folder in folders.split(",")]
    table, names = {}, []
    for kind, some in models.items():
        rows = []
        for model in some:
            found = [measured(model, case, organ, given.out) for case in cases]
            names = list(found[0])
            rows.append([[numbers[name] for name in names] for numbers in found])
        table[kind] = np.array(rows)
    report = compare(table, names)
    (given.out / "report.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    for title, kinds in report.items():
        print(title)
        for kind, line in kinds.items():
            seeds = ", ".join(f"{s:.3f}" for s in line["seeds"])
            text = f"  {kind:12} {line['value']:.3f} ({interval(line['low'], line['high'])}; seeds {seeds})"
            if "gain" in line:
                text += f"; {line['gain']:+.3f} ({interval(*line['gain_interval'], '+.3f')})"
            print(text)
    for number, case in enumerate(cases):
        dices = {k: v[:, number, names.index("dice")].mean() for k, v in table.items()}
        false = {k: v[:, number, names.index("false")].mean() for k, v in table.items()}
        each = "  ".join(f"{k} {dices[k]:.2f} / {false[k]:.1f}" for k in table)
        print(f"{case.name:20} Dice / false alarms: {each}")


if __name__ == "__main__":
    main()
