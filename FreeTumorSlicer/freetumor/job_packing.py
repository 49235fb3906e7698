"""A job made ready for another computer: one folder with the job, its inputs, and how to run it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path, PureWindowsPath

from freetumor.errors import BadInput
from freetumor.files import check_free, os_errors
from freetumor.jobs import JOB, KINDS

INPUTS, OUTPUTS, README = "inputs", "outputs", "README.txt"
_HOW = """FreeTumor job: {kind}

Run it where the package freetumor is installed (pip install freetumor, or a checkout of its repository):

    python -m freetumor.jobs job.json

It prints one JSON object per line. To stop it, make an empty file named "stop" in this folder.
"""


def read_job(job: str | Path) -> dict:
    """The content of a ``job.json``; raises :class:`BadInput` if it is none, or of a kind there is not."""
    job = Path(job)
    if job.name != JOB:
        raise BadInput(
            f"a job file named {JOB}", job.name, "Rename it, in a folder of its own.", kind="bad_job"
        )
    try:
        content = json.loads(job.read_text("utf-8"))
        kind, parameters = content["kind"], content["parameters"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(
            'a job file {"kind": ..., "parameters": {...}}', f"{job}: {error!r}", kind="bad_job"
        ) from error
    if kind not in KINDS or not isinstance(parameters, dict):
        raise BadInput(f"a kind of job of {', '.join(KINDS)}", repr(kind), kind="bad_job")
    return content


def pack_job(job: str | Path, folder: str | Path) -> Path:
    """Copy `job` with its inputs into the new `folder`, with paths that hold anywhere; the folder.

    A parameter that names a file or folder there is (relative to the job) is an input and copied to
    ``inputs/``. Any other absolute path is an output and moves to ``outputs/``.

    Raises:
        BadInput: not a job, or `folder` exists or cannot be written.
        OutputError: the disk is full. Nothing is left behind.
    """
    job, folder = Path(job).resolve(), Path(folder)
    content = read_job(job)
    check_free(folder)
    partial = folder.absolute().with_name(f".{folder.name}.partial-{os.getpid()}")
    try:
        with os_errors(folder):
            partial.mkdir(parents=True)
            parameters = _Packer(job.parent, partial).packed(content["parameters"])
            text = json.dumps({**content, "parameters": parameters}, ensure_ascii=False, indent=1)
            (partial / JOB).write_text(text + "\n", "utf-8")
            (partial / README).write_text(_HOW.format(kind=content["kind"]), "utf-8")
            partial.rename(folder.absolute())
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return folder


class _Packer:
    def __init__(self, source: Path, target: Path) -> None:
        self._source, self._target = source, target
        self._taken: dict[Path, str] = {}

    def packed(self, value: object) -> object:
        """`value` with all paths in it made to hold in the target folder."""
        if isinstance(value, dict):
            return {key: self.packed(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.packed(item) for item in value]
        if not isinstance(value, str) or not value:
            return value
        path = self._source / value
        if _exists(path):
            return self._copied(path.resolve())
        if Path(value).is_absolute() or PureWindowsPath(value).is_absolute():
            return f"{OUTPUTS}/{PureWindowsPath(value).name}"
        return value

    def _copied(self, path: Path) -> str:
        if path not in self._taken:
            # Two inputs of one name keep apart, and a case keeps its name, which an export needs.
            place = f"{INPUTS}/{len(self._taken) + 1:03d}/{path.name}"
            (self._target / place).parent.mkdir(parents=True)
            if path.is_dir():
                shutil.copytree(path, self._target / place)
            else:
                shutil.copy2(path, self._target / place)
            self._taken[path] = place
        return self._taken[path]


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a text that is too long for a path, or that no path may hold
        return False
