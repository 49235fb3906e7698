"""A CT or a label map in memory: stored values with the geometry and the storage format they came in."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np

from freetumor.volume.geometry import Box, Geometry


@dataclass(frozen=True)
class Storage:
    """How the values lie on disk, kept so that they can be written back exactly.

    HU = slope * stored + intercept. `header` holds the verbatim bytes before the voxels of a NIfTI-1
    file and `grid` the grid that it describes, so that the header is written back only where it still
    holds; `metadata` the key/value fields of other formats.
    """

    slope: float = 1.0
    intercept: float = 0.0
    header: bytes | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    grid: Geometry | None = None


@dataclass
class Volume:
    """Stored values `array`, indexed (k, j, i), on a `geometry`.

    The array holds the values exactly as stored (int16, uint16, float32, ...); Hounsfield units are
    made for a box at a time by :meth:`hu`, so that a CT is never held twice.
    """

    array: np.ndarray
    geometry: Geometry
    storage: Storage = field(default_factory=Storage)
    name: str = ""

    def __post_init__(self) -> None:
        if self.array.shape != self.geometry.shape:
            raise ValueError(f"array {self.array.shape} and geometry {self.geometry.shape} differ")

    def hu(self, box: Box | None = None) -> np.ndarray:
        """Hounsfield units in `box` (whole volume if None): float32, indexed (k, j, i)."""
        stored = self.array if box is None else self.array[box.slices]
        if self.storage.slope == 1.0 and self.storage.intercept == 0.0:
            return stored.astype(np.float32)
        return (stored * np.float64(self.storage.slope) + self.storage.intercept).astype(np.float32)

    def to_stored(self, hu: np.ndarray) -> np.ndarray:
        """HU to the nearest storable values of this volume's dtype (limits kept)."""
        stored = (np.asarray(hu, dtype=np.float64) - self.storage.intercept) / self.storage.slope
        if np.issubdtype(self.array.dtype, np.integer):
            limits = np.iinfo(self.array.dtype)
            stored = np.clip(np.rint(stored), limits.min, limits.max)
        return stored.astype(self.array.dtype)

    def copy(self) -> Volume:
        """The same volume with an array of its own."""
        return Volume(self.array.copy(), self.geometry, self.storage, self.name)

    def like(self, array: np.ndarray, name: str = "") -> Volume:
        """Another array on the same grid, stored plainly (for label maps and masks)."""
        return Volume(array, self.geometry, Storage(), name)

    def fingerprint(self) -> str:
        """SHA-256 of the stored values, their dtype, scale and grid; independent of file format."""
        digest = hashlib.sha256()
        stored = self.array.dtype.newbyteorder("<").str
        scale = (self.storage.slope, self.storage.intercept)
        digest.update(repr((stored, self.array.shape, scale)).encode())
        digest.update(np.round(self.geometry.affine, 4).astype("<f8").tobytes())
        for plane in self.array:
            digest.update(np.ascontiguousarray(plane).astype(stored, copy=False))
        return digest.hexdigest()
