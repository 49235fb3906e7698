"""Is this a CT in Hounsfield units, on a usable grid? Checks that come before any work."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from freetumor.errors import BadInput
from freetumor.volume.geometry import Geometry
from freetumor.volume.itk_images import adopt, quiet, to_image
from freetumor.volume.volume import Volume

_FEWEST_VOXELS = 4
_SAMPLES_PER_AXIS = 64
_RANGE = (-4096.0, 40000.0)


def check_geometry(geometry: Geometry, what: str) -> None:
    """Raise :class:`BadInput` unless the affine is finite, invertible and without shear.

    Kind "bad_geometry", or "gantry_tilt" for voxel axes that are not at right angles.
    """
    affine = geometry.affine
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.isfinite(affine).all() or lengths.min() <= 1e-6:
        got = f"spacing {'x'.join(f'{v:.4g}' for v in lengths)} mm in {what}"
        raise BadInput("a grid with a spacing above zero", got, "Export it again.", kind="bad_geometry")
    axes = affine[:3, :3] / lengths
    if abs(np.linalg.det(axes)) < 1e-3:
        hint = "Its orientation matrix is damaged; export it again."
        raise BadInput("a grid of three dimensions", f"parallel axes in {what}", hint, kind="bad_geometry")
    if np.abs(axes.T @ axes - np.eye(3)).max() > 5e-3:
        hint = "Resample it to a straight grid first, for example with dcm2niix or Slicer."
        raise BadInput("voxel axes at right angles", f"a sheared grid in {what}", hint, kind="gantry_tilt")


def check_ct(volume: Volume, *, assume_hu: bool = False) -> None:
    """Raise :class:`BadInput` unless `volume` is a 3-D CT in HU.

    The values are judged on a sample of at most 64 voxels per axis. Only the guess about HU is left out
    with `assume_hu`; shape, grid and finite values are always checked.

    Raises:
        BadInput: kind "not_3d", "bad_geometry", "gantry_tilt", "not_finite" or "not_hu".
    """
    what = volume.name or "the CT"
    if min(volume.array.shape) < _FEWEST_VOXELS:
        got = f"{volume.geometry} in {what}"
        raise BadInput(f"at least {_FEWEST_VOXELS} voxels along each axis", got, kind="not_3d")
    check_geometry(volume.geometry, what)
    _check_finite(volume, what)
    if not assume_hu:
        _check_hu(volume, what)


def _check_finite(volume: Volume, what: str) -> None:
    if volume.array.dtype.kind != "f":
        return
    bad = sum(plane.size - np.count_nonzero(np.isfinite(plane)) for plane in volume.array)
    if bad:
        hint = "Replace them, for instance by -1024 (air), and try again."
        raise BadInput("finite values", f"{bad} voxels of NaN or infinity in {what}", hint, kind="not_finite")


def _check_hu(volume: Volume, what: str) -> None:
    step = tuple(max(1, -(-n // _SAMPLES_PER_AXIS)) for n in volume.array.shape)
    sample = volume.array[tuple(slice(None, None, s) for s in step)].astype(np.float64)
    sample = (sample * volume.storage.slope + volume.storage.intercept).ravel()
    complaint = _complaint(sample)
    if complaint:
        got = f"values from {sample.min():.4g} to {sample.max():.4g} in {what}, {complaint[0]}"
        hint = f"{complaint[1]} If it is a CT in HU, say so with --assume-hu.".strip()
        raise BadInput("a CT in Hounsfield units", got, hint, kind="not_hu")


def _complaint(hu: np.ndarray) -> tuple[str, str] | None:
    """What is wrong with a sample of values, and what to do; None if they look like HU."""
    low, high = float(hu.min()), float(hu.max())

    def share(start: float, stop: float) -> float:
        return float(np.mean((hu >= start) & (hu < stop)))

    if high - low < 1e-6:
        return "all the same", "The image is empty."
    if low >= -1.01 and high <= 1.01:
        return "which look scaled to 0..1", "Give the original CT."
    if low >= 0.0 and high <= 255.0:
        return "which look scaled to 0..255", "Give the original CT, not a windowed copy."
    if low < _RANGE[0] or high > _RANGE[1]:
        return "outside the range of a CT", "Give the original CT."
    if share(low, -50.0) < 1e-3:
        # Raw CT numbers: air near 0, and soft tissue as a narrow peak around 1024 to 1100.
        if share(low, 200.0) > 0.01 and share(980.0, 1160.0) > max(0.05, share(500.0, 800.0)):
            return (
                "which looks like CT without its rescale intercept",
                "Subtract 1024 or convert it from DICOM again.",
            )
        return "with no air, lung or fat below -50 HU (MR or a normalised image?)", "Give a CT in HU."
    if share(-200.0, 300.0) < 0.01:
        return (
            "with no soft tissue between -200 and 300 HU",
            "Perhaps the rescale intercept is applied twice or not at all.",
        )
    return None


def check_same_grid(ct: Volume, other: Volume, what: str, *, hint: str = "") -> None:
    """Raise :class:`BadInput` (kind "grid_mismatch") unless `other`, called `what`, is on the CT's grid."""
    if ct.geometry.same_grid(other.geometry):
        return
    corners = [
        g.index_to_ras(np.array([(0, 0, 0), np.array(g.shape) - 1])) for g in (ct.geometry, other.geometry)
    ]
    (first, last), (other_first, other_last) = corners
    got = (
        f"{other.geometry} from {_point(other_first)} to {_point(other_last)} (RAS mm) "
        f"for {what}{f' {other.name}' if other.name else ''}"
    )
    expected = f"{what} on the CT's grid, {ct.geometry} from {_point(first)} to {_point(last)}"
    raise BadInput(expected, got, hint, kind="grid_mismatch")


