"""Work in a process of its own: ``job.json`` in, JSON lines out, stopped by a file.

The modules in 3D Slicer, a terminal and a cluster run the same file. A job folder holds

* ``job.json``: ``{"kind": ..., "parameters": {...}}``; paths in it are relative to the folder;
* ``stop``: once this file is there, the job ends at its next step;
* whatever the job writes; ``result.json`` is what it hands back.

Events, one JSON object a line: ``progress`` (message, share), ``log`` and ``warning`` (message), and at the
end ``done`` (result) or ``error`` (kind, message, and verdicts where the quality test refused).
"""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TextIO

from freetumor.errors import BadInput, FreeTumorError

JOB, STOP, RESULT = "job.json", "stop", "result.json"
# What a parent writes to our standard input if it wants the job to end with it.
LEASH = "with my parent"


class Stopped(FreeTumorError):
    """Somebody asked the job to stop."""

    def __init__(self) -> None:
        super().__init__("stopped on request; nothing was changed", kind="stopped")


@dataclass(frozen=True)
class Context:
    """What a kind of job gets: its folder, its parameters, and a voice."""

    folder: Path
    parameters: dict
    emit: Callable[..., None]

    def progress(self, message: str, share: float) -> None:
        """Say how far the work is; raises :class:`Stopped` if the stop file is there."""
        if (self.folder / STOP).exists():
            raise Stopped
        self.emit("progress", message=message, share=round(float(share), 4))

    def path(self, name: str) -> Path | None:
        """The file that parameter `name` gives, relative to the folder; None if it gives none."""
        value = self.parameters.get(name)
        return self.folder / value if value else None

    def required(self, name: str) -> object:
        """Parameter `name`; raises :class:`BadInput` if it is missing."""
        if self.parameters.get(name) in (None, "", []):
            raise BadInput(
                f"a parameter {name!r} in {JOB}", ", ".join(self.parameters) or "none", kind="usage"
            )
        return self.parameters[name]


def _synthesize(context: Context) -> dict:
    from freetumor.synthesis_job import synthesize_in_folder

    return synthesize_in_folder(context)


def _label_organs(context: Context) -> dict:
    from freetumor.labeling_job import label_in_folder

    return label_in_folder(context)


def _export(context: Context) -> dict:
    from freetumor.export import export

    context.required("cases")
    context.progress("exporting", 0.0)
    cases = [context.folder / case for case in context.parameters["cases"]]
    return export(cases, str(context.required("format")), context.folder / str(context.required("out")))


def _segment(context: Context) -> dict:
    from freetumor.segmentation_job import segment_in_folder

    return segment_in_folder(context)


def _import_model(context: Context) -> dict:
    from freetumor.model_jobs import import_job

    return import_job(context)


def _download_model(context: Context) -> dict:
    from freetumor.model_jobs import download_job

    return download_job(context)


def _train(context: Context) -> dict:
    from freetumor.training_job import train_in_folder

    return train_in_folder(context)


# One entry adds a kind of job. Nothing heavy is imported before the job is known.
KINDS: MappingProxyType[str, Callable[[Context], dict]] = MappingProxyType(
    {
        "synthesize": _synthesize,
        "label-organs": _label_organs,
        "segment": _segment,
        "export": _export,
        "train": _train,
        "import-model": _import_model,
        "download-model": _download_model,
    }
)


def run(job: str | Path, out: TextIO) -> int:
    """Run the job file `job`, writing events to `out`; the exit code (0 done, 1 not)."""

    def emit(event: str, **fields: object) -> None:
        out.write(json.dumps({"event": event, **fields}) + "\n")
        out.flush()

    from freetumor.files import write_json

    try:
        context, kind = _read(Path(job), emit)
        result = KINDS[kind](context)
        write_json(context.folder / RESULT, result)
    except Exception as error:  # noqa: BLE001  whatever happens, the last line tells it
        told = explained(error)
        if told["kind"] == "crashed":
            traceback.print_exc()
        emit("error", **told)
        return 1
    emit("done", result=result)
    return 0


def explained(error: Exception) -> dict:
    """Kind, message and verdicts of an error. Kinds of our own are kept; the others are told apart here."""
    if isinstance(error, FreeTumorError):
        told = {"kind": error.kind, "message": str(error)}
        return {**told, "verdicts": error.verdicts} if hasattr(error, "verdicts") else told
    # PyTorch's own out-of-memory error is a RuntimeError; it is known by its name, without importing it.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return {"kind": "out_of_memory", "message": f"the memory was not enough. {error}".strip()}
    if isinstance(error, ImportError):
        name = error.name or str(error)
        return {"kind": "missing_package", "message": f"the Python package {name} is not installed"}
    if isinstance(error, OSError):
        return {"kind": "os", "message": str(error)}
    return {"kind": "crashed", "message": f"internal error: {type(error).__name__}: {error}"}


def _read(path: Path, emit: Callable[..., None]) -> tuple[Context, str]:
    try:
        job = json.loads(path.read_text("utf-8"))
        kind, parameters = job["kind"], job["parameters"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(
            'a job file {"kind": ..., "parameters": {...}}', f"{path}: {error!r}", kind="usage"
        ) from error
    if kind not in KINDS or not isinstance(parameters, dict):
        raise BadInput(f"a kind of job of {', '.join(KINDS)}", repr(kind), kind="usage")
    return Context(path.resolve().parent, parameters, emit), kind


def _end_with_parent() -> None:
    """End when the parent is gone, however it went: its end of our standard input closes then.

    Only after the agreed word, as a launcher or a batch system may close standard input at once.
    """
    if sys.stdin is not None and sys.stdin.readline().strip() == LEASH:
        while sys.stdin.readline():
            pass
        os._exit(1)


def main(arguments: Sequence[str] | None = None) -> int:
    """``freetumor-job.py job.json``: events on standard output, all else on standard error."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if len(arguments) != 1:
        sys.stderr.write("usage: freetumor-job.py job.json\n")
        return 2
    # A library that prints would break the lines: what it prints goes to standard error.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as events:
        os.dup2(2, 1)
        threading.Thread(target=_end_with_parent, daemon=True).start()
        return run(arguments[0], events)


if __name__ == "__main__":
    sys.exit(main())
