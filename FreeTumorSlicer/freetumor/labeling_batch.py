"""Organ labels of many CTs: killed at any moment, it goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from freetumor.anatomy import Organ
from freetumor.errors import BadInput, FreeTumorError
from freetumor.files import os_errors
from freetumor.labelers import Labeler, Options, labeler_for, rows_of
from freetumor.labeling_job import label, record_of
from freetumor.volume import read_volume
from freetumor.volume.reading import suffix_of

_CHANNEL = "_0000"  # what nnU-Net adds to the name of a CT


def label_files(
    cts: Sequence[Path],
    organs: Sequence[str],
    folder: Path,
    report: Callable[[Path, dict], None],
    *,
    labeler: str | None = None,
    options: Options | None = None,
    assume_hu: bool = False,
) -> dict:
    """Label many CTs into ``folder/NAME.nii.gz``; run again after an interruption, it goes on.

    Label maps that are there are kept, if they are of this CT, these organs and this labeler; one bad CT
    does not stop the others.

    Args:
        report: called with each CT and its result when it is known.

    Returns:
        ``{"status", "done", "kept", "failed": counts, "results": [...]}``.

    Raises:
        BadInput: see :func:`labeler_for`; or two CTs have one name, or the folder cannot be made.
    """
    options = options or Options()
    rows = rows_of(organs)
    chosen = labeler_for(rows, labeler, options)
    names = _names(cts)
    with os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    results = []
    for number, (ct, name) in enumerate(zip(cts, names, strict=True)):

        def part(message: str, share: float, number: int = number, name: str = name) -> None:
            options.progress(f"{name}: {message}", (number + share) / len(cts))

        told = replace(options, progress=part)
        result = _tried(ct, rows, folder / f"{name}.nii.gz", chosen, told, assume_hu)
        results.append(result)
        report(ct, result)
    counts = {status: sum(r["status"] == status for r in results) for status in ("done", "kept", "failed")}
    return {"status": "incomplete" if counts["failed"] else "done", **counts, "results": results}


def _tried(
    ct: Path, rows: Sequence[Organ], out: Path, labeler: Labeler, options: Options, assume_hu: bool
) -> dict:
    """The result of one CT; errors on purpose become one, so that a bad CT does not stop the others."""
    try:
        if out.exists():
            _check_kept(ct, rows, out, labeler)
            return {"status": "kept", "out": str(out)}
        return label(ct, rows, out, labeler, options, assume_hu=assume_hu)
    except FreeTumorError as error:
        failed = {"kind": error.kind, "message": str(error), "exit_code": error.exit_code}
    except (OSError, MemoryError) as error:
        message = " ".join(str(error).split()) or "out of memory"
        failed = {"kind": "system", "message": message, "exit_code": 1}
    return {"status": "failed", "out": str(out), **failed}


def _check_kept(ct: Path, rows: Sequence[Organ], out: Path, labeler: Labeler) -> None:
    """Raise :class:`BadInput` unless `out` holds what would be made."""
    try:
        record = json.loads(record_of(out).read_text("utf-8"))
        held = [record["labeler"]["name"], [entry["organ"] for entry in record["organs"]]]
        same = held == [labeler.name, [row.name for row in rows]]
        same = same and record["input"]["ct_sha256"] == read_volume(ct).fingerprint()
    except (OSError, ValueError, KeyError, TypeError):
        same = False
    if not same:
        raise BadInput(
            "a new file, or labels of this CT by the same labeler",
            f"{out}, which holds others",
            "Nothing is overwritten: move it away or choose another folder.",
            kind="exists",
        )


def _names(cts: Sequence[Path]) -> list[str]:
    """Of each CT: of its file; or of its folder, where several files have one name (``CASE/ct.nii.gz``)."""
    names = [ct.resolve().name.removesuffix(suffix_of(ct)).removesuffix(_CHANNEL) for ct in cts]
    if len(set(names)) < len(names):
        names = [ct.resolve().parent.name if ct.is_file() else n for ct, n in zip(cts, names, strict=True)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadInput("CTs of different names", f"several named {', '.join(twice)}", kind="usage")
    return names
