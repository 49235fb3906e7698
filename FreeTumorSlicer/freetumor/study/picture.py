"""The picture of a lesion that a reader sees: how far it reaches, and what it shows beside the tumor.

A lesion at the edge of an organ has more air around the body in its picture than one at the hilum, and one at
the end of the scan a smaller picture: who knows where tumors are put could tell by that, without a look at
any tumor.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from freetumor.organs.coarse_grid import patient_axes
from freetumor.volume import Box, Volume

# To each side of the lesion, along (superior, anterior, right): enough to scroll and to know where one is.
CONTEXT_MM = (80.0, 120.0, 120.0)
_BESIDE_MM = 40.0  # of a very large lesion
_STEP_MM = 4.0  # shares are counted on every so many mm
_GAS_HU, _LUNG_HU = -950.0, -500.0
_IN_SLICE = np.zeros((3, 3, 3), bool)
_IN_SLICE[1] = ndimage.generate_binary_structure(2, 1)
_THICK = np.ones((1, 3, 3), bool)  # dark voxels of a noisy lung at the border of the scan are thinner


def reach(extent_mm: float, spacing: Sequence[float]) -> list[int]:
    """Voxels to each side of a lesion's center that its picture shows, along (superior, anterior, right)."""
    wanted = [max(context, extent_mm + _BESIDE_MM) for context in CONTEXT_MM]
    return [round(mm / step) for mm, step in zip(wanted, spacing, strict=True)]


class Scenery:
    """What a scan shows beside its tumors, every few mm."""

    def __init__(self, ct: Volume) -> None:
        view, spacing = patient_axes(ct.array, ct.geometry)
        self._step = [max(1, round(_STEP_MM / s)) for s in spacing]
        self._spacing = [n * s for n, s in zip(self._step, spacing, strict=True)]
        thinned = view[tuple(slice(None, None, n) for n in self._step)]
        hu = thinned * np.float64(ct.storage.slope) + ct.storage.intercept
        self._air = _around_body(hu < _GAS_HU)
        self._lung = (hu < _LUNG_HU) & ~self._air

    def around(self, center: Sequence[int], extent_mm: float) -> dict[str, float]:
        """Shares of the picture of a lesion (0 to 1): air around the body, lung (with other gas in the body),
        and of the picture that would be there if the scan did not end.

        Args:
            center: voxel of the CT in patient axes (superior, anterior, right).
        """
        place = [
            min(round(c / n), size - 1)
            for c, n, size in zip(center, self._step, self._air.shape, strict=True)
        ]
        sides = reach(extent_mm, self._spacing)
        box = Box(tuple(place), tuple(c + 1 for c in place)).grown(sides, self._air.shape)
        whole = np.prod([2 * side + 1 for side in sides])
        return {
            "air_share": round(float(self._air[box.slices].mean()), 4),
            "lung_share": round(float(self._lung[box.slices].mean()), 4),
            "scan_share": round(float(box.size / whole), 4),
        }


def _around_body(gas: np.ndarray) -> np.ndarray:
    """Gas that reaches the border of its slice."""
    labels, count = ndimage.label(gas, _IN_SLICE)
    outside = np.zeros(count + 1, bool)
    for border in (labels[:, 0], labels[:, -1], labels[:, :, 0], labels[:, :, -1]):
        outside[border] = True
    outside[0] = False
    return ndimage.binary_opening(outside[labels], _THICK)
