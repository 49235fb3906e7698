"""Shapes of the phantom, in RAS mm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

Inside = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
NOWHERE = (-1e6, 1e6)


@dataclass(frozen=True)
class Shape:
    """Points (x, y, z) in RAS mm for which `inside` holds; all lie between `low` and `high`."""

    low: tuple
    high: tuple
    inside: Inside


def ellipsoid(center: Sequence[float], radii: Sequence[float]) -> Shape:
    (a, b, c), (p, q, r) = center, radii
    return Shape(
        tuple(np.subtract(center, radii)),
        tuple(np.add(center, radii)),
        lambda x, y, z: ((x - a) / p) ** 2 + ((y - b) / q) ** 2 + ((z - c) / r) ** 2 <= 1,
    )


def column(center: Sequence[float], radii: Sequence[float]) -> Shape:
    """Elliptic cylinder along the body axis."""
    (a, b), (p, q) = center, radii
    return Shape(
        (a - p, b - q, NOWHERE[0]),
        (a + p, b + q, NOWHERE[1]),
        lambda x, y, z: np.broadcast_to(((x - a) / p) ** 2 + ((y - b) / q) ** 2 <= 1, np.shape(z)),
    )


def tube(start: Sequence[float], end: Sequence[float], radius: float) -> Shape:
    """All points within `radius` of a straight line."""
    ends = np.array([start, end], dtype=np.float32)
    d = ends[1] - ends[0]
    length2 = float(d @ d)

    def inside(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        x, y, z = x - ends[0, 0], y - ends[0, 1], z - ends[0, 2]
        t = np.clip((x * d[0] + y * d[1] + z * d[2]) / length2, 0, 1)
        return (x - t * d[0]) ** 2 + (y - t * d[1]) ** 2 + (z - t * d[2]) ** 2 <= radius**2

    return Shape(tuple(ends.min(0) - radius), tuple(ends.max(0) + radius), inside)


def block(low: Sequence[float], high: Sequence[float]) -> Shape:
    def inside(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        sides = zip((x, y, z), low, high, strict=True)
        return np.logical_and.reduce([(v >= a) & (v <= b) for v, a, b in sides])

    return Shape(tuple(low), tuple(high), inside)


def vessel_tree(root: Sequence[float], center: Sequence[float], radii: Sequence[float]) -> list[Shape]:
    """Vessels from `root` through an ellipsoid: 6 branches of 6 twigs. Always the same."""
    rng = np.random.default_rng(20250218)
    shapes = []
    for _ in range(6):
        way = rng.normal(size=3)
        hub = np.add(center, 0.42 * way / np.linalg.norm(way) * np.array(radii))
        shapes.append(tube(root, hub, 3.6))
        for _ in range(6):
            twig = way / np.linalg.norm(way) + 0.75 * rng.normal(size=3)
            tip = np.add(center, 0.86 * twig / np.linalg.norm(twig) * np.array(radii))
            shapes.append(tube(hub, tip, 2.0))
    return shapes
