"""Augmentation: one transform for all arrays of a patch, and changes of brightness for its CT alone.

What moves voxels is drawn once (:class:`Transform`) and applied to image, labels and masks alike. A change
of scale takes a larger or smaller piece of the scan and resamples it axis by axis, images linearly and
labels to the nearest voxel: the centres of both are the same points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from freetumor.errors import BadInput


@dataclass(frozen=True)
class Augment:
    """What may happen to a patch.

    Attributes:
        flip: along (k, j, i), each with a chance of 1/2.
        turn: quarter turns in the axial plane, where its voxels and the patch are square.
        scale: a patch shows up to this share more or less along each axis, alike within a voxel.
        noise_hu: standard deviation of added noise, up to. shift_hu: brightness, up to, both ways.
        gain: contrast, up to this share, both ways. blur_mm: sigma of a Gaussian, up to.
        chance: of scale, noise, brightness with contrast, and blur, each.
    """

    flip: tuple[bool, bool, bool] = (True, True, True)
    turn: bool = True
    scale: float = 0.1
    noise_hu: float = 10.0
    shift_hu: float = 15.0
    gain: float = 0.05
    blur_mm: float = 0.8
    chance: float = 0.3

    def __post_init__(self) -> None:
        sizes = {name: getattr(self, name) for name in ("noise_hu", "shift_hu", "blur_mm")}
        shares = {name: getattr(self, name) for name in ("scale", "gain")}
        wrong = [name for name, value in sizes.items() if not value >= 0]
        wrong += [name for name, value in shares.items() if not 0 <= value <= 0.5]
        wrong += [] if 0 <= self.chance <= 1 else ["chance"]
        if wrong:
            raise BadInput(
                "HU and mm of 0 or more, a scale and a gain up to 0.5, and a chance of 0 to 1",
                ", ".join(f"{name} {getattr(self, name)}" for name in wrong),
                kind="usage",
            )


NO_AUGMENT = Augment((False, False, False), False, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Transform:
    """A way from a piece of a scan to a patch; all triples are (k, j, i).

    Attributes:
        shape: of the patch. source_shape: of the piece that it is made of.
        turns: quarter turns in the plane of j and i. flips: axes that are reversed.
    """

    shape: tuple[int, int, int]
    source_shape: tuple[int, int, int]
    turns: int
    flips: tuple[bool, bool, bool]

    @classmethod
    def draw(
        cls, augment: Augment, shape: Sequence[int], spacing: Sequence[float], rng: np.random.Generator
    ) -> Transform:
        """A transform to patches of `shape` voxels of `spacing` mm. Everything is drawn, whatever is used."""
        shape = tuple(int(n) for n in shape)
        flips = tuple(bool(f) & bool(r < 0.5) for f, r in zip(augment.flip, rng.random(3), strict=True))
        turns = int(rng.integers(4))
        chance, scale = rng.random(), 1.0 + rng.uniform(-augment.scale, augment.scale)
        square = shape[1] == shape[2] and abs(spacing[1] - spacing[2]) < 1e-3
        source = shape
        if chance < augment.chance:
            source = tuple(max(1, round(n * scale)) for n in shape)
        return cls(shape, source, turns if augment.turn and square else 0, flips)

    def nearest(self, array: np.ndarray) -> np.ndarray:
        """A patch of labels from a piece (k, j, i) of :attr:`source_shape`, nearest voxel."""
        for axis, (count, size) in enumerate(zip(self.shape, self.source_shape, strict=True)):
            if count != size:
                place = _places(count, size)
                array = np.take(array, np.rint(place).astype(np.intp), axis=axis)
        return self._moved(array)

    def linear(self, array: np.ndarray) -> np.ndarray:
        """A patch of values from a piece (k, j, i) of :attr:`source_shape`, linear interpolation."""
        for axis, (count, size) in enumerate(zip(self.shape, self.source_shape, strict=True)):
            if count != size:
                place = _places(count, size)
                low = np.minimum(place.astype(np.intp), max(size - 2, 0))
                share = (place - low).astype(np.float32)
                share = share.reshape([-1 if a == axis else 1 for a in range(3)])
                lower = np.take(array, low, axis=axis).astype(np.float32, copy=False)
                array = lower + share * (np.take(array, np.minimum(low + 1, size - 1), axis=axis) - lower)
        return self._moved(array)

    def _moved(self, array: np.ndarray) -> np.ndarray:
        turned = np.rot90(array, self.turns, axes=(1, 2)) if self.turns else array
        return turned[tuple(slice(None, None, -1 if flip else 1) for flip in self.flips)]


def _places(count: int, size: int) -> np.ndarray:
    """Where the centres of `count` voxels lie among `size` voxels that fill the same length."""
    return np.clip((np.arange(count) + 0.5) * (size / count) - 0.5, 0.0, size - 1.0)


def change_brightness(
    hu: np.ndarray, augment: Augment, spacing: Sequence[float], rng: np.random.Generator
) -> np.ndarray:
    """HU, float32, with blur, contrast, brightness and noise as `augment` allows.

    Contrast is changed around the patch's mean, so that it does not act as brightness.

    Args:
        hu: a patch; it may be changed. spacing: mm, in the order of its axes.
    """
    blur, noise, other = rng.random(3) < augment.chance
    if blur and augment.blur_mm > 0:
        sigma = rng.uniform(0.0, augment.blur_mm)
        hu = ndimage.gaussian_filter(hu, [sigma / s for s in spacing], mode="nearest", truncate=3.0)
    if other and (augment.gain > 0 or augment.shift_hu > 0):
        gain = 1.0 + rng.uniform(-augment.gain, augment.gain)
        shift = rng.uniform(-augment.shift_hu, augment.shift_hu)
        mean = float(hu.mean())
        hu *= np.float32(gain)
        hu += np.float32(mean * (1.0 - gain) + shift)
    if noise and augment.noise_hu > 0:
        sigma = rng.uniform(0.0, augment.noise_hu)
        drawn = rng.standard_normal(hu.shape, dtype=np.float32)
        drawn *= np.float32(sigma)
        hu += drawn
    return hu
