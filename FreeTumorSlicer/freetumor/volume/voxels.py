"""Voxels read straight from the file, as stored, and known to be complete.

ITK reads a damaged compressed NRRD or MetaImage without an error, and scales NIfTI to floats: hence
the voxels of these formats do not go through it.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from freetumor.errors import BadInput

_CHUNK = 1 << 18
_SLAB = 1 << 22
# Deflate cannot shrink data by more than this: a header that claims more than that is damaged.
_DEFLATE_LIMIT = 1032


class Inflated:
    """Reads a gzip or zlib stream from where `file` stands; checksums are verified at its end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._engine = zlib.decompressobj(47)  # zlib or gzip, whichever it is

    def readinto(self, target: memoryview) -> int:
        """Fill the beginning of `target`; bytes written, 0 at the end.

        Raises:
            EOFError: the stream is cut off.
            zlib.error: it is damaged.
        """
        while True:
            if self._engine.eof:
                rest = self._engine.unused_data or self._file.read(_CHUNK)
                if not rest.startswith(b"\x1f\x8b"):
                    return 0
                self._engine = zlib.decompressobj(47)  # gzip files may be several streams in a row
                data = rest
            else:
                data = self._engine.unconsumed_tail or self._file.read(_CHUNK)
                if not data:
                    raise EOFError("the compressed data ends too early")
            out = self._engine.decompress(data, len(target))
            if out:
                target[: len(out)] = out
                return len(out)


def read_bytes(stream: BinaryIO | Inflated, count: int) -> bytes:
    """Up to `count` bytes of `stream`, fewer only at its end."""
    buffer = bytearray(count)
    filled = _fill(stream, memoryview(buffer))
    return bytes(buffer[:filled])


def read_voxels(
    file: BinaryIO, stream: BinaryIO | Inflated, dtype: np.dtype, shape: tuple, path: Path
) -> np.ndarray:
    """Voxels of `shape` (k, j, i) from `stream`, in the byte order of this machine.

    Args:
        file: the open file under `stream` (the same object if it is not compressed).
        stream: stands at the first voxel.
        dtype: of a voxel on disk, with its byte order.
        shape: (k, j, i).
        path: for messages.

    Raises:
        BadInput: kind "truncated": bytes are missing, or a checksum is wrong.
    """
    compressed = stream is not file
    needed = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if needed > path.stat().st_size * (_DEFLATE_LIMIT if compressed else 1):
        raise truncated(path, f"{needed} bytes of voxels expected")
    array = np.empty(shape, dtype)
    try:
        filled = _fill(stream, memoryview(array.reshape(-1).view(np.uint8)))
        if filled < needed:
            raise truncated(path, f"{needed - filled} of {needed} bytes of voxels are missing")
        if compressed:
            rest = memoryview(bytearray(_CHUNK))
            while stream.readinto(rest):
                pass  # the checksum comes after the last byte
    except (EOFError, zlib.error) as error:
        raise truncated(path, str(error)) from error
    if not dtype.isnative:
        array = array.byteswap(inplace=True).view(dtype.newbyteorder("="))
    return array


def truncated(path: Path, what: str = "") -> BadInput:
    """The error for a file that is cut off or damaged."""
    return BadInput(
        "a complete file",
        f"{path}, which is cut off or damaged{f' ({what})' if what else ''}",
        "Download or copy it again.",
        kind="truncated",
    )


def _fill(stream: BinaryIO | Inflated, target: memoryview) -> int:
    filled = 0
    while filled < len(target):
        got = stream.readinto(target[filled : filled + _SLAB])
        if not got:
            break
        filled += got
    return filled
