"""``freetumor study``: plan, new, analyze, simulate."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from freetumor.anatomy import ORGANS
from freetumor.commands.common import Json, progress, say, warn

if TYPE_CHECKING:
    from freetumor.study.design import Made
    from freetumor.study.planning import Needed, Plan

app = typer.Typer(help="Reader studies: can radiologists tell synthetic tumors from real ones?")
_SHOWN_REASONS = 8
Key = Annotated[Path | None, typer.Option(help="Key file; STUDY.key.json beside the study.", metavar="FILE")]


@app.callback(invoke_without_command=True)
def _study(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        sys.stdout.write(context.get_help() + "\n")


@app.command()
def plan(
    margin: Annotated[
        float, typer.Option(help="Largest difference of the accuracy from 0.5 that does not matter.")
    ] = 0.10,
    power: Annotated[
        float, typer.Option(help="Chance to show equivalence where there is no difference.")
    ] = 0.9,
    alpha: Annotated[float, typer.Option(help="Of each of the two one-sided tests.")] = 0.05,
    readers: Annotated[
        list[int] | None, typer.Option(help="Only for so many readers; may be repeated.", metavar="N")
    ] = None,
    reader_sd: Annotated[float, typer.Option(help="Standard deviation of accuracy between readers.")] = 0.05,
    case_sd: Annotated[float, typer.Option(help="Standard deviation of accuracy between cases.")] = 0.20,
    as_json: Json = False,
) -> None:
    """Say how many reads, readers and cases show that accuracy is equivalent to chance."""
    from freetumor.study.planning import Spread
    from freetumor.study.planning import plan as make_plan

    some = {"readers": readers} if readers else {}
    made = make_plan(margin, power, alpha=alpha, spread=Spread(reader_sd, case_sd), **some)
    say(made.to_dict(), as_json, _planned(made))


@app.command()
def new(
    real: Annotated[
        list[str],
        typer.Option(
            help="Real lesions: a folder of cases, a data set with dataset.json or manifest.json, a JSON "
            "list, a TOML file with [[sources]]; may be repeated; ORGAN=PATH says whose lesions they are.",
            metavar="CASES",
        ),
    ],
    synthetic: Annotated[
        list[str],
        typer.Option(help="Synthetic lesions: case folders of 'freetumor synthesize'.", metavar="CASES"),
    ],
    organs: Annotated[str, typer.Option(help=f"Some of {','.join(ORGANS)}.", metavar="NAME,...")],
    readers: Annotated[int, typer.Option(help="Number of readers.")],
    out: Annotated[Path, typer.Option(help="Study folder to write; must not exist.", metavar="STUDY")],
    seed: Annotated[int, typer.Option(help="Same seed and lesions, same study.")] = 0,
    key: Key = None,
    cases: Annotated[
        int | None, typer.Option(help="Main cases, both classes together, at most; 4 or more.")
    ] = None,
    training: Annotated[int, typer.Option(help="Training cases, which do not count.")] = 4,
    repeats: Annotated[float, typer.Option(help="Share of the cases that each reader sees twice.")] = 0.12,
    pairs: Annotated[int, typer.Option(help="Pairs for a forced choice at the end.")] = 0,
    per_patient: Annotated[int, typer.Option(help="Lesions of one patient and class, at most.")] = 2,
    time_limit: Annotated[float | None, typer.Option(help="Seconds per case.", metavar="S")] = None,
    title: Annotated[str, typer.Option(help="What readers see above the study.")] = "Reader study",
    accept_imbalance: Annotated[
        bool, typer.Option("--accept-imbalance", help="Go on where more than the tumor differs.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a study: match real and synthetic lesions, draw orders, write the folder and its key."""
    from freetumor.study.design import Design, new_study

    design = Design(
        organs=tuple(name.strip().lower() for name in organs.split(",") if name.strip()),
        readers=readers,
        seed=seed,
        cases=cases,
        training=training,
        pairs=pairs,
        repeats=repeats,
        per_patient=per_patient,
        time_limit=time_limit,
        title=title,
        accept_imbalance=accept_imbalance,
    )
    with progress() as step:
        made = new_study(real, synthetic, design, out, key, progress=step)
    result = made.to_dict()
    warn(result, as_json)
    say(result, as_json, _made(made))


