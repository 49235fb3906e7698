"""The command ``freetumor``. Results go to stdout (one JSON object with --json), all else to stderr.

Exit codes: 0 done; 2 bad input or usage; 3 rejected by the quality test; 1 anything else.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

import freetumor
from freetumor.anatomy import ORGANS, SIZE_CLASSES
from freetumor.desktop import desktop, screenshot
from freetumor.errors import FreeTumorError, Rejected

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Realistic synthetic tumors in real CTs. Not for clinical use.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
_console = Console(stderr=True)
# Typer carries its own copy of click since 0.26: the base of all usage errors is reached through it.
_UsageError = typer.BadParameter.__base__
_INTERRUPTED = 130  # what it makes of Ctrl-C

Ct = Annotated[Path, typer.Argument(help="CT: NIfTI, NRRD, MHA or a folder of DICOM files.", metavar="CT")]
Organ = Annotated[str, typer.Option(help=f"One of {', '.join(ORGANS)}.")]
Labels = Annotated[Path | None, typer.Option(help="Label map of the organs on the CT's grid.")]
OrganValue = Annotated[
    list[str] | None, typer.Option(help="Ids of the organ in --labels, such as 2 3.", metavar="N ...")
]
Convention = Annotated[str, typer.Option(help="freetumor or totalsegmentator.", metavar="NAME")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Series = Annotated[str | None, typer.Option(help="SeriesInstanceUID, where a DICOM folder holds several.")]
AssumeHu = Annotated[bool, typer.Option("--assume-hu", help="Skip the check that the values are HU.")]


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


@app.command()
def synthesize(
    ct: Ct,
    organ: Organ,
    out: Annotated[Path, typer.Option(help="Case folder to write; must not exist.")],
    labels: Labels = None,
    label_convention: Convention = "freetumor",
    organ_value: OrganValue = None,
    mask: Annotated[Path | None, typer.Option(help="Drawn tumor mask on the CT's grid.")] = None,
    diameter: Annotated[float | None, typer.Option(help="Equivalent-sphere diameter in mm.")] = None,
    size_class: Annotated[
        str | None, typer.Option(help=f"One of {', '.join(SIZE_CLASSES)}.", metavar="NAME")
    ] = None,
    at: Annotated[list[str] | None, typer.Option(help="Centre R,A,S in mm.", metavar="R,A,S")] = None,
    count: Annotated[int | None, typer.Option(help="Number of tumors (as many as --at, or 1).")] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 0,
    engine: Annotated[str, typer.Option(help="What makes the tumor.", metavar="NAME")] = "procedural",
    contrast: Annotated[float | None, typer.Option(help="Lesion minus organ, HU.")] = None,
    rim: Annotated[bool | None, typer.Option("--rim/--no-rim", help="Enhancing rim.")] = None,
    core: Annotated[bool | None, typer.Option("--core/--no-core", help="Necrotic core.")] = None,
    exophytic: Annotated[
        bool | None, typer.Option("--exophytic/--no-exophytic", help="May it bulge out of the organ?")
    ] = None,
    gate: Annotated[bool, typer.Option("--gate/--no-gate", help="Reject what fails the test.")] = True,
    tries: Annotated[int, typer.Option(help="Tries per tumor before it is rejected.")] = 3,
    resample_labels: Annotated[
        bool, typer.Option("--resample-labels", help="Resample --labels to the CT's grid.")
    ] = False,
    series: Series = None,
    assume_hu: AssumeHu = False,
    as_json: Json = False,
) -> None:
    """Put tumors into a CT and write a case folder."""
    from freetumor.job import Job, parse_ids, parse_point
    from freetumor.job import run as run_job
    from freetumor.pipeline import Request
    from freetumor.synthesis.engines import Style

    points = tuple(parse_point(p) for p in at or ())
    request = Request(
        diameter=diameter,
        size_class=size_class,
        at=points,
        count=count if count is not None else max(1, len(points)),
        seed=seed,
        engine=engine,
        style=Style(contrast, rim, core),
        exophytic=exophytic,
        gate=gate,
        tries=tries,
        assume_hu=assume_hu,
    )
    job = Job(
        ct,
        organ,
        out,
        labels,
        label_convention,
        parse_ids(" ".join(organ_value or ())),
        mask,
        resample_labels,
        series,
        request,
    )
    with _progress() as step:
        result = run_job(job, step).to_dict()
    _print(result, as_json, _say_lesions(result))


@app.command()
def label_organs(
    ct: Ct,
    organ: Organ,
    out: Annotated[Path, typer.Option(help="Label map to write (.nii.gz, .nii, .nrrd, .mha).")],
    series: Series = None,
    assume_hu: AssumeHu = False,
    as_json: Json = False,
) -> None:
    """Label an organ from the CT alone."""
    from freetumor.anatomy import organ as row_of
    from freetumor.organs import label_organ
    from freetumor.volume import check_ct, check_output, read_volume, write_volume

    row = row_of(organ)
    check_output(out)
    with _progress() as step:
        step("reading", 0.0)
        volume = read_volume(ct, series=series)
        check_ct(volume, assume_hu=assume_hu)
        step("labeling", 0.3)
        labels = label_organ(volume, row)
        step("writing", 0.9)
        write_volume(labels, out)
    ml = float((labels.array == row.organ_label).sum()) * labels.geometry.voxel_volume / 1000.0
    result = {"status": "done", "organ": row.name, "out": str(out), "label": row.organ_label}
    result["ml"] = round(ml, 1)
    _print(result, as_json, f"{row.site.meaning.lower()}: {ml:.0f} ml, id {row.organ_label}, in {out}")


@app.command()
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
    _print(result, as_json, said)


@app.command()
def synthesize_batch(
    cases: Annotated[Path, typer.Argument(help="CSV file, one case a row.", metavar="CASES.csv")],
    workers: Annotated[int, typer.Option(help="Processes side by side.")] = 1,
    as_json: Json = False,
) -> None:
    """Synthesize many cases; run it again after an interruption and it goes on."""
    from freetumor.batch import run_batch

    worst: list[int] = [0]

    def report(row: object, result: dict) -> None:
        code = {"failed": result.get("exit_code", 1), "rejected": 3}.get(result["status"], 0)
        worst[0] = min((c for c in (worst[0], code) if c), default=0)
        said = result.get("message", "")
        sys.stderr.write(f"line {row.line}: {result['status']} {row.job.out} {said}".rstrip() + "\n")

    result = run_batch(cases, workers, report)
    counts = ", ".join(f"{result[k]} {k}" for k in ("done", "kept", "rejected", "failed"))
    _print(result, as_json, f"{counts}; details in {result['results']}")
    raise typer.Exit(worst[0])


@app.command()
def demo(
    ct: Annotated[Path | None, typer.Option(help="Your own CT instead of the sample.")] = None,
    labels: Labels = None,
    label_convention: Convention = "totalsegmentator",
    out: Annotated[Path | None, typer.Option(help="New folder; demo-output, -2, ... if not given.")] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 8,
    as_json: Json = False,
) -> None:
    """One tumor in each organ of a real CT, with a report to look at."""
    from freetumor.demo import run_demo

    with _progress() as step:
        result = run_demo(ct, labels, label_convention, out, seed, step)
    lines = [f"{o['organ']:<9} {o['said']}" for o in result["organs"]]
    _print(result, as_json, "\n".join([*lines, f"report: {result['report']}"]))


for _command in (desktop, screenshot):
    app.command()(_command)


def _say_lesions(result: dict) -> str:
    lines = []
    for lesion in result["lesions"]:
        got, verdict = lesion["got"], lesion["verdict"]
        asked = lesion["asked"]["diameter_mm"]
        size = f"{got['diameter_mm']:.1f} mm" + (f" (asked {asked:.1f})" if asked else " (drawn)")
        word = "passed" if verdict["passed"] else "failed: " + "; ".join(verdict["reasons"])
        at = ",".join(f"{c:.0f}" for c in got["centre_ras_mm"])
        lines.append(f"lesion {lesion['id']}: {size} at {at}, {got['contrast_hu']:+.0f} HU, {word}")
    return "\n".join([*lines, f"case: {result['case']}"])


def _print(result: dict, as_json: bool, said: str) -> None:
    sys.stdout.write((json.dumps(result) if as_json else said) + "\n")


def _failed(error: object, result: dict, code: int, as_json: bool) -> int:
    message = " ".join(str(error).split())
    if as_json:
        sys.stdout.write(json.dumps({**result, "message": message}) + "\n")
    sys.stderr.write(f"freetumor: {message}\n")
    return code


@contextmanager
def _progress() -> Iterator:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    # Only a person at a terminal sees it; for a program stderr holds one line, and only if it failed.
    with Progress(*columns, console=_console, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("starting", total=1.0)

        def step(message: str, share: float) -> None:
            bar.update(task, description=message, completed=share)

        yield step
