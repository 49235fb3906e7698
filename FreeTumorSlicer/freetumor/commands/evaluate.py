"""``freetumor evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from freetumor.commands.common import Json, Organ, OrganValue, progress, say

if TYPE_CHECKING:
    from freetumor.evaluation import Estimate, Evaluation

_WORDS = {
    "dice": "Dice of lesions",
    "surface_mm": "mean surface distance, mm",
    "hd95_mm": "95 % Hausdorff distance, mm",
    "organ_dice": "Dice of the organ",
    "sensitivity": "sensitivity (lesions)",
    "sensitivity_below_20_mm": "  below 20 mm",
    "sensitivity_tiny": "  tiny",
    "sensitivity_small": "  small",
    "sensitivity_medium": "  medium",
    "sensitivity_large": "  large",
    "precision": "precision",
    "false_positives": "false positives per scan",
    "false_positives_without_lesion": "  in scans without lesion",
}


def evaluate(
    predictions: Annotated[
        list[Path], typer.Option(help="Label maps, or folders of them (or of case folders); repeat it.")
    ],
    truth: Annotated[list[Path], typer.Option(help="The true ones: same names, or same order of files.")],
    organ: Organ,
    organ_value: OrganValue = None,
    lesion_value: Annotated[
        list[int] | None, typer.Option(help="Ids of lesions in the label maps, if not ours.", metavar="N")
    ] = None,
    overlap: Annotated[
        float, typer.Option(help="IoU from which a lesion counts as found; 0: any common voxel.")
    ] = 0.1,
    smallest_mm3: Annotated[float, typer.Option(help="Smaller parts are not counted, mm3.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Of the bootstrap intervals.")] = 0,
    as_json: Json = False,
) -> None:
    """Compare predicted label maps with true ones: overlap, and lesions found, missed and invented."""
    from freetumor.anatomy import organ as row_of
    from freetumor.evaluation import Rules
    from freetumor.evaluation import evaluate as evaluate_cases
    from freetumor.evaluation.pairs import pairs_of
    from freetumor.job import parse_ids
    from freetumor.volume import read_volume

    organ_ids = parse_ids(" ".join(organ_value or ()))
    rules = Rules(row_of(organ), organ_ids, tuple(lesion_value or ()), overlap, smallest_mm3)
    pairs, left_out = pairs_of(predictions, truth)
    with progress() as step:

        def cases():
            for number, pair in enumerate(pairs):
                step(pair.name, number / len(pairs))
                yield pair.name, read_volume(pair.truth), read_volume(pair.prediction)

        found = evaluate_cases(cases(), rules, seed=seed)
    result = {"status": "done", **found.to_dict(), "left_out": left_out}
    say(result, as_json, _said(found, left_out))


def _said(found: Evaluation, left_out: list[str]) -> str:
    lines = [f"{len(found.cases)} scans, {found.rules.organ.title}s; a lesion is found from an IoU of "]
    lines[0] += f"{found.rules.least_iou:g}" if found.rules.least_iou else "above 0"
    lines += [f"{words:<30}{_number(found.numbers[name])}" for name, words in _WORDS.items()]
    if any(estimate.few and estimate.cases for estimate in found.numbers.values()):
        lines.append("* fewer than 10 scans: do not rely on the interval")
    if left_out:
        lines.append(f"without truth, left out: {', '.join(left_out)}")
    return "\n".join(lines)


def _number(estimate: Estimate) -> str:
    if estimate.value is None:
        return "-"
    interval = "" if estimate.low is None else f" ({estimate.low:.3f} to {estimate.high:.3f})"
    return f"{estimate.value:.3f}{interval}, n = {estimate.count}{'*' if estimate.few else ''}"
