"""The CTs of a study: real and synthetic ones go through one and the same write path.

Read, decoded to HU, cut around the lesion by one rule, turned to patient axes, rounded to int16, written with
a new header of which only size, voxel size and the place of the middle are filled in.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from freetumor.organs.coarse_grid import patient_axes
from freetumor.study.lesions import Lesion, Progress
from freetumor.study.picture import reach
from freetumor.study.record import CASES
from freetumor.volume import Box, Geometry, Volume, read_volume, write_volume

_HU = (-1024, 3071)
_CUE_STEP_MM, _CUE_APART_MM = 5.0, 3.0
# (name, window, level) by label group: the same for all cases of an organ.
PRESETS: Mapping[str, tuple[tuple[str, int, int], ...]] = {
    "abdomen": (("Abdomen", 400, 40), ("Narrow", 180, 90), ("Bone", 1800, 400)),
    "chest": (("Lung", 1500, -600), ("Mediastinum", 350, 40), ("Bone", 1800, 400)),
}


def cue_radius(extent_mm: float) -> float:
    """Radius in mm of the cue around what reaches `extent_mm`: it holds all of that, in coarse steps that
    tell little of it.
    """
    return float(np.ceil((extent_mm + _CUE_APART_MM) / _CUE_STEP_MM) * _CUE_STEP_MM)


def crop(lesion: Lesion, extent_mm: float) -> tuple[Volume, tuple[float, float, float]]:
    """The CT around `lesion`, int16 HU, indexed (superior, anterior, right), and its place in it, RAS mm.

    `extent_mm`: what the picture has to hold to each side, see :class:`freetumor.study.presentations.Cases`.

    RAS is 0 in the middle of the crop: the scanner's coordinates would tell the scan. Axes lie along the
    patient's; the few degrees by which those of a scan may be turned are dropped, as in a viewer that shows
    slices as they were acquired.

    Raises:
        BadInput: the CT cannot be read.
    """
    ct = read_volume(lesion.ct)
    view, spacing = patient_axes(ct.array, ct.geometry)
    sides = reach(extent_mm, spacing)
    box = Box(lesion.center, tuple(c + 1 for c in lesion.center)).grown(sides, view.shape)
    hu = view[box.slices] * np.float64(ct.storage.slope) + ct.storage.intercept
    array = np.ascontiguousarray(np.clip(np.rint(hu), *_HU).astype(np.int16))
    geometry = neutral(array.shape, spacing)
    place = geometry.index_to_ras(np.subtract(lesion.center, box.start))
    return Volume(array, geometry), tuple(round(float(c), 2) for c in place)


def neutral(shape: tuple[int, ...], spacing: tuple[float, ...]) -> Geometry:
    """A grid along the patient's axes around the origin; of `spacing` a thousandth of a mm is kept."""
    steps = np.round(spacing, 3)[::-1]
    affine = np.diag([*steps, 1.0])
    affine[:3, 3] = -steps * (np.array(shape[::-1]) - 1) / 2
    return Geometry(shape, affine)


def write_cases(
    folder: Path, lesions: Mapping[str, Lesion], extents: Mapping[str, float], progress: Progress
) -> dict[str, tuple[float, float, float]]:
    """Write cases/ID.nii.gz for each id, in the order of the ids; where the lesion of each is, RAS mm."""
    (folder / CASES).mkdir()
    places = {}
    for number, case in enumerate(sorted(lesions)):
        progress(f"case {number + 1} of {len(lesions)}", number / len(lesions))
        volume, places[case] = crop(lesions[case], extents[case])
        write_volume(volume, folder / CASES / f"{case}.nii.gz")
    return places


def same_times(folder: Path, date: str) -> None:
    """Give everything below `folder` the same time: midnight of `date`."""
    when = datetime.fromisoformat(date).replace(tzinfo=UTC).timestamp()
    for path in sorted(folder.rglob("*")):
        os.utime(path, (when, when))
