"""NIfTI-1 single files: the header, and voxels read as stored.

The voxels do not go through ITK, which applies the scale and hands out floats: the values on disk are
wanted. The grid does, so that it is the one that Slicer shows.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from freetumor.errors import BadInput
from freetumor.volume.geometry import Geometry
from freetumor.volume.itk_images import geometry_of, open_header
from freetumor.volume.volume import Storage, Volume
from freetumor.volume.voxels import Inflated, read_bytes, read_voxels, truncated

DATATYPES = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
}  # fmt: skip
_VECTORS = {32: "complex", 128: "RGB", 1792: "complex", 2048: "complex", 2304: "RGBA"}
_FIELDS = {
    "sizeof_hdr": ("i4", 0),
    "regular": ("S1", 38),
    "dim": ("8i2", 40),
    "datatype": ("i2", 70),
    "bitpix": ("i2", 72),
    "pixdim": ("8f4", 76),
    "vox_offset": ("f4", 108),
    "scl_slope": ("f4", 112),
    "scl_inter": ("f4", 116),
    "xyzt_units": ("u1", 123),
    "qform_code": ("i2", 252),
    "sform_code": ("i2", 254),
    "quatern": ("3f4", 256),
    "qoffset": ("3f4", 268),
    "srow": ("(3,4)f4", 280),
    "magic": ("S4", 344),
}
_LAYOUT = np.dtype(
    {
        "names": list(_FIELDS),
        "formats": [kind for kind, _ in _FIELDS.values()],
        "offsets": [offset for _, offset in _FIELDS.values()],
        "itemsize": 348,
    }
)
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Header:
    """What a NIfTI-1 header says about the voxels.

    Attributes:
        raw: all bytes before the voxels, extensions included.
        shape: voxels along (k, j, i). `dtype`: of a voxel, in the byte order of the file.
        slope, intercept: HU = slope * stored + intercept.
    """

    raw: bytes
    shape: tuple[int, int, int]
    dtype: np.dtype
    slope: float
    intercept: float


def _layout(raw: bytes, path: Path) -> np.dtype:
    for order in "<>":
        layout = _LAYOUT.newbyteorder(order)
        if np.frombuffer(raw, layout, 1)["sizeof_hdr"][0] == 348:
            return layout
    raise BadInput(
        "a NIfTI-1 file",
        f"{path}, whose header is not one",
        "Save it again as NIfTI-1 (.nii or .nii.gz), NRRD or MHA.",
        kind="unreadable",
    )


def parse_header(raw: bytes, path: Path) -> Header:
    """The header in the first bytes `raw` of a file; `path` is for messages only.

    Raises:
        BadInput: kind "not_3d", "time_series", "vector", "truncated" or "unreadable".
    """
    if len(raw) < 348:
        raise truncated(path, "the header is incomplete")
    layout = _layout(raw, path)
    fields = np.frombuffer(raw, layout, 1)[0]
    if fields["magic"] != b"n+1":
        raise BadInput(
            "a single-file NIfTI",
            f"{path}, a header without its voxels (.hdr/.img pair)",
            "Save it again as .nii or .nii.gz.",
            kind="unreadable",
        )
    n = int(fields["dim"][0])
    size = [int(v) for v in fields["dim"][1 : n + 1]]
    check_dimensions(size, path)
    code = int(fields["datatype"])
    if code not in DATATYPES:
        raise not_scalar(path, _VECTORS.get(code, f"NIfTI type {code}"))
    _check_grid(fields, path)
    slope, intercept = float(fields["scl_slope"]), float(fields["scl_inter"])
    if slope == 0.0 or not np.isfinite([slope, intercept]).all():
        slope, intercept = 1.0, 0.0  # as NIfTI-1 defines it: not scaled
    offset = max(352, int(fields["vox_offset"]))
    dtype = np.dtype(DATATYPES[code]).newbyteorder(layout["dim"].base.byteorder)
    return Header(bytes(raw[:offset]).ljust(offset, b"\0"), tuple(size[2::-1]), dtype, slope, intercept)


def _check_grid(fields: np.void, path: Path) -> None:
    """ITK takes a spacing of zero for one, and prints matrices of NaN: both are stopped before it."""
    matrix = np.asarray(fields["srow"][:, :3], dtype=np.float64)
    spacing = np.asarray(fields["pixdim"][1:4], dtype=np.float64)
    if fields["sform_code"] > 0:
        spacing = np.linalg.norm(matrix, axis=0)
    if not (np.isfinite(spacing).all() and spacing.min() > 0 and np.isfinite(fields["srow"]).all()):
        got = f"a spacing of {' x '.join(f'{v:.4g}' for v in spacing)} mm in {path}"
        raise BadInput("a grid with a spacing above zero", got, "Export it again.", kind="bad_geometry")


def check_dimensions(size: list[int], path: Path) -> None:
    """Three axes, or more of length one. `size` is in (i, j, k, t, ...)."""
    if len(size) < 3:
        got = f"a {len(size)}-D image of {'x'.join(map(str, size))} in {path}"
        raise BadInput("a 3-D volume", got, "Give the whole scan.", kind="not_3d")
    if min(size) < 1:
        raise truncated(path, f"size {'x'.join(map(str, size))}")
    if len(size) > 4 and max(size[4:]) > 1:
        raise not_scalar(path, f"{max(size[4:])}-component")
    if len(size) > 3 and size[3] > 1:
        got = f"{size[3]} volumes in {path}"
        raise BadInput("one 3-D volume", got, "Save one time point or phase as a file.", kind="time_series")


def not_scalar(path: Path, what: str) -> BadInput:
    """The error for colours, vectors and complex numbers."""
    hint = "Save the CT itself, not a rendering or a vector field."
    return BadInput("one number per voxel", f"{what} voxels in {path}", hint, kind="vector")


def new_header(geometry: Geometry, dtype: np.dtype, slope: float = 1.0, intercept: float = 0.0) -> bytes:
    """352 bytes of a little-endian NIfTI-1 header, with qform and sform "scanner"."""
    from scipy.spatial.transform import Rotation

    axes = geometry.affine[:3, :3]
    spacing = np.linalg.norm(axes, axis=0)
    rotation = axes / spacing
    handed = 1.0 if np.linalg.det(rotation) > 0 else -1.0
    x, y, z, w = Rotation.from_matrix(rotation * [1, 1, handed]).as_quat()
    fields = np.zeros(1, _LAYOUT.newbyteorder("<"))
    codes = {np.dtype(kind).str[1:]: code for code, kind in DATATYPES.items()}
    fields["sizeof_hdr"], fields["regular"], fields["magic"] = 348, b"r", b"n+1"
    fields["dim"] = [3, *geometry.shape[::-1], 1, 1, 1, 1]
    fields["datatype"], fields["bitpix"] = codes[dtype.str[1:]], dtype.itemsize * 8
    fields["pixdim"] = [handed, *spacing, 1, 0, 0, 0]
    fields["vox_offset"], fields["scl_slope"], fields["scl_inter"] = 352, slope, intercept
    fields["xyzt_units"], fields["qform_code"], fields["sform_code"] = 2, 1, 1
    fields["quatern"] = np.array([x, y, z]) * (1.0 if w >= 0 else -1.0)
    fields["qoffset"], fields["srow"] = geometry.affine[:3, 3], geometry.affine[:3]
    return fields.tobytes() + bytes(4)


def read_nifti(path: Path) -> Volume:
    """The volume in a .nii or .nii.gz file (NIfTI-1), voxels as stored.

    Raises:
        BadInput: see :func:`parse_header` and :func:`read_voxels`; also kind "gantry_tilt".
    """
    with path.open("rb") as file:
        compressed = file.read(2) == _GZIP
        file.seek(0)
        if compressed and path.name.lower().endswith(".nii"):
            got = f"{path}, which is gzip"
            raise BadInput("a plain .nii file", got, "Name it .nii.gz.", kind="unreadable")
        stream = Inflated(file) if compressed else file
        try:
            header = parse_header(read_bytes(stream, 352), path)
            extensions = read_bytes(stream, len(header.raw) - 352)
        except (EOFError, zlib.error) as error:
            raise truncated(path, str(error)) from error
        array = read_voxels(file, stream, header.dtype, header.shape, path)
    geometry = geometry_of(open_header(path))
    storage = Storage(header.slope, header.intercept, header.raw[:352] + extensions, {}, geometry)
    return Volume(array, geometry, storage, path.name)
