"""A run seen from outside, by what it writes into its folder: how far it is, what it loses, what it shows.

Nothing here needs torch, so that a window or a terminal can follow a run that another process does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from freetumor.models.model import MODEL as RECORD
from freetumor.training.journal import CONFIG, LOG, MODEL

PARTS = ("segmenter", "generator", "classifier")
SCORE = "validation"  # name of its curve


@dataclass(frozen=True)
class Run:
    """What there is of a run.

    Attributes:
        folder: of the run. model: folder of what it made; None until it is finished.
        name: of the model. wanted: steps that it is to do.
        steps: lines of the log, by step: ``losses`` (and other numbers), ``samples_per_s``, ``eta_s``.
        validations: ``score`` and more, by step. warnings: messages.
        checkpoint: step of the last one, 0 without one. picture: the newest; None before the first.
    """

    folder: Path
    name: str
    wanted: int
    steps: Mapping[int, Mapping]
    validations: Mapping[int, Mapping]
    warnings: tuple[str, ...]
    checkpoint: int
    picture: Path | None
    model: Path | None

    @property
    def step(self) -> int:
        """The last one in the log."""
        return max(self.steps, default=0)

    def curves(self) -> dict[str, list[tuple[int, float]]]:
        """(step, value) of each loss (that of each network), and of the validation's score."""
        found: dict[str, list[tuple[int, float]]] = {}
        for step, line in self.steps.items():
            for part in PARTS:
                if part in line["losses"]:
                    found.setdefault(f"loss {part}", []).append((step, line["losses"][part]))
        score = [(step, line["score"]) for step, line in self.validations.items() if "score" in line]
        return {**found, SCORE: score} if score else found


def read_run(folder: str | Path) -> Run | None:
    """The run in `folder`; None if there is none. Lines that are being written are left out."""
    folder = Path(folder)
    try:
        config = json.loads((folder / CONFIG).read_text("utf-8"))
        lines = (folder / LOG).read_text("utf-8", errors="replace").splitlines()
    except (OSError, ValueError):
        return None
    by_event: dict[str, dict[int, dict]] = {}
    for line in lines:
        event = _parsed(line)
        if event is not None:
            by_event.setdefault(event.pop("event"), {})[event.pop("step")] = event
    name = f"{config['name']}-{config['stage']}"
    made = folder / MODEL / name
    pictures = [folder / event["file"] for event in by_event.get("picture", {}).values()]
    return Run(
        folder=folder,
        name=name,
        wanted=config["loop"]["steps"],
        steps=by_event.get("step", {}),
        validations=by_event.get("validation", {}),
        warnings=tuple(event["message"] for event in by_event.get("warning", {}).values()),
        checkpoint=max(by_event.get("checkpoint", {}), default=0),
        picture=next((path for path in reversed(pictures) if path.is_file()), None),
        model=made if (made / RECORD).is_file() else None,
    )


def _parsed(line: str) -> dict | None:
    try:
        event = json.loads(line)
        return event if isinstance(event["event"], str) and isinstance(event["step"], int) else None
    except (ValueError, KeyError, TypeError):
        return None
