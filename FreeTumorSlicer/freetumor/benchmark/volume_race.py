"""The race for a whole CT: the naive schedule, our backends with its segmenter, our light segmenter.

The naive schedule takes half an hour here, so that it is always extrapolated: from the windows that it ran
for one tumor, and for the part of the CT in which the classes are compared. The best backends are measured in
full if asked for; the others only on that part, or not at all.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from freetumor.benchmark import subjects
from freetumor.benchmark.entrants import Entrant, Stage, by, how, other_backend
from freetumor.benchmark.table import Row
from freetumor.benchmark.tumor_race import Outcome

_TOO_SLOW = ("compile",)  # to get ready, for another shape


def volume_race(stage: Stage, race: Outcome) -> list[Row]:
    """Run it after the `race` for one tumor: the rows."""
    what = f"A whole CT of {by(stage.case.ct_shape)} voxels segmented"
    stage.progress("naive schedule: a part of the CT", 0.75)
    baseline, classes = race.naive.volume(f"{what}, released segmenter")
    race.naive.entrant.close()
    rows = [baseline]
    wanted = stage.backends if stage.full else race.best
    backends = [backend for backend in wanted if backend not in _TOO_SLOW]
    for n, backend in enumerate(backends):
        stage.progress(f"{backend}: whole CT", 0.77 + 0.15 * n / len(backends))
        entrant = stage.entrant(
            baseline.section, f"ours, {backend}", subjects.volume, "released-segmenter", backend
        )
        if entrant.prepare() and not other_backend(entrant, backend):
            whole = stage.full and backend in race.best
            rows.append(_released(entrant, baseline.seconds, classes, whole))
        else:
            rows.append(entrant.row())
        entrant.close()
    stage.progress("light segmenter: whole CT", 0.92)
    light = stage.entrant(
        f"{what}, light segmenter", "ours, auto", subjects.volume, "light-segmenter", "auto"
    )
    light.prepare()
    light.run("volume")
    rows.append(_measured(light, None))
    light.close()
    return rows


def _released(entrant: Entrant, baseline: float | None, classes: np.ndarray | None, whole: bool) -> Row:
    """The line of a backend: the `whole` CT, or extrapolated from the part of it that is compared."""
    part = entrant.turn("part")
    if part is None:
        return entrant.row()
    agreement = None if classes is None else float((part.value["classes"] == classes).mean())
    if whole:
        entrant.run("volume")
        return replace(_measured(entrant, baseline), agreement=agreement)
    windows, of = part.value["windows"], entrant.ready.value["of_volume"]
    seconds = part.seconds * of / windows
    return Row(
        entrant.section,
        entrant.name,
        seconds=seconds,
        cpu_seconds=part.cpu_seconds * of / windows,
        runs=1,
        extrapolated=f"from {windows} of {of} windows",
        faster=None if baseline is None else baseline / seconds,
        agreement=agreement,
        ready_seconds=entrant.ready.seconds,
        note=how(entrant),
    )


def _measured(entrant: Entrant, baseline: float | None) -> Row:
    row = entrant.row(baseline)
    if not entrant.turns:
        return row
    return replace(row, note=f"{how(entrant)}, {entrant.turns[-1].value['windows']} windows")
