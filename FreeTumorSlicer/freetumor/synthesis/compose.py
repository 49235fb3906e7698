"""The one place where a CT is changed: a residual is added in a box, all else stays bit for bit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from freetumor.synthesis.patch import CLOSE_MM, Patch
from freetumor.volume import Box, Volume

UNTOUCHED_BEYOND_MM = CLOSE_MM


@dataclass(frozen=True, eq=False)
class Edit:
    """Stored values of a box before and after one lesion: enough to apply it and to undo it."""

    box: Box
    before: np.ndarray
    after: np.ndarray

    def apply(self, ct: Volume) -> None:
        """Write the lesion into `ct`, in place."""
        ct.array[self.box.slices] = self.after

    def undo(self, ct: Volume) -> None:
        """Put the values from before back into `ct`, in place."""
        ct.array[self.box.slices] = self.before

    @property
    def changed(self) -> np.ndarray:
        """Voxels whose stored value changes: bool, (k, j, i), on :attr:`box`."""
        return self.before != self.after


def compose(ct: Volume, patch: Patch, residual: np.ndarray) -> Edit:
    """x' = x + residual on the patch, in stored values, without changing `ct` yet.

    Args:
        ct: the CT that `patch` was cut from. residual: HU, (k, j, i), on the patch.

    Raises:
        ValueError: the residual has another shape or is not finite (a fault of the engine).
    """
    if residual.shape != patch.box.shape or not np.isfinite(residual).all():
        raise ValueError("the engine's residual must be finite and have the patch's shape")
    before = ct.array[patch.box.slices].copy()
    edited, place = np.zeros(residual.shape, bool), patch.near.box.within(patch.box)
    edited[place] = (residual[place] != 0) & (patch.near.outside_mm <= UNTOUCHED_BEYOND_MM)
    after = before.copy()
    after[edited] = ct.to_stored(ct.hu(patch.box)[edited] + residual[edited])
    return Edit(patch.box, before, after)
