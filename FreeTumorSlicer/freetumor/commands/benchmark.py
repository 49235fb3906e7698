"""``freetumor benchmark``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from freetumor.commands.common import Json, progress, say
from freetumor.errors import BadInput


def benchmark(
    full: Annotated[
        bool, typer.Option("--full", help="Measure more and extrapolate less: a quarter of an hour.")
    ] = False,
    threads: Annotated[int | None, typer.Option(help="All processors if not given.", min=1)] = None,
    out: Annotated[
        Path | None, typer.Option(help="Also write it to this file: JSON if it ends in .json, else text.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure networks on this machine, against the naive schedule; some minutes."""
    from freetumor.benchmark import lines, run_benchmark, show
    from freetumor.files import os_errors, write_json

    if out is not None:
        _check(out)
    with progress() as step:
        result, rows = run_benchmark(full=full, count=threads, progress=step)
    said = "\n".join(lines(result, rows))
    if out is not None:
        with os_errors(out):
            if out.suffix == ".json":
                write_json(out, result)
            else:
                out.write_text(said + "\n", encoding="utf-8")
    if sys.stdout.isatty() and not as_json:
        show(result, rows)
    else:
        say(result, as_json, said)


def _check(out: Path) -> None:
    """Before the minutes, not after them."""
    if out.exists():
        raise BadInput(
            "a new file", f"{out}, which exists", "Nothing is overwritten: give another name.", kind="exists"
        )
    if not out.absolute().parent.is_dir():
        raise BadInput("a file in an existing folder", str(out), kind="output_not_writable")
