"""Random radius per direction: smooth fields on the sphere, and how rough the body is that they make.

Directions are a table of latitudes (from +z to -z, both poles) and longitudes (from -pi).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import special

ROWS, COLUMNS = 97, 192
LOWEST, HIGHEST = 3, 24  # degrees: below are position and axes, beyond 360 / 24 degrees nothing is seen
_COARSE = 3  # every third direction is enough to integrate
_SOFT = 0.6  # log radius at which lobes stop growing: real tumors have lobes, not thorns
_LARGEST = 1.2  # amplitude, in units of the field's standard deviation
_PAIRS = np.triu_indices(3)  # of a symmetric matrix
_TWICE = np.array([1.0, 2.0, 2.0, 1.0, 2.0, 1.0])  # how often each of them is in it


@lru_cache
def sphere(step: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors (rows, columns, 3) of every `step`-th direction, and weights that add up to 1."""
    polar = np.linspace(0.0, np.pi, ROWS)[::step, None]
    around = (np.arange(COLUMNS) * (2.0 * np.pi / COLUMNS) - np.pi)[None, ::step]
    x, y = np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around)
    weights = np.broadcast_to(np.sin(polar), x.shape)
    return np.stack([x, y, np.cos(polar) + 0.0 * around], axis=-1), weights / weights.sum()


@lru_cache
def _legendre() -> np.ndarray:
    """Normalised associated Legendre functions (order, row, degree) at the table's latitudes."""
    cosines = np.cos(np.linspace(0.0, np.pi, ROWS))
    table = np.zeros((HIGHEST + 1, ROWS, HIGHEST + 1))
    for degree in range(LOWEST, HIGHEST + 1):
        for order in range(degree + 1):
            logs = special.gammaln(degree - order + 1) - special.gammaln(degree + order + 1)
            norm = np.sqrt((2 * degree + 1) * (2.0 if order else 1.0) * np.exp(logs))
            table[order, :, degree] = norm * special.lpmv(order, degree, cosines)
    return table


def random_normals(rng: np.random.Generator) -> np.ndarray:
    """What :func:`random_field` takes: standard normal numbers (cosine and sine, degree, order)."""
    return rng.standard_normal((2, HIGHEST + 1, HIGHEST + 1))


