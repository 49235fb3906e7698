"""What a network gets to see of one lesion: a patch of its working grid, as small as serves.

The cost of a network grows with the volume that it sees, and a lesion is small: its patch holds the lesion
with :data:`CONTEXT_MM` around it (at most :data:`CONTEXT` voxels) and no more. Its sides are multiples of
:data:`STEP` voxels, at least :data:`LEAST` where the network was trained on as much.

Its place snaps to every eighth voxel of the CT's working lattice, so that a lesion that grows or moves a
little is seen in the same patch: a network that sees the image alone need not be run again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from freetumor.errors import BadInput
from freetumor.models import Model
from freetumor.synthesis.patch import Patch
from freetumor.volume import Box, WorkingGrid

CONTEXT_MM, CONTEXT = 24.0, 16
LEAST, STEP, SNAP = 64, 32, 8
MOST = 128**3  # voxels: the released generator takes 4 GB for them (96^3: 2 GB)


@dataclass(frozen=True, eq=False)
class Surroundings:
    """A lesion's neighbourhood on the working grid of a model; arrays are (k, j, i) on :attr:`grid`.

    Attributes:
        patch: the lesion in the CT, which is not edited yet. model: whose spacing and window are taken.
        grid: the place of the patch.
    """

    patch: Patch
    model: Model
    grid: WorkingGrid

    @classmethod
    def of(cls, patch: Patch, model: Model, multiple: int) -> Surroundings:
        """What `model` sees of the lesion of `patch`; `multiple`: of voxels, along each side.

        Raises:
            BadInput: kind "too_large": the lesion does not fit into :data:`MOST` voxels.
        """
        geometry = patch.ct.geometry
        lesion = WorkingGrid.covering(geometry, patch.mask.box, model.spacing)
        whole = WorkingGrid.covering(geometry, None, model.spacing)
        start, shape = [], []
        for axis in range(3):
            context = min(CONTEXT, int(np.ceil(CONTEXT_MM / model.spacing[axis])))
            step = int(np.lcm(STEP, multiple))
            least = min(LEAST, model.patch[axis])
            size = max(least, lesion.shape[axis] + 2 * context + SNAP)
            size = -(-size // step) * step
            first = lesion.start[axis] + (lesion.shape[axis] - size) / 2
            first = SNAP * round(first / SNAP)
            # Not beyond the CT's ends while there is image to see: air is no context.
            room = whole.shape[axis] - size
            start.append(int(np.clip(first, 0, room)) if room >= 0 else room // 2)
            shape.append(size)
        _check_size(patch, model, shape)
        return cls(patch, model, WorkingGrid(geometry, lesion.spacing, tuple(start), tuple(shape)))

    @cached_property
    def hu(self) -> np.ndarray:
        """The CT before the edit, float32 HU."""
        return self.grid.sample(self.patch.ct)

    def image(self, change: np.ndarray | None = None) -> np.ndarray:
        """The CT in the model's window, 0..1, float32; `change`: HU on the patch's box, added to it."""
        hu = self.hu if change is None else self.hu + self.grid.sample_mask(change, self.patch.box)
        low, high = self.model.window
        return (np.clip(hu, low, high) - np.float32(low)) / np.float32(high - low)

    def organ(self) -> np.ndarray:
        """Share of each voxel that is organ (with its real lesions), float32 in 0..1."""
        box = self._in_ct()
        return self.grid.sample_mask(self.patch.labels.mask(box), box)

    def soft(self) -> np.ndarray:
        """Share of each voxel that is tumor, float32 in 0..1."""
        return self.grid.sample_mask(self.patch.soft, self.patch.box)

    def _in_ct(self) -> Box:
        """The voxels of the CT that the grid covers, and a few around."""
        geometry = self.patch.ct.geometry
        corners = np.indices((2, 2, 2)).reshape(3, -1).T * (np.array(self.grid.shape) - 1)
        index = geometry.ras_to_index(self.grid.geometry.index_to_ras(corners))
        margin = 1 + np.ceil(max(self.grid.spacing) / np.array(geometry.spacing))
        low = np.clip(np.floor(index.min(axis=0) - margin), 0, geometry.shape)
        high = np.clip(np.ceil(index.max(axis=0) + margin) + 1, 0, geometry.shape)
        return Box(tuple(map(int, low)), tuple(map(int, high)))


def _check_size(patch: Patch, model: Model, shape: list[int]) -> None:
    if np.prod(shape) <= MOST:
        return
    extent = "x".join(f"{n * s:.0f}" for n, s in zip(patch.mask.box.shape, patch.spacing, strict=True))
    raise BadInput(
        f"a lesion that fits with its surroundings into {MOST} voxels of {model.name}'s networks",
        f"one of {extent} mm, which takes {'x'.join(map(str, shape))}",
        "Ask for a smaller one, or do without networks (engine procedural, judge model-free).",
        kind="too_large",
    )
