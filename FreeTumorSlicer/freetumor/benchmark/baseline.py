"""The naive schedule in the races: piece by piece, so that the others can run in between."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from freetumor.benchmark import subjects
from freetumor.benchmark.entrants import Outputs, Stage
from freetumor.benchmark.machine import available_bytes
from freetumor.benchmark.table import Row
from freetumor.benchmark.worker import Turn

PARTS = ("generator", "segmenter")
_BYTES = 12 * 2**30  # what four windows of 96 voxels at a time take


@dataclass
class _Tally:
    """Windows of a network that are done, and what they took."""

    windows: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    def add(self, windows: int, turn: Turn) -> None:
        self.windows += windows
        self.seconds += turn.seconds
        self.cpu_seconds += turn.cpu_seconds

    def of(self, windows: int) -> tuple[float, float]:
        """Seconds, and seconds of processors, that so many windows would take."""
        return self.seconds * windows / self.windows, self.cpu_seconds * windows / self.windows


class Naive:
    """The naive schedule; `section`: of the table, for one tumor."""

    def __init__(self, stage: Stage, section: str) -> None:
        self._case, self._full, self._batch = stage.case, stage.full, stage.case.batch
        self.entrant = stage.entrant(section, "naive schedule, float32", subjects.naive, self._sides())
        self._tallies = {part: _Tally() for part in PARTS}
        self._peak_bytes: int | None = None

    def _sides(self) -> tuple[int, ...]:
        """Of the patches in the liver's middle that its networks are asked about."""
        return (self._case.small, self._case.window) if self._full else (self._case.small,)

    def outputs(self, side: int) -> Outputs | None:
        """What its networks say of a patch in the liver's middle; None where they were not asked."""
        return None if self.entrant.failed else self.entrant.ready.value["outputs"].get(side)

    def pieces(self) -> list[str]:
        """Which network each piece is of: all of them, or those that the rest is extrapolated from."""
        if self.entrant.failed:
            return []
        free = available_bytes()
        if free is not None and free < _BYTES * (self._case.window / 96) ** 3:
            self._batch = 1  # it would fill the memory
        wanted = {part: n if self._full else min(n, self._case.batch) for part, n in self._windows().items()}
        return [part for part in PARTS for _ in range(math.ceil(wanted[part] / self._batch))]

    def run(self, part: str) -> None:
        """Run the next piece of a network."""
        turn = self.entrant.turn((part, self._batch))
        if turn is not None:
            self._tallies[part].add(turn.value, turn)
            self._peak_bytes = turn.peak_bytes

    def row(self) -> Row:
        """Its line of the table for one tumor."""
        if self.entrant.failed:
            return self.entrant.row()
        took = [self._tallies[part].of(n) for part, n in self._windows().items()]
        note = f"{self._batch} windows at a time"
        if self._batch != self._case.batch:
            note += f", not {self._case.batch}, for want of memory: with more its peak would be higher"
        whole = all(self._tallies[part].windows == n for part, n in self._windows().items())
        done = [
            f"{self._tallies[part].windows} of {n} windows ({part})" for part, n in self._windows().items()
        ]
        return Row(
            self.entrant.section,
            self.entrant.name,
            seconds=sum(seconds for seconds, _ in took),
            cpu_seconds=sum(cpu for _, cpu in took),
            runs=1,
            extrapolated="" if whole else f"from {', '.join(done)}",
            faster=1.0,
            peak_bytes=self._peak_bytes,
            ready_seconds=self.entrant.ready.seconds,
            note=note,
        )

    def volume(self, section: str) -> tuple[Row, np.ndarray | None]:
        """Its line of the table for a whole CT, always extrapolated; and its classes of a part, (k, j, i)."""
        turn = self.entrant.turn(("part", self._batch))
        if turn is None:
            return Row(section, self.entrant.name, note=f"not measured: {self.entrant.failed}"), None
        tally, of = self._tallies["segmenter"], self.entrant.ready.value["of_volume"]
        tally.add(turn.value["windows"], turn)
        seconds, cpu = tally.of(of)
        row = Row(
            section,
            self.entrant.name,
            seconds=seconds,
            cpu_seconds=cpu,
            runs=1,
            extrapolated=f"from {tally.windows} of {of} windows",
            faster=1.0,
            note=f"{self._batch} windows at a time",
        )
        return row, turn.value["classes"]

    def _windows(self) -> dict[str, int]:
        """Windows over the organ's box, by network."""
        return self.entrant.ready.value["windows"]
