"""The race for one tumor: the naive schedule, our backends, our light networks.

The naive schedule is cut into pieces of a few windows; after each piece every other variant takes its turn,
so that what else the machine does meets all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from freetumor.benchmark import subjects
from freetumor.benchmark.baseline import Naive
from freetumor.benchmark.cases import centred
from freetumor.benchmark.entrants import Entrant, Stage, agreement, by, how, other_backend
from freetumor.benchmark.table import Row

_ROUNDS = 3
_LARGER_RUNS = 2
_CONVERTED = "openvino"  # and its bfloat16 takes the same conversion
_RELEASED = ("released", "released-generator", "released-segmenter")
_LIGHT = ("learned", "light-generator", "light-segmenter")


@dataclass(frozen=True)
class Outcome:
    """What the race gave.

    Attributes:
        naive: the naive schedule, still ready. rows: of the table. notes: what should be known.
        best: the backend that "auto" takes, and the fastest.
    """

    naive: Naive
    rows: list[Row]
    notes: list[str]
    best: tuple[str, ...]


def tumor_race(stage: Stage) -> Outcome:
    """Run it."""
    case = stage.case
    what = f"One tumor of {case.diameter:g} mm in a liver of {by(case.organ_shape)} voxels, made and judged"
    section = f"{what}, released networks"
    stage.progress("naive schedule: getting ready", 0.02)
    naive = Naive(stage, section)
    naive.entrant.prepare()
    stage.progress(f"{_CONVERTED}: converting the networks", 0.04)
    conversion = _converted(stage, section)
    ours = {}
    for n, backend in enumerate(stage.backends):
        stage.progress(f"{backend}: getting ready", 0.05 + 0.25 * n / len(stage.backends))
        ours[backend] = _ready(stage, section, _RELEASED, backend)
    light = _ready(stage, f"{what}, light networks", _LIGHT, "auto")
    entrants = (*ours.values(), light)
    pieces = naive.pieces()
    rounds = max(_ROUNDS, len(pieces))
    for n in range(rounds):
        stage.progress(f"taking turns, {n + 1} of {rounds}", 0.3 + 0.4 * n / rounds)
        for part in pieces[n : n + 1]:
            naive.run(part)
        for entrant in entrants:
            entrant.run("tumor")
    baseline, best = naive.row(), _best(ours, light)
    rows = [baseline]
    for backend, entrant in ours.items():
        rows.append(_row(stage, naive, baseline, entrant))
        if stage.full and backend in best:
            stage.progress(f"{backend}: a larger patch", 0.7)
            rows.append(_row_of_larger(stage, naive, baseline, entrant))
    rows.append(replace(light.row(), note=how(light)))
    for entrant in entrants:
        entrant.close()
    notes = [*([conversion] if conversion else []), *_notes(stage, naive)]
    return Outcome(naive, rows, notes, best)


def _best(ours: Mapping[str, Entrant], light: Entrant) -> tuple[str, ...]:
    """The backend that "auto" took for the light networks, and the fastest one for the released ones."""
    seconds = {backend: entrant.row().seconds for backend, entrant in ours.items()}
    fastest = sorted((s, backend) for backend, s in seconds.items() if s is not None)
    automatic = [] if light.failed else [light.ready.value["backend"]]
    return tuple(dict.fromkeys([*automatic, *(backend for _, backend in fastest[:1])]))


def _ready(stage: Stage, section: str, names: tuple[str, str, str], backend: str) -> Entrant:
    entrant = stage.entrant(section, f"ours, {backend}", subjects.tumor, *names, backend)
    if entrant.prepare():
        other_backend(entrant, backend)
    return entrant


def _converted(stage: Stage, section: str) -> str:
    """Convert the released networks, so that those who are measured find them; what it took, in words."""
    converting = _ready(stage, section, _RELEASED, _CONVERTED)
    converting.close()
    if converting.failed:
        return ""
    peak = converting.ready.peak_bytes
    memory = "" if peak is None else f" and {peak / 2**30:.1f} GiB at the peak"
    return (
        f"Converting the released networks for OpenVINO is done once: the first tumor then takes "
        f"{converting.ready.seconds:.0f} s{memory}."
    )


def _row(stage: Stage, naive: Naive, baseline: Row, entrant: Entrant) -> Row:
    """The line of a backend, as a user gets it."""
    row = replace(entrant.row(baseline.seconds), note=how(entrant))
    return _compared(row, naive, entrant, stage.case.small)


def _row_of_larger(stage: Stage, naive: Naive, baseline: Row, entrant: Entrant) -> Row:
    """The line of a backend for a patch as large as a naive window."""
    side = stage.case.window
    compared = _compared(Row("", ""), naive, entrant, side)  # which also gets it ready
    entrant.turns.clear()
    for _ in range(_LARGER_RUNS):
        entrant.run(("networks", side))
    return replace(
        entrant.row(baseline.seconds),
        name=f"{entrant.name}, {side}³",
        agreement=compared.agreement,
        difference=compared.difference,
        ready_seconds=None,
        note=f"both networks once on a patch of {side}³, and nothing else",
    )


def _compared(row: Row, naive: Naive, entrant: Entrant, side: int) -> Row:
    turn, reference = entrant.turn(("outputs", side)), naive.outputs(side)
    return row if turn is None or reference is None else replace(row, **agreement(turn.value, reference))


def _notes(stage: Stage, naive: Naive) -> list[str]:
    notes = [
        "The weights are random: time, memory and numerical differences are real, of quality nothing is "
        "said. The classes of a random segmenter lie close together; those of a trained one agree better."
    ]
    small, large = stage.case.small, stage.case.window
    ours, theirs = naive.outputs(small), naive.outputs(large)
    if ours is not None and theirs is not None:
        inner = centred((large,) * 3, (small,) * 3).slices
        found = agreement(ours, tuple(array[inner] for array in theirs))
        notes.append(
            f"A patch of {small}³ in place of the middle of one of {large}³, both in float32: the same class "
            f"for {found['agreement']:.1%} of the voxels, the generator's output differs by at most "
            f"{found['difference']:.2g}."
        )
    return notes
