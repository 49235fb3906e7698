"""The race for a whole CT: the naive schedule, our backends with its segmenter, our light segmenter.

The naive schedule takes half an hour here, so that it is always extrapolated: from the windows that it ran
for one tumor, and for the part of the CT in which the classes are compared.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from freetumor.benchmark import subjects
from freetumor.benchmark.baseline import Naive
from freetumor.benchmark.entrants import Entrant, Stage, by, how, other_backend
from freetumor.benchmark.table import Row


def volume_race(stage: Stage, naive: Naive) -> list[Row]:
    """Run it: the rows. `naive` comes from the race for one tumor."""
    what = f"A whole CT of {by(stage.case.ct_shape)} voxels segmented"
    stage.progress("naive schedule: a part of the CT", 0.75)
    baseline, classes = naive.volume(f"{what}, released segmenter")
    rows = [baseline]
    for n, backend in enumerate(stage.backends):
        stage.progress(f"{backend}: whole CT", 0.77 + 0.15 * n / len(stage.backends))
        entrant = stage.entrant(
            baseline.section, f"ours, {backend}", subjects.volume, "released-segmenter", backend
        )
        if entrant.prepare() and not other_backend(entrant, backend):
            rows.append(_released(stage, entrant, baseline.seconds, classes))
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


def _released(stage: Stage, entrant: Entrant, baseline: float | None, classes: np.ndarray | None) -> Row:
    """The line of a backend: all of the CT, or extrapolated from the part of it that is compared."""
    part = entrant.turn("part")
    if part is None:
        return entrant.row()
    agreement = None if classes is None else float((part.value["classes"] == classes).mean())
    if stage.full:
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
