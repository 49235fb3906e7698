"""Sources of training cases: what they read, what they refuse, and that no scan lies on two sides."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from freetumor.errors import BadInput
from freetumor.training.fingerprints import content_fingerprint, fingerprints
from freetumor.training.sources import SIDES, Case, read_cases
from freetumor.training.splits import split_cases
from freetumor.volume import Geometry, Volume, write_volume


@pytest.fixture
def scan(tmp_path):
    """Makes a small CT file; `seed` tells its content."""

    def make(path: Path | str, seed: int = 0, dtype: type = np.int16) -> Path:
        path = tmp_path / path
        path.parent.mkdir(parents=True, exist_ok=True)
        array = np.random.default_rng(seed).integers(-900, 300, (6, 7, 8)).astype(dtype)
        write_volume(Volume(array, Geometry(array.shape, np.diag([-2.0, -2.0, 3.0, 1.0]))), path)
        return path

    return make


@pytest.fixture
def task(tmp_path, scan):
    """A miniature MSD task: two training cases, one test image."""

    def make(labels: dict, **more: object) -> Path:
        for n in range(2):
            scan(f"Task/imagesTr/liver_{n}.nii.gz", n)
            scan(f"Task/labelsTr/liver_{n}.nii.gz", n)
        scan("Task/imagesTs/liver_9.nii.gz", 9)
        training = [
            {"image": f"./imagesTr/liver_{n}.nii.gz", "label": f"./labelsTr/liver_{n}.nii.gz"} for n in (0, 1)
        ]
        described = {"labels": labels, "training": training, "test": ["./imagesTs/liver_9.nii.gz"]}
        folder = tmp_path / "Task"
        (folder / "dataset.json").write_text(json.dumps({**described, **more}))
        return folder

    return make


MSD = {"0": "background", "1": "liver", "2": "cancer"}


def test_an_msd_task_becomes_cases_with_translated_labels(task):
    folder = task(MSD, licence="CC-BY-SA 4.0")
    source = {"kind": "msd", "path": folder, "group": "abdomen", "label_map": {"cancer": "liver tumor"}}
    first, second = read_cases(source)
    assert (first.name, second.name) == ("liver_0", "liver_1")
    assert first.label_map == ((0, 0), (1, 1), (2, 2))
    assert (first.organs, first.lesions_known) == (("liver",), True)
    assert first.licence == "CC-BY-SA 4.0"
    (unlabelled,) = read_cases({**source, "part": "test"})
    assert (unlabelled.labels, unlabelled.organs, unlabelled.lesions_known) == (None, (), False)


def test_a_label_without_a_translation_is_refused_and_named(task):
    source = {"kind": "msd", "path": task(MSD), "group": "abdomen"}
    with pytest.raises(BadInput, match="none for cancer") as error:
        read_cases(source)
    assert error.value.kind == "bad_source"
    with pytest.raises(BadInput, match="cancer = tumor"):
        read_cases({**source, "label_map": {"cancer": "tumor"}})
    with pytest.raises(BadInput, match="lump"):
        read_cases({**source, "label_map": {"lump": "liver tumor"}})


def test_a_label_to_ignore_becomes_unknown(task):
    source = {"kind": "msd", "path": task(MSD), "group": "abdomen", "label_map": {"2": "ignore"}}
    case = read_cases(source)[0]
    assert case.label_map == ((0, 0), (1, 1), (2, 255))
    assert not case.lesions_known


def test_an_nnunet_raw_folder_becomes_cases(tmp_path, scan):
    scan("Dataset005/imagesTr/kits_3_0000.nii.gz")
    scan("Dataset005/labelsTr/kits_3.nii.gz")
    labels = {"background": 0, "kidney": 1, "tumor": 2, "cyst": 3}
    described = {"channel_names": {"0": "CT"}, "labels": labels, "file_ending": ".nii.gz"}
    (tmp_path / "Dataset005" / "dataset.json").write_text(json.dumps(described))
    label_map = {"tumor": "kidney tumor", "cyst": "kidney"}
    source = {"kind": "nnunet", "path": tmp_path / "Dataset005", "group": "abdomen", "label_map": label_map}
    (case,) = read_cases(source)
    assert case.label_map == ((0, 0), (1, 5), (2, 6), (3, 5))
    assert case.organs == ("kidney",)
    described["labels"]["tumor"] = [2, 3]
    (tmp_path / "Dataset005" / "dataset.json").write_text(json.dumps(described))
    with pytest.raises(BadInput, match=r"labels as \{NAME: 1\}"):
        read_cases(source)


def test_a_missing_file_is_named_before_any_training(task):
    folder = task(MSD)
    (folder / "labelsTr" / "liver_1.nii.gz").unlink()
    source = {"kind": "msd", "path": folder, "group": "abdomen", "label_map": {"cancer": "liver tumor"}}
    with pytest.raises(BadInput, match=r"1 missing: .*liver_1") as error:
        read_cases(source)
    assert error.value.kind == "not_found"
    assert [case.name for case in read_cases({**source, "leave_out": ["liver_1"]})] == ["liver_0"]


def test_exported_synthetic_cases_do_not_pass_for_real_ones(case_of, tmp_path):
    from freetumor.export import export

    export([case_of("liver")], "nnunet", tmp_path / "out")
    with pytest.raises(BadInput, match="an export of synthetic cases"):
        read_cases({"kind": "nnunet", "path": tmp_path / "out", "group": "abdomen"})


def test_case_folders_are_synthetic_and_belong_to_their_ct(case_of, inputs):
    folder = case_of("liver")
    (case,) = read_cases({"kind": "cases", "path": folder.parent, "names": ["liver"]})
    assert case.tumor_mask == folder / "tumor_mask.nii.gz"
    assert case.organs == ("liver",)
    original = Case("scan", "p", inputs.ct, None, "abdomen", (), False)
    assert set(fingerprints(case)) & set(fingerprints(original))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"kind": "msdd", "path": "x"}, "one of msd, nnunet, cases, list"),
        ({"kind": "msd", "pth": "x"}, "Did you mean path"),
        ({"kind": "msd"}, "a path"),
        ({"kind": "msd", "path": "nowhere", "group": "abdomen"}, "does not exist"),
        ({"kind": "list", "path": "x", "organs": "liver"}, "a list of names"),
    ],
)
def test_a_wrong_source_says_what_is_wrong(source, said):
    with pytest.raises(BadInput, match=said):
        read_cases(source)


def test_a_list_of_cases_keeps_licences_and_says_which_there_are(tmp_path, scan):
    scan("a.nii.gz", 1)
    scan("b.nii.gz", 2)
    entries = [
        {"name": "a", "ct": "a.nii.gz", "group": "chest", "licence": "CC-BY-4.0", "split": "val"},
        {"name": "b", "ct": "b.nii.gz", "group": "chest", "licence": "CC-BY-NC-4.0"},
    ]
    (tmp_path / "list.json").write_text(json.dumps(entries))
    source = {"kind": "list", "path": "list.json", "licences": ["CC-BY-4.0"]}
    (case,) = read_cases(source, tmp_path)
    assert (case.name, case.patient, case.split) == ("a", "a", "val")
    with pytest.raises(BadInput, match=r"licences: CC-BY-4.0, CC-BY-NC-4.0"):
        read_cases({**source, "licences": ["CC0"]}, tmp_path)
    entries[0]["labels"] = "b.nii.gz"
    (tmp_path / "list.json").write_text(json.dumps(entries))
    with pytest.raises(BadInput, match="organs that are labelled in a"):
        read_cases(source, tmp_path)


def test_the_catalogue_of_real_cts_is_read(shared):
    cases = read_cases({"kind": "list", "path": shared / "data" / "manifest.json", "group": "chest"})
    by_name = {case.name: case for case in cases}
    assert {case.group for case in cases} == {"chest"}
    assert by_name["lidc0050"].lesions_known
    assert not by_name["nlst101287"].lesions_known
    assert by_name["nlst101287"].organs == ("lung",)


def cases_of(paths: list[Path], **patients: str) -> list[Case]:
    return [
        Case(path.stem, patients.get(path.stem, path.stem), path, None, "chest", ("lung",), False)
        for path in paths
    ]


def test_the_same_scan_under_two_names_never_lies_on_two_sides(tmp_path, scan):
    paths = [scan(f"s{n}.nrrd", n) for n in range(10)]
    # Copies of the first scan: another format and number type, and its axes turned and flipped.
    original = Volume(
        np.random.default_rng(0).integers(-900, 300, (6, 7, 8)).astype(np.int16),
        Geometry((6, 7, 8), np.diag([-2.0, -2.0, 3.0, 1.0])),
    )
    other = scan("copy.nii.gz", 0, np.float32)
    turned = original.array[::-1].transpose(2, 1, 0)
    affine = np.zeros((4, 4))
    affine[0, 2], affine[1, 1], affine[2, 0], affine[3, 3] = -2.0, -2.0, -3.0, 1.0
    affine[:3, 3] = (11.0, -5.0, 15.0)
    flipped = Volume(np.ascontiguousarray(turned), Geometry(turned.shape, affine))
    assert content_fingerprint(flipped) == content_fingerprint(original)
    write_volume(flipped, tmp_path / "flipped.nii.gz")
    cases = cases_of([*paths, other, tmp_path / "flipped.nii.gz"])
    for seed in range(12):
        for division in ({"folds": 5}, {"fractions": {"train": 0.5, "val": 0.3, "test": 0.2}}):
            sides = split_cases(cases, seed=seed, **division)
            where = {case.name: side for side in SIDES for case in sides[side]}
            assert len({where["s0"], where["copy.nii"], where["flipped.nii"]}) == 1
            assert sum(map(len, sides.values())) == len(cases)


def test_all_scans_of_a_patient_stay_together_and_every_fold_validates_all(scan):
    paths = [scan(f"s{n}.nii.gz", n) for n in range(9)]
    cases = cases_of(paths, **{f"s{n}.nii": f"p{n // 2}" for n in range(9)})
    seen = []
    for fold in range(3):
        sides = split_cases(cases, folds=3, fold=fold, seed=1)
        assert not {c.patient for c in sides["train"]} & {c.patient for c in sides["val"]}
        seen += [case.name for case in sides["val"]]
    assert sorted(seen) == sorted(case.name for case in cases)
    # The order in which the cases come does not matter.
    again = split_cases(cases[::-1], folds=3, fold=2, seed=1)
    assert {c.name for c in again["val"]} == {c.name for c in sides["val"]}


def test_a_stated_side_holds_for_the_whole_patient_and_a_contradiction_is_refused(scan):
    paths = [scan(f"s{n}.nii.gz", n) for n in range(3)]
    cases = cases_of(paths, **{"s1.nii": "s0.nii"})
    cases[0] = replace(cases[0], split="test")
    sides = split_cases(cases)
    assert [case.name for case in sides["test"]] == ["s0.nii", "s1.nii"]
    assert [case.name for case in sides["train"]] == ["s2.nii"]
    with pytest.raises(BadInput, match=r"on several sides: .*s0.*s1") as error:
        split_cases([cases[0], replace(cases[1], split="train")])
    assert error.value.kind == "leak"


def test_fingerprints_are_kept_by_content_not_by_name(scan, tmp_path):
    path = scan("a.nii.gz", 0)
    (case,) = cases_of([path])
    before = fingerprints(case, tmp_path / "cache")
    assert fingerprints(case, tmp_path / "cache") == before == fingerprints(case)
    scan("a.nii.gz", 1)
    assert not set(fingerprints(case, tmp_path / "cache")) & set(before)
