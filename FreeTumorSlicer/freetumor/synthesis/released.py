"""Engine "released": the published synthesis equation with the authors' generator.

``x' = x + p * B * d * t`` inside the organ (method: arXiv 2502.18519; p the organ's polarity, -1 in the
abdomen, +1 in the chest), with

* d = tanh(G(x)) in the abdomen, sigmoid(G(x)) in the chest, on one patch of the working grid, smoothed by a
  Gaussian of 7 taps and sigma 1; in units of the window's width;
* B the mask, blurred; t a slow texture in 0..1 with mean 1/2.

G sees the image alone. d is therefore kept, and another try, size or contrast at that place is only
composed anew. B and t are made on the CT's own grid, in mm, so that the lesion keeps its border and its size
whatever the working grid; a small one is blurred less, or it would lose its contrast.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from freetumor.synthesis.network_engine import NetworkEngine
from freetumor.synthesis.patch import Patch
from freetumor.synthesis.surroundings import Surroundings
from freetumor.synthesis.texture import smooth_noise

_EDGE_VOXELS = (1.0, 2.0)  # sigma of the blurred mask, in-plane voxels of the working grid
_EDGE_OF_DIAMETER = 8.0  # no wider than this part of the diameter
_TEXTURE_MM = (8.0, 24.0)  # correlation length
_TEXTURE_SPREAD = (0.05, 0.1)  # standard deviation around 1/2


class ReleasedEngine(NetworkEngine):
    """Tumors of the released checkpoints' generator."""

    name = "released"

    def change(self, seen: Surroundings, near: Patch, rng: np.random.Generator) -> tuple[np.ndarray, dict]:
        """See :class:`NetworkEngine`."""
        polarity = near.organ.polarity
        channel = _channel(self.model.network("generator").settings, self.model.organs, near.organ.name)

        def difference(logits: np.ndarray) -> np.ndarray:
            raw = logits[channel].astype(np.float32)
            d = np.tanh(raw) if polarity < 0 else 1.0 / (1.0 + np.exp(-np.clip(raw, -50.0, 50.0)))
            return ndimage.gaussian_filter(d, 1.0, truncate=3.0)

        d = seen.grid.back(self.forward(seen.image()[None], then=difference), near.box)
        diameter = near.mask.diameter_mm
        edge_mm = min(rng.uniform(*_EDGE_VOXELS) * self.model.spacing[-1], diameter / _EDGE_OF_DIAMETER)
        blurred = ndimage.gaussian_filter(near.soft, [edge_mm / s for s in near.spacing])
        length = min(rng.uniform(*_TEXTURE_MM), max(diameter / 2.0, 2.0 * near.spacing[-1]))
        spread = rng.uniform(*_TEXTURE_SPREAD)
        texture = 0.5 + spread * smooth_noise(near.hu.shape, near.spacing, length, rng)
        low, high = self.model.window
        change = polarity * (high - low) * blurred * d * np.clip(texture, 0.0, 1.0)
        drawn = {
            "edge_mm": round(float(edge_mm), 3),
            "texture_mm": round(float(length), 3),
            "texture_spread": round(float(spread), 4),
        }
        return change, drawn


def _channel(settings: dict, organs: tuple[str, ...], organ: str) -> int:
    """Output channel of an organ: one for each, but the published networks trained only the first."""
    if settings.get("legacy", True) or settings.get("out_channels", 1) == 1:
        return 0
    return organs.index(organ)
