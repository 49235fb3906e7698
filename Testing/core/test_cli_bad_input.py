"""Every bad input: exit 2, one line that tells what was expected and what came, nothing left behind."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from freetumor import pipeline
from freetumor.volume import Box, Storage, Volume, read_volume, write_volume
from runs import command, refused, tree, write_dicom

BEHIND_A_LIMIT = """
import resource, sys
from freetumor.cli import run
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
sys.exit(run(sys.argv[1:]))
"""


@pytest.fixture
def liver(inputs, tmp_path):
    """Check that a liver tumor in another CT or with another label map is refused."""

    def check(kind, *words, ct=None, labels=None, options=("--diameter", "20")):
        arguments = (
            *("synthesize", ct or inputs.ct, "--organ", "liver"),
            *("--labels", labels or inputs.maps["abdomen"], *options),
        )
        return refused(tmp_path, kind, arguments, *words)

    return check


def changed(phantom, path, change):
    """The phantom's CT as float32 after `change`, as a file."""
    hu = phantom.ct.hu()
    write_volume(Volume(change(hu).astype(np.float32), phantom.ct.geometry, Storage()), path)
    return path


def part(volume, box):
    return Volume(volume.array[box.slices], volume.geometry.cropped(box))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda hu: np.maximum(hu + 1000, 0) * 0.4, ("Hounsfield units", "MR or a normalised image")),
        (lambda hu: np.clip((hu + 1000) / 2000, 0, 1), ("Hounsfield units", "scaled to 0..1")),
        (lambda hu: np.clip((hu + 160) / 400 * 255, 0, 255), ("Hounsfield units", "scaled to 0..255")),
        (lambda hu: hu * 0 - 1000, ("Hounsfield units", "all the same")),
    ],
)
def test_a_ct_that_is_not_in_hu_is_refused(liver, phantom, tmp_path, change, words):
    liver("not_hu", *words, "--assume-hu", ct=changed(phantom, tmp_path / "ct.nii.gz", change))


def test_labels_that_do_not_fit_the_hu_under_them_are_refused(liver, phantom, tmp_path):
    ct = changed(phantom, tmp_path / "ct.nii.gz", lambda hu: hu + 400)
    liver("implausible_labels", "a liver between 0 and 220 HU", "a median of 51", "--assume-hu", ct=ct)


def test_nan_is_refused_even_where_hu_are_vouched_for(liver, phantom, tmp_path):
    def with_nan(hu):
        hu = hu.copy()
        hu[3, 4, 5] = np.nan
        return hu

    ct = changed(phantom, tmp_path / "ct.nii.gz", with_nan)
    liver("not_finite", "1 voxels of NaN", ct=ct, options=("--assume-hu",))


def test_a_map_or_mask_on_another_grid_is_refused(liver, phantom, tmp_path):
    labels = phantom.label_map("abdomen")
    write_volume(part(labels, Box((0, 0, 1), (75, 128, 160))), tmp_path / "other.nii.gz")
    liver("grid_mismatch", "label map", "--resample-labels", labels=tmp_path / "other.nii.gz")
    liver("grid_mismatch", "tumor mask", options=("--mask", tmp_path / "other.nii.gz"))


def test_an_organ_that_is_absent_or_too_small_is_refused(liver, phantom, tmp_path):
    array = phantom.label_map("abdomen").array.copy()
    array[array == 1] = 0
    write_volume(phantom.ct.like(array), tmp_path / "absent.nii.gz")
    liver("organ_absent", "liver (id 1)", "the map holds 0, 3, 5", labels=tmp_path / "absent.nii.gz")
    array[37:39, 64:66, 60:90] = 1
    write_volume(phantom.ct.like(array), tmp_path / "small.nii.gz")
    liver("organ_too_small", "at least 50 ml of liver", " ml", labels=tmp_path / "small.nii.gz")
    write_volume(phantom.ct.like(array * np.float32(0.5)), tmp_path / "soft.nii.gz")
    liver("not_labels", "whole numbers", "2.5", labels=tmp_path / "soft.nii.gz")


def test_a_map_of_another_convention_is_not_taken_for_ours(liver, phantom, tmp_path):
    write_volume(phantom.totalsegmentator(), tmp_path / "total.nii.gz")
    path = tmp_path / "total.nii.gz"
    liver("wrong_convention", "1 liver", "other ids: 7", "--label-convention totalsegmentator", labels=path)


