"""Overlap of two masks, and the distance between their surfaces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from freetumor.volume import Box, Geometry


@dataclass(frozen=True)
class SurfaceDistance:
    """Distances between two surfaces in mm.

    Attributes:
        mean_mm: mean over all voxels of both surfaces of the distance to the other one.
        hd95_mm: of the 95th percentiles of the distances from either surface, the larger.
    """

    mean_mm: float
    hd95_mm: float


def dice(truth: np.ndarray, found: np.ndarray) -> float | None:
    """Dice coefficient of two masks, 0..1.

    None where the truth is empty: there is nothing to overlap with, and what is found there counts among
    the false positives.
    """
    true = int(np.count_nonzero(truth))
    if true == 0:
        return None
    return 2.0 * int(np.count_nonzero(truth & found)) / (true + int(np.count_nonzero(found)))


def surface_distance(truth: np.ndarray, found: np.ndarray, geometry: Geometry) -> SurfaceDistance | None:
    """Distances between the surfaces of two masks (k, j, i) on `geometry`; None if one is empty.

    A mask's surface are its voxels with a face on the outside; distances are those of voxel centres.
    """
    if not truth.any() or not found.any():
        return None
    surfaces = [_surface(mask, geometry) for mask in (truth, found)]
    there = cKDTree(surfaces[1]).query(surfaces[0])[0]
    back = cKDTree(surfaces[0]).query(surfaces[1])[0]
    worst = max(np.percentile(there, 95), np.percentile(back, 95))
    return SurfaceDistance(float(np.concatenate([there, back]).mean()), float(worst))


def _surface(mask: np.ndarray, geometry: Geometry) -> np.ndarray:
    """RAS mm of the surface voxels, (n, 3)."""
    box = Box.of(mask)
    inside = mask[box.slices]
    index = np.argwhere(inside & ~ndimage.binary_erosion(inside)) + box.start
    return geometry.index_to_ras(index)
