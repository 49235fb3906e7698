"""The command ``freetumor``. Results go to stdout (one JSON object with --json), all else to stderr.

Exit codes: 0 done; 2 bad input or usage; 3 rejected by the quality test; 1 anything else.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

import typer

import freetumor
from freetumor.commands import models, study
from freetumor.commands.benchmark import benchmark
from freetumor.commands.demo import demo
from freetumor.commands.desktop import desktop, screenshot
from freetumor.commands.evaluate import evaluate
from freetumor.commands.export import export
from freetumor.commands.organs import label_organs
from freetumor.commands.segment import segment
from freetumor.commands.synthesize import synthesize, synthesize_batch
from freetumor.commands.train import train
from freetumor.errors import FreeTumorError, Rejected

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Realistic synthetic tumors in real CTs. Not for clinical use.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
# Typer carries its own copy of click since 0.26: the base of all usage errors is reached through it.
_UsageError = typer.BadParameter.__base__
_INTERRUPTED = 130  # what it makes of Ctrl-C


def run(arguments: Sequence[str]) -> int:
    """Run the command with `arguments`; the exit code. One line tells what was wrong."""
    as_json = "--json" in arguments
    # A plain kill is a stop like Ctrl-C: what is half-written goes.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = app(args=_repeated(arguments), prog_name="freetumor", standalone_mode=False)
        if code == _INTERRUPTED:
            raise KeyboardInterrupt
        return int(code or 0)
    except Rejected as error:
        return _failed(error, {"status": "rejected", "verdicts": error.verdicts}, error.exit_code, as_json)
    except FreeTumorError as error:
        return _failed(error, {"status": "error", "kind": error.kind}, error.exit_code, as_json)
    except _UsageError as error:
        said = error.format_message() + _what_came(error, arguments)
        return _failed(said, {"status": "error", "kind": "usage"}, 2, as_json)
    except (typer.Abort, KeyboardInterrupt):
        return _failed("stopped", {"status": "error", "kind": "stopped"}, 1, as_json)
    except MemoryError:
        return _failed("out of memory", {"status": "error", "kind": "out_of_memory"}, 1, as_json)
    except OSError as error:
        return _failed(error, {"status": "error", "kind": "os"}, 1, as_json)
    except Exception as error:  # noqa: BLE001  a bug: stderr tells where, and --json still gets its object
        traceback.print_exc()
        said = f"internal error: {type(error).__name__}: {error}"
        return _failed(said, {"status": "error", "kind": "internal"}, 1, as_json)


def _what_came(error: Exception, arguments: Sequence[str]) -> str:
    """The value that an option could not read; typer does not say it."""
    names = getattr(getattr(error, "param", None), "opts", ())
    came = [value for name, value in pairwise(arguments) if name in names]
    return f"; got {came[-1]!r}" if came and isinstance(error, typer.BadParameter) else ""


def _repeated(arguments: Sequence[str]) -> list[str]:
    """``--organ-value 2 3`` as ``--organ-value 2 --organ-value 3``, which is what the parser knows."""
    said: list[str] = []
    for argument in arguments:
        follows = len(said) > 1 and said[-2] == "--organ-value"
        said += ["--organ-value", argument] if follows and argument.isdecimal() else [argument]
    return said


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        sys.stdout.write(f"freetumor {freetumor.__version__}\n")
    elif context.invoked_subcommand is None:
        sys.stdout.write(context.get_help() + "\n")


for _command in (
    synthesize,
    synthesize_batch,
    label_organs,
    segment,
    export,
    train,
    evaluate,
    benchmark,
    demo,
    desktop,
    screenshot,
):
    app.command()(_command)
app.add_typer(models.app, name="models")
app.add_typer(study.app, name="study")


def _failed(error: object, result: dict, code: int, as_json: bool) -> int:
    message = " ".join(str(error).split())
    if as_json:
        sys.stdout.write(json.dumps({**result, "message": message}) + "\n")
    sys.stderr.write(f"freetumor: {message}\n")
    return code
