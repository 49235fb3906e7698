"""The folder of a run: its log as JSON lines, TensorBoard's event files, and what starts and stops it.

``config.json``, ``log.jsonl``, ``checkpoints/``, ``best.safetensors``, ``pictures/``, ``tensorboard/``, and
at the end ``model/NAME``. An empty file ``stop`` ends the run at its next step, after a checkpoint.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from freetumor.errors import BadInput
from freetumor.files import os_errors, write_json
from freetumor.training.config_file import differences

CONFIG, LOG, STOP, CHECKPOINTS, BEST, MODEL = (
    "config.json",
    "log.jsonl",
    "stop",
    "checkpoints",
    "best.safetensors",
    "model",
)


@dataclass(frozen=True)
class Voice:
    """Who listens to a run: messages, progress (message, share 0..1), and whether it is to stop."""

    log: Callable[[str], None]
    progress: Callable[[str, float], None] = lambda message, share: None
    stops: Callable[[], bool] = lambda: False


class Journal:
    """Writes what happens in a run; only the first of several processes does, the others keep silent."""

    def __init__(self, folder: Path, voice: Voice, *, writes: bool) -> None:
        self.folder, self._voice, self._writes = folder, voice, writes
        self._file: Any = None
        self._board: Any = None

    def open(self, config: Mapping, *, resume: bool) -> None:
        """Make the folder, or take up the one that is there.

        Raises:
            BadInput: kind "exists": there is a run, and it is not to be resumed.
        """
        if not self._writes:
            return
        with os_errors(self.folder):
            if (self.folder / LOG).exists() and not resume:
                raise BadInput(
                    "a new folder for the run (out)",
                    f"{self.folder}, which holds one",
                    "Go on with it (--resume), or choose another.",
                    kind="exists",
                )
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / STOP).unlink(missing_ok=True)
            if (self.folder / CONFIG).exists():
                before = json.loads((self.folder / CONFIG).read_text("utf-8"))
                for change in differences(before, config):
                    self.say(f"resumed with another configuration: {change}")
            write_json(self.folder / CONFIG, dict(config))

    def begin(self, step: int, *, tensorboard: bool) -> None:
        """Go on with the log after `step`: what a killed run wrote later is written again."""
        if not self._writes:
            return
        path = self.folder / LOG
        lines = path.read_text("utf-8", errors="replace").splitlines() if path.exists() else []
        partial = path.with_name(f".{LOG}.part")
        partial.write_text("".join(f"{line}\n" for line in lines if _until(line, step)), "utf-8")
        partial.replace(path)
        self._file = path.open("a", encoding="utf-8")
        if tensorboard:
            self._board = _board(self.folder / "tensorboard", step, self.say)

    def write(self, event: str, step: int, **fields: object) -> None:
        """One line of the log; numbers go to TensorBoard too."""
        if self._file is None:
            return
        self._file.write(json.dumps({"event": event, "step": step, **fields}, allow_nan=False) + "\n")
        self._file.flush()
        if self._board is not None:
            for name, value in fields.items():
                for key, number in (value if isinstance(value, Mapping) else {name: value}).items():
                    if isinstance(number, int | float):
                        self._board.add_scalar(f"{event}/{key}", number, step)

    def say(self, message: str) -> None:
        """Tell whoever listens."""
        if self._writes:
            self._voice.log(message)

    def progress(self, message: str, share: float) -> None:
        """Tell how far the run is."""
        if self._writes:
            self._voice.progress(message, share)

    @property
    def stops(self) -> bool:
        """Whether somebody asked the run to stop."""
        return self._writes and ((self.folder / STOP).exists() or self._voice.stops())

    def close(self) -> None:
        """Close the files."""
        if self._file is not None:
            self._file.close()
        if self._board is not None:
            self._board.close()


def _until(line: str, step: int) -> bool:
    """Whether a line of the log is whole and not of a later step."""
    try:
        return json.loads(line)["step"] <= step
    except (ValueError, KeyError, TypeError):
        return False


def _board(folder: Path, step: int, log: Callable[[str], None]) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        log("no event files: the package tensorboard is not installed (pip install 'freetumor[train]')")
        return None
    return SummaryWriter(str(folder), purge_step=step + 1)
