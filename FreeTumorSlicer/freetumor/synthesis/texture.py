"""Smooth random texture in mm, made only for the box that needs it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

_APART = 4.5  # sigma: the correlation of points so far apart is below 0.01


def smooth_noise(
    shape: Sequence[int], spacing: Sequence[float], length_mm: float, rng: np.random.Generator
) -> np.ndarray:
    """Gaussian random field of unit variance with correlation length `length_mm` (FWHM).

    Args:
        shape, spacing: of the box, (k, j, i), voxels and mm.
        length_mm: full width at half maximum of the smoothing kernel.
        rng: the only source of chance.

    Returns:
        float32, (k, j, i). The variance is set from the kernel, not from the box's own values, so that
        small boxes and large ones get the same texture.
    """
    sigma = [length_mm / 2.355 / s for s in spacing]
    # Wrapped around, with so much more that one end knows nothing of the other.
    padded = [n + int(np.ceil(_APART * s)) for n, s in zip(shape, sigma, strict=True)]
    # Sums of many uniform numbers are Gaussian, and uniform ones are made faster.
    white = rng.random(padded, dtype=np.float32) - np.float32(0.5)
    field = ndimage.gaussian_filter(white, sigma, mode="wrap", truncate=3.0)
    field = field[tuple(slice(0, n) for n in shape)]
    return field * np.float32(np.sqrt(12.0 / np.prod([_kernel_power(s) for s in sigma])))


def _kernel_power(sigma: float) -> float:
    """Sum of squares of the sampled 1-D Gaussian that scipy uses (truncated at 3 sigma)."""
    radius = int(3.0 * sigma + 0.5)
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / max(sigma, 1e-6)) ** 2)
    taps /= taps.sum()
    return float((taps**2).sum())
