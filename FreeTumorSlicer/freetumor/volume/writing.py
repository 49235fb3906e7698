"""Writing volumes: whole or not at all."""

from __future__ import annotations

import errno
import gzip
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from freetumor.errors import BadInput, OutputError
from freetumor.volume.geometry import Box
from freetumor.volume.nifti import DATATYPES, new_header, parse_header
from freetumor.volume.reading import suffix_of
from freetumor.volume.text_headers import mha_header, nrrd_header
from freetumor.volume.volume import Volume

_SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".mha")
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR)
_SLAB_BYTES = 1 << 22


def write_volume(volume: Volume, path: str | Path) -> None:
    """Write `volume` to a .nii, .nii.gz, .nrrd or .mha file.

    The file appears whole under its name or not at all. A volume that was read from NIfTI-1 and is
    still on its grid, with its type and scale, gets its header back byte for byte; the voxels are
    written as stored. NRRD and MHA know no scale: there, values with a slope or an intercept are
    written as HU (int16 where they are integers that fit, else float32).

    Raises:
        BadInput: kind "unknown_type" (suffix) or "output_not_writable" (no such folder, no permission,
            read-only).
        OutputError: the disk is full or failed. Nothing is left behind.
    """
    path = Path(path)
    suffix = suffix_of(path)
    if suffix not in _SUFFIXES:
        raise BadInput(f"an output file of type {', '.join(_SUFFIXES)}", str(path), kind="unknown_type")
    if suffix.startswith(".nii"):
        dtype, header = _nifti(volume)
        slabs = _stored(volume, dtype)
    else:
        dtype = _plain_type(volume)
        header = (nrrd_header if suffix == ".nrrd" else mha_header)(volume, dtype)
        slabs = _stored(volume, dtype) if _is_plain(volume) else _hounsfield(volume, dtype)
    needed = len(header) + volume.array.size * dtype.itemsize
    with _whole_file(path, needed) as file:
        if suffix == ".nrrd":
            file.write(header)
        with _packed(file, suffix) as stream:
            if suffix != ".nrrd":
                stream.write(header)
            for slab in slabs:
                stream.write(memoryview(slab.view(np.uint8)).cast("B"))


def check_output(path: str | Path) -> None:
    """Raise :class:`BadInput` where :func:`write_volume` could not write a new file."""
    path = Path(path)
    if suffix_of(path) not in _SUFFIXES:
        raise BadInput(f"an output file of type {', '.join(_SUFFIXES)}", str(path), kind="unknown_type")
    if path.exists():
        raise BadInput(
            "a new file", f"{path}, which exists", "Nothing is overwritten: give another name.", kind="exists"
        )
    if not path.absolute().parent.is_dir() or not os.access(path.absolute().parent, os.W_OK):
        hint = "Choose a folder that exists and that you may write to."
        raise BadInput("a writable output", str(path), hint, kind="output_not_writable")


@contextmanager
def _packed(file: BinaryIO, suffix: str) -> Iterator[BinaryIO]:
    if suffix not in (".nii.gz", ".nrrd"):
        yield file
        return
    # No time and no name: the same volume gives the same bytes. Level 1 is several times faster than
    # the usual level and gives files of nearly the same size, as noise does not compress.
    with gzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=file, mtime=0) as stream:
        yield stream


@contextmanager
def _whole_file(path: Path, needed: int) -> Iterator[BinaryIO]:
    """A file that takes the name `path` only when all of it is on the disk."""
    partial = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with partial.open("xb") as file:
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())  # a full network drive shows only here
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)
    except OSError as error:
        raise _explained(error, path, needed) from error


def _explained(error: OSError, path: Path, needed: int) -> BadInput | OutputError:
    if error.errno in _FULL:
        free = shutil.disk_usage(path.parent).free / 1e6
        return OutputError(
            f"the disk is full: {path} needs up to {needed / 1e6:.1f} MB, {free:.1f} MB are free "
            f"({error.strerror}). Nothing was written; free some space or choose another folder.",
            kind="disk_full",
        )
    if error.errno in _REFUSED:
        hint = "Choose a folder that exists and that you may write to."
        return BadInput("a writable output", f"{path}: {error.strerror}", hint, kind="output_not_writable")
    return OutputError(f"could not write {path}: {error.strerror}. Nothing was written.", kind="output")


def _is_plain(volume: Volume) -> bool:
    return volume.storage.slope == 1.0 and volume.storage.intercept == 0.0


def _nifti(volume: Volume) -> tuple[np.dtype, bytes]:
    """Type on disk and header: the one that the volume came with where it still holds, or a new one."""
    storage = volume.storage
    if storage.header is not None and storage.grid is not None:
        old = parse_header(storage.header, Path("header"))
        same_values = old.dtype.newbyteorder("=") == volume.array.dtype
        same_values &= (old.slope, old.intercept) == (storage.slope, storage.intercept)
        if same_values and volume.geometry.same_grid(storage.grid, 1e-3):
            return old.dtype, storage.header
    dtype = _disk_type(volume.array.dtype)
    return dtype, new_header(volume.geometry, dtype, storage.slope, storage.intercept)


def _disk_type(dtype: np.dtype) -> np.dtype:
    if dtype.kind == "b":
        return np.dtype("u1")
    if dtype.kind not in "iuf" or dtype.str[1:] not in DATATYPES.values():
        raise TypeError(f"no image format stores {dtype}")
    return dtype.newbyteorder("<")


def _plain_type(volume: Volume) -> np.dtype:
    """Type on disk for a format that knows no scale."""
    if _is_plain(volume):
        return _disk_type(volume.array.dtype)
    scale = np.array([volume.storage.slope, volume.storage.intercept])
    if volume.array.dtype.kind in "iu" and (scale == np.rint(scale)).all():
        ends = np.array([volume.array.min(), volume.array.max()], dtype=np.float64) * scale[0] + scale[1]
        limits = np.iinfo(np.int16)
        if ends.min() >= limits.min and ends.max() <= limits.max:
            return np.dtype("<i2")
    return np.dtype("<f4")


def _boxes(volume: Volume) -> Iterator[Box]:
    nk, nj, ni = volume.array.shape
    step = max(1, _SLAB_BYTES // max(1, nj * ni * volume.array.itemsize))
    for k in range(0, nk, step):
        yield Box((k, 0, 0), (min(nk, k + step), nj, ni))


def _stored(volume: Volume, dtype: np.dtype) -> Iterator[np.ndarray]:
    for box in _boxes(volume):
        yield np.ascontiguousarray(volume.array[box.slices], dtype=dtype)


def _hounsfield(volume: Volume, dtype: np.dtype) -> Iterator[np.ndarray]:
    for box in _boxes(volume):
        yield np.ascontiguousarray(volume.hu(box), dtype=dtype)
