"""Inputs of a job, written into its folder a slab at a time: the window never freezes over a large volume."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from freetumor.volume import Volume
from freetumor.volume.nifti import new_header

_SLAB_BYTES = 8 << 20


def writeInPieces(volume: Volume, path: Path) -> Iterator[float]:
    """Write `volume` as an uncompressed ``.nii`` file; yields the share that is written after each slab."""
    dtype = np.dtype(np.uint8) if volume.array.dtype == bool else volume.array.dtype.newbyteorder("<")
    step = max(1, _SLAB_BYTES // max(1, volume.array[0].nbytes))
    with Path(path).open("wb") as file:
        file.write(new_header(volume.geometry, dtype, volume.storage.slope, volume.storage.intercept))
        for first in range(0, len(volume.array), step):
            np.ascontiguousarray(volume.array[first : first + step], dtype=dtype).tofile(file)
            yield min(1.0, (first + step) / len(volume.array))
