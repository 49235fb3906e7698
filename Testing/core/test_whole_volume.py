"""Whole-volume segmentation against exact truth: every spacing, orientation and crop; bounded memory."""

from __future__ import annotations

import io
import json
import tracemalloc
from dataclasses import dataclass

import numpy as np
import pytest
from freetumor import jobs
from freetumor.anatomy import ORGANS
from freetumor.errors import BadInput, OutputError
from freetumor.models import Model, NetworkSpec
from freetumor.nets.predictors import forget
from freetumor.organs import organ_labels
from freetumor.segmentation import find_lesions
from freetumor.segmentation.body import body_box
from freetumor.segmentation.whole_volume import segment_volume
from freetumor.segmentation_job import segment_file
from freetumor.volume import Box, Geometry, Storage, Volume, read_volume, write_volume
from made_models import made_model, threshold_segmenter
from test_working_grid import DIRECTIONS

LIVER = ORGANS["liver"]
BODY_HU, LIVER_HU, LESION_HU = -60, 90, 210
LESION_MM = np.array([14.0, -9.0, 11.0])
RADIUS_MM = 13.0
GRIDS = {
    "axial": ("axial", (2.5, 1.0, 1.0)),
    "thick_feet_first": ("feet_first", (5.0, 1.4, 1.4)),
    "fine_sagittal": ("sagittal", (1.2, 1.2, 1.6)),
    "oblique": ("oblique", (2.0, 1.2, 1.2)),
    "oblique_sagittal": ("oblique_sagittal", (1.5, 2.0, 2.2)),
}


@dataclass(frozen=True)
class Truth:
    """A CT of a body with a liver of ellipsoid shape and one lesion in it."""

    ct: Volume
    liver: np.ndarray
    lesion: np.ndarray

    @property
    def labels(self) -> Volume:
        return self.ct.like(np.where(self.lesion, 2, self.liver).astype(np.uint8))


def scan(direction: str, spacing: tuple[float, float, float], extent_mm: float = 150.0) -> Truth:
    shape = tuple(np.rint(extent_mm / np.array(spacing)).astype(int))
    affine = np.eye(4)
    affine[:3, :3] = DIRECTIONS[direction] * np.array(spacing)[::-1]
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape[::-1]) - 1) / 2)
    geometry = Geometry(shape, affine)
    ras = geometry.index_to_ras(np.stack(np.indices(shape), axis=-1))
    body = (np.abs(ras) < 0.42 * extent_mm).all(-1)
    liver = ((ras / (45, 40, 42)) ** 2).sum(-1) < 1
    lesion = np.linalg.norm(ras - LESION_MM, axis=-1) < RADIUS_MM
    hu = np.select([lesion, liver, body], [LESION_HU, LIVER_HU, BODY_HU], -1000)
    return Truth(
        Volume((hu + 1024).astype(np.uint16), geometry, Storage(1.0, -1024.0), "scan"), liver, lesion
    )


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.fixture
def model(tmp_path) -> Model:
    """Lesion above 150 HU, liver from 15 HU; the body and air are background."""
    forget()
    return threshold_segmenter(
        tmp_path / "models", "abdomen", 150, 400, organ="liver", organ_hu=(15, 500), patch=[48, 64, 64]
    )


@pytest.mark.parametrize("grid", GRIDS)
def test_organ_and_lesion_are_found_where_they_are_on_any_grid(model, grid):
    truth = scan(*GRIDS[grid])
    made = segment_volume(truth.ct, LIVER, model, backend="torch", device="cpu")
    labels = made.labels.array
    assert (labels.dtype, labels.shape) == (np.uint8, truth.ct.array.shape)
    assert made.labels.geometry.same_grid(truth.ct.geometry, 1e-6)
    assert dice(labels > 0, truth.liver) >= 0.98
    assert dice(labels == 2, truth.lesion) >= (0.95 if grid == "thick_feet_first" else 0.975)
    (lesion,) = find_lesions(made.labels, LIVER, ct=truth.ct, probability=made.probability)
    assert np.linalg.norm(np.array(lesion.centre_ras) - LESION_MM) < max(truth.ct.geometry.spacing)
    assert lesion.volume_mm3 == pytest.approx(4 / 3 * np.pi * RADIUS_MM**3, rel=0.1)
    assert lesion.probability > 0.9
    chance = made.probability.hu()
    assert chance[truth.lesion].mean() > 0.9
    assert chance[truth.liver & ~truth.lesion].mean() < 0.1


def test_the_result_is_the_same_whether_the_body_or_the_organ_is_cut_out(model):
    truth = scan("oblique", (2.0, 2.0, 2.0), 220.0)
    whole = segment_volume(truth.ct, LIVER, model, backend="torch", device="cpu")
    read = organ_labels(truth.labels, LIVER)
    organ = segment_volume(truth.ct, LIVER, model, labels=read, backend="torch", device="cpu")
    assert np.array_equal(whole.labels.array, organ.labels.array)
    near = Box.of(truth.liver).slices
    assert np.abs(whole.probability.hu()[near] - organ.probability.hu()[near]).max() < 0.01
    assert (whole.facts["cropped_to"], organ.facts["cropped_to"]) == ("body", "organ")
    assert organ.facts["windows"] < whole.facts["windows"]


