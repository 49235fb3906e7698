"""Which CTs are the same scan, and whose: told by their content, whatever their files are called.

A synthetic case differs from the scan it was made of in a few voxels only. That it is the same scan matters:
a reader who sees a scan with a lesion and later without it knows the answer.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from freetumor.organs.coarse_grid import patient_axes
from freetumor.volume import Volume

_SAMPLES = 24  # along each axis
_AIR = -900  # HU; air is alike in all scans
_SAME = 0.8  # share of samples that two copies of a scan have in common: lesions change the others
_TOLERANCE = 1  # HU; rounding of another file format


@dataclass(frozen=True, eq=False)
class Signature:
    """What tells a scan from others.

    Attributes:
        shape, spacing: along (superior, anterior, right); mm, rounded.
        samples: HU on an even grid, int16.
    """

    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    samples: np.ndarray

    @classmethod
    def of(cls, ct: Volume) -> Signature:
        """The signature of a CT."""
        view, spacing = patient_axes(ct.array, ct.geometry)
        index = [np.unique(np.linspace(0, n - 1, _SAMPLES).round().astype(int)) for n in view.shape]
        hu = view[np.ix_(*index)] * np.float64(ct.storage.slope) + ct.storage.intercept
        samples = np.clip(np.rint(hu), -1024, 3071).astype(np.int16)
        return cls(view.shape, tuple(round(s, 2) for s in spacing), samples)

    def same_scan(self, other: Signature) -> bool:
        """Whether both are copies of one scan, up to lesions."""
        if (self.shape, self.spacing) != (other.shape, other.spacing):
            return False
        tissue = (self.samples > _AIR) | (other.samples > _AIR)
        if not tissue.any():
            return False
        # int16 differences of HU from -1024 to 3071 do not overflow.
        return bool((np.abs(self.samples - other.samples)[tissue] <= _TOLERANCE).mean() >= _SAME)


def number_scans(signatures: Sequence[Signature]) -> list[int]:
    """Number of its scan for each CT: copies of one scan have the same."""
    firsts: list[int] = []
    numbers = []
    for signature in signatures:
        known = next((n for n, first in enumerate(firsts) if signatures[first].same_scan(signature)), None)
        if known is None:
            known = len(firsts)
            firsts.append(len(numbers))
        numbers.append(known)
    return numbers


def number_patients(scans: Sequence[int], names: Sequence[Hashable]) -> list[int]:
    """Number of the patient of each CT: those of one scan, or with the same patient's name, are one's."""
    patients = list(range(len(scans)))
    for tokens in (scans, names):
        first: dict[Hashable, int] = {}
        for n, token in enumerate(tokens):
            old, new = patients[n], first.setdefault(token, patients[n])
            if old != new:
                low, high = sorted((old, new))
                patients = [low if p == high else p for p in patients]
                first = {key: low if p == high else p for key, p in first.items()}
    return patients