@app.command()
def analyze(
    study: Annotated[Path, typer.Argument(help="Study folder with its answers.", metavar="STUDY")],
    out: Annotated[Path, typer.Option(help="Folder of the report; must not exist.", metavar="REPORT")],
    key: Key = None,
    margin: Annotated[
        float, typer.Option(help="Largest difference of the accuracy from 0.5 that does not matter.")
    ] = 0.10,
    samples: Annotated[int, typer.Option(help="Of the bootstrap.")] = 2000,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0,
    as_json: Json = False,
) -> None:
    """Write the report of a study: HTML, CSV and JSON."""
    from freetumor.study.analysis import REPORT
    from freetumor.study.analysis import analyze as run_analysis
    from freetumor.study.key import default_key_path
    from freetumor.study.wording import headline

    result = run_analysis(
        study, key or default_key_path(study), out, seed=seed, margin=margin, samples=samples
    )
    warn(result, as_json)
    say({"status": "done", **result}, as_json, "\n".join([*headline(result), f"report: {out / REPORT}"]))


@app.command()
def simulate(
    readers: Annotated[int, typer.Option(help="Readers of each study.")] = 13,
    cases: Annotated[int, typer.Option(help="Cases of each study.")] = 90,
    sensitivity: Annotated[float, typer.Option(help="True sensitivity.")] = 0.511,
    accuracy: Annotated[float, typer.Option(help="True accuracy.")] = 0.608,
    runs: Annotated[int, typer.Option(help="Simulated studies.")] = 1000,
    reader_sd: Annotated[
        float, typer.Option(help="Spread of the readers' criterion, where a single answer's is 1.")
    ] = 0.3,
    case_sd: Annotated[float, typer.Option(help="Spread of the cases' difficulty, likewise.")] = 0.6,
    seed: Annotated[int, typer.Option(help="Same seed, same studies.")] = 0,
    as_json: Json = False,
) -> None:
    """Simulate studies of known truth: how often do the stated intervals hold it?"""
    from freetumor.study.simulation import simulate as run_simulation

    with progress() as step:
        result = run_simulation(
            readers, cases, sensitivity, accuracy, runs, reader_sd, case_sd, seed, progress=step
        )
    coverage = result["coverage"]
    lines = [f"{name:<38}{share:.1%}" for name, share in coverage.items()]
    said = "\n".join([f"{runs} studies; the 95 % interval holds the true value in", *lines])
    say({"status": "done", **result}, as_json, said)


def _planned(made: Plan) -> str:
    lines = [
        f"accuracy within {made.margin:.0%} of 50 %, power {made.power:.0%}: {made.independent_reads} "
        "independent reads",
        f"with standard deviations of accuracy of {made.spread.readers:g} between readers and "
        f"{made.spread.cases:g} between cases, half of the cases synthetic, each read by all:",
        f"{'readers':>8}{'cases':>8}{'reads':>8}{'design effect':>15}{'hours each':>12}",
    ]
    return "\n".join([*lines, *(_row(row) for row in made.needed)])


def _row(row: Needed) -> str:
    if row.cases is None:
        return f"{row.readers:>8}   no number of cases is enough"
    numbers = f"{row.readers:>8}{row.cases:>8}{row.reads:>8}{row.design_effect:>15.2f}"
    return f"{numbers}{row.hours_per_reader:>12.1f}"


def _made(made: Made) -> str:
    shown = ", ".join(f"{count} {block}" for block, count in made.blocks.items() if count)
    lines = [
        f"{made.cases} cases; each reader sees {shown} ({made.repeats} of them again)",
        f"{'':<8}{'':<34}{'real':>9}{'synthetic':>11}{'AUC':>7}",
    ]
    for row in made.balance:
        name = ", ".join(filter(None, (row.covariate, row.unit)))
        lines.append(f"{row.organ:<8}{name:<34}{row.real:>9.4g}{row.synthetic:>11.4g}{row.auc:>7.2f}")
    if made.unmatched:
        lines.append(f"not shown: {len(made.unmatched)} lesions (all are in the key)")
        lines += [f"  {entry['what']}: {entry['why']}" for entry in made.unmatched[:_SHOWN_REASONS]]
    lines += [f"study: {made.folder}", f"key: {made.key} (keep it away from the readers)"]
    return "\n".join(lines)
