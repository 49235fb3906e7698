"""``freetumor demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from freetumor.commands.common import Convention, Json, Labels, progress, say


def demo(
    ct: Annotated[Path | None, typer.Option(help="Your own CT instead of the sample.")] = None,
    labels: Labels = None,
    label_convention: Convention = "totalsegmentator",
    out: Annotated[Path | None, typer.Option(help="New folder; demo-output, -2, ... if not given.")] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 3,
    as_json: Json = False,
) -> None:
    """One tumor in each organ of a real CT, with a report to look at."""
    from freetumor.demo import run_demo

    with progress() as step:
        result = run_demo(ct, labels, label_convention, out, seed, step)
    lines = [f"{o['organ']:<9} {o['said']}" for o in result["organs"]]
    say(result, as_json, "\n".join([*lines, f"report: {result['report']}"]))
