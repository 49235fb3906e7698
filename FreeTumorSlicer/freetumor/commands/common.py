"""Options that several commands share, and how they all say what they did."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from freetumor.anatomy import ORGANS

Ct = Annotated[Path, typer.Argument(help="CT: NIfTI, NRRD, MHA or a folder of DICOM files.", metavar="CT")]
Organ = Annotated[str, typer.Option(help=f"One of {', '.join(ORGANS)}.")]
Labels = Annotated[Path | None, typer.Option(help="Label map of the organs on the CT's grid.")]
OrganValue = Annotated[
    list[str] | None, typer.Option(help="Ids of the organ in --labels, such as 2 3.", metavar="N ...")
]
Convention = Annotated[str, typer.Option(help="freetumor or totalsegmentator.", metavar="NAME")]
ResampleLabels = Annotated[
    bool, typer.Option("--resample-labels", help="Resample --labels to the CT's grid.")
]
Model = Annotated[
    str | None, typer.Option(help="Installed model or its folder; the first that fits.", metavar="NAME")
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.", metavar="NAME")]
Backend = Annotated[str, typer.Option(help="What computes the networks.", metavar="NAME")]
Series = Annotated[str | None, typer.Option(help="SeriesInstanceUID, where a DICOM folder holds several.")]
AssumeHu = Annotated[bool, typer.Option("--assume-hu", help="Skip the check that the values are HU.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


def _accept(context: typer.Context, given: bool) -> bool:
    from freetumor.models import accepted_for_now

    if given:
        context.with_resource(accepted_for_now())
    return given


AcceptResearch = Annotated[
    bool,
    typer.Option(
        "--accept-research",
        callback=_accept,
        help="Accept the terms of research weights for this run; see 'freetumor models list'.",
    ),
]

_console = Console(stderr=True)


def say(result: dict, as_json: bool, said: str) -> None:
    """Print the result on stdout: one JSON object, or in words."""
    sys.stdout.write((json.dumps(result) if as_json else said) + "\n")


def warn(result: dict, as_json: bool) -> None:
    """Say the warnings of a result on stderr; with --json they are in the object."""
    for message in () if as_json else result.get("warnings", ()):
        sys.stderr.write(f"freetumor: warning: {message}\n")


@contextmanager
def progress() -> Iterator:
    """A bar on stderr; what it gives is called with a message and the share done, 0..1."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    # Only a person at a terminal sees it; for a program stderr holds one line, and only if it failed.
    with Progress(*columns, console=_console, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("starting", total=1.0)

        def step(message: str, share: float) -> None:
            bar.update(task, description=message, completed=share)

        yield step
