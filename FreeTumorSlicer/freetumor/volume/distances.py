"""Distances to a mask where only near ones matter: several times faster than a whole distance map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def distance_up_to(most: float, mask: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """Distance of each voxel to the nearest one of `mask`; 0 inside it, infinite if it is more than `most`.

    Args:
        most: mm. mask: bool, (k, j, i). spacing: mm, (k, j, i).

    Returns:
        float32 mm, exact: the squares of the distances along the axes add up, axis by axis (Felzenszwalb and
        Huttenlocher 2012, "Distance Transforms of Sampled Functions", Theory of Computing 8:415).
    """
    square = np.where(mask, np.float32(0.0), np.float32(np.inf))
    for axis, step in enumerate(spacing):
        line, square = np.moveaxis(square, axis, 0), square.copy()
        found = np.moveaxis(square, axis, 0)
        for n in range(1, min(int(most / step), len(line) - 1) + 1):
            moved = line + np.float32((n * step) ** 2)
            np.minimum(found[n:], moved[:-n], out=found[n:])
            np.minimum(found[:-n], moved[n:], out=found[:-n])
    square[square > np.float32(most * most)] = np.inf
    return np.sqrt(square, out=square)
