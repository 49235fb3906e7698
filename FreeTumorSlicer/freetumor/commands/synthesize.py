"""``freetumor synthesize`` and ``synthesize-batch``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from freetumor.anatomy import SIZE_CLASSES
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
    ResampleLabels,
    Series,
    progress,
    say,
    warn,
)


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
    model: Model = None,
    device: Device = "auto",
    backend: Backend = "auto",
    judge: Annotated[
        list[str] | None,
        typer.Option(
            help="Who tests: model-free (if none is named), learned; may be repeated.", metavar="NAME"
        ),
    ] = None,
    judge_model: Annotated[
        str | None, typer.Option(help="Segmenter of the learned judge.", metavar="NAME")
    ] = None,
    judge_threshold: Annotated[
        float | None, typer.Option(help="Share of the lesion that it must find.", metavar="T")
    ] = None,
    contrast: Annotated[float | None, typer.Option(help="Lesion minus organ, HU.")] = None,
    rim: Annotated[bool | None, typer.Option("--rim/--no-rim", help="Enhancing rim.")] = None,
    core: Annotated[bool | None, typer.Option("--core/--no-core", help="Necrotic core.")] = None,
    exophytic: Annotated[
        bool | None, typer.Option("--exophytic/--no-exophytic", help="May it bulge out of the organ?")
    ] = None,
    gate: Annotated[bool, typer.Option("--gate/--no-gate", help="Reject what fails the test.")] = True,
    tries: Annotated[int, typer.Option(help="Tries per tumor before it is rejected.")] = 3,
    resample_labels: ResampleLabels = False,
    series: Series = None,
    assume_hu: AssumeHu = False,
    accept_research: AcceptResearch = False,
    as_json: Json = False,
) -> None:
    """Put tumors into a CT and write a case folder."""
    from freetumor.job import Job, parse_ids, parse_point
    from freetumor.job import run as run_job
    from freetumor.quality import THRESHOLD
    from freetumor.request import Request
    from freetumor.synthesis.engines import Style

    points = tuple(parse_point(p) for p in at or ())
    request = Request(
        diameter=diameter,
        size_class=size_class,
        at=points,
        count=count if count is not None else max(1, len(points)),
        seed=seed,
        engine=engine,
        model=model,
        device=device,
        backend=backend,
        judges=tuple(judge or ("model-free",)),
        judge_model=judge_model,
        judge_threshold=THRESHOLD if judge_threshold is None else judge_threshold,
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
    with progress() as step:
        result = run_job(job, step).to_dict()
    warn(result, as_json)
    say(result, as_json, _say_lesions(result))


def synthesize_batch(
    cases: Annotated[Path, typer.Argument(help="CSV file, one case a row.", metavar="CASES.csv")],
    workers: Annotated[int, typer.Option(help="Processes side by side.")] = 1,
    accept_research: AcceptResearch = False,
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
    say(result, as_json, f"{counts}; details in {result['results']}")
    raise typer.Exit(worst[0])


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
