"""``freetumor label-organs``: one CT or many, files with their provenance, and the job of that name."""

from __future__ import annotations

import io
import json
import shutil

import numpy as np
import pytest
from freetumor import jobs
from freetumor.anatomy import ORGANS
from freetumor.errors import OutputError
from freetumor.volume import read_volume, write_volume
from made_models import threshold_segmenter
from made_totalsegmentator import install
from runs import array, command, tree

LIVER = ORGANS["liver"]


@pytest.fixture(autouse=True)
def liver_model(store):
    """A model that knows the liver by its HU."""
    threshold_segmenter(
        store, "abdomen", 135, 160, organ="liver", organ_hu=(85, 160),
        spacing=[4.0, 2.5, 2.5], patch=[96, 128, 160],
    )  # fmt: skip


def label(*arguments: object):
    return command("label-organs", *arguments, "--device", "cpu", "--backend", "torch", "--json")


def test_a_model_labels_a_ct_and_the_file_tells_how(inputs, phantom, tmp_path):
    out = tmp_path / "organs.nii.gz"
    said = label(inputs.ct, "--organs", "liver", "--out", out)
    assert (said.code, said.err) == (0, ""), said
    found = array(out)
    assert set(np.unique(found)) == {0, 1}
    truth = phantom.organ("liver")
    assert 2 * (truth & (found == 1)).sum() > 0.7 * (truth.sum() + found.sum())
    result = said.json
    ml = round(float(found.sum()) * phantom.ct.geometry.voxel_volume / 1000, 1)
    assert result["organs"] == [{"organ": "liver", "label": 1, "ml": ml}]
    assert (result["labeler"], result["model"]) == ("learned", "threshold-abdomen")
    record = json.loads((tmp_path / "organs.provenance.json").read_text("utf-8"))
    assert record["labeler"]["licence"] == "Apache-2.0"
    assert len(record["input"]["ct_sha256"]) == 64
    assert record["organs"] == result["organs"]
    assert "PSEUDO-LABELS" in record["notice"]
    # A file that is passed on says nothing of this computer or of the patient.
    assert not any(word in json.dumps(record) for word in (str(tmp_path), "4711", "JOHN"))
    again = label(inputs.ct, "--organs", "liver", "--out", out)
    assert (again.code, again.json["kind"]) == (2, "exists")
    assert tree(tmp_path) == ["organs.nii.gz", "organs.provenance.json"]


def test_synthesis_takes_the_labels_as_they_are(inputs, tmp_path):
    label(inputs.ct, "--organ", "liver", "--out", tmp_path / "organs.nii.gz")
    options = ("--labels", tmp_path / "organs.nii.gz", "--diameter", "20", "--no-gate")
    said = command("synthesize", inputs.ct, "--organ", "liver", *options, "--out", tmp_path / "case")
    assert said.code == 0, said


def test_many_cts_go_into_a_folder_and_what_is_there_is_kept(inputs, tmp_path):
    for name in ("one_0000.nii.gz", "two.nii.gz"):
        shutil.copy(inputs.ct, tmp_path / name)
    (tmp_path / "broken.nii.gz").write_bytes(b"no CT")
    cts = [tmp_path / name for name in ("one_0000.nii.gz", "broken.nii.gz", "two.nii.gz")]
    said = label(*cts, "--organs", "liver", "--out", tmp_path / "made")
    assert said.code == 2
    assert [said.json[key] for key in ("status", "done", "kept", "failed")] == ["incomplete", 2, 0, 1]
    assert said.json["results"][1]["kind"] == "truncated"
    assert "broken.nii.gz: failed" in said.err
    names = ["one.nii.gz", "one.provenance.json", "two.nii.gz", "two.provenance.json"]
    assert tree(tmp_path / "made") == names
    (tmp_path / "made" / "two.nii.gz").unlink()  # as if killed before it was written
    again = label(cts[0], cts[2], "--organs", "liver", "--out", tmp_path / "made")
    assert (again.code, again.json["kept"], again.json["done"]) == (0, 1, 1)
    other = label(
        cts[0], cts[2], "--organs", "liver,kidney", "--labeler", "totalsegmentator", "--out", "made"
    )
    assert (other.code, other.json["kind"]) == (2, "missing_dependency")
    assert "pip install TotalSegmentator" in other.line


