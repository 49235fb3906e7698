"""The lesions that a study can show, with all that real and synthetic ones are matched by.

Real and synthetic lesions are found and measured by the same functions.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from freetumor.anatomy import Organ
from freetumor.cases.case import PROVENANCE
from freetumor.errors import BadInput
from freetumor.organs.labels import as_integers
from freetumor.segmentation.lesions import Part, parts_of
from freetumor.study.given import Given
from freetumor.study.measuring import SMALLEST_MM, Place, measured, places
from freetumor.study.picture import Scenery
from freetumor.study.scans import Signature, number_patients, number_scans
from freetumor.training.preparation import labels_on_ct
from freetumor.training.sources import Case
from freetumor.volume import Box, Geometry, Volume, check_ct, check_same_grid, on_grid, read_volume

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Lesion:
    """A lesion that a study can show.

    Attributes:
        name: for people: case and number. ct: file or DICOM folder that shows it.
        scan, patient: numbers; the same for all copies of a scan, and all scans of a patient.
        patient_name: as the data call the patient. source: the collection or folder.
        center: voxel of the lesion nearest to its centre of mass, in patient axes (superior, anterior,
            right).
        extent_mm: from there to its farthest voxel.
        spacing: mm, same order. noise_hu, organ_hu: around the lesion, outside of any.
        air_share, lung_share, scan_share: of its picture, see :class:`freetumor.study.picture.Scenery`.
        others: lesions beside it in the picture.
    """

    synthetic: bool
    organ: str
    name: str
    ct: Path
    patient_name: str
    source: str
    center: Place
    diameter_mm: float
    size_class: str
    extent_mm: float
    spacing: tuple[float, float, float]
    noise_hu: float
    organ_hu: float
    air_share: float
    lung_share: float
    scan_share: float
    scan: int = -1
    patient: int = -1
    others: int = 0


@dataclass(frozen=True)
class Spot:
    """Where any lesion is, shown or not; `ct`: the synthetic case that has it, None for a real lesion."""

    scan: int
    ct: Path | None
    center: Place


@dataclass(frozen=True)
class Found:
    """Lesions of all given cases, what was left out: {"what", "why"}, and where there are lesions at all."""

    lesions: list[Lesion] = field(default_factory=list)
    left_out: list[dict] = field(default_factory=list)
    spots: set[Spot] = field(default_factory=set)
    unusable: list[str] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class _Read:
    """What one case holds."""

    given: Given
    signature: Signature
    lesions: list[Lesion]
    spots: list[Spot]


def find(
    real: Sequence[Given],
    synthetic: Sequence[Given],
    organs: Sequence[Organ],
    progress: Progress = lambda message, share: None,
) -> Found:
    """The lesions of `organs` in all cases; one CT is in memory at a time. Unusable cases are left out."""
    cases = [(given, False) for given in real] + [(given, True) for given in synthetic]
    found, read = Found(), []
    for number, (given, is_synthetic) in enumerate(cases):
        progress(f"reading {given.case.name}", number / len(cases))
        if given.case.labels is None:
            continue
        try:
            read.append(_read(given, organs, is_synthetic, found.left_out))
        except BadInput as error:
            found.left_out.append({"what": f"case {given.case.name}", "why": str(error)})
            found.unusable.append(given.case.name)
    scans = number_scans([one.signature for one in read])
    names = [one.given.case.patient for one in read]
    patients = number_patients(scans, names)
    # The name that the real data give a patient, where there is one.
    called: dict[int, str] = {}
    for patient, name in zip(patients, names, strict=True):
        called.setdefault(patient, name)
    for one, scan, patient in zip(read, scans, patients, strict=True):
        facts = {"scan": scan, "patient": patient, "patient_name": called[patient]}
        found.lesions.extend(replace(lesion, **facts) for lesion in one.lesions)
        found.spots.update(replace(spot, scan=scan) for spot in one.spots)
    return _without_copies(found)


def _read(given: Given, organs: Sequence[Organ], synthetic: bool, left_out: list[dict]) -> _Read:
    case = given.case
    ct = read_volume(case.ct)
    check_ct(ct)
    labels = labels_on_ct(case, ct)
    mask = _instances(case, ct)
    failed = _failed(case)
    scenery = Scenery(ct)
    lesions, spots = [], []
    for number, (row, part) in enumerate(_parts(case, labels, mask, organs), start=1):
        lesion = Lesion(
            synthetic=synthetic,
            organ=row.name,
            name=f"{case.name} #{number}",
            ct=case.ct,
            patient_name=case.patient,
            source=given.source,
            **measured(ct, labels, row, part, scenery),
        )
        if synthetic:
            spots.append(Spot(-1, case.ct, lesion.center))
        why = _unfit(lesion, part, ct.geometry, failed, number)
        if why:
            left_out.append({"what": spoken(lesion), "why": why})
        else:
            lesions.append(lesion)
    if not synthetic or mask is not None:
        row = next(row for row in organs if row.group == case.group)
        spots += [Spot(-1, None, center) for center in places(ct, labels, row, mask)]
    return _Read(given, Signature.of(ct), lesions, spots)


def _parts(
    case: Case, labels: np.ndarray, mask: np.ndarray | None, organs: Sequence[Organ]
) -> Iterator[tuple[Organ, Part]]:
    """Each lesion of the study's organs, with its row: numbers of a tumor mask, or connected parts."""
    rows = [row for row in organs if row.group == case.group]
    # Rows may share a label (lung tumor, COVID-19 lesion): the case says which one is meant.
    rows.sort(key=lambda row: row.name not in case.organs)
    if mask is not None:
        for row in rows[:1] if rows and rows[0].name in case.organs else ():
            for number in range(1, int(mask.max(initial=0)) + 1):
                box = Box.of(mask == number)
                if box.size:
                    yield row, Part(box, mask[box.slices] == number)
        return
    done: set[int] = set()
    for row in rows:
        if row.lesion_label not in done:
            done.add(row.lesion_label)
            for part in parts_of(labels == row.lesion_label):
                yield row, part


