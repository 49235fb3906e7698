"""What is measured at a lesion, by one rule for real and synthetic ones."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from freetumor.anatomy import Organ
from freetumor.evaluation.lesions import size_class_of
from freetumor.masks import sphere_diameter
from freetumor.organs.coarse_grid import patient_axes
from freetumor.segmentation.lesions import Part, lesion_rows, parts_of
from freetumor.study.picture import Scenery
from freetumor.synthesis.noise import noise_sigma
from freetumor.volume import Box, Volume

# Below, a lesion is a few voxels: neither a radiologist nor this program can say much about it.
SMALLEST_MM = 4.0
# Where noise and the organ's HU are measured: wide in the plane, as vessels beside a lesion look like noise.
_AROUND_MM = (20.0, 60.0, 60.0)
# From any lesion: its border is soft, and noise is measured with a voxel and its neighbours in the plane.
_APART_MM, _APART_VOXELS = 3.0, 1.5
_ENOUGH = 200  # voxels

Place = tuple[int, int, int]


def measured(ct: Volume, labels: np.ndarray, row: Organ, part: Part, scenery: Scenery) -> dict:
    """Fields of :class:`freetumor.study.lesions.Lesion`.

    Args:
        labels: ids of the group on the grid of `ct`. scenery: of `ct`.
    """
    spacing = ct.geometry.spacing
    index = np.argwhere(part.inside)
    center = _middle(index, spacing)
    extent = np.sqrt((((index - center) * spacing) ** 2).sum(axis=1).max())
    diameter = sphere_diameter(len(index) * ct.geometry.voxel_volume)
    noise, organ_hu = _surroundings(ct, labels, row, part.box)
    place = _in_patient_axes(ct, center + np.array(part.box.start))
    return {
        "center": place,
        "diameter_mm": round(float(diameter), 2),
        "size_class": size_class_of(row, diameter),
        "extent_mm": round(float(extent), 2),
        "spacing": patient_axes(ct.array, ct.geometry)[1],
        "noise_hu": noise,
        "organ_hu": organ_hu,
        **scenery.around(place, float(extent)),
    }


def _surroundings(ct: Volume, labels: np.ndarray, row: Organ, box: Box) -> tuple[float, float]:
    """Noise and median HU of the organ around a lesion; of any tissue where no organ is labelled."""
    apart = _APART_MM + _APART_VOXELS * max(ct.geometry.spacing[1:])
    margin = [int(np.ceil(mm / step)) for mm, step in zip(_AROUND_MM, ct.geometry.spacing, strict=True)]
    around = box.grown(margin, ct.array.shape)
    hu, near = ct.hu(around), labels[around.slices]
    lesions = np.isin(near, list(lesion_rows(row)))
    free = ndimage.distance_transform_edt(~lesions, sampling=ct.geometry.spacing) > apart
    where = free & (near == row.organ_label)
    if where.sum() < _ENOUGH:
        where = free if free.sum() >= _ENOUGH else np.ones_like(free)
    return round(noise_sigma(hu, where), 2), round(float(np.median(hu[where])), 1)


def places(ct: Volume, labels: np.ndarray, row: Organ, made: np.ndarray | None) -> list[Place]:
    """Where lesions of the group of `row` are in `labels`, but for those `made`: patient axes, voxels."""
    inside = np.isin(labels, list(lesion_rows(row)))
    if made is not None:
        inside &= made == 0
    found = []
    for part in parts_of(inside):
        index = np.argwhere(part.inside)
        if sphere_diameter(len(index) * ct.geometry.voxel_volume) >= SMALLEST_MM:
            center = _middle(index, ct.geometry.spacing) + np.array(part.box.start)
            found.append(_in_patient_axes(ct, center))
    return found


def _middle(index: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """The voxel nearest to the centre of mass: a crescent's centre of mass lies outside of it."""
    return index[(((index - index.mean(axis=0)) * spacing) ** 2).sum(axis=1).argmin()]


def _in_patient_axes(ct: Volume, index: np.ndarray) -> Place:
    """A voxel (k, j, i) in the view that :func:`freetumor.organs.coarse_grid.patient_axes` gives."""
    axes, signs = ct.geometry.patient_axes()
    shape = ct.array.shape
    turned = [
        int(index[axis]) if sign > 0 else shape[axis] - 1 - int(index[axis])
        for axis, sign in zip(axes, signs, strict=True)
    ]
    return tuple(turned)
