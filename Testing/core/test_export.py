import gzip
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from freetumor.volume import read_volume
from runs import PATIENT, command, contents, tree

ABDOMEN = {
    "background": 0, "liver": 1, "liver tumor": 2, "pancreas": 3, "pancreas tumor": 4,
    "kidney": 5, "kidney tumor": 6,
}  # fmt: skip
IMAGE = {"nnunet": "imagesTr/{}_0000.nii.gz", "msd": "imagesTr/{}.nii.gz"}
BEHIND_A_LIMIT = """
import resource, sys
from freetumor.cli import run
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
sys.exit(run(sys.argv[1:]))
"""


def export(cases, form, out):
    return command("export", *cases, "--format", form, "--out", out, "--json")


def dataset(out):
    return json.loads((out / "dataset.json").read_text("utf-8"))


@pytest.fixture
def pair(case_of):
    return [case_of("liver"), case_of("kidney")]


@pytest.mark.parametrize("form", IMAGE)
def test_an_export_holds_each_case_with_its_hu_labels_and_grid(pair, tmp_path, form):
    out = tmp_path / "Daten Ä" / "set"
    said = export(pair, form, out)
    assert (said.code, said.err) == (0, "")
    assert said.json == {
        "status": "done", "format": form, "out": str(out), "group": "abdomen",
        "added": ["liver", "kidney"], "kept": [], "failed_quality_test": [], "cases": 2,
    }  # fmt: skip
    names = ("kidney", "liver")
    files = [IMAGE[form].format(n) for n in names] + [f"labelsTr/{n}.nii.gz" for n in names]
    files += [f"freetumor/{n}.json" for n in names] + ["dataset.json"]
    assert set(contents(out)) == set(files)
    for case in pair:
        for name, file in (("ct", IMAGE[form].format(case.name)), ("labels", f"labelsTr/{case.name}.nii.gz")):
            old, new = read_volume(case / f"{name}.nii.gz"), read_volume(out / file)
            np.testing.assert_array_equal(new.hu(), old.hu())
            assert new.array.dtype == old.array.dtype
            np.testing.assert_allclose(new.geometry.affine, old.geometry.affine, atol=1e-4)
        assert (out / "freetumor" / f"{case.name}.json").read_bytes() == (
            case / "provenance.json"
        ).read_bytes()


def test_nnunet_reads_the_description(pair, tmp_path):
    export(pair, "nnunet", tmp_path / "set")
    said = dataset(tmp_path / "set")
    assert said["channel_names"] == {"0": "CT"}
    assert said["labels"] == ABDOMEN
    assert sorted(said["labels"].values()) == list(range(7))
    assert said["numTraining"] == 2
    assert said["file_ending"] == ".nii.gz"
    assert "SYNTHETIC" in said["description"]
    assert "kidney tumor, liver tumor" in said["description"]


def test_msd_readers_find_every_file(pair, case_of, tmp_path):
    export(pair, "msd", tmp_path / "set")
    said = dataset(tmp_path / "set")
    assert said["labels"] == {str(value): name for name, value in ABDOMEN.items()}
    assert (said["modality"], said["tensorImageSize"]) == ({"0": "CT"}, "3D")
    assert (said["numTraining"], said["numTest"], said["test"]) == (2, 0, [])
    assert [list(item) for item in said["training"]] == [["image", "label"]] * 2
    for item in said["training"]:
        assert all((tmp_path / "set" / file).is_file() for file in item.values())
    export([case_of("lung")], "msd", tmp_path / "chest")
    assert dataset(tmp_path / "chest")["labels"] == {"0": "background", "1": "lung", "2": "lesion"}


@pytest.mark.parametrize("form", IMAGE)
def test_text_about_the_patient_stays_behind(case_of, tmp_path, form):
    case = case_of("liver")
    with gzip.open(case / "ct.nii.gz") as file:
        assert all(text in file.read(352) for text in [PATIENT[0]])
    export([case], form, tmp_path / "set")
    for path in (p for p in (tmp_path / "set").rglob("*") if p.is_file()):
        content = path.read_bytes()
        content = gzip.decompress(content) if path.suffix == ".gz" else content
        assert not any(text in content for text in (*PATIENT, b"4711"))


def test_a_second_export_adds_what_is_new_and_touches_nothing_else(pair, tmp_path):
    export(pair[:1], "nnunet", tmp_path)
    image = tmp_path / "imagesTr" / "liver_0000.nii.gz"
    os.utime(image, (1, 1))
    said = export(pair, "nnunet", tmp_path).json
    assert (said["added"], said["kept"], said["cases"]) == (["kidney"], ["liver"], 2)
    assert image.stat().st_mtime == 1
    assert dataset(tmp_path)["numTraining"] == 2
    said = export(pair[:1], "nnunet", tmp_path).json
    assert (said["added"], said["kept"], said["cases"]) == ([], ["liver"], 2)
    assert "liver tumor" in dataset(tmp_path)["description"]
    assert "kidney tumor" in dataset(tmp_path)["description"]


