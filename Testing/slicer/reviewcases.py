"""Cases for the tests of the hub and of FreeTumor Segment: a real synthetic one, and small made-up ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from freetumor.volume import Geometry, Volume, write_volume

GRID = Geometry((20, 40, 50), np.array([[-2.0, 0, 0, 40], [0, -2.0, 0, 30], [0, 0, 4.0, -60], [0, 0, 0, 1]]))
LIVER_HU, LESION_HU = 110, 60


def labelArray(*corners: tuple[int, int, int], size: tuple[int, int, int] = (4, 8, 8)) -> np.ndarray:
    """A liver (1) with a box-shaped lesion (2) at each corner (k, j, i)."""
    labels = np.zeros(GRID.shape, np.uint8)
    labels[2:-2, 4:-4, 4:-4] = 1
    for corner in corners:
        labels[tuple(slice(c, c + s) for c, s in zip(corner, size, strict=True))] = 2
    return labels


def ctArray(labels: np.ndarray) -> np.ndarray:
    """A CT without noise that goes with the labels."""
    return np.choose(labels, (-1000, LIVER_HU, LESION_HU)).astype(np.int16)


def makeCase(folder: Path, *corners: tuple[int, int, int]) -> Path:
    """A made-up case with lesions at `corners`."""
    folder.mkdir(parents=True)
    labels = labelArray(*corners)
    write_volume(Volume(ctArray(labels), GRID), folder / "ct.nii.gz")
    write_volume(Volume(labels, GRID), folder / "labels.nii.gz")
    (folder / "provenance.json").write_text(json.dumps({"organ": "liver", "group": "abdomen"}), "utf-8")
    return folder
