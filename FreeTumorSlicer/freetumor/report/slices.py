"""Slices as a radiologist reads them: in mm, patient's right on the left, any grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from freetumor.volume import Geometry

# plane -> RAS direction of the picture's columns (to the right) and rows (downwards), and their letters
PLANES = {
    "axial": ((-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), "R", "A"),
    "coronal": ((-1.0, 0.0, 0.0), (0.0, 0.0, -1.0), "R", "S"),
    "sagittal": ((0.0, -1.0, 0.0), (0.0, 0.0, -1.0), "A", "S"),
}


@dataclass(frozen=True)
class View:
    """A square cut of `size_mm` around `centre` (RAS mm) in `plane`, sampled on `pixels` x `pixels`."""

    plane: str
    centre: tuple[float, float, float]
    size_mm: float
    pixels: int = 240

    def sample(self, array: np.ndarray, geometry: Geometry, *, fill: float, order: int = 1) -> np.ndarray:
        """Values of `array` (k, j, i) on the view, float32 (rows, columns); `fill` outside the grid."""
        columns, rows = (np.array(d) for d in PLANES[self.plane][:2])
        steps = (np.arange(self.pixels) + 0.5) / self.pixels * self.size_mm - self.size_mm / 2.0
        points = np.array(self.centre) + steps[:, None, None] * rows + steps[None, :, None] * columns
        index = geometry.ras_to_index(points)
        return ndimage.map_coordinates(
            array.astype(np.float32), np.moveaxis(index, -1, 0), order=order, mode="constant", cval=fill
        )

    def corners(self) -> np.ndarray:
        """RAS mm of the four corners, (4, 3): what part of a volume the view needs."""
        columns, rows = (np.array(d) for d in PLANES[self.plane][:2])
        half = self.size_mm / 2.0
        return np.array(
            [np.array(self.centre) + a * half * rows + b * half * columns for a in (-1, 1) for b in (-1, 1)]
        )


def gray(hu: np.ndarray, window: tuple[float, float]) -> np.ndarray:
    """HU to gray levels within `window` (low, high): uint8."""
    low, high = window
    return np.rint(np.clip((hu - low) / (high - low), 0.0, 1.0) * 255.0).astype(np.uint8)


def diverging(change: np.ndarray, limit: float) -> np.ndarray:
    """HU differences to colors, blue below, orange above, nearly black at 0: uint8 (rows, columns, 3)."""
    share = np.clip(change / limit, -1.0, 1.0)
    up, down = np.maximum(share, 0.0), np.maximum(-share, 0.0)
    base = 26.0
    rgb = np.stack(
        [base + 229 * up + 40 * down, base + 120 * np.maximum(up, down) - 20 * up, base + 214 * down], -1
    )
    return np.clip(rgb, 0, 255).astype(np.uint8)


def outline(mask: np.ndarray) -> np.ndarray:
    """The one-pixel contour around a mask of values 0..1 (rows, columns): bool."""
    inside = mask >= 0.5
    return ndimage.binary_dilation(inside) & ~inside