def on_grid(labels: Volume, geometry: Geometry) -> Volume:
    """`labels` in the order of voxels of `geometry`, if they are the same voxels; else as they are."""
    if geometry.same_grid(labels.geometry):
        return labels
    turned = aligned(labels, geometry)
    return labels if turned is None else turned


def aligned(labels: Volume, geometry: Geometry) -> Volume | None:
    """`labels` with axes turned and flipped so that they lie on `geometry`; None if they are on another grid.

    The same voxels in another order (a NIfTI file of a DICOM series, say) are the same grid: nothing is
    resampled.
    """
    ours_to_theirs = np.linalg.inv(labels.geometry.affine) @ geometry.affine
    turn = np.rint(ours_to_theirs[:3, :3])
    if np.abs(turn).sum() != 3 or abs(np.linalg.det(turn)) != 1:
        return None
    # The affine has the order (i, j, k), arrays have (k, j, i).
    turn = turn[::-1, ::-1]
    array = labels.array.transpose([int(np.flatnonzero(turn[:, axis])[0]) for axis in range(3)])
    signs = [turn[:, axis].sum() for axis in range(3)]
    array = array[tuple(slice(None, None, int(sign)) for sign in signs)]
    if array.shape != geometry.shape:
        return None
    # Where our first voxel lies in their grid must be the end that the flips started from.
    first = labels.geometry.ras_to_index(geometry.index_to_ras(np.zeros(3)))
    last = labels.geometry.ras_to_index(geometry.index_to_ras(np.array(geometry.shape) - 1))
    ends = np.sort(np.stack([first, last]), axis=0)
    if np.abs(ends - np.stack([np.zeros(3), np.array(labels.geometry.shape) - 1])).max() > 0.02:
        return None
    return Volume(np.ascontiguousarray(array), geometry, labels.storage, labels.name)


def _point(ras: np.ndarray) -> str:
    return "(" + ", ".join(f"{v:.1f}" for v in ras) + ")"


def resample_labels(labels: Volume, geometry: Geometry) -> Volume:
    """Labels on another grid, nearest neighbour; 0 where `labels` does not reach.

    Args:
        labels: integers indexed (k, j, i). geometry: the wanted grid.

    Returns:
        Volume on `geometry`, of the type of `labels` (uint8 for bool).
    """
    check_geometry(labels.geometry, labels.name or "the labels")
    array = labels.array
    if (labels.storage.slope, labels.storage.intercept) != (1.0, 0.0):
        array = np.rint(labels.hu()).astype(np.int32)
    spacing, origin, direction = geometry.to_lps()
    resampler = sitk.ResampleImageFilter()
    resampler.SetInterpolator(sitk.sitkNearestNeighbor)
    resampler.SetSize(geometry.shape[::-1])
    resampler.SetOutputSpacing(spacing)
    resampler.SetOutputOrigin(origin)
    resampler.SetOutputDirection(direction)
    with quiet():
        image = resampler.Execute(to_image(array, labels.geometry))
    return Volume(adopt(image), geometry, name=labels.name)
