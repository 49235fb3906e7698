"""Real and synthetic lesions in phantoms, as files that a study can be made of."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from freetumor.anatomy import ORGANS
from freetumor.job import Job, run
from freetumor.masks import sample_mask
from freetumor.organs import organ_labels
from freetumor.request import Request
from freetumor.study.lesions import Lesion
from freetumor.volume import write_volume
from phantom import make_phantom

ROW = ORGANS["lung"]
# In names and headers of the sources; must not be found in a study.
HOSPITAL, PATIENT, WARD = "hospital-zebra", "patient-okapi", b"DOE^JOHN WARD 4711"
SHAPE, SPACINGS = (60, 60, 84), ((5.0, 4.0, 4.0), (4.0, 4.4, 4.4))


@dataclass(frozen=True)
class Scan:
    """A phantom with lesions of its own (None: without) and some to be put in, diameters in mm.

    With `mirrored` the one real and the one synthetic lesion are at like places of the two lungs.
    """

    number: int
    real_mm: float | None
    synthetic_mm: float | None
    noise_hu: float = 12.0
    count: int = 1
    mirrored: bool = False

    def place(self, *, synthetic: bool) -> tuple[float, float, float] | None:
        """RAS mm; None: any."""
        side = 1 if synthetic == (self.number % 2 == 0) else -1
        return (75.0 * side, 0.0, 70.0 + 4.0 * self.number) if self.mirrored else None


@dataclass(frozen=True)
class Pool:
    """`real`: a list of cases. `synthetic`: a folder of case folders."""

    real: Path
    synthetic: Path


def write_pool(folder: Path, scans: Sequence[Scan]) -> Pool:
    """Write phantoms with their labels, and synthetic cases made of them."""
    listed, synthetic = [], folder / "made" / "okapi-cases"
    for scan in scans:
        name = f"{HOSPITAL}-{scan.number:02d}"
        place = folder / HOSPITAL / name
        place.mkdir(parents=True)
        _write_scan(place, scan)
        listed.append(
            {
                "name": name,
                "patient": f"{PATIENT}-{scan.number:02d}",
                "ct": f"{name}/ct.nii.gz",
                "labels": f"{name}/labels.nii.gz",
                "group": ROW.group,
                "organs": [ROW.name],
                "lesions_known": True,
            }
        )
        if scan.synthetic_mm is not None:
            at = scan.place(synthetic=True)
            request = Request(
                diameter=scan.synthetic_mm,
                count=scan.count,
                seed=scan.number,
                at=() if at is None else (at,),
                gate=False,
            )
            out = synthetic / f"okapi-{scan.number:02d}"
            run(Job(place / "ct.nii.gz", ROW.name, out, place / "labels.nii.gz", request=request))
    real = folder / HOSPITAL / "cases.json"
    real.write_text(json.dumps(listed), "utf-8")
    return Pool(real, synthetic)


def _write_scan(place: Path, scan: Scan) -> None:
    spacing = SPACINGS[scan.number % 2]
    phantom = make_phantom(SHAPE, spacing, noise_hu=scan.noise_hu, seed=scan.number)
    labels = phantom.label_map(ROW.group)
    rng = np.random.default_rng(scan.number)
    for _ in range(scan.count if scan.real_mm is not None else 0):
        # Where a synthetic one might be too: only what they look like differs.
        at = scan.place(synthetic=False)
        mask = sample_mask(phantom.ct, organ_labels(labels, ROW), scan.real_mm, rng, at=at)
        phantom.ct.array[mask.box.slices][mask.inside] = np.int16(30)
        labels.array[mask.box.slices][mask.inside] = ROW.lesion_label
    write_volume(labels, place / "labels.nii.gz")
    write_volume(phantom.ct, place / "ct.nii.gz")
    content = bytearray(gzip.decompress((place / "ct.nii.gz").read_bytes()))
    content[148 : 148 + len(WARD)] = WARD  # descrip
    (place / "ct.nii.gz").write_bytes(gzip.compress(bytes(content), 1))


def a_lesion(synthetic: bool, number: int, **facts: object) -> Lesion:
    """A lesion of its own scan and patient, as if found; `facts` in place of the usual."""
    name = f"{'synthetic' if synthetic else 'real'} {number}"
    usual = {
        "organ": "lung",
        "name": name,
        "ct": Path(f"{name}.nii.gz"),
        "patient_name": name,
        "source": "collection",
        "center": (30, 40, 50),
        "diameter_mm": 20.0,
        "size_class": "small",
        "extent_mm": 11.0,
        "spacing": (2.5, 0.8, 0.8),
        "noise_hu": 10.0,
        "organ_hu": -850.0,
        "air_share": 0.1,
        "lung_share": 0.3,
        "scan_share": 0.8,
        "scan": 2 * number + synthetic,
        "patient": 2 * number + synthetic,
    }
    return Lesion(synthetic=synthetic, **(usual | facts))
