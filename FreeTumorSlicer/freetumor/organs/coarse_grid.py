"""A coarse copy of a CT on patient axes, with morphology in mm: where organs are looked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from freetumor.volume import Box, Geometry, Volume

COARSE_MM = 2.0


@dataclass(frozen=True)
class Coarse:
    """A coarse copy of the CT: HU as float32 (superior, anterior, right), voxel size in mm."""

    hu: np.ndarray
    step: tuple[int, int, int]
    spacing: tuple[float, float, float]

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel in millilitres."""
        return float(np.prod(self.spacing)) / 1000.0

    def distance(self, mask: np.ndarray) -> np.ndarray:
        """Distance in mm of every voxel to `mask` (0 inside; infinite where the mask is empty), float32."""
        if not mask.any():
            return np.full(mask.shape, np.inf, np.float32)
        image = sitk.GetImageFromArray(mask.view(np.uint8))
        image.SetSpacing(self.spacing[::-1])
        field = sitk.SignedMaurerDistanceMap(image, squaredDistance=False, useImageSpacing=True)
        return np.maximum(sitk.GetArrayFromImage(field), 0.0)

    def _around(self, mask: np.ndarray, mm: float) -> tuple[slice, slice, slice]:
        return Box.of(mask).grown([int(mm / s) + 1 for s in self.spacing], mask.shape).slices

    def dilated(self, mask: np.ndarray, mm: float) -> np.ndarray:
        """`mask` grown by a ball of radius `mm`; only the box it can change is worked on."""
        out, around = np.zeros_like(mask), self._around(mask, mm)
        out[around] = self.distance(mask[around]) <= mm
        return out

    def eroded(self, mask: np.ndarray, mm: float) -> np.ndarray:
        """`mask` shrunk by a ball of radius `mm`; the border of the volume does not eat into it."""
        out, around = np.zeros_like(mask), self._around(mask, 0.0)
        out[around] = mask[around] & (self.distance(~mask[around]) > mm)
        return out

    def opened(self, mask: np.ndarray, mm: float) -> np.ndarray:
        """`mask` without its parts thinner than a ball of radius `mm`."""
        return self.dilated(self.eroded(mask, mm), mm) & mask

    def closed(self, mask: np.ndarray, mm: float) -> np.ndarray:
        """`mask` with its gaps narrower than a ball of radius `mm` filled."""
        return self.eroded(self.dilated(mask, mm), mm) | mask

    def met(self, mask: np.ndarray, axis: int, sign: int, mm: float) -> np.ndarray:
        """Voxels that meet `mask` within `mm` when going along `axis` in direction `sign`."""
        steps = int(mm / self.spacing[axis])
        turn = tuple(slice(None, None, -sign if a == axis else None) for a in range(3))
        index = np.arange(mask.shape[axis], dtype=np.int16).reshape(
            [-1 if a == axis else 1 for a in range(3)]
        )
        last = np.where(mask[turn], index, np.int16(-steps - 1))
        np.maximum.accumulate(last, axis=axis, out=last)
        return (index - last <= steps)[turn]


def patient_axes(array: np.ndarray, geometry: Geometry) -> tuple[np.ndarray, tuple[float, ...]]:
    """View of `array` with axes running (superior, anterior, right), and its spacing in that order.

    Writing to the view writes to `array`.
    """
    axes, signs = geometry.patient_axes()
    turns = tuple(slice(None, None, sign) for sign in signs)
    return array.transpose(axes)[turns], tuple(geometry.spacing[axis] for axis in axes)


def coarse_copy(view: Volume, spacing: tuple[float, ...]) -> Coarse:
    """Means of blocks of about 2 mm; what is left over at the far borders belongs to the last block."""
    step = tuple(max(1, round(COARSE_MM / s)) for s in spacing)
    count = tuple(max(1, n // s) for n, s in zip(view.array.shape, step, strict=True))
    hu = np.empty(count, np.float32)
    for k in range(count[0]):
        stop = (k + 1) * step[0] if k + 1 < count[0] else view.array.shape[0]
        box = Box((k * step[0], 0, 0), (stop, *view.array.shape[1:]))
        plane = view.hu(box).mean(axis=0)
        for axis in (0, 1):
            edges = np.arange(count[1 + axis]) * step[1 + axis]
            sizes = np.diff([*edges, plane.shape[axis]])
            plane = np.add.reduceat(plane, edges, axis=axis) / (sizes[:, None] if axis == 0 else sizes)
        hu[k] = plane
    return Coarse(hu, step, tuple(n * s for n, s in zip(step, spacing, strict=True)))


def block_weights(fine: int, coarse: int, step: int) -> np.ndarray:
    """Matrix (fine, coarse) that interpolates linearly from block centres to voxels."""
    position = np.clip((np.arange(fine) + 0.5) / step - 0.5, 0, coarse - 1)
    return np.maximum(0.0, 1.0 - np.abs(position[:, None] - np.arange(coarse))).astype(np.float32)
