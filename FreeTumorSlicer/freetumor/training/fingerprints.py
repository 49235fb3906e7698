"""Is this the same scan? Fingerprints of a CT's content, whatever its file is called or how it is stored.

Catalogues overlap: the scans of one collection are the validation cases of another, under other names and
in other files. Two fingerprints are taken of each CT. The one of its stored values finds what the provenance
of synthetic cases names; the one of its content also finds a copy in another file format, number type or
order of voxels. A copy that was cropped or resampled has another content: only its patient tells.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from freetumor.files import os_errors, sha256, write_json
from freetumor.organs.coarse_grid import patient_axes
from freetumor.training.sources import Case
from freetumor.volume import Volume, read_volume
from freetumor.volume.reading import suffix_of

_HU = (-1024.0, 3071.0)  # what many converters clip to
_DETACHED = (".nhdr", ".mhd")  # the voxels are in another file
_FOLDER = "fingerprints"
_SCHEMA = 1


def content_fingerprint(ct: Volume) -> str:
    """SHA-256 of the HU (whole numbers, -1024 to 3071) in the patient's axes and of the voxel size.

    The place in space is left out: converters change it, and the same voxels elsewhere are the same scan.
    """
    view, spacing = patient_axes(ct.array, ct.geometry)
    digest = hashlib.sha256(repr((view.shape, [f"{s:.2f}" for s in spacing])).encode())
    scale, start = np.float64(ct.storage.slope), np.float64(ct.storage.intercept)
    for plane in view:
        hu = np.clip(np.rint(plane * scale + start), *_HU)
        digest.update(np.ascontiguousarray(hu.astype("<i2")))
    return digest.hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, or of those of all files in a folder (DICOM).

    Of a header whose voxels are in another file: :meth:`Volume.fingerprint`.
    """
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.is_file())
        return hashlib.sha256("".join(map(sha256, files)).encode()).hexdigest()
    return read_volume(path).fingerprint() if suffix_of(path) in _DETACHED else sha256(path)


def fingerprints(case: Case, cache: Path | None = None, ct: Volume | None = None) -> tuple[str, ...]:
    """What tells that two cases show the same scan: they have one of these in common.

    Args:
        cache: folder where they are kept, by the file's content, so that no CT is read twice for them.
        ct: the CT, where it is at hand.

    Raises:
        OutputError: the disk is full. BadInput: the CT cannot be read, or the folder not be written.
    """
    kept = cache / _FOLDER / f"{file_digest(case.ct)}.json" if cache else None
    record = _kept(kept)
    if record is None:
        ct = ct or read_volume(case.ct)
        record = {"schema": _SCHEMA, "stored": ct.fingerprint(), "content": content_fingerprint(ct)}
        if kept:
            with os_errors(cache):
                kept.parent.mkdir(parents=True, exist_ok=True)
                write_json(kept, record)
    return tuple(filter(None, (record["stored"], record["content"], case.origin)))


def _kept(path: Path | None) -> dict | None:
    if path is None or not path.is_file():
        return None
    record = json.loads(path.read_text("utf-8"))
    return record if record.get("schema") == _SCHEMA else None