def _instances(case: Case, ct: Volume) -> np.ndarray | None:
    if case.tumor_mask is None:
        return None
    mask = on_grid(as_integers(read_volume(case.tumor_mask)), ct.geometry)
    check_same_grid(ct, mask, "its tumor mask")
    return mask.array


def _failed(case: Case) -> set[int]:
    """Numbers of the lesions of a case folder that did not pass the quality test."""
    path = case.ct.parent / PROVENANCE
    if case.tumor_mask is None or not path.is_file():
        return set()
    lesions = json.loads(path.read_text("utf-8")).get("lesions", [])
    return {lesion["id"] for lesion in lesions if not lesion.get("verdict", {}).get("passed", True)}


def _unfit(lesion: Lesion, part: Part, geometry: Geometry, failed: set[int], number: int) -> str:
    if number in failed:
        return "did not pass the quality test"
    if lesion.diameter_mm < SMALLEST_MM:
        return f"smaller than {SMALLEST_MM:g} mm"
    # Synthetic lesions are whole: one that the scan cuts would be known for real.
    if 0 in part.box.start or any(b == n for b, n in zip(part.box.stop, geometry.shape, strict=True)):
        return "cut by the end of the scan"
    return ""


def _without_copies(found: Found) -> Found:
    """Each lesion once, where a scan was given several times."""
    kept: dict[tuple, Lesion] = {}
    left_out = list(found.left_out)
    for lesion in found.lesions:
        same = (lesion.synthetic, lesion.scan, lesion.center, lesion.diameter_mm)
        if kept.setdefault(same, lesion) is not lesion:
            left_out.append({"what": spoken(lesion), "why": f"the same as {kept[same].name}"})
    return replace(found, lesions=list(kept.values()), left_out=left_out)


def spoken(lesion: Lesion) -> str:
    """A lesion in words."""
    kind = "synthetic" if lesion.synthetic else "real"
    return f"{kind} {lesion.organ} lesion of {lesion.diameter_mm:.1f} mm, {lesion.name}"
