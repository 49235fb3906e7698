"""Trachea and main bronchi on a coarse CT."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from freetumor.organs.coarse_grid import Coarse

TUBE_HU = -870.0
AIRWAY_ML = 120.0  # more than this is lung


def _tubes(coarse: Coarse, body: np.ndarray) -> np.ndarray:
    """Round cross-sections of gas near the midline that continue from slice to slice: trachea, bronchi."""
    gas = (coarse.hu < TUBE_HU) & body
    round_gas = np.zeros_like(gas)
    dy, dx = coarse.spacing[1:]
    for k, plane in enumerate(gas):
        labels, count = ndimage.label(plane)
        if count == 0:
            continue
        middle = np.median(np.flatnonzero(body[k].any(axis=0)))
        areas = np.bincount(labels.ravel()) * dy * dx
        for n, box in enumerate(ndimage.find_objects(labels), start=1):
            height, width = ((s.stop - s.start) * d for s, d in zip(box, (dy, dx), strict=True))
            if (
                60.0 <= areas[n] <= 700.0  # mm^2: bronchus of a child to trachea of a man
                and areas[n] > 0.55 * height * width
                and max(height, width) < 2.2 * min(height, width)
                and abs((box[1].start + box[1].stop) / 2 - middle) * dx < 45.0
            ):
                round_gas[k][box] |= labels[box] == n
    labels, _ = ndimage.label(round_gas)
    tall = min(20.0, 0.8 * gas.shape[0] * coarse.spacing[0])
    for n, box in enumerate(ndimage.find_objects(labels), start=1):
        if (box[0].stop - box[0].start) * coarse.spacing[0] < tall:
            round_gas[box] &= labels[box] != n
    return round_gas


def find_airway(coarse: Coarse, body: np.ndarray) -> np.ndarray:
    """Trachea and main bronchi with their wall: mask on the coarse grid, empty where there is no trachea.

    Round tubes of gas are the seed; the limit of HU is then raised for as long as the volume does not
    explode, which is when the growth breaks through a wall into the lung.
    """
    seeds = _tubes(coarse, body)
    airway = seeds
    if not seeds.any():
        return seeds
    for limit in range(-1000, -650, 25):
        labels, _ = ndimage.label(((coarse.hu < limit) & body) | seeds)
        grown = np.isin(labels, np.unique(labels[seeds]))
        volume = grown.sum() * coarse.voxel_ml
        if volume > AIRWAY_ML or volume > 1.6 * airway.sum() * coarse.voxel_ml + 5.0:
            break
        airway = grown
    wide = coarse.opened(airway, 3.5) | seeds  # narrower bronchi belong to the lung
    return coarse.dilated(wide, 2.5) & body
