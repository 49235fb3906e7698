"""The neighbourhood of one lesion: all that an engine or a judge gets to see of a CT."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from freetumor.anatomy import Organ
from freetumor.masks import TumorMask
from freetumor.organs import OrganLabels
from freetumor.synthesis.noise import noise_sigma
from freetumor.volume import Box, Geometry, Volume, distance_up_to

SHELL_MM = (3.0, 12.0)  # the surrounding organ: at least so far from the lesion, at most from its box
CLOSE_MM = 5.0  # nothing changes farther from the mask
NEAR_MM = 7.0  # surroundings of a lesion that its look is made on: the edit, and what borders it
BULGE_BORDER_MM = 3.0  # the blurred border of an exophytic tumor, outside the organ


@dataclass(frozen=True, eq=False)
class Patch:
    """A box around one lesion; every array is indexed (k, j, i) on that box.

    Attributes:
        box: the box in the CT. geometry: its grid.
        hu: the CT before the edit, float32 HU.
        organ_mask: the organ with its real lesions, bool.
        lesions: those that are there already, bool: real ones, and synthetic ones made before.
        inside: the tumor mask M, bool. soft: share of tumor per voxel, float32.
        organ: the organ's row.
        ct, labels: the whole scan, for those who see farther; to be read before the edit is applied.
    """

    box: Box
    geometry: Geometry
    hu: np.ndarray
    organ_mask: np.ndarray
    lesions: np.ndarray
    inside: np.ndarray
    soft: np.ndarray
    mask: TumorMask
    organ: Organ
    ct: Volume
    labels: OrganLabels

    @classmethod
    def around(
        cls,
        ct: Volume,
        labels: OrganLabels,
        mask: TumorMask,
        context_mm: float,
        earlier: Sequence[TumorMask] = (),
    ) -> Patch:
        """The patch of `mask` with `context_mm` of surroundings; `earlier`: synthetic lesions in `ct`."""
        box = mask.box.grown(ct.geometry.margin(context_mm), ct.geometry.shape)
        lesions = labels.lesions(box)
        for other in earlier:
            common = box.common(other.box)
            if common.size:
                lesions[common.within(box)] |= other.inside[common.within(other.box)]
        return cls(
            box=box,
            geometry=ct.geometry.cropped(box),
            hu=ct.hu(box),
            organ_mask=labels.mask(box),
            lesions=lesions,
            inside=mask.on(box),
            soft=mask.on(box, soft=True),
            mask=mask,
            organ=labels.organ,
            ct=ct,
            labels=labels,
        )

    def within(self, context_mm: float) -> Patch:
        """The same patch with only `context_mm` of surroundings."""
        box = self.mask.box.grown(self.geometry.margin(context_mm), self.box.stop).common(self.box)
        part = box.within(self.box)
        arrays = ("hu", "organ_mask", "lesions", "inside", "soft")
        return replace(
            self,
            box=box,
            geometry=self.geometry.cropped(box.relative_to(self.box)),
            **{name: getattr(self, name)[part] for name in arrays},
        )

    @cached_property
    def near(self) -> Patch:
        """The same patch with only :data:`NEAR_MM` of surroundings."""
        return self.within(NEAR_MM)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size in mm, (k, j, i)."""
        return self.geometry.spacing

    @cached_property
    def outside_mm(self) -> np.ndarray:
        """Distance of each voxel to the tumor mask in mm; 0 inside, infinite beyond :data:`CLOSE_MM`."""
        return distance_up_to(CLOSE_MM, self.inside, self.spacing)

    @cached_property
    def depth_mm(self) -> np.ndarray:
        """Distance of each tumor voxel to the mask's surface in mm; 0 outside."""
        depth = np.zeros(self.inside.shape, np.float32)
        depth[self.mask.box.within(self.box)] = self.mask.depth_mm
        return depth

    @cached_property
    def beyond(self) -> np.ndarray:
        """Where no tumor belongs: outside the organ, and not near a part of the mask that bulges out."""
        bulge = self.inside & ~self.organ_mask
        near = np.zeros_like(bulge)
        if bulge.any():
            box = Box.of(bulge).grown(self.geometry.margin(BULGE_BORDER_MM), bulge.shape).slices
            near[box] = np.isfinite(distance_up_to(BULGE_BORDER_MM, bulge[box], self.spacing))
        return ~(self.organ_mask | self.inside | near)

    @cached_property
    def shell(self) -> np.ndarray:
        """The organ around the lesion without other lesions: what the lesion is compared with."""
        least, most = SHELL_MM
        organ = self.organ_mask & ~self.lesions & ~self.inside
        shell, place = organ & (self._from_box_mm <= most), self.near.box.within(self.box)
        shell[place] &= self.near.outside_mm >= least
        # A lesion that fills its organ leaves little around it: take what there is.
        return shell if shell.sum() >= 50 else organ

    @property
    def _from_box_mm(self) -> np.ndarray:
        """Distance of each voxel to the mask's box in mm, float32: never more than that to the mask."""
        lines = []
        for a, b, start, stop, spacing in zip(
            self.mask.box.start, self.mask.box.stop, self.box.start, self.box.stop, self.spacing, strict=True
        ):
            index = np.arange(start, stop, dtype=np.float32)
            lines.append(np.square(np.maximum(np.maximum(a - index, index - (b - 1)), 0.0) * spacing))
        return np.sqrt(np.add.outer(np.add.outer(lines[0], lines[1]), lines[2]), dtype=np.float32)

    @cached_property
    def level(self) -> float:
        """Median HU of the organ around the lesion."""
        return float(np.median(self.hu[self.shell] if self.shell.any() else self.hu))

    @cached_property
    def noise(self) -> float:
        """Noise (standard deviation, HU) of the organ around the lesion."""
        return noise_sigma(self.hu, self.shell)
