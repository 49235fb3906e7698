"""Prepared training cases with exact truth: HU that follow from the label, and the phantom."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from freetumor.training.cache import Prepared, prepared
from freetumor.training.sources import Case
from freetumor.volume import Geometry, Volume, write_volume
from phantom import Phantom

WINDOW = (-1100.0, 300.0)
HU_OF_LABEL = np.array([-1000, 110, 40], np.int16)  # of background (air), liver, lesion


def liver_case(folder: Path, ct: Volume, labels: Volume) -> Case:
    """A case whose files are written to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_volume(ct, folder / "ct.nii.gz")
    write_volume(labels, folder / "labels.nii.gz")
    return Case("c", "p", folder / "ct.nii.gz", folder / "labels.nii.gz", "abdomen", ("liver",), True)


def prepare(
    folder: Path, labels: np.ndarray, spacing: float = 4.0, hu: np.ndarray | None = None, **facts: object
) -> Prepared:
    """A case on a grid of its own (nothing is interpolated), with HU that follow from the label."""
    grid = Geometry(labels.shape, np.diag([spacing, spacing, spacing, 1.0]))
    ct = Volume(HU_OF_LABEL[labels] if hu is None else hu, grid)
    case = liver_case(folder, ct, Volume(labels.astype(np.uint8), grid))
    return prepared(replace(case, **facts), (spacing,) * 3, WINDOW, "abdomen", folder / "cache")


def lumpy(folder: Path) -> Prepared:
    """A liver with a large lesion and one of a single voxel, at (18, 28, 32)."""
    labels = np.zeros((30, 40, 44), np.uint8)
    labels[3:-3, 4:-4, 4:-4] = 1
    index = np.indices(labels.shape)
    for centre, radius in (((14, 14, 14), 5.2), ((18, 28, 32), 0.6)):
        labels[((index - np.reshape(centre, (3, 1, 1, 1))) ** 2).sum(0) <= radius**2] = 2
    return prepare(folder, labels)


def phantom_scan(folder: Path, phantom: Phantom) -> Prepared:
    """The phantom's abdomen on its own grid; nobody looked for lesions."""
    case = replace(liver_case(folder, phantom.ct, phantom.label_map("abdomen")), lesions_known=False)
    return prepared(case, phantom.ct.geometry.spacing, (-175.0, 250.0), "abdomen", folder / "cache")


def hu_of(sample: dict) -> np.ndarray:
    """HU of a sample in :data:`WINDOW`, (x, y, z)."""
    return sample["image"][0] * (WINDOW[1] - WINDOW[0]) + WINDOW[0]