def test_what_was_done_is_told(model):
    truth = scan("axial", (4.0, 2.0, 2.0))
    shares = []
    made = segment_volume(
        truth.ct,
        LIVER,
        model,
        backend="torch",
        device="cpu",
        overlap=0.5,
        progress=lambda message, share: shares.append(share),
    )
    facts = json.loads(json.dumps(made.facts))
    assert facts["model"] == "threshold-abdomen"
    assert facts["sha256"] == model.facts["sha256"]
    assert (facts["device"], facts["backend"], facts["overlap"]) == ("cpu", "torch", 0.5)
    assert facts["tile"] == [48, 64, 64]
    assert shares == sorted(shares)
    assert len(shares) > facts["windows"]


def test_specks_become_what_is_around_them_and_larger_ones_stay(model):
    truth = scan("axial", (1.5, 1.5, 1.5))
    place = np.rint(truth.ct.geometry.ras_to_index(np.array([-20.0, 5, 0]))).astype(int)
    speck = tuple(slice(p, p + 2) for p in place)  # 27 mm^3
    truth.ct.array[speck] = LESION_HU + 1024
    options = {"backend": "torch", "device": "cpu"}
    kept = segment_volume(truth.ct, LIVER, model, smallest_mm3=10, **options)
    assert (kept.labels.array[speck] == 2).all()
    clean = segment_volume(truth.ct, LIVER, model, smallest_mm3=200, **options)
    assert (clean.labels.array[speck] == 1).all()
    assert len(find_lesions(clean.labels, LIVER)) == 1
    assert clean.facts["specks_left_out"] == 1


def test_with_labels_of_the_organ_lesions_elsewhere_are_left_out(model):
    truth = scan("axial", (2.0, 2.0, 2.0))
    ras = truth.ct.geometry.index_to_ras(np.stack(np.indices(truth.ct.array.shape), axis=-1))
    far = np.linalg.norm(ras - (-55, 0, 0), axis=-1) < 4
    touching = np.linalg.norm(ras - (0, 0, 43), axis=-1) < 6
    truth.ct.array[far | touching] = LESION_HU + 1024
    read = organ_labels(truth.labels, LIVER)
    options = {"backend": "torch", "device": "cpu"}
    alone = segment_volume(truth.ct, LIVER, model, **options)
    assert len(find_lesions(alone.labels, LIVER)) == 3
    made = segment_volume(truth.ct, LIVER, model, labels=read, **options)
    assert len(find_lesions(made.labels, LIVER)) == 2
    assert made.facts["lesions_far_from_organ_left_out"] == 1
    assert not (made.labels.array[far] == 2).any()


