"""The bridge to SimpleITK: headers, images adopted without a copy, and images made from volumes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from freetumor.errors import BadInput
from freetumor.volume.geometry import Geometry


@contextmanager
def quiet() -> Iterator[None]:
    """ITK's warnings are not printed inside; its errors are still raised."""
    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(before)


def reason(error: RuntimeError) -> str:
    """The last line of ITK's message: the one that says what went wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].split("): ", 1)[-1] if lines else "no reason given"


def open_header(path: Path) -> sitk.ImageFileReader:
    """A reader that has read the header of `path` and no voxels.

    Raises:
        BadInput: kind "unreadable", or "gantry_tilt" where the axes are not at right angles.
    """
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    with quiet():
        try:
            reader.ReadImageInformation()
        except RuntimeError as error:
            text = str(error).lower()
            if "orthonormal" in text or "orthogonal" in text:
                raise sheared(path) from error
            raise unreadable(path, error) from error
    return reader


def unreadable(path: Path, error: RuntimeError) -> BadInput:
    """The error for a file that ITK cannot read."""
    return BadInput(
        "a readable image file",
        f"{path}: {reason(error)}",
        "The file may be damaged or of another type than its name says.",
        kind="unreadable",
    )


def sheared(path: Path) -> BadInput:
    """The error for a grid whose axes are not at right angles."""
    return BadInput(
        "voxel axes at right angles",
        f"a sheared grid in {path} (gantry tilt)",
        "Resample the scan to a straight grid first, for example with dcm2niix or Slicer.",
        kind="gantry_tilt",
    )


def geometry_of(image: sitk.Image | sitk.ImageFileReader) -> Geometry:
    """The grid of a 3-D image (or of a 4-D image of one frame, whose fourth axis is dropped)."""
    n = image.GetDimension()
    direction = np.reshape(image.GetDirection(), (n, n))[:3, :3]
    return Geometry.from_lps(image.GetSize()[:3], image.GetSpacing()[:3], image.GetOrigin()[:3], direction)


class _Owner:
    """Lends an image's memory to numpy; the array keeps this object, and with it the image, alive."""

    def __init__(self, image: sitk.Image) -> None:
        image.MakeUnique()
        self._image = image
        interface = dict(sitk.GetArrayViewFromImage(image).__array_interface__)
        interface["data"] = (interface["data"][0], False)
        self.__array_interface__ = interface


def adopt(image: sitk.Image) -> np.ndarray:
    """The voxels of `image` as a writable array, indexed (k, j, i), without a copy.

    The image must not be used by anyone else afterwards.
    """
    return np.asarray(_Owner(image))


def to_image(array: np.ndarray, geometry: Geometry) -> sitk.Image:
    """A SimpleITK image with a copy of `array`, indexed (k, j, i)."""
    image = sitk.GetImageFromArray(array.view(np.uint8) if array.dtype == bool else array)
    spacing, origin, direction = geometry.to_lps()
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    image.SetDirection(direction)
    return image
