"""Those who take turns in the benchmark: a worker each, and what its turns took."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from freetumor.benchmark.cases import Case
from freetumor.benchmark.table import Row
from freetumor.benchmark.worker import Subject, Turn, Worker, WorkerFailed

Outputs = tuple[np.ndarray, np.ndarray]  # the generator's difference, the segmenter's classes
Progress = Callable[[str, float], None]


class Entrant:
    """A variant with its worker; once it has failed it takes no more turns, and `failed` says why."""

    def __init__(self, section: str, name: str, worker: Worker) -> None:
        self.section, self.name, self._worker = section, name, worker
        self.failed = ""
        self.ready: Turn | None = None
        self.turns: list[Turn] = []

    def turn(self, what: object = None) -> Turn | None:
        """A turn that is not counted; None where it fails or has failed before."""
        if self.failed:
            return None
        try:
            return self._worker.turn(what)
        except WorkerFailed as error:
            self.fail(str(error))
            return None

    def prepare(self) -> bool:
        """The first turn; whether it went well."""
        self.ready = self.turn()
        return self.ready is not None

    def run(self, what: object) -> Turn | None:
        """A turn that counts."""
        turn = self.turn(what)
        if turn is not None:
            self.turns.append(turn)
        return turn

    def fail(self, why: str) -> None:
        """Take it out of the race."""
        self.failed = why
        self.close()

    def close(self) -> None:
        """End its process."""
        self._worker.close()

    def row(self, baseline: float | None = None, **facts: object) -> Row:
        """Its line of the table; `baseline`: seconds of the naive schedule."""
        if self.failed or not self.turns:
            return Row(self.section, self.name, note=f"not measured: {self.failed}")
        seconds = statistics.median(turn.seconds for turn in self.turns)
        return Row(
            self.section,
            self.name,
            seconds=seconds,
            cpu_seconds=statistics.median(turn.cpu_seconds for turn in self.turns),
            runs=len(self.turns),
            faster=None if baseline is None else baseline / seconds,
            peak_bytes=self.turns[-1].peak_bytes,
            ready_seconds=self.ready.seconds,
            **facts,
        )


@dataclass(frozen=True)
class Stage:
    """What all races need: what they are about, who may take part, and who ends them."""

    case: Case
    folder: Path
    full: bool
    backends: tuple[str, ...]
    progress: Progress
    stack: ExitStack

    def entrant(self, section: str, name: str, subject: Subject, *arguments: object) -> Entrant:
        """A new entrant; its process ends with the race, at the latest."""
        worker = Worker(subject, self.case, self.folder, *arguments)
        self.stack.callback(worker.close)
        return Entrant(section, name, worker)


def other_backend(entrant: Entrant, backend: str) -> bool:
    """Take `entrant` out of the race if it did not run on the `backend` that it was meant to."""
    ran = entrant.ready.value["backend"]
    if ran == backend or backend == "auto":
        return False
    entrant.fail("; ".join(dict.fromkeys(entrant.ready.value["said"])) or f"{ran} ran instead")
    return True


def how(entrant: Entrant) -> str:
    """What a line says of an entrant: why it was not measured, or what ran."""
    if entrant.failed:
        return f"not measured: {entrant.failed}"
    value = entrant.ready.value
    facts = [value["backend"]]
    if "patch" in value:
        facts.append(f"a patch of {by(value['patch'])}")
    if "looks" in value:
        facts.append("2 looks of the judge" if value["looks"] > 1 else "1 look of the judge")
    # Where plain PyTorch computes, somebody may want to know why nothing faster does.
    return ", ".join([*facts, *(value["said"] if value["backend"] == "torch" else ())])


def by(shape: Sequence[int]) -> str:
    """A shape (k, j, i) in words, i first."""
    return "x".join(str(n) for n in reversed(shape))


def agreement(ours: Outputs, reference: Outputs) -> dict[str, float]:
    """How far two outputs are the same, by the fields of :class:`Row`."""
    return {
        "agreement": float((ours[1] == reference[1]).mean()),
        "difference": float(np.abs(ours[0] - reference[0]).max()),
    }
