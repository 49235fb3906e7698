"""The scan's noise: measured where it is, kept where a tumor is put.

Noise is measured on the in-plane Laplacian of Immerkaer (1996, "Fast Noise Variance Estimation",
Computer Vision and Image Understanding 64:300), which is blind to ramps and slow structure; the spread is
the median absolute deviation, which is blind to the few voxels on edges and vessels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import fft, ndimage

from freetumor.volume import Box

_LAPLACIAN = (1.0, -2.0, 1.0)  # along rows and along columns, over 6
_MAD_TO_SIGMA = 1.4826
_LOCAL = (1, 7, 7)
_SPECTRUM = 2.5  # whole noise over its finest part, at most: smooth reconstruction kernels
_LAGS = (2, 8, 8)  # voxels over which noise is correlated
_LEAST_CALM = 200  # voxels; fewer give no autocovariance
_ENOUGH = 30_000  # voxels of a patch to measure an autocovariance on
_SAMPLES = 4096  # values that tell a median or a spread to 2 %
_HALVINGS = 7  # of the interval of the three taps' share


def noise_sigma(hu: np.ndarray, where: np.ndarray) -> float:
    """Noise (standard deviation, HU) of `hu` at the voxels `where`; both (k, j, i). 0 if there are none."""
    if not where.any():
        return 0.0
    # Only the box of the voxels, and what the Laplacian sees beside it.
    box = Box.of(where)
    outer = box.grown((0, 1, 1), hu.shape)
    return spread_of(fine_detail(hu[outer.slices])[where[outer.slices]])


def fine_detail(hu: np.ndarray) -> np.ndarray:
    """What the noise is measured on, the Laplacian in the plane: (k, j, i), linear in `hu`."""
    rows = ndimage.correlate1d(hu, _LAPLACIAN, axis=1, mode="nearest")
    rows /= np.float32(6.0)
    return ndimage.correlate1d(rows, _LAPLACIAN, axis=2, mode="nearest")


def spread_of(detail: np.ndarray) -> float:
    """Noise (standard deviation, HU) by voxels of :func:`fine_detail`."""
    return _spread(detail - _quantile(detail, 0.5))


def scan_noise(
    hu: np.ndarray, where: np.ndarray, level: float, finest: float, box: Box, rng: np.random.Generator
) -> np.ndarray:
    """The scan's noise in `box` of a patch as it would be were all of it organ at `level`.

    Where the tissue is at the organ's level the noise is the scan's own, voxel by voxel. What stands out
    by more than noise can (vessels, a kidney's cortex, the organ's border) is structure; there the noise is
    drawn anew with the power spectrum measured at `where`. The two are mixed at constant power.

    Args:
        hu: the patch, float32 HU, (k, j, i).
        where: the surrounding organ, bool: where the noise is measured.
        level: the organ's median HU. finest: :func:`noise_sigma` there.
        box: the part of the patch that the noise is wanted for.
        rng: chance for the noise drawn anew.

    Returns:
        float32, (k, j, i), on `box`; mean about 0.
    """
    centred = hu - np.float32(level)
    mean = ndimage.uniform_filter(centred, _LOCAL, mode="nearest")
    square = ndimage.uniform_filter(centred * centred, _LOCAL, mode="nearest")
    variance = np.maximum(square - mean * mean, 0.0)
    # The quietest quarter of the in-plane neighbourhoods is free of vessels and edges. Fatty lobules or
    # bronchioles everywhere look like noise to the local spread, but not to the Laplacian.
    quiet = float(np.sqrt(_quantile(variance[where], 0.25))) if where.any() else 0.0
    sigma = max(min(quiet, _SPECTRUM * finest), 1.0)
    calm = where & (variance < 2.0 * sigma**2) & (np.abs(centred - mean) < 3.5 * sigma)
    drawn = _drawn(_covariance(centred - mean, calm, sigma), finest, box.shape, rng)
    spread = _spread(mean[where]) if where.any() else sigma
    own = _own_share(centred[box.slices], mean[box.slices], variance[box.slices], sigma, spread)
    return (own * centred[box.slices] + np.sqrt(1.0 - own**2) * drawn).astype(np.float32)


def _spread(values: np.ndarray) -> float:
    """Standard deviation of `values` around 0 by their median size."""
    return _MAD_TO_SIGMA * float(_quantile(np.abs(values), 0.5))


def _quantile(values: np.ndarray, share: float) -> np.floating:
    """The value that `share` of `values` are below, from :data:`_SAMPLES` or some more of them."""
    some = values[:: max(1, values.size // _SAMPLES)]
    place = int(share * some.size)
    return np.partition(some, place)[place]


def _own_share(
    centred: np.ndarray, mean: np.ndarray, variance: np.ndarray, sigma: float, spread: float
) -> np.ndarray:
    """Share of each voxel's own deviation that is noise, 0..1: less where it is structure."""
    spread = min(max(spread, 0.25 * sigma), sigma)
    structure = np.maximum((variance / sigma**2 - 2.0) / 3.0, (np.abs(mean) / spread - 1.5) / 1.5)
    structure = ndimage.uniform_filter(np.clip(structure, 0.0, 1.0), _LOCAL, mode="nearest")
    smooth_step = structure * structure * (3.0 - 2.0 * structure)
    return np.where(np.abs(centred) < 4.0 * sigma, 1.0 - smooth_step, 0.0)


