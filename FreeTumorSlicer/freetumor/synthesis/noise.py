"""The scan's noise: measured where it is, kept where a tumor is put.

Noise is measured on the in-plane Laplacian of Immerkaer (1996, "Fast Noise Variance Estimation",
Computer Vision and Image Understanding 64:300), which is blind to ramps and slow structure; the spread is
the median absolute deviation, which is blind to the few voxels on edges and vessels.
"""

from __future__ import annotations

import numpy as np
from scipy import fft, ndimage

_LAPLACIAN = np.array([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]], np.float32)[None] / 6.0
_MAD_TO_SIGMA = 1.4826
_LOCAL = (1, 7, 7)
_SPECTRUM = 2.5  # whole noise over its finest part, at most: smooth reconstruction kernels
_LAGS = (2, 8, 8)  # voxels over which noise is correlated
_LEAST_CALM = 200  # voxels; fewer give no autocovariance


def noise_sigma(hu: np.ndarray, where: np.ndarray) -> float:
    """Noise (standard deviation, HU) of `hu` at the voxels `where`; both (k, j, i). 0 if there are none."""
    values = ndimage.convolve(hu, _LAPLACIAN, mode="nearest")[where]
    if values.size == 0:
        return 0.0
    return float(_MAD_TO_SIGMA * np.median(np.abs(values - np.median(values))))


def total_noise_sigma(hu: np.ndarray, where: np.ndarray) -> float:
    """Noise over most of its spectrum (standard deviation, HU): the lower quartile of the local spread.

    The quietest quarter of the in-plane neighbourhoods around `where` is free of vessels and edges.
    """
    if not where.any():
        return 0.0
    centred = hu - np.float32(np.median(hu[where]))
    mean = ndimage.uniform_filter(centred, _LOCAL, mode="nearest")
    square = ndimage.uniform_filter(centred * centred, _LOCAL, mode="nearest")
    spread = np.sqrt(np.maximum(square - mean * mean, 0.0))[where]
    return float(np.percentile(spread, 25))


def scan_noise(hu: np.ndarray, where: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """The scan's noise on a patch as it would be were all of it organ at `level`.

    Where the tissue is at the organ's level the noise is the scan's own, voxel by voxel. What stands out
    by more than noise can (vessels, a kidney's cortex, the organ's border) is structure; there the noise is
    drawn anew with the power spectrum measured at `where`. The two are mixed at constant power.

    Args:
        hu: the patch, float32 HU, (k, j, i).
        where: the surrounding organ, bool: where the noise is measured.
        level: the organ's median HU.
        rng: chance for the noise drawn anew.

    Returns:
        float32, (k, j, i), mean about 0.
    """
    finest = noise_sigma(hu, where)
    # Fatty lobules or bronchioles everywhere look like noise to the local spread, but not to the Laplacian.
    sigma = max(min(total_noise_sigma(hu, where), _SPECTRUM * finest), 1.0)
    centred = hu - np.float32(level)
    mean = ndimage.uniform_filter(centred, _LOCAL, mode="nearest")
    square = ndimage.uniform_filter(centred * centred, _LOCAL, mode="nearest")
    busy = (square - mean * mean) / sigma**2
    spread = _MAD_TO_SIGMA * float(np.median(np.abs(mean[where]))) if where.any() else sigma
    spread = min(max(spread, 0.25 * sigma), sigma)
    structure = np.maximum((busy - 2.0) / 3.0, (np.abs(mean) / spread - 1.5) / 1.5)
    drawn_share = _smooth_step(ndimage.uniform_filter(np.clip(structure, 0.0, 1.0), _LOCAL, mode="nearest"))
    own_share = np.where(np.abs(centred) < 4.0 * sigma, 1.0 - drawn_share, 0.0)
    calm = where & (busy < 2.0) & (np.abs(centred - mean) < 3.5 * sigma)
    drawn = _soften(_draw_like(centred - mean, calm, sigma, rng), finest)
    return (own_share * centred + np.sqrt(1.0 - own_share**2) * drawn).astype(np.float32)


def _smooth_step(share: np.ndarray) -> np.ndarray:
    return share * share * (3.0 - 2.0 * share)


def _draw_like(noise: np.ndarray, calm: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """A Gaussian field with the autocovariance that `noise` has on the voxels `calm`.

    The autocovariance of the masked field, over that of the mask, is the standard estimate for gaps in a
    stationary field; its Fourier transform is the power spectrum (Wiener-Khinchin). With too few calm
    voxels the field is white, of standard deviation `sigma` (HU).
    """
    if calm.sum() < _LEAST_CALM:
        white = rng.standard_normal(noise.shape, dtype=np.float32)
        return white * np.float32(sigma)
    shape = [fft.next_fast_len(n + r, real=True) for n, r in zip(noise.shape, _LAGS, strict=True)]
    weight = calm.astype(np.float32)
    values = np.where(calm, noise - noise[calm].mean(), 0.0).astype(np.float32)

    def autocovariance(field: np.ndarray) -> np.ndarray:
        return fft.irfftn(np.abs(fft.rfftn(field, shape)) ** 2, shape)

    pairs = autocovariance(weight)
    covariance = np.where(pairs > 0.02 * pairs.flat[0], autocovariance(values) / np.maximum(pairs, 1.0), 0.0)
    for axis, reach in enumerate(_LAGS):
        lag = np.minimum(np.arange(shape[axis]), shape[axis] - np.arange(shape[axis]))
        taper = np.where(lag <= reach, np.cos(np.pi / 2.0 * lag / (reach + 1.0)) ** 2, 0.0)
        covariance *= taper.reshape([-1 if a == axis else 1 for a in range(3)])
    power = np.maximum(fft.rfftn(covariance).real, 0.0)
    padded = rng.standard_normal(shape, dtype=np.float32)
    field = fft.irfftn(fft.rfftn(padded) * np.sqrt(power), shape)
    return field[tuple(slice(0, n) for n in noise.shape)].astype(np.float32)


def _soften(field: np.ndarray, sigma: float) -> np.ndarray:
    """Smooth `field` in plane, its variance kept, until its finest detail has the noise `sigma`.

    An autocovariance from a few thousand voxels puts a floor under the spectrum, which a smooth
    reconstruction kernel does not have at its highest frequencies.
    """
    some = field[:: max(1, len(field) // 6)]  # slices enough to measure on
    everywhere = np.ones(some.shape, bool)
    spread = float(some.std())
    if noise_sigma(some, everywhere) <= sigma or spread == 0.0:
        return field
    low, high = 0.0, 0.25
    for _ in range(6):
        share = (low + high) / 2.0
        softer = _three_taps(some, share)
        gain = spread / max(float(softer.std()), 1e-6)
        low, high = (share, high) if gain * noise_sigma(softer, everywhere) > sigma else (low, share)
    return gain * _three_taps(field, share)


def _three_taps(field: np.ndarray, share: float) -> np.ndarray:
    taps = np.array([share, 1.0 - 2.0 * share, share], np.float32)
    return ndimage.convolve1d(ndimage.convolve1d(field, taps, axis=1), taps, axis=2)
