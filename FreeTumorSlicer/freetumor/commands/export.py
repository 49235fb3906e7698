"""``freetumor export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from freetumor.commands.common import Json, say


def export(
    cases: Annotated[list[Path], typer.Argument(help="Case folders.", metavar="CASE...")],
    form: Annotated[str, typer.Option("--format", help="nnunet or msd.", metavar="NAME")],
    out: Annotated[Path, typer.Option(help="Data set folder; what is there is kept.")],
    as_json: Json = False,
) -> None:
    """Export cases as paired training data."""
    from freetumor.export import export as run_export

    result = run_export(cases, form, out)
    said = f"{result['cases']} cases in {out} ({len(result['added'])} added, {len(result['kept'])} kept)"
    if result["failed_quality_test"]:
        said += f"; these failed the quality test: {', '.join(result['failed_quality_test'])}"
    say(result, as_json, said)
