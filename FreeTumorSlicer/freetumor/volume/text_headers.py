"""NRRD and MetaImage headers: where the voxels of a file lie, and headers for new files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from freetumor.errors import BadInput
from freetumor.volume.volume import Volume
from freetumor.volume.voxels import truncated

_NRRD_TYPES = {
    "i1": "int8", "u1": "uint8", "i2": "int16", "u2": "uint16", "i4": "int32", "u4": "uint32",
    "i8": "int64", "u8": "uint64", "f4": "float", "f8": "double",
}  # fmt: skip
_MHA_TYPES = {
    "i1": "MET_CHAR", "u1": "MET_UCHAR", "i2": "MET_SHORT", "u2": "MET_USHORT", "i4": "MET_INT",
    "u4": "MET_UINT", "i8": "MET_LONG_LONG", "u8": "MET_ULONG_LONG", "f4": "MET_FLOAT", "f8": "MET_DOUBLE",
}  # fmt: skip
_LONGEST_HEADER = 1 << 20


@dataclass(frozen=True)
class Place:
    """Where the voxels are: `path` from byte `offset` on, `compressed` (gzip or zlib) or not."""

    path: Path
    offset: int
    compressed: bool
    big_endian: bool


def find_voxels(path: Path) -> Place | None:
    """Where the voxels of a .nrrd, .nhdr, .mha or .mhd file lie.

    None for the rare layouts that are left to ITK (text, bzip2, lists of files, skipped bytes).

    Raises:
        BadInput: kind "not_found": the voxels are in another file, which is not there; "truncated": the
            header has no end.
    """
    place = _find_nrrd(path) if path.suffix.lower() in (".nrrd", ".nhdr") else _find_meta(path)
    if place and not place.path.is_file():
        hint = "Copy it to where the header expects it."
        raise BadInput(f"the voxels of {path.name}", f"no file {place.path}", hint, kind="not_found")
    return place


def _find_nrrd(path: Path) -> Place | None:
    fields: dict[str, str] = {}
    with path.open("rb") as file:
        if file.read(4) != b"NRRD":
            return None  # ITK says what it is not
        for line in iter(lambda: file.readline(_LONGEST_HEADER), b""):
            text = line.decode("utf-8", "replace").strip()
            if not text:
                break
            key, colon, value = text.partition(": ")
            if colon and not text.startswith("#"):
                fields[key.strip().lower()] = value.strip()
        offset = file.tell()
    encoding = fields.get("encoding", "").lower()
    skips = {fields.get(key, "0") for key in ("line skip", "lineskip", "byte skip", "byteskip")}
    data = fields.get("data file", fields.get("datafile"))
    listed = data is not None and ("%" in data or data.startswith("LIST"))
    if encoding not in ("raw", "gzip", "gz") or skips != {"0"} or listed:
        return None
    big = fields.get("endian", "little").lower() == "big"
    return Place(path.parent / data if data else path, 0 if data else offset, encoding != "raw", big)


def _find_meta(path: Path) -> Place | None:
    fields: dict[str, str] = {}
    with path.open("rb") as file:
        for line in iter(lambda: file.readline(_LONGEST_HEADER), b""):
            key, _, value = line.decode("utf-8", "replace").partition("=")
            fields[key.strip().lower()] = value.strip()
            if key.strip().lower() == "elementdatafile":
                break
        else:
            raise truncated(path, "the header has no end")
        offset = file.tell()

    def on(key: str) -> bool:
        return fields.get(key, "false").lower().startswith(("t", "1"))

    data = fields["elementdatafile"]
    if not on("binarydata") or fields.get("headersize", "0") != "0" or "%" in data or data.startswith("LIST"):
        return None
    local = data.upper() == "LOCAL"
    big = on("binarydatabyteordermsb") or on("elementbyteordermsb")
    return Place(path if local else path.parent / data, offset if local else 0, on("compresseddata"), big)


def _own_fields(volume: Volume) -> dict[str, str]:
    """The user's fields: not those in which ITK repeats the header, and none that would break a line."""
    fields = {}
    for key, value in volume.storage.metadata.items():
        if not key.startswith(("NRRD_", "ITK_")) and key.isprintable() and value.isprintable():
            fields[key] = value
    return fields


def _numbers(values: np.ndarray) -> list[str]:
    return [repr(float(v)) for v in values]


def nrrd_header(volume: Volume, dtype: np.dtype) -> bytes:
    """Header of a gzip-encoded NRRD with voxels of `dtype` (little-endian)."""
    spacing, origin, direction = volume.geometry.to_lps()
    axes = (np.reshape(direction, (3, 3)) * spacing).T
    lines = [
        "NRRD0005",
        f"type: {_NRRD_TYPES[dtype.str[1:]]}",
        "dimension: 3",
        "space: left-posterior-superior",
        f"sizes: {' '.join(str(n) for n in reversed(volume.geometry.shape))}",
        f"space directions: {' '.join('(' + ','.join(_numbers(axis)) + ')' for axis in axes)}",
        "kinds: domain domain domain",
        "endian: little",
        "encoding: gzip",
        f"space origin: ({','.join(_numbers(origin))})",
    ]
    lines += [f"{key}:={value}" for key, value in _own_fields(volume).items()]
    return ("\n".join(lines) + "\n\n").encode()


def mha_header(volume: Volume, dtype: np.dtype) -> bytes:
    """Header of a MetaImage with voxels of `dtype` (little-endian) in the same file."""
    spacing, origin, direction = volume.geometry.to_lps()
    # MetaImage lists the axes one after the other: the transpose of ITK's matrix.
    matrix = np.reshape(direction, (3, 3)).T.ravel()
    fields = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "False",
        "TransformMatrix": " ".join(_numbers(matrix)),
        "Offset": " ".join(_numbers(origin)),
        "CenterOfRotation": "0 0 0",
        "ElementSpacing": " ".join(_numbers(spacing)),
        "DimSize": " ".join(str(n) for n in reversed(volume.geometry.shape)),
    }
    fields |= {key: value for key, value in _own_fields(volume).items() if key not in fields}
    fields["ElementType"] = _MHA_TYPES[dtype.str[1:]]
    fields["ElementDataFile"] = "LOCAL"
    return "".join(f"{key} = {value}\n" for key, value in fields.items()).encode()
