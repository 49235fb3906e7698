"""A DICOM folder as one volume in HU."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from freetumor.errors import BadInput
from freetumor.volume.geometry import LPS_RAS, Geometry
from freetumor.volume.itk_images import quiet, sheared, unreadable
from freetumor.volume.volume import Storage, Volume
from freetumor.volume.voxels import truncated

_MODALITY, _DESCRIPTION, _SERIES = "0008|0060", "0008|103e", "0020|000e"
_CT_STORAGE = b"1.2.840.10008.5.1.4.1.1.2"
_POSITION, _ORIENTATION, _SPACING = "0020|0032", "0020|0037", "0028|0030"
# Positions are written with few digits, often rounded to 0.1 mm: gaps may differ by this share.
_GAP_TOLERANCE = 0.1
# Slices may drift sideways by this much (mm) over the whole scan before the grid counts as sheared.
_DRIFT_MM = 0.5


@dataclass(frozen=True)
class _Slice:
    path: Path
    tags: dict[str, str]
    size: tuple[int, ...]

    def numbers(self, tag: str) -> np.ndarray:
        return np.array([float(v) for v in self.tags.get(tag, "").split("\\") if v.strip()])


def read_dicom(folder: Path, series: str | None = None) -> Volume:
    """The CT series in `folder` (not in its sub-folders), in HU.

    Args:
        folder: holds the files of the series, in any order and under any names; others are left aside.
        series: SeriesInstanceUID, needed where there are several CT series.

    Returns:
        Volume of int16 HU, or of float32 HU where the values are not integers that fit.

    Raises:
        BadInput: kind "no_dicom", "not_hu" (no CT), "several_series", "no_series", "multi_frame",
            "mixed_slices", "duplicate_slice", "missing_slice", "uneven_slices", "gantry_tilt", "not_3d",
            "truncated", "unreadable".
    """
    slices = _choose(_scan(folder), folder, series)
    ordered, geometry = _stack(slices, folder)
    uid = slices[0].tags[_SERIES]
    metadata = {"SeriesInstanceUID": uid, "SeriesDescription": slices[0].tags.get(_DESCRIPTION, "")}
    return Volume(_read_slices(ordered, geometry.shape), geometry, Storage(metadata=metadata), folder.name)


def _reader(path: Path) -> sitk.ImageFileReader:
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    return reader


def _clean(text: str) -> str:
    # DICOM text may be Latin-1, which arrives as lone surrogates that nothing can print.
    return text.encode("utf-8", "replace").decode("utf-8").strip()


def _scan(folder: Path) -> list[_Slice]:
    """Headers of all DICOM images in `folder`; other files are left aside, but no damaged slice is."""
    found = []
    with quiet():
        for path in sorted(p for p in folder.iterdir() if p.is_file()):
            reader = _reader(path)
            try:
                reader.ReadImageInformation()
            except RuntimeError as error:
                if _is_ct(path):
                    raise truncated(path, "a DICOM slice without all of its data") from error
                continue
            tags = {key: _clean(reader.GetMetaData(key)) for key in reader.GetMetaDataKeys()}
            found.append(_Slice(path, tags, reader.GetSize()))
    return found


def _is_ct(path: Path) -> bool:
    """Is it meant to be a CT slice? Plans, reports and the like say at their beginning what they are."""
    with path.open("rb") as file:
        start = file.read(1024)
    if len(start) < 512:
        return start[128:132] == b"DICM" or path.suffix.lower() in (".dcm", ".ima")
    return start[128:132] == b"DICM" and _CT_STORAGE in start


def _choose(found: list[_Slice], folder: Path, series: str | None) -> list[_Slice]:
    if not found:
        hint = "Give the folder that holds the files themselves."
        raise BadInput("a folder of DICOM images", f"{folder}, which holds none", hint, kind="no_dicom")
    groups: dict[str, list[_Slice]] = {}
    for one in found:
        if one.tags.get(_MODALITY) == "CT":
            groups.setdefault(one.tags.get(_SERIES, ""), []).append(one)
    if not groups:
        others = ", ".join(sorted({one.tags.get(_MODALITY, "none") for one in found}))
        raise BadInput("DICOM of modality CT", f"modality {others} in {folder}", kind="not_hu")
    listed = "; ".join(
        f"'{group[0].tags.get(_DESCRIPTION, '')}', {len(group)} slices, {uid}"
        for uid, group in groups.items()
    )
    if series is not None:
        if series not in groups:
            raise BadInput(f"one of the series in {folder} ({listed})", series, kind="no_series")
        return groups[series]
    if len(groups) > 1:
        hint = "Choose one with --series UID."
        raise BadInput("one CT series", f"{len(groups)} in {folder}: {listed}", hint, kind="several_series")
    return next(iter(groups.values()))


def _stack(slices: list[_Slice], folder: Path) -> tuple[list[_Slice], Geometry]:
    """Slices in the order of their positions, and the grid that they make."""
    if len(slices[0].size) > 2 and slices[0].size[2] > 1:
        hint = "Convert it to NIfTI first, for example with dcm2niix."
        raise BadInput("one slice per file", f"multi-frame DICOM in {folder}", hint, kind="multi_frame")
    if len(slices) < 2:
        raise BadInput("a series of slices", f"a single slice in {folder}", kind="not_3d")
    first = slices[0]
    for one in slices:
        orientation, spacing = one.numbers(_ORIENTATION), one.numbers(_SPACING)
        if orientation.size != 6 or spacing.size != 2 or one.numbers(_POSITION).size != 3:
            got = f"{one.path}, which does not say where it lies"
            raise BadInput("slices with position, orientation and spacing", got, kind="mixed_slices")
        same = np.allclose(orientation, first.numbers(_ORIENTATION), atol=1e-3)
        same &= np.allclose(spacing, first.numbers(_SPACING), rtol=1e-4) and one.size == first.size
        if not same:
            got = f"{one.path.name} and {first.path.name} in {folder}, which differ"
            hint = "Remove scout views from the folder."
            raise BadInput("slices of one size, spacing and orientation", got, hint, kind="mixed_slices")
    along, down = first.numbers(_ORIENTATION).reshape(2, 3)
    normal = np.cross(along, down)
    positions = np.array([one.numbers(_POSITION) for one in slices])
    order = np.argsort(positions @ normal, kind="stable")
    positions = positions[order]
    depth = positions @ normal
    _check_gaps(depth, folder)
    drift = (positions - positions[0]) - np.outer(depth - depth[0], normal)
    if np.abs(drift).max() > _DRIFT_MM:
        raise sheared(folder)
    row_mm, column_mm = first.numbers(_SPACING)
    step = (depth[-1] - depth[0]) / (len(slices) - 1)
    affine = np.eye(4)
    affine[:3, :3] = np.column_stack([along * column_mm, down * row_mm, normal * step])
    affine[:3, 3] = positions[0]
    shape = (len(slices), first.size[1], first.size[0])
    return [slices[n] for n in order], Geometry(shape, LPS_RAS @ affine)


def _check_gaps(depth: np.ndarray, folder: Path) -> None:
    gaps = np.diff(depth)
    usual = float(np.median(gaps))
    if gaps.min() < 1e-3:
        n = int(np.argmin(gaps))
        got = f"{1 + (gaps < 1e-3).sum()} or more slices at {depth[n]:.2f} mm in {folder}"
        hint = "Remove copies, or keep one phase of a dynamic scan."
        raise BadInput("one slice per position", got, hint, kind="duplicate_slice")
    n = int(np.argmax(np.abs(gaps - usual)))
    where = f"between {depth[n]:.2f} and {depth[n + 1]:.2f} mm"
    if gaps[n] > 1.5 * usual:
        missing = round(float(gaps[n]) / usual) - 1
        got = f"{max(missing, 1)} missing {where} in {folder} (usual step {usual:.3g} mm)"
        raise BadInput("a complete series", got, "Copy the whole series again.", kind="missing_slice")
    if abs(gaps[n] - usual) > _GAP_TOLERANCE * usual:
        got = f"a step of {gaps[n]:.3g} mm {where} in {folder} (usual step {usual:.3g} mm)"
        hint = "Resample the scan to even slices first."
        raise BadInput("evenly spaced slices", got, hint, kind="uneven_slices")


def _read_slices(slices: list[_Slice], shape: tuple[int, int, int]) -> np.ndarray:
    """HU, one file at a time: a series reader would hold the scan twice, in a wider type."""
    array = np.empty(shape, np.int16)
    limits = np.iinfo(np.int16)
    with quiet():
        for n, one in enumerate(slices):
            try:
                image = _reader(one.path).Execute()
            except RuntimeError as error:
                raise unreadable(one.path, error) from error
            hu = sitk.GetArrayViewFromImage(image).reshape(shape[1:])
            if array.dtype == np.int16:
                whole = np.issubdtype(hu.dtype, np.integer) or bool((hu == np.rint(hu)).all())
                if not (whole and hu.min() >= limits.min and hu.max() <= limits.max):
                    array = array.astype(np.float32)
            array[n] = hu
    return array