def test_a_mask_that_is_empty_or_outside_the_organ_is_refused(liver, phantom, tmp_path):
    array = np.zeros(phantom.ct.array.shape, np.uint8)
    path = tmp_path / "mask.nii.gz"
    write_volume(phantom.ct.like(array), path)
    liver("mask_empty", "an empty mask", options=("--mask", path))
    array[10:13, 20:24, 30:34] = 1
    write_volume(phantom.ct.like(array), path)
    liver("mask_outside_organ", "at least 50% of each lesion in the liver", "0%", options=("--mask", path))
    write_volume(phantom.ct.like(phantom.organ("liver").astype(np.uint8)), path)
    liver("mask_is_organ", "Is this the organ's mask", options=("--mask", path))
    for size in (("--diameter", 20), ("--size-class", "tiny"), ("--at", "90,0,-30")):
        liver("usage", "a drawn mask or a size and place", "both", options=("--mask", path, *size))


def test_damaged_and_missing_files_are_refused(liver, inputs, tmp_path):
    content = inputs.ct.read_bytes()
    (tmp_path / "cut.nii.gz").write_bytes(content[: len(content) // 2])
    liver("truncated", "cut.nii.gz", ct=tmp_path / "cut.nii.gz")
    (tmp_path / "empty.nii.gz").write_bytes(b"")
    liver("empty_file", "empty.nii.gz", ct=tmp_path / "empty.nii.gz")
    (tmp_path / "text.nii.gz").write_text("not an image")
    liver("truncated", "text.nii.gz", ct=tmp_path / "text.nii.gz")
    liver("not_found", "nowhere.nii.gz", ct=tmp_path / "nowhere.nii.gz")
    liver("not_found", "nowhere.nii.gz", labels=tmp_path / "nowhere.nii.gz")
    liver("unknown_type", "ct.jpg", ct=_copied(inputs.ct, tmp_path / "ct.jpg"))


def _copied(source, target):
    target.write_bytes(source.read_bytes())
    return target


def test_a_flat_image_is_refused(liver, phantom, tmp_path):
    sitk.WriteImage(sitk.GetImageFromArray(phantom.ct.array[30]), tmp_path / "flat.nii.gz")
    liver("not_3d", "flat.nii.gz", ct=tmp_path / "flat.nii.gz")


def test_a_dicom_folder_of_two_series_or_with_a_gap_is_refused(liver, phantom, tmp_path):
    few = part(phantom.ct, Box((0, 0, 0), (6, 128, 160)))
    folder = write_dicom(few, tmp_path / "gap", skip=[2])
    liver("missing_slice", "1 missing", ct=folder)
    folder = write_dicom(few, write_dicom(few, tmp_path / "two"), uid="1.2.4")
    liver("several_series", "1.2.3", "1.2.4", "--series", ct=folder)
    liver("no_series", "1.2.9", ct=folder, options=("--series", "1.2.9"))


def test_a_liver_without_labels_names_the_tools_that_make_them(inputs, tmp_path):
    arguments = ("synthesize", inputs.ct, "--organ", "liver")
    refused(tmp_path, "labels_missing", arguments, "TotalSegmentator", "--labels FILE")


@pytest.mark.parametrize(
    ("options", "kind", "word"),
    [
        (("--engine", "magic"), "usage", "'magic'"),
        (("--label-convention", "mine"), "usage", "freetumor, totalsegmentator"),
        (("--size-class", "huge"), "usage", "tiny, small, medium, large"),
        (("--diameter", "0"), "usage", "0"),
        (("--diameter", "1"), "size_below_grid", "Ask for"),
        (("--at", "90,0,-30", "--at", "60,0,-30", "--count", "3"), "usage", "one --at for each of 3"),
        (("--at", "0,0,60"), "outside_organ", "a point inside the liver"),
        (("--at", "0,0,6000"), "outside", "a point inside the scan"),
    ],
)
def test_options_that_cannot_be_met_are_refused(liver, options, kind, word):
    liver(kind, word, options=options)


def test_nothing_is_overwritten(inputs, tmp_path):
    (tmp_path / "case").mkdir()
    (tmp_path / "case" / "precious").write_text("")
    said = command(*inputs.of("liver"), "--out", tmp_path / "case", "--json")
    assert (said.code, said.json["kind"]) == (2, "exists")
    assert tree(tmp_path) == ["case", "case/precious"]


@pytest.mark.parametrize(("organ", "diameter"), [("liver", 150), ("pancreas", 70), ("kidney", 120)])
def test_too_large_a_tumor_is_refused_with_the_largest_that_fits(inputs, tmp_path, organ, diameter):
    # A tumor that may bulge into the fat would be bounded by the fat rather than by the organ.
    asked = inputs.of(organ, "--diameter", diameter, "--no-exophytic")
    message = refused(tmp_path, "does_not_fit", asked, f"{diameter}.0 mm")
    largest = float(re.search(r"the largest that fits in this \w+ is ([\d.]+) mm", message)[1])
    asked = inputs.of(organ, "--diameter", largest - 0.5, "--no-exophytic", "--no-gate")
    said = command(*asked, "--out", tmp_path / "case")
    assert said.code == 0, said


def test_at_a_point_the_largest_that_fits_there_is_named(inputs, tmp_path):
    there = ("--at", "90,0,-30")
    arguments = inputs.of("liver", "--diameter", 200, *there)
    message = refused(tmp_path, "does_not_fit", arguments, "at this point")
    largest = float(re.search(r"the largest that fits at this point is ([\d.]+) mm", message)[1])
    arguments = inputs.of("liver", "--diameter", 0.9 * largest, *there, "--no-gate")
    assert command(*arguments, "--out", tmp_path / "case").code == 0


def test_what_the_quality_test_rejects_is_not_written(inputs, tmp_path):
    faint = inputs.of("liver", "--diameter", 20, "--contrast", 1, "--no-rim", "--no-core")
    said = command(*faint, "--out", tmp_path / "new" / "case", "--json")
    assert said.code == 3
    assert (said.json["status"], len(said.json["verdicts"])) == ("rejected", 3)
    assert all(not v["passed"] and v["reasons"] for v in said.json["verdicts"])
    assert said.json["verdicts"][-1]["reasons"][0] in said.line
    assert tree(tmp_path) == []
    said = command(*faint, "--no-gate", "--out", tmp_path / "case", "--json")
    assert said.code == 0
    assert said.json["passed"] is False
    record = json.loads((tmp_path / "case" / "provenance.json").read_text("utf-8"))
    assert record["request"]["gate"] is False
    verdict = record["lesions"][0]["verdict"]
    assert verdict["passed"] is False
    assert verdict["reasons"] == said.json["lesions"][0]["verdict"]["reasons"] != []
    said = command(*faint, "--no-gate", "--out", tmp_path / "b")
    assert "failed: " + verdict["reasons"][0] in said.out


def test_a_rejected_second_tumor_leaves_nothing_of_the_first(inputs, tmp_path, monkeypatch):
    real = pipeline.quality_test
    calls = []

    def second_fails(evidence, judges):
        verdict = real(evidence, judges)
        calls.append(verdict)
        if len(calls) == 1:
            return verdict
        return type(verdict)((*verdict.findings[:-1], replace(verdict.findings[-1], passed=False)))

    monkeypatch.setattr(pipeline, "quality_test", second_fails)
    said = command(*inputs.of("liver"), "--count", 2, "--tries", 2, "--out", tmp_path / "case", "--json")
    assert said.code == 3, said
    assert len(calls) == 3
    assert "lesion 2 in 2 tries" in said.line
    assert tree(tmp_path) == []


def test_an_output_that_cannot_be_written_is_refused(inputs, tmp_path):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file" / "case", tmp_path / "file" / "deep" / "case", tmp_path / ("x" * 300)):
        said = command(*inputs.of("liver"), "--out", out, "--json")
        assert (said.code, said.json["kind"]) == (2, "output_not_writable"), said
        assert str(out) in said.line
    assert tree(tmp_path) == ["file"]


def test_an_output_that_becomes_read_only_is_refused_and_cleared(inputs, tmp_path, monkeypatch):
    def refuses(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("freetumor.cases.case.write_json", refuses)
    said = command(*inputs.of("liver"), "--out", tmp_path / "new" / "case", "--json")
    assert (said.code, said.json["kind"]) == (2, "output_not_writable")
    assert tree(tmp_path) == []


@pytest.mark.skipif(os.name == "nt", reason="needs RLIMIT_FSIZE")
def test_a_full_disk_exits_with_1_and_leaves_nothing(inputs, tmp_path):
    arguments = [*inputs.of("liver"), "--out", str(tmp_path / "new" / "case"), "--json"]
    # Coverage's own file in that process would not fit behind the limit either.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}
    done = subprocess.run(
        [sys.executable, "-c", BEHIND_A_LIMIT, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
    )
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["kind"] == "disk_full"
    assert done.stderr.startswith("freetumor: the disk is full")
    assert done.stderr.count("\n") == 1
    assert tree(tmp_path) == []


def test_the_inputs_stay_as_they_are(inputs, phantom):
    np.testing.assert_array_equal(read_volume(inputs.ct).array, phantom.ct.array)