def random_field(normals: np.ndarray, slope: float) -> np.ndarray:
    """Isotropic Gaussian field (rows, columns) of variance 1 with ``power(degree) ~ degree ** -slope``."""
    degree = np.arange(LOWEST, HIGHEST + 1, dtype=np.float64)
    power = degree**-slope
    scale = np.zeros((HIGHEST + 1, 1))
    scale[LOWEST:, 0] = np.sqrt(power / power.sum() / (2 * degree + 1))
    waves = (normals[0] - 1j * normals[1]) * scale  # (degree, order)
    waves[:, 1:] *= 0.5
    spectrum = np.zeros((ROWS, COLUMNS // 2 + 1), dtype=np.complex128)
    # Real matrices times complex vectors, order by order.
    parts = np.stack([waves.T.real, waves.T.imag], axis=-1)
    sums = _legendre() @ parts
    spectrum[:, : HIGHEST + 1] = (sums[..., 0] + 1j * sums[..., 1]).T
    return np.fft.irfft(spectrum, n=COLUMNS, axis=1, norm="forward")


def roughened(field: np.ndarray, roughness: float) -> np.ndarray:
    """Log radius (rows, columns): `field` times the amplitude that makes the body as rough as wanted.

    `roughness` is the share of the body outside its matched ellipsoid (``roughness_3d`` of
    :class:`freetumor.masks.shape_measures.ShapeMeasures`); linear maps do not change it.
    """
    coarse = field[::_COARSE, ::_COARSE]
    amplitude, low, high = 1.4 * roughness, 0.0, _LARGEST
    for _ in range(12):
        found = _roughness(_softened(amplitude * coarse))
        if abs(found - roughness) <= 0.02 * roughness:
            break
        low, high = (amplitude, high) if found < roughness else (low, amplitude)
        guess = amplitude * roughness / max(found, 1e-6)
        amplitude = guess if low < guess < high else 0.5 * (low + high)
    return _softened(amplitude * field)


def _softened(log_radius: np.ndarray) -> np.ndarray:
    return _SOFT * np.tanh(log_radius / _SOFT)


def _roughness(log_radius: np.ndarray) -> float:
    """Share of the body with `log_radius` (coarse directions) that is outside its matched ellipsoid."""
    unit, products, weights, _ = _integrals()
    radius = np.exp(log_radius.ravel())
    cubes = weights * _cubed(radius)
    volume, centre, moments = _moments(radius, cubes)
    inverse = np.linalg.inv(moments)
    # Along each direction, where the ellipsoid of the body's moments and volume ends.
    across = products @ (inverse[_PAIRS] * _TWICE)
    offset = unit @ (inverse @ centre)
    level = volume ** (2.0 / 3.0) / np.cbrt(np.linalg.det(moments)) - centre @ inverse @ centre
    matched = (offset + np.sqrt(np.maximum(offset**2 + across * level, 0.0))) / across
    return 1.0 - float((weights * _cubed(np.minimum(radius, matched))).sum() / volume)


def _cubed(values: np.ndarray) -> np.ndarray:
    """Many times faster than ``values**3``."""
    return values * values * values


def _moments(radius: np.ndarray, cubes: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Volume (in unit spheres), centroid (3,), five times the covariance (3, 3): 1, 0, I for the sphere.

    `cubes` are the weights times ``radius ** 3``; both in coarse directions, flat.
    """
    unit, products, _, _ = _integrals()
    volume, fourth = float(cubes.sum()), cubes * radius
    centre = fourth @ unit * 0.75 / volume
    second = _symmetric((fourth * radius) @ products) * 3.0 / volume
    return volume, centre, second - 5.0 * np.outer(centre, centre)


@lru_cache
def _integrals() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of the coarse directions, flat: unit vectors (n, 3), their products (n, 6) at :data:`_PAIRS`, weights
    (n,), and what bending needs: ``x ** 2`` times each of x, y and z, and ``x ** 4``, (n, 4).
    """
    unit, weights = sphere(_COARSE)
    flat = unit.reshape(-1, 3)
    square = flat[:, :1] ** 2
    products = flat[:, _PAIRS[0]] * flat[:, _PAIRS[1]]
    return flat, products, weights.ravel(), np.concatenate([square * flat, square**2], axis=1)


def _symmetric(six: np.ndarray) -> np.ndarray:
    """The symmetric matrix (3, 3) with the entries `six` at :data:`_PAIRS`."""
    matrix = np.empty((3, 3))
    matrix[_PAIRS] = matrix[_PAIRS[::-1]] = six
    return matrix


def surface(radius: np.ndarray, amount: float, *, coarse: bool = False) -> np.ndarray:
    """Points (3, n) of the body with `radius` (rows, columns), bent by `amount` along x towards z.

    Bending is a shear: it keeps the volume, and subtracting undoes it. With `coarse` every third direction.
    """
    step = _COARSE if coarse else 1
    points = _directions(step) * radius[::step, ::step].ravel()
    points[2] += np.float32(amount) * points[0] ** 2
    return points


@lru_cache
def _directions(step: int) -> np.ndarray:
    """Unit vectors of :func:`sphere`, float32, (3, n)."""
    return np.ascontiguousarray(sphere(step)[0].reshape(-1, 3).T, dtype=np.float32)


def bent_moments(log_radius: np.ndarray, amount: float) -> tuple[float, np.ndarray, np.ndarray]:
    """Volume (mm^3 if the radius is in mm), centroid and covariance of the body bent by `amount`.

    Bending moves a point by ``amount * x ** 2`` along z. So the moments of the bent body are moments of the
    body as it was, up to the fourth order, and each of these is an integral over the directions.
    """
    unit, products, weights, bending = _integrals()
    radius = np.exp(log_radius[::_COARSE, ::_COARSE]).ravel()
    powers = weights * _cubed(radius)
    volume = powers.sum() / 3.0
    first = (powers := powers * radius) @ unit / (4.0 * volume)
    second = _symmetric((powers := powers * radius) @ products) / (5.0 * volume)
    cubic = (powers := powers * radius) @ bending[:, :3] / (6.0 * volume)
    quartic = (powers * radius) @ bending[:, 3] / (7.0 * volume)
    centre = first + np.array([0.0, 0.0, amount * second[0, 0]])
    second[:2, 2] += amount * cubic[:2]
    second[2, :2] = second[:2, 2]
    second[2, 2] += 2.0 * amount * cubic[2] + amount**2 * quartic
    return 4.0 * np.pi * float(volume), centre, second - np.outer(centre, centre)
