"""Folders and files that appear whole or not at all, never over another."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from freetumor.errors import BadInput, OutputError

_PARTIAL = ".partial"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)


def write_json(path: Path, data: dict) -> None:
    """Write JSON whole or not at all: sorted as given, readable, ending in a newline."""
    partial = path.with_name(f".{path.name}{_PARTIAL}-{os.getpid()}")
    try:
        partial.write_text(json.dumps(data, indent=2, ensure_ascii=False, default=_plain) + "\n", "utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_free(folder: str | Path) -> None:
    """Raise :class:`BadInput` where a folder cannot be written to `folder`, before any work is done."""
    folder = Path(folder)
    with os_errors(folder):
        exists = folder.exists()
    if exists:
        raise BadInput(
            "a new folder",
            f"{folder}, which exists",
            "Nothing is overwritten: choose another name or move it away.",
            kind="exists",
        )
    with os_errors(folder):
        remove_partial(folder, spare_running=True)
        there = next(parent for parent in folder.absolute().parents if parent.exists())
        probe = there / f".{folder.name}{_PARTIAL}-{os.getpid()}"
        probe.mkdir()
        probe.rmdir()


def remove_partial(folder: str | Path, *, spare_running: bool = False) -> None:
    """Remove what killed processes left of `folder`; `spare_running`: not what a living one is writing."""
    folder = Path(folder).absolute()
    if folder.parent.is_dir():
        for left in folder.parent.glob(f".{_escaped(folder.name)}{_PARTIAL}-*"):
            if not (spare_running and _is_running(left.name.rpartition("-")[2])):
                shutil.rmtree(left)


@contextmanager
def appearing(folder: Path) -> Iterator[Path]:
    """A temporary folder beside `folder` that takes its name at the end, or vanishes.

    Raises:
        BadInput: the folder exists, or cannot be made there.
        OutputError: the disk is full. Nothing is left behind.
    """
    check_free(folder)
    partial = folder.absolute().parent / f".{folder.name}{_PARTIAL}-{os.getpid()}"
    new_parents = [parent for parent in partial.parents if not parent.exists()]
    try:
        with os_errors(folder):
            partial.mkdir(parents=True)
            yield partial
            partial.rename(folder.absolute())
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        with suppress(OSError):  # not empty: somebody else writes there too
            for parent in new_parents:
                parent.rmdir()
        if isinstance(error, OutputError):
            # Say the folder the user asked for, not the hidden one.
            raise OutputError(str(error).replace(str(partial), str(folder)), kind=error.kind) from error
        raise


@contextmanager
def os_errors(folder: Path) -> Iterator[None]:
    """Say of an :class:`OSError` while writing into `folder` what is wrong with that folder."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise OutputError(
                f"the disk is full: could not write {folder}. Free some space or choose another place. "
                "Nothing half-written was left behind.",
                kind="disk_full",
            ) from error
        if error.errno in _REFUSED:
            raise BadInput(
                "an output folder that can be written",
                f"{folder}: {error.strerror}",
                "Choose another place.",
                kind="output_not_writable",
            ) from error
        raise


def _is_running(pid: str) -> bool:
    if os.name != "posix" or not pid.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return int(pid) != os.getpid()


def _escaped(name: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