def test_labels_of_another_labeler_are_not_taken_for_its_own(inputs, phantom, tmp_path, monkeypatch):
    for name in ("a/ct.nii.gz", "b/ct.nii.gz"):
        (tmp_path / name).parent.mkdir()
        shutil.copy(inputs.ct, tmp_path / name)
    cts = (tmp_path / "a" / "ct.nii.gz", tmp_path / "b" / "ct.nii.gz")
    assert label(*cts, "--organs", "liver", "--out", tmp_path / "made").code == 0
    assert [name for name in tree(tmp_path / "made") if "json" not in name] == ["a.nii.gz", "b.nii.gz"]
    install(tmp_path / "site", phantom.totalsegmentator(), monkeypatch)
    said = label(*cts, "--organs", "liver", "--labeler", "totalsegmentator", "--out", tmp_path / "made")
    assert (said.code, said.json["failed"]) == (2, 2)
    assert {row["kind"] for row in said.json["results"]} == {"exists"}
    said = label(*cts, "--labeler", "totalsegmentator", "--out", tmp_path / "theirs")
    assert (said.code, said.json["done"]) == (0, 2), said
    assert np.array_equal(array(tmp_path / "theirs" / "a.nii.gz"), phantom.label_map("abdomen").array)


@pytest.mark.parametrize(
    ("options", "kind", "word"),
    [
        (("--organs", "liver,lung"), "usage", "one group"),
        (("--organs", "brain"), "usage", "'brain'"),
        (("--labeler", "magic"), "usage", "thresholds, totalsegmentator, learned"),
        (("--organs", "kidney"), "labels_missing", "pip install TotalSegmentator"),
        (("--organs", "liver", "--model", "none"), "no_model", "models import"),
    ],
)
def test_what_cannot_be_done_is_told_before_the_ct_is_read(options, kind, word, tmp_path):
    said = label(tmp_path / "no.nii.gz", *options, "--out", tmp_path / "labels.nii.gz")
    assert (said.code, said.json["kind"]) == (2, kind)
    assert word in said.line
    assert tree(tmp_path) == []


def test_nothing_is_left_where_the_labels_cannot_be_written(inputs, tmp_path, monkeypatch):
    def full(volume, path):
        raise OutputError("the disk is full", kind="disk_full")

    monkeypatch.setattr("freetumor.labeling_job.write_volume", full)
    said = label(inputs.ct, "--organs", "liver", "--out", tmp_path / "organs.nii.gz")
    assert (said.code, said.json["kind"]) == (1, "disk_full")
    assert not [name for name in tree(tmp_path) if name.startswith("organs")]


def test_a_ct_that_does_not_show_the_organ_gives_no_labels(inputs, tmp_path):
    model = threshold_segmenter(
        tmp_path, "abdomen", 240, 241, organ="liver", organ_hu=(239, 242), spacing=[8.0, 5.0, 5.0]
    )
    ct = read_volume(inputs.ct)
    write_volume(ct.like(np.where(ct.array > 0, 40, ct.array)), tmp_path / "ct.nii.gz")
    options = ("--organs", "liver", "--model", model.folder, "--out", tmp_path / "l.nii.gz")
    said = label(tmp_path / "ct.nii.gz", *options)
    assert (said.code, said.json["kind"]) == (2, "organ_absent")
    assert not (tmp_path / "l.nii.gz").exists()


def test_the_job_takes_the_same_labelers(inputs, tmp_path):
    shutil.copy(inputs.ct, tmp_path / "ct.nii.gz")
    given = {"ct": "ct.nii.gz", "organ": "liver", "labeler": "learned", "device": "cpu", "backend": "torch"}
    (tmp_path / "job.json").write_text(json.dumps({"kind": "label-organs", "parameters": given}), "utf-8")
    out = io.StringIO()
    assert jobs.run(tmp_path / "job.json", out) == 0, out.getvalue()
    events = [json.loads(line) for line in out.getvalue().splitlines()]
    result = events[-1]["result"]
    assert (result["organ"], result["value"], result["model"]) == ("liver", 1, "threshold-abdomen")
    assert (array(tmp_path / result["labels"]) == 1).any()
    shares = [event["share"] for event in events if event["event"] == "progress"]
    assert shares == sorted(shares)