def _covariance(noise: np.ndarray, calm: np.ndarray, sigma: float) -> np.ndarray:
    """Autocovariance of `noise` on the voxels `calm` at lags -r..r of :data:`_LAGS`, tapered to 0 there.

    The autocovariance of the masked field, over that of the mask, is the standard estimate for gaps in a
    stationary field. Too few calm voxels tell no more than white noise of standard deviation `sigma` (HU).
    """
    covariance = np.zeros([2 * r + 1 for r in _LAGS])
    if calm.sum() < _LEAST_CALM:
        covariance[_LAGS] = sigma**2
        return covariance
    box = _largest_part(calm)
    noise, calm = noise[box.slices], calm[box.slices]
    weight = calm.astype(np.float32)
    values = np.where(calm, noise - noise[calm].mean(), 0.0).astype(np.float32)
    shape = [fft.next_fast_len(n + r, real=True) for n, r in zip(noise.shape, _LAGS, strict=True)]

    def products(field: np.ndarray) -> np.ndarray:
        spectrum = fft.rfftn(field, shape)
        sums = fft.irfftn(spectrum.real**2 + spectrum.imag**2, shape)
        return sums[np.ix_(*[np.arange(-r, r + 1) for r in _LAGS])]

    pairs = products(weight)
    enough = pairs > 0.02 * pairs[_LAGS]
    covariance[enough] = (products(values) / np.maximum(pairs, 1.0))[enough]
    for axis, reach in enumerate(_LAGS):
        taper = np.cos(np.pi / 2.0 * np.arange(-reach, reach + 1) / (reach + 1.0)) ** 2
        covariance *= taper.reshape([-1 if a == axis else 1 for a in range(3)])
    return covariance


def _largest_part(calm: np.ndarray) -> Box:
    """The slices with the most of `calm`, as many as :data:`_ENOUGH` allows: more tell nothing new."""
    box = Box.of(calm)
    slices, rows, columns = box.shape
    height = max(2 * _LAGS[0] + 1, _ENOUGH // (rows * columns))
    if height >= slices:
        return box
    held = np.concatenate([[0], np.cumsum(calm[box.slices].sum(axis=(1, 2)))])
    first = box.start[0] + int(np.argmax(held[height:] - held[:-height]))
    return Box((first, *box.start[1:]), (first + height, *box.stop[1:]))


def _drawn(
    covariance: np.ndarray, finest: float, shape: Sequence[int], rng: np.random.Generator
) -> np.ndarray:
    """A Gaussian field of `shape` with `covariance`, its finest detail not above `finest` (HU).

    The Fourier transform of the autocovariance is the power spectrum (Wiener-Khinchin).
    """
    # Wrapped around, with so much more that one end knows nothing of the other.
    padded = [fft.next_fast_len(max(n, r + 1) + r, real=True) for n, r in zip(shape, _LAGS, strict=True)]
    wrapped = np.zeros(padded, np.float32)
    wrapped[np.ix_(*[np.arange(-r, r + 1) for r in _LAGS])] = covariance
    power = np.maximum(fft.rfftn(wrapped).real, 0.0)
    scale = np.float32(np.sqrt(np.prod(padded) / 2.0))
    amplitude = np.sqrt(power) * (scale * _softening(power, padded, finest))
    # The spectrum of white noise; where a column is its own mirror image, half of its power is lost again.
    amplitude[:, :, 0] *= np.float32(np.sqrt(2.0))
    if padded[2] % 2 == 0:
        amplitude[:, :, -1] *= np.float32(np.sqrt(2.0))
    white = rng.standard_normal((*power.shape, 2), dtype=np.float32).view(np.complex64)[..., 0]
    field = fft.irfftn(white * amplitude, padded)
    return field[tuple(slice(0, n) for n in shape)].astype(np.float32)


def _softening(power: np.ndarray, shape: Sequence[int], finest: float) -> np.ndarray:
    """In-plane smoothing that keeps the variance and brings the Laplacian's noise down to `finest`: (j, i).

    An autocovariance from a few thousand voxels puts a floor under the spectrum, which a smooth
    reconstruction kernel does not have at its highest frequencies. Three taps (s, 1 - 2s, s) along each
    axis, as factors on the spectrum; s by bisection.
    """
    rows, columns = np.cos(2.0 * np.pi * fft.fftfreq(shape[1])), np.cos(2.0 * np.pi * fft.rfftfreq(shape[2]))
    plane = power.sum(axis=0, dtype=np.float64) / np.prod(shape)
    # The half spectrum holds every column once whose mirror image it leaves out.
    plane[:, 1 : (shape[2] + 1) // 2] *= 2.0
    finest_part = plane * (4.0 * np.outer(1.0 - rows, 1.0 - columns) / 6.0) ** 2  # what the Laplacian sees

    def smoothed(share: float) -> tuple[np.ndarray, np.ndarray]:
        return 1.0 - 2.0 * share * (1.0 - rows), 1.0 - 2.0 * share * (1.0 - columns)

    def noise(share: float) -> tuple[float, float]:
        down, along = (factor**2 for factor in smoothed(share))
        gain = float(np.sqrt(plane.sum() / max(down @ plane @ along, 1e-12)))
        return gain * float(np.sqrt(down @ finest_part @ along)), gain

    low, high = 0.0, 0.25
    if noise(low)[0] <= finest:
        return np.ones(plane.shape, np.float32)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if noise(middle)[0] > finest else (low, middle)
    return (noise(high)[1] * np.outer(*smoothed(high))).astype(np.float32)
