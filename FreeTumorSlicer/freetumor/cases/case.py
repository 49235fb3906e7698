"""The case folder, the unit of data: written whole or not at all, never over another."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from freetumor.errors import BadInput, OutputError
from freetumor.pipeline import Synthesis
from freetumor.report.preview import preview
from freetumor.synthesis.provenance import provenance
from freetumor.volume import write_volume

CT, LABELS, TUMOR_MASK = "ct.nii.gz", "labels.nii.gz", "tumor_mask.nii.gz"
PROVENANCE, PREVIEW = "provenance.json", "preview.png"
FILES = (CT, LABELS, TUMOR_MASK, PROVENANCE, PREVIEW)
_PARTIAL = ".partial"
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)


@dataclass(frozen=True)
class Case:
    """A finished case folder."""

    path: Path
    provenance: dict

    @property
    def name(self) -> str:
        """The folder's name: the case's id in exports."""
        return self.path.resolve().name


def write_case(folder: str | Path, synthesis: Synthesis, hashes: dict[str, str]) -> Case:
    """Write a synthesis as a case folder.

    Args:
        folder: must not exist yet; its parent is made.
        hashes: fingerprints of the inputs ("ct", "labels", perhaps "mask"), taken before the synthesis.

    Raises:
        BadInput: the folder exists, or cannot be made there.
        OutputError: the disk is full. Nothing is left behind.
    """
    folder = Path(folder)
    record = provenance(synthesis, hashes)
    with _appearing(folder) as partial:
        write_volume(synthesis.ct, partial / CT)
        instances = synthesis.instances()
        labels = synthesis.labels.in_group_convention()
        labels[instances > 0] = synthesis.labels.organ.lesion_label
        write_volume(synthesis.ct.like(labels), partial / LABELS)
        write_volume(synthesis.ct.like(instances), partial / TUMOR_MASK)
        preview(synthesis).save(partial / PREVIEW)
        write_json(partial / PROVENANCE, record)
    return Case(folder, record)


def read_case(folder: str | Path) -> Case:
    """A case folder written by :func:`write_case`; raises :class:`BadInput` if it is not one."""
    folder = Path(folder)
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise BadInput(
            f"a case folder with {', '.join(FILES)}",
            f"{folder} without {', '.join(missing)}",
            "Make one with 'freetumor synthesize'.",
            kind="not_a_case",
        )
    try:
        record = json.loads((folder / PROVENANCE).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BadInput("JSON", f"{folder / PROVENANCE}: {error}", kind="not_a_case") from error
    return Case(folder, record)


def write_json(path: Path, data: dict) -> None:
    """Write JSON whole or not at all: sorted as given, readable, ending in a newline."""
    partial = path.with_name(f".{path.name}{_PARTIAL}-{os.getpid()}")
    try:
        partial.write_text(json.dumps(data, indent=2, ensure_ascii=False, default=_plain) + "\n", "utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def check_free(folder: str | Path) -> None:
    """Raise :class:`BadInput` where a case cannot be written to `folder`, before any work is done."""
    folder = Path(folder)
    with os_errors(folder):
        exists = folder.exists()
    if exists:
        raise BadInput(
            "a new folder for the case",
            f"{folder}, which exists",
            "Nothing is overwritten: give another --out or move it away.",
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


@contextmanager
def _appearing(folder: Path) -> Iterator[Path]:
    """A temporary folder beside `folder` that takes its name at the end, or vanishes."""
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
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise OutputError(
                f"the disk is full: could not write {folder}. Free some space or give another --out. "
                "Nothing half-written was left behind.",
                kind="disk_full",
            ) from error
        if error.errno in _REFUSED:
            raise BadInput(
                "an output folder that can be written",
                f"{folder}: {error.strerror}",
                "Give another --out.",
                kind="output_not_writable",
            ) from error
        raise


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