@pytest.mark.parametrize("lost", ["imagesTr/liver_0000.nii.gz", "labelsTr/liver.nii.gz", "dataset.json"])
def test_a_partial_export_is_completed(pair, tmp_path, lost):
    export(pair, "nnunet", tmp_path)
    whole = contents(tmp_path)
    (tmp_path / lost).unlink()
    assert export(pair, "nnunet", tmp_path).code == 0
    assert contents(tmp_path) == whole


def test_a_case_that_is_not_whole_is_not_listed(pair, tmp_path):
    export(pair, "msd", tmp_path)
    (tmp_path / "labelsTr" / "kidney.nii.gz").unlink()
    assert export(pair[:1], "msd", tmp_path).json["cases"] == 1
    assert [item["image"] for item in dataset(tmp_path)["training"]] == ["./imagesTr/liver.nii.gz"]


@pytest.mark.parametrize("name", ["imagesTr/liver_0000.nii.gz", "labelsTr/liver.nii.gz", "dataset.json"])
@pytest.mark.parametrize("content", ["precious", "[]", '{"freetumor": 1}'])
def test_foreign_files_are_never_overwritten(pair, tmp_path, name, content):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(content)
    before = contents(tmp_path)
    said = export(pair[:1], "nnunet", tmp_path)
    assert (said.code, said.json["kind"]) == (2, "exists")
    assert str(tmp_path / name) in said.line
    assert contents(tmp_path) == before


def test_another_case_of_the_same_name_is_refused(pair, inputs, tmp_path):
    export(pair, "nnunet", tmp_path / "set")
    before = contents(tmp_path / "set")
    command(*inputs.of("liver"), "--seed", 2, "--out", tmp_path / "liver")
    said = export([tmp_path / "liver"], "nnunet", tmp_path / "set")
    assert (said.code, said.json["kind"]) == (2, "exists")
    assert "another case of that name" in said.line
    said = export([pair[0], tmp_path / "liver"], "nnunet", tmp_path / "new")
    assert said.code == 2
    assert "liver more than once" in said.line
    assert contents(tmp_path / "set") == before
    assert not (tmp_path / "new").exists()


def test_groups_and_formats_are_not_mixed(pair, case_of, tmp_path):
    said = export([*pair, case_of("lung")], "nnunet", tmp_path / "set")
    assert (said.code, said.json["kind"]) == (2, "mixed_groups")
    assert "abdomen and chest" in said.line
    assert tree(tmp_path) == []
    export(pair, "nnunet", tmp_path / "set")
    before = contents(tmp_path / "set")
    for cases, form in ((pair, "msd"), ([case_of("lung")], "nnunet")):
        said = export(cases, form, tmp_path / "set")
        assert (said.code, said.json["kind"]) == (2, "exists")
    assert contents(tmp_path / "set") == before


def test_what_is_no_case_or_no_format_is_refused(pair, tmp_path):
    said = export(pair, "dicom", tmp_path / "set")
    assert said.code == 2
    assert "nnunet, msd" in said.line
    broken = shutil.copytree(pair[0], tmp_path / "broken")
    (broken / "tumor_mask.nii.gz").unlink()
    for case in (broken, tmp_path / "nowhere"):
        said = export([pair[1], case], "msd", tmp_path / "set")
        assert (said.code, said.json["kind"]) == (2, "not_a_case")
        assert "tumor_mask.nii.gz" in said.line
    assert not (tmp_path / "set").exists()


def test_an_output_that_is_a_file_is_refused(pair, tmp_path):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "deep"):
        said = export(pair, "msd", out)
        assert (said.code, said.json["kind"]) == (2, "output_not_writable"), said
    assert tree(tmp_path) == ["file"]


@pytest.mark.skipif(os.name == "nt", reason="needs RLIMIT_FSIZE")
def test_an_export_to_a_full_disk_goes_on_when_there_is_room(pair, tmp_path):
    arguments = ["export", *map(str, pair), "--format", "nnunet", "--out", str(tmp_path / "set")]
    done = subprocess.run(
        [sys.executable, "-c", BEHIND_A_LIMIT, *arguments], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1
    assert done.stderr.startswith("freetumor: the disk is full")
    assert not (tmp_path / "set" / "dataset.json").exists()
    assert not list(tmp_path.rglob("*.part*"))
    assert export(pair, "nnunet", tmp_path / "set").json["cases"] == 2
    export(pair, "nnunet", tmp_path / "whole")
    assert contents(tmp_path / "set") == contents(tmp_path / "whole")
