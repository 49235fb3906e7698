"""``freetumor label-organs``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from freetumor.anatomy import ORGANS
from freetumor.commands.common import (
    AcceptResearch,
    AssumeHu,
    Backend,
    Device,
    Json,
    Model,
    Series,
    progress,
    say,
    warn,
)

_ABDOMEN = ",".join(row.name for row in ORGANS.values() if row.group == "abdomen")


def label_organs(
    ct: Annotated[
        list[Path],
        typer.Argument(help="CTs: NIfTI, NRRD, MHA or folders of DICOM files.", metavar="CT..."),
    ],
    out: Annotated[
        Path,
        typer.Option(help="Label map to write (.nii.gz, .nii, .nrrd, .mha); of several CTs a folder."),
    ],
    organs: Annotated[
        str,
        typer.Option(
            "--organs", "--organ", help=f"Of {', '.join(ORGANS)}, with commas between; of one group."
        ),
    ] = _ABDOMEN,
    labeler: Annotated[
        str | None,
        typer.Option(
            help="thresholds (lungs), totalsegmentator (recommended for the abdomen: pip install "
            "TotalSegmentator) or learned (a model; one for liver, kidney comes along); the first that can.",
            metavar="NAME",
        ),
    ] = None,
    model: Model = None,
    fast: Annotated[
        bool | None,
        typer.Option("--fast/--no-fast", help="Of totalsegmentator: coarser, faster; as without a GPU."),
    ] = None,
    lesions: Annotated[
        bool, typer.Option("--lesions", help="Of a model: keep its lesions; else they are part of the organ.")
    ] = False,
    crumbs: Annotated[
        bool, typer.Option("--crumbs", help="Of a model: keep small parts that lie apart.")
    ] = False,
    device: Device = "auto",
    backend: Backend = "auto",
    series: Series = None,
    assume_hu: AssumeHu = False,
    accept_research: AcceptResearch = False,
    as_json: Json = False,
) -> None:
    """Label organs in CTs. Several CTs go into a folder; after an interruption run it again."""
    from freetumor.errors import BadInput
    from freetumor.labelers import Options
    from freetumor.labeling_batch import label_files
    from freetumor.labeling_job import label_file

    names = [name for name in organs.replace(",", " ").split() if name]
    worst = [0]

    def report(path: Path, result: dict) -> None:
        code = result.get("exit_code", 0)
        worst[0] = min((c for c in (worst[0], code) if c), default=0)
        said = result.get("message", "")
        sys.stderr.write(f"{path}: {result['status']} {result['out']} {said}".rstrip() + "\n")
        warn(result, as_json)

    with progress() as step:
        options = Options(model, lesions, crumbs, fast, device, backend, progress=step)
        if len(ct) == 1:
            result = label_file(
                ct[0], names, out, labeler=labeler, options=options, series=series, assume_hu=assume_hu
            )
            warn(result, as_json)
        elif series is not None:
            raise BadInput("--series with one CT", f"{len(ct)} CTs", kind="usage")
        else:
            result = label_files(
                ct, names, out, report, labeler=labeler, options=options, assume_hu=assume_hu
            )
    say(result, as_json, _one(result) if len(ct) == 1 else _many(result, out))
    raise typer.Exit(worst[0])


def _one(result: dict) -> str:
    by = result["labeler"] + (f", {result['model']}" if result["model"] else "")
    lines = [
        f"{ORGANS[entry['organ']].site.meaning.lower()}: {entry['ml']:.0f} ml, id {entry['label']}"
        for entry in result["organs"]
    ]
    return "\n".join([*lines, f"labels: {result['out']}, by {by}"])


def _many(result: dict, folder: Path) -> str:
    counts = ", ".join(f"{result[k]} {k}" for k in ("done", "kept", "failed"))
    return f"{counts}; labels in {folder}"
