"""Engine "learned": our generator, which is told the CT, the organ, the tumor's mask and a noise field.

The noise field is the only chance: another seed, another tumor in the same mask.
"""

from __future__ import annotations

import numpy as np

from freetumor.anatomy import ORGANS
from freetumor.synthesis.engines import Style
from freetumor.synthesis.network_engine import NetworkEngine
from freetumor.synthesis.patch import Patch
from freetumor.synthesis.surroundings import Surroundings

_NOISE = 2.0  # standard deviations of the scan's noise that a lesion's voxel may stand out by


class LearnedEngine(NetworkEngine):
    """Tumors of a generator "conditional-unet" (see :mod:`freetumor.nets.architectures`)."""

    name = "learned"

    def change(self, seen: Surroundings, near: Patch, rng: np.random.Generator) -> tuple[np.ndarray, dict]:
        """See :class:`NetworkEngine`."""
        rows = self.model.network("generator").settings.get("organs", tuple(ORGANS))
        one_hot = np.array([name == near.organ.name for name in rows], np.float32)
        noise = rng.standard_normal(seen.grid.shape, dtype=np.float32)
        organ = (seen.organ() >= 0.5).astype(np.float32)
        inputs = np.stack([seen.image(), organ, seen.soft(), noise])
        made = self.forward(inputs, one_hot, then=lambda out: out[0].astype(np.float32))
        return seen.grid.back(made, near.box), {}

    def held(self, change: np.ndarray, near: Patch, patch: Patch, style: Style) -> np.ndarray:
        """See :class:`NetworkEngine`: no voxel is moved beyond the HU of the organ's tumors.

        A contrast that was asked for widens their range.
        """
        low, high = patch.organ.lesion_hu
        if style.contrast_hu is not None:
            asked = patch.level + style.contrast_hu
            low, high = min(low, asked), max(high, asked)
        return plausible(change, near.hu, (low, high), _NOISE * patch.noise)


def plausible(change: np.ndarray, hu: np.ndarray, limits: tuple[float, float], margin: float) -> np.ndarray:
    """`change` of `hu`, made less where it would lead out of `limits`.

    The change is added to what is there: a vessel in the mask would become brighter than any tumor. What
    would end beyond a limit ends less than `margin` beyond it, the farther the nearer to that: noise stays
    noise. A voxel that lies there already is moved back as told, but not farther away.

    Args:
        change, hu: HU, of one shape. limits: low, high, HU. margin: HU.
    """
    wanted, margin = hu + change, max(margin, 1.0)
    within = np.clip(wanted, *limits)
    over = wanted - within
    reached = within + over / (1.0 + np.abs(over) / margin)
    return np.clip(reached - hu, np.minimum(change, 0.0), np.maximum(change, 0.0))
