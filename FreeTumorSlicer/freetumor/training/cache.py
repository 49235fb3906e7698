"""Prepared cases on disk, keyed by what they were made from and how: nothing stale is ever taken.

An entry is a folder named by a digest of the bytes of all files of the case, of the settings, and of the
code that prepares. It is written under another name and renamed when it is whole, so that a killed process
leaves no half entry and processes side by side do not disturb each other: the first one wins, and the
others take its entry. The window is no part of it: HU are kept as they are and scaled patch by patch.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cache, cached_property
from pathlib import Path

import numpy as np

import freetumor
from freetumor.errors import BadInput
from freetumor.files import os_errors, write_json
from freetumor.training.fingerprints import file_digest, fingerprints
from freetumor.training.preparation import Arrays, Places, prepare
from freetumor.training.sources import Case
from freetumor.volume import Geometry, Volume, read_volume

_ENTRY = "entry.json"
_PARTIAL = ".partial"
_ABANDONED_S = 24 * 3600.0  # no case takes that long to prepare
# What the arrays of an entry depend on, in this package.
_CODE = (
    "training/cache.py",
    "training/preparation.py",
    "training/contours.py",
    "volume/working_grid.py",
    "organs/labels.py",
    "organs/lung.py",
    "organs/airway.py",
    "organs/coarse_grid.py",
)


@dataclass(frozen=True, eq=False)
class Prepared:
    """A case on the working grid, its arrays mapped from disk; cheap to copy and to send to a process.

    Attributes:
        case: what it was made from. folder: the entry. window: HU that become 0..1 in patches.
        record: content of ``entry.json``.
    """

    case: Case
    folder: Path
    window: tuple[float, float]
    record: dict = field(repr=False)

    @cached_property
    def geometry(self) -> Geometry:
        """The working grid."""
        return Geometry(tuple(self.record["shape"]), np.array(self.record["affine"]))

    @cached_property
    def ct(self) -> Volume:
        """HU as int16, read only."""
        return Volume(self._array("hu"), self.geometry, name=self.case.name)

    @cached_property
    def labels(self) -> Volume:
        """Ids of the group as uint8, 255 where nothing is known; read only."""
        return Volume(self._array("labels"), self.geometry, name=f"labels of {self.case.name}")

    @cached_property
    def mask(self) -> np.ndarray | None:
        """Share of synthetic tumor in 1/255, uint8; None where there is none."""
        return self._array("mask") if self.record["mask"] else None

    @cached_property
    def places(self) -> np.ndarray:
        """Voxels that patches are drawn from, (n, 3), in the order of :attr:`organs` and :attr:`lesions`."""
        return self._array("places")

    @cached_property
    def organs(self) -> tuple[Places, ...]:
        """The organs of the label map."""
        return tuple(Places(**places) for places in self.record["organs"])

    @cached_property
    def lesions(self) -> tuple[Places, ...]:
        """The lesions of the label map, one by one."""
        return tuple(Places(**places) for places in self.record["lesions"])

    def organ_ml(self, label: int) -> float:
        """Volume of an organ without its lesions in ml; 0 if it is not there."""
        voxel = float(np.prod(self.geometry.spacing)) / 1000.0
        return sum(places.voxels * voxel for places in self.organs if places.label == label)

    def _array(self, name: str) -> np.ndarray:
        path = self.folder / f"{name}.npy"
        try:
            # A plain array over the mapped file: the subclass costs at every slice.
            return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
        except (OSError, ValueError) as error:
            hint = "Remove this folder: it is made again."
            raise BadInput(
                "a whole entry of the cache", f"{path}: {error}", hint, kind="bad_cache"
            ) from error

    def __getstate__(self) -> dict:
        # Arrays would be copied into every worker; they are mapped again there.
        return {name: self.__dict__[name] for name in self.__dataclass_fields__}


def prepared(
    case: Case, spacing: Sequence[float], window: Sequence[float], group: str, folder: str | Path
) -> Prepared:
    """The case on the working grid, from the cache or made now.

    Args:
        spacing: of the grid in mm, (k, j, i). window: HU, (low, high). group: label group of the training.
        folder: the cache; made if it is not there.

    Raises:
        BadInput: the case belongs to another group, or cannot be used; says which and why.
        OutputError: the disk is full.
    """
    if case.group != group:
        raise BadInput(f"cases of the {group}", f"{case.name} of the {case.group}", kind="mixed_groups")
    folder = Path(folder)
    settings = _settings(case, spacing)
    entry = folder / hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:32]
    if not (entry / _ENTRY).is_file():
        with os_errors(folder):
            _make(case, spacing, settings, entry)
    record = json.loads((entry / _ENTRY).read_text("utf-8"))
    return Prepared(case, entry, (float(window[0]), float(window[1])), record)


def _settings(case: Case, spacing: Sequence[float]) -> dict:
    files = {"ct": case.ct, "labels": case.labels, "tumor_mask": case.tumor_mask, "contours": case.contours}
    if isinstance(case.organ_labels, Path):
        files["organ_labels"] = case.organ_labels
    return {
        "code": code_version(),
        "spacing": [round(float(s), 6) for s in spacing],
        "group": case.group,
        "label_map": [list(pair) for pair in case.label_map],
        "organs": list(case.organs) if case.organ_labels is not None else None,
        "organ_labels": None if case.organ_labels is None else case.organ_convention,
        "files": {name: file_digest(path) for name, path in files.items() if path is not None},
        "automatic": isinstance(case.organ_labels, str),
    }


@cache
def code_version() -> str:
    """Digest of the code that prepares cases, so that nobody has to remember to count it up."""
    root = Path(freetumor.__file__).parent
    return hashlib.sha256(b"".join((root / name).read_bytes() for name in _CODE)).hexdigest()[:16]


def _make(case: Case, spacing: Sequence[float], settings: dict, entry: Path) -> None:
    entry.parent.mkdir(parents=True, exist_ok=True)
    _sweep(entry)
    ct = read_volume(case.ct)
    arrays = prepare(case, spacing, ct)
    identity = fingerprints(case, entry.parent, ct)
    # Not by process: in a cache on a shared disk two machines may have the same number.
    partial = entry.with_name(f"{_PARTIAL}-{entry.name}-{uuid.uuid4().hex}")
    try:
        partial.mkdir()
        _write(arrays, partial, {"case": case.name, "fingerprints": identity, "settings": settings})
        try:
            partial.rename(entry)
        except OSError:
            if not (entry / _ENTRY).is_file():  # else somebody else was first, with the same content
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write(arrays: Arrays, folder: Path, record: dict) -> None:
    held = {"hu": arrays.hu, "labels": arrays.labels, "mask": arrays.mask, "places": arrays.places}
    for name, array in held.items():
        if array is not None:
            np.save(folder / f"{name}.npy", np.ascontiguousarray(array), allow_pickle=False)
    geometry = arrays.grid.geometry
    record |= {
        "shape": list(geometry.shape),
        "affine": geometry.affine.tolist(),
        "mask": arrays.mask is not None,
        "organs": [asdict(places) for places in arrays.organs],
        "lesions": [asdict(places) for places in arrays.lesions],
    }
    write_json(folder / _ENTRY, record)


def _sweep(entry: Path) -> None:
    """Remove what killed processes left of this entry."""
    for left in entry.parent.glob(f"{_PARTIAL}-{entry.name}-*"):
        if time.time() - left.stat().st_mtime > _ABANDONED_S:
            shutil.rmtree(left, ignore_errors=True)
