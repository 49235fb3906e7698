"""Reading a CT or a label map from a file or a DICOM folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from freetumor.errors import BadInput
from freetumor.volume.checks import check_geometry
from freetumor.volume.dicom import read_dicom
from freetumor.volume.itk_images import adopt, geometry_of, open_header, quiet, unreadable
from freetumor.volume.nifti import check_dimensions, not_scalar, read_nifti
from freetumor.volume.text_headers import find_voxels
from freetumor.volume.volume import Storage, Volume
from freetumor.volume.voxels import Inflated, read_voxels

NIFTI = (".nii", ".nii.gz")
OTHERS = (".nrrd", ".nhdr", ".mha", ".mhd")
_TYPES = {
    sitk.sitkInt8: "i1", sitk.sitkUInt8: "u1", sitk.sitkInt16: "i2", sitk.sitkUInt16: "u2",
    sitk.sitkInt32: "i4", sitk.sitkUInt32: "u4", sitk.sitkInt64: "i8", sitk.sitkUInt64: "u8",
    sitk.sitkFloat32: "f4", sitk.sitkFloat64: "f8",
}  # fmt: skip


def suffix_of(path: Path) -> str:
    """The lower-case suffix that tells the format: ".nii.gz" whole, otherwise the last one."""
    name = path.name.lower()
    return ".nii.gz" if name.endswith(".nii.gz") else Path(name).suffix


def read_volume(path: str | Path, *, series: str | None = None) -> Volume:
    """Read a volume from NIfTI-1, NRRD, MHA/MHD or a DICOM folder.

    Args:
        path: a .nii, .nii.gz, .nrrd, .nhdr, .mha or .mhd file, or a folder of DICOM files of one CT.
        series: SeriesInstanceUID to take from a DICOM folder that holds several.

    Returns:
        The volume: `array` indexed (k, j, i) with the values as stored (DICOM: HU, int16 where they fit).
        Slope and intercept of a NIfTI file are in `storage`, as are its header or the fields of others.

    Raises:
        BadInput: kind "not_found", "empty_file", "unknown_type", "unreadable", "truncated", "not_3d",
            "time_series", "vector", "gantry_tilt", "bad_geometry"; for DICOM also "no_dicom",
            "several_series", "no_series", "missing_slice", "duplicate_slice", "uneven_slices",
            "mixed_slices", "multi_frame", "not_hu".
    """
    path = Path(path)
    if path.is_dir():
        volume = read_dicom(path, series)
    else:
        _check_file(path)
        volume = read_nifti(path) if suffix_of(path) in NIFTI else _read_with_itk(path)
    check_geometry(volume.geometry, str(path))
    return volume


def _check_file(path: Path) -> None:
    if not path.exists():
        raise BadInput("an image file or a DICOM folder", f"{path}, which does not exist", kind="not_found")
    known = ", ".join(NIFTI + OTHERS)
    if suffix_of(path) not in NIFTI + OTHERS:
        hint = "For DICOM give the folder, not one file." if suffix_of(path) in ("", ".dcm", ".ima") else ""
        raise BadInput(f"a file of type {known} or a DICOM folder", str(path), hint, kind="unknown_type")
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        hint = "Check the permissions."
        raise BadInput("a readable file", f"{path}: {error.strerror}", hint, kind="unreadable") from error
    if empty:
        raise BadInput("an image", f"{path}, which is empty", "Download or copy it again.", kind="empty_file")


def _read_with_itk(path: Path) -> Volume:
    place = find_voxels(path)
    reader = open_header(path)
    check_dimensions(list(reader.GetSize()), path)
    if reader.GetNumberOfComponents() != 1:
        raise not_scalar(path, f"{reader.GetNumberOfComponents()}-component")
    if reader.GetPixelID() not in _TYPES:
        raise not_scalar(path, sitk.GetPixelIDValueAsString(reader.GetPixelID()))
    metadata = {key: reader.GetMetaData(key) for key in reader.GetMetaDataKeys()}
    if place is None:
        with quiet():
            try:
                image = reader.Execute()
            except RuntimeError as error:
                raise unreadable(path, error) from error
        array = adopt(image).reshape(reader.GetSize()[2::-1])
    else:
        dtype = np.dtype(_TYPES[reader.GetPixelID()]).newbyteorder(">" if place.big_endian else "<")
        with place.path.open("rb") as file:
            file.seek(place.offset)
            stream = Inflated(file) if place.compressed else file
            array = read_voxels(file, stream, dtype, reader.GetSize()[2::-1], place.path)
    return Volume(array, geometry_of(reader), Storage(metadata=metadata), path.name)
