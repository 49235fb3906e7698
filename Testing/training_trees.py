"""Miniature data sets of phantoms with labelled tumors, in the layouts of the public ones."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from freetumor.anatomy import ORGANS
from freetumor.volume import Geometry, Volume, write_volume
from phantom import Phantom, make_phantom
from scipy import ndimage


@dataclass(frozen=True)
class Patient:
    """A phantom with one tumor of an organ; `contrast`: HU without its sign, None: a usual one."""

    organ: str
    seed: int = 0
    radius_mm: float = 12.0
    contrast: float | None = None


@lru_cache(maxsize=4)
def made(patient: Patient) -> tuple[Phantom, np.ndarray]:
    """The phantom, and where its tumor is; read only."""
    row = ORGANS[patient.organ]
    phantom = make_phantom((60, 60, 84), (5.0, 4.0, 4.0), seed=patient.seed)
    inside = phantom.organ(patient.organ)
    depth = ndimage.distance_transform_edt(inside, sampling=phantom.ct.geometry.spacing)
    # Anywhere in the organ where it fits, another place for each patient.
    places = np.argwhere(depth >= min(patient.radius_mm + 2, 0.9 * depth.max()))
    centre = places[np.random.default_rng(patient.seed).integers(len(places))]
    index = np.indices(inside.shape) - centre.reshape(3, 1, 1, 1)
    distance = np.linalg.norm(index * np.reshape(phantom.ct.geometry.spacing, (3, 1, 1, 1)), axis=0)
    tumor = (distance <= patient.radius_mm) & inside
    usual = 60.0 if row.group == "abdomen" else 800.0
    phantom.ct.array[tumor] += np.int16(row.polarity * (patient.contrast or usual))
    return phantom, tumor


def label_map(patient: Patient, ids: Mapping[str, int]) -> Volume:
    """Labels with the ids of a data set for "organ" and "tumor"; those it has not are left out."""
    phantom, tumor = made(patient)
    array = np.zeros(tumor.shape, np.uint8)
    if "organ" in ids:
        array[phantom.organ(patient.organ)] = ids["organ"]
    array[tumor] = ids["tumor"]
    return phantom.ct.like(array, "labels")


def write_msd(
    folder: Path, organ: str, names: Mapping[str, str], ids: Mapping[str, int], cases: int = 2
) -> None:
    """A task of the Medical Segmentation Decathlon; `names`: id -> name, as its ``dataset.json`` has them."""
    training = []
    for n in range(cases):
        image, label = f"./imagesTr/case_{n:03d}.nii.gz", f"./labelsTr/case_{n:03d}.nii.gz"
        _write(folder, image, made(Patient(organ, n))[0].ct)
        _write(folder, label, label_map(Patient(organ, n), ids))
        training.append({"image": image, "label": label})
    described = {"name": folder.name, "licence": "CC-BY-SA 4.0", "labels": dict(names), "training": training}
    (folder / "dataset.json").write_text(json.dumps(described), "utf-8")


def write_nnunet(
    folder: Path, organ: str, names: Mapping[str, int], ids: Mapping[str, int], cases: int = 2
) -> None:
    """An nnU-Net raw folder; `names`: name -> id."""
    for n in range(cases):
        _write(folder, f"imagesTr/case_{n:03d}_0000.nii.gz", made(Patient(organ, n))[0].ct)
        _write(folder, f"labelsTr/case_{n:03d}.nii.gz", label_map(Patient(organ, n), ids))
    described = {
        "channel_names": {"0": "CT"},
        "labels": dict(names),
        "numTraining": cases,
        "file_ending": ".nii.gz",
    }
    (folder / "dataset.json").write_text(json.dumps(described), "utf-8")


def write_list(path: Path, patients: Mapping[str, Sequence[Patient]]) -> None:
    """A JSON list of cases with the files beside it; `patients`: by side, "train", "val" and "test"."""
    cases = []
    for side, some in patients.items():
        for n, patient in enumerate(some):
            name, row = f"{side}_{n}", ORGANS[patient.organ]
            _write(path.parent, f"{name}/ct.nii.gz", made(patient)[0].ct)
            labels = label_map(patient, {"organ": row.organ_label, "tumor": row.lesion_label})
            _write(path.parent, f"{name}/labels.nii.gz", labels)
            case = {"name": name, "ct": f"{name}/ct.nii.gz", "labels": f"{name}/labels.nii.gz", "split": side}
            cases.append(case | {"group": row.group, "organs": [row.name], "lesions_known": True})
    path.write_text(json.dumps(cases), "utf-8")


def write_contoured(folder: Path) -> None:
    """The catalogue of the recipe of liver metastases: blocks of liver, one where the contours lie that come
    with FreeTumor."""
    scans = {"crlm1006": (5.0, 0.8047, 0.8047)}
    scans |= dict.fromkeys(("crlm1004", "tcgacoad_4070", "totalseg_sm"), (5.0, 4.0, 4.0))
    cases = []
    for name, (k, j, i) in scans.items():
        # Axes as most CTs have them: left, back, up.
        affine = np.array([[-i, 0, 0, 125], [0, -j, 0, 55], [0, 0, k, -331.44], [0, 0, 0, 1]])
        shape = (40, round(150 / j), round(185 / i))
        labels = np.zeros(shape, np.uint8)
        labels[2:-2, 2:-2, 2:-2] = 1
        noise = np.random.default_rng(len(cases)).normal(0, 10, shape)
        ct = Volume(np.where(labels, 110 + noise, -100).astype(np.int16), Geometry(shape, affine))
        _write(folder, f"{name}/ct.nii.gz", ct)
        _write(folder, f"{name}/labels.nii.gz", ct.like(labels, "labels"))
        files = {"ct": f"{name}/ct.nii.gz", "labels": f"{name}/labels.nii.gz"}
        case = {"id": name, "patient": name, "group": "abdomen", "files": files, "split": "train"}
        cases.append(case | {"licence": "CC-BY-4.0", "labels": {"1": {"name": "liver"}}})
    (folder / "manifest.json").write_text(json.dumps({"cases": cases}), "utf-8")


def _write(folder: Path, name: str, volume: Volume) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    write_volume(volume, path)
