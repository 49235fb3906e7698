"""Engine "learned": our generator, which is told the CT, the organ, the tumor's mask and a noise field.

The noise field is the only chance: another seed, another tumor in the same mask.
"""

from __future__ import annotations

import numpy as np

from freetumor.anatomy import ORGANS
from freetumor.synthesis.network_engine import NetworkEngine
from freetumor.synthesis.patch import Patch
from freetumor.synthesis.surroundings import Surroundings


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
