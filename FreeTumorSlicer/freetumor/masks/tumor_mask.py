"""A tumor mask: which voxels are tumor, and how much of each voxel, in a box of the CT's grid."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy import ndimage

from freetumor.volume import Box, Geometry


def sphere_volume(diameter: float) -> float:
    """Volume in mm^3 of the sphere with `diameter` in mm."""
    return float(np.pi / 6.0 * diameter**3)


def sphere_diameter(volume: float) -> float:
    """Equivalent-sphere diameter in mm of a `volume` in mm^3."""
    return float(np.cbrt(6.0 / np.pi * volume))


@dataclass(frozen=True, eq=False)
class TumorMask:
    """One lesion on the grid of the CT.

    Attributes:
        box: where the lesion lies in the CT; it holds every tumor voxel.
        inside: the mask M, bool, (k, j, i), on `box`.
        soft: share of each voxel that is tumor (partial volume), float32 in 0..1, on `box`.
        geometry: the grid of `box`.
        asked_mm: equivalent-sphere diameter that was asked for; None for a drawn mask.
        details: how it was made (source, shape parameters), for the provenance.
    """

    box: Box
    inside: np.ndarray
    soft: np.ndarray
    geometry: Geometry
    asked_mm: float | None = None
    details: dict = field(default_factory=dict)

    @property
    def volume_mm3(self) -> float:
        """Volume of the mask in mm^3."""
        return float(self.inside.sum()) * self.geometry.voxel_volume

    @property
    def diameter_mm(self) -> float:
        """Equivalent-sphere diameter of the mask in mm."""
        return sphere_diameter(self.volume_mm3)

    @property
    def centre_ras(self) -> tuple[float, float, float]:
        """Centre of mass in RAS mm."""
        index = np.array([axis.mean() for axis in np.nonzero(self.inside)])
        return tuple(float(c) for c in self.geometry.index_to_ras(index))

    @cached_property
    def depth_mm(self) -> np.ndarray:
        """Distance of each tumor voxel to the mask's surface in mm, on :attr:`box`; 0 outside. float32."""
        # Padded: where the mask fills its box, the box's side is the mask's surface.
        padded = np.pad(self.inside, 1)
        depth = ndimage.distance_transform_edt(padded, sampling=self.geometry.spacing)[1:-1, 1:-1, 1:-1]
        return depth.astype(np.float32)

    def on(self, outer: Box, soft: bool = False) -> np.ndarray:
        """The mask (or its soft form) on a larger box that holds :attr:`box`."""
        array = self.soft if soft else self.inside
        out = np.zeros(outer.shape, array.dtype)
        out[self.box.within(outer)] = array
        return out
