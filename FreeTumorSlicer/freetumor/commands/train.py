"""``freetumor train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from freetumor.commands.common import AcceptResearch, Json, progress, say
from freetumor.errors import BadInput

_LIST = "settings"


def train(
    stage: Annotated[
        str,
        typer.Argument(
            help=f"segmenter, generator or target; {_LIST} lists what can be configured.", metavar="STAGE"
        ),
    ],
    config: Annotated[Path | None, typer.Option(help="Configuration file (TOML).", metavar="FILE")] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="Change a value; may be repeated.", metavar="KEY=VALUE")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Prepare one case, take one step, write nothing.")
    ] = False,
    accept_research: AcceptResearch = False,
    as_json: Json = False,
) -> None:
    """Train a network: stage 1, 2 or 3 of the paper; several GPUs with torchrun -m freetumor train."""
    from freetumor.training.config_file import read_config

    if stage == _LIST:
        _list(as_json)
        return
    if config is None:
        raise BadInput("--config FILE.toml", "none", "Recipes are in Resources/recipes.", kind="usage")
    read = read_config(config, stage, changes or ())
    from freetumor.synthesis.engines import warn
    from freetumor.training import prepare_process

    prepare_process()
    from freetumor.training import dry_run as trial
    from freetumor.training import train as room
    from freetumor.training.journal import Voice

    with progress() as step:
        voice = Voice(warn, step)
        result = trial.dry_run(read, voice) if dry_run else room.train(read, voice, resume=resume)
    if result:  # of several processes only the first has one
        say(result, as_json, "\n".join(f"{key}: {value}" for key, value in result.items()))


def _list(as_json: bool) -> None:
    from freetumor.training.config_file import settings

    rows = [{"key": key, "default": default, "reason": reason} for key, default, reason in settings()]
    lines = [f"{row['key']} = {row['default']!r}: {row['reason']}" for row in rows]
    say({"status": "done", "settings": rows}, as_json, "\n".join(lines))
