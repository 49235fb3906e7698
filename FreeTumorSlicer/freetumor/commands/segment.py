"""``freetumor segment``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from freetumor.commands.common import (
    AcceptResearch,
    AssumeHu,
    Backend,
    Convention,
    Ct,
    Device,
    Json,
    Labels,
    Model,
    Organ,
    OrganValue,
    Series,
    progress,
    say,
    warn,
)

_HEAD = ("lesion", "ml", "mm", "HU", "probability", "centre R,A,S in mm")


def segment(
    ct: Ct,
    organ: Organ,
    out: Annotated[Path, typer.Option(help="Label map to write (.nii.gz, .nii, .nrrd, .mha).")],
    probabilities: Annotated[
        Path | None, typer.Option(help="Map of the lesion's probability to write.")
    ] = None,
    model: Model = None,
    labels: Labels = None,
    label_convention: Convention = "freetumor",
    organ_value: OrganValue = None,
    device: Device = "auto",
    backend: Backend = "auto",
    overlap: Annotated[
        float | None, typer.Option(help="Of neighbouring windows, 0 to below 1.", metavar="SHARE")
    ] = None,
    smallest: Annotated[
        float | None, typer.Option(help="Leave out lesions below this volume, mm3.", metavar="MM3")
    ] = None,
    series: Series = None,
    assume_hu: AssumeHu = False,
    accept_research: AcceptResearch = False,
    as_json: Json = False,
) -> None:
    """Segment an organ and its lesions in a whole CT."""
    from freetumor.job import parse_ids
    from freetumor.segmentation_job import segment_file

    chosen = {"overlap": overlap, "smallest_mm3": smallest}
    warnings: list[str] = []
    with progress() as step:
        result = segment_file(
            ct,
            organ,
            out,
            model=model,
            labels=labels,
            label_convention=label_convention,
            organ_values=parse_ids(" ".join(organ_value or ())),
            probabilities=probabilities,
            device=device,
            backend=backend,
            series=series,
            assume_hu=assume_hu,
            progress=step,
            log=warnings.append,
            **{name: value for name, value in chosen.items() if value is not None},
        )
    result["warnings"] = list(dict.fromkeys(warnings))
    warn(result, as_json)
    say(result, as_json, "\n".join([*_table(result["lesions"]), f"labels: {out}, by {result['model']}"]))


def _table(lesions: list[dict]) -> list[str]:
    if not lesions:
        return ["no lesion found"]
    rows = [_HEAD, *map(_row, lesions)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)) for row in rows]


def _row(lesion: dict) -> tuple[str, ...]:
    return (
        str(lesion["number"]),
        f"{lesion['volume_mm3'] / 1000:.2f}",
        f"{lesion['diameter_mm']:.1f}",
        f"{lesion['mean_hu']:.0f}",
        f"{lesion['probability']:.2f}",
        ",".join(f"{c:.0f}" for c in lesion["centre_ras"]),
    )