def test_the_memory_does_not_hold_all_classes_on_the_grid_of_the_ct(tmp_path):
    """What NumPy takes: less than half of seven float32 volumes on the CT's grid."""
    forget()
    spec = NetworkSpec("voxelwise", {"classes": [0, 1, 2, 3, 4, 5, 6]})
    model = made_model(tmp_path, "abdomen", {"segmenter": spec}, patch=[32, 32, 32], spacing=[3.0, 3.0, 3.0])
    truth = scan("axial", (1.0, 1.0, 1.0), 160.0)
    segment_volume(scan("axial", (4.0, 4.0, 4.0)).ct, LIVER, model, backend="torch", device="cpu")
    tracemalloc.start()
    segment_volume(truth.ct, LIVER, model, backend="torch", device="cpu", smallest_mm3=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.5 * 7 * 4 * truth.ct.array.size


@pytest.mark.parametrize(
    ("organ", "options", "kind"),
    [
        ("lung", {}, "wrong_organ"),
        ("kidney", {}, "wrong_organ"),
        ("liver", {"overlap": 1.0}, "usage"),
        ("liver", {"device": "abacus"}, "usage"),
        ("liver", {"backend": "steam"}, "usage"),
    ],
)
def test_what_cannot_be_done_is_refused_by_kind(model, organ, options, kind):
    truth = scan("axial", (4.0, 3.0, 3.0))
    with pytest.raises(BadInput) as refused:
        segment_volume(truth.ct, ORGANS[organ], model, **options)
    assert refused.value.kind == kind


def test_labels_on_another_grid_are_refused(model):
    labels = organ_labels(scan("axial", (3.0, 3.0, 3.0)).labels, LIVER)
    with pytest.raises(BadInput) as refused:
        segment_volume(scan("axial", (4.0, 3.0, 3.0)).ct, LIVER, model, labels=labels)
    assert refused.value.kind == "grid_mismatch"


def test_the_body_is_found_without_the_couch(phantom):
    box, truth = body_box(phantom.ct), Box.of(phantom.labels["body"])
    spacing = np.array(phantom.ct.geometry.spacing)
    assert (np.subtract(truth.start, box.start) * spacing >= -4).all()
    assert (np.subtract(box.stop, truth.stop) * spacing >= -4).all()
    assert (np.subtract(truth.start, box.start) * spacing <= 16).all()
    assert (np.subtract(box.stop, truth.stop) * spacing <= 16).all()
    air = phantom.ct.like(np.full_like(phantom.ct.array, -1000))
    assert body_box(air) == Box.whole(air.array.shape)


@pytest.fixture
def files(model, tmp_path):
    """A folder with a CT and its organ labels, and the truth."""
    truth = scan("oblique", (3.0, 2.0, 2.0))
    write_volume(truth.ct, tmp_path / "ct.nii")
    write_volume(truth.labels, tmp_path / "organs.nii")
    return tmp_path, truth


def test_a_file_is_segmented_to_files_with_the_lesions_told(model, files):
    folder, truth = files
    told = segment_file(
        folder / "ct.nii",
        "liver",
        folder / "seg.nii.gz",
        model=str(model.folder),
        labels=folder / "organs.nii",
        probabilities=folder / "chance.nii.gz",
        backend="torch",
    )
    told = json.loads(json.dumps(told))
    assert dice(read_volume(folder / "seg.nii.gz").array == 2, truth.lesion) > 0.95
    assert read_volume(folder / "chance.nii.gz").hu()[truth.lesion].mean() > 0.85
    (lesion,) = told["lesions"]
    assert (lesion["organ"], lesion["label"]) == ("liver", 2)
    assert np.linalg.norm(np.array(lesion["centre_ras"]) - LESION_MM) < 3
    assert told["status"] == "done"
    with pytest.raises(BadInput) as refused:
        segment_file(folder / "ct.nii", "liver", folder / "seg.nii.gz", model=str(model.folder))
    assert refused.value.kind == "exists"


def test_both_files_are_written_or_none(model, files, monkeypatch):
    folder, _ = files

    def full(volume, path):
        if path.name == "chance.nii":
            raise OutputError("the disk is full", kind="disk_full")
        write_volume(volume, path)

    monkeypatch.setattr("freetumor.segmentation_job.write_volume", full)
    with pytest.raises(OutputError):
        segment_file(
            folder / "ct.nii",
            "liver",
            folder / "seg.nii",
            model=str(model.folder),
            probabilities=folder / "chance.nii",
            backend="torch",
        )
    assert not (folder / "seg.nii").exists()


def run_job(folder, model: Model, out: io.StringIO, **parameters: object) -> int:
    given = {"ct": "ct.nii", "organ": "liver", "model": str(model.folder), "backend": "torch", **parameters}
    (folder / "job.json").write_text(json.dumps({"kind": "segment", "parameters": given}), "utf-8")
    return jobs.run(folder / "job.json", out)


def test_the_job_leaves_labels_probabilities_and_a_table_of_lesions(model, files):
    folder, truth = files
    out = io.StringIO()
    assert run_job(folder, model, out, labels="organs.nii", device="cpu") == 0
    events = [json.loads(line) for line in out.getvalue().splitlines()]
    result = json.loads((folder / "result.json").read_text("utf-8"))
    assert result == events[-1]["result"]
    assert dice(read_volume(folder / result["labels"]).array == 2, truth.lesion) > 0.95
    assert read_volume(folder / result["probability"]).hu().max() > 0.9
    assert len(result["lesions"]) == 1
    shares = [e["share"] for e in events if e["event"] == "progress"]
    assert shares == sorted(shares)


def test_the_job_stops_between_two_windows(model, files):
    folder, _ = files

    class Impatient(io.StringIO):
        def write(self, text: str) -> int:
            if "window 2 " in text:
                (folder / jobs.STOP).touch()
            return super().write(text)

    out = Impatient()
    assert run_job(folder, model, out, overlap=0.5) == 1
    last = json.loads(out.getvalue().splitlines()[-1])
    assert last["kind"] == "stopped"
    assert "window 3 " not in out.getvalue()
    assert not (folder / "result.json").exists()


def test_a_job_without_a_model_says_how_to_get_one(files, monkeypatch, tmp_path):
    folder, _ = files
    monkeypatch.setenv("FREETUMOR_MODELS", str(tmp_path / "none"))
    out = io.StringIO()
    given = {"ct": "ct.nii", "organ": "liver"}
    (folder / "job.json").write_text(json.dumps({"kind": "segment", "parameters": given}), "utf-8")
    assert jobs.run(folder / "job.json", out) == 1
    told = json.loads(out.getvalue().splitlines()[-1])
    assert told["kind"] == "no_model"
    assert "models import" in told["message"]
