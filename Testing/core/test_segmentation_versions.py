"""Versions of a pseudo-label: nothing is ever overwritten or lost; cases one after the other."""

from __future__ import annotations

import json
import multiprocessing
import os
import stat
from pathlib import Path

import numpy as np
import pytest
from freetumor.errors import BadInput, OutputError
from freetumor.segmentation import CaseList, PseudoLabel
from freetumor.volume import Geometry, Volume, read_volume, write_volume

GRID = Geometry((6, 7, 8), np.diag([-1.0, -1.0, 2.5, 1.0]))


def label_map(value: int) -> Volume:
    return Volume(np.full(GRID.shape, value, np.uint8), GRID)


def make_case(folder: Path, provenance: dict | None = None) -> Path:
    folder.mkdir(parents=True)
    write_volume(Volume(np.zeros(GRID.shape, np.int16), GRID), folder / "ct.nii.gz")
    write_volume(label_map(1), folder / "labels.nii.gz")
    if provenance is not None:
        (folder / "provenance.json").write_text(json.dumps(provenance), "utf-8")
    return folder


@pytest.fixture
def case(tmp_path) -> Path:
    return make_case(tmp_path / "Fall 7 ü")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_correction_becomes_the_next_version_and_the_original_stays_byte_for_byte(case):
    before = (case / "labels.nii.gz").read_bytes()
    label = PseudoLabel(case)
    first = label.save(label_map(2), author="Ada", comment=" border too wide ")
    second = label.save(label_map(3), author="Bo")
    assert [v.name for v in label.versions()] == ["original", "v01", "v02"]
    assert (first.path.name, second.path.name) == ("labels_v01.nii.gz", "labels_v02.nii.gz")
    assert (first.author, first.comment, first.based_on, second.based_on) == ("Ada", "border too wide", 0, 1)
    assert (case / "labels.nii.gz").read_bytes() == before
    assert [int(label.read(n).array[0, 0, 0]) for n in (0, 1, 2)] == [1, 2, 3]


def test_a_correction_whose_slices_come_in_another_order_is_saved_in_the_originals(case):
    # Slicer turns left-handed grids round when it reads a scene.
    array = np.arange(np.prod(GRID.shape), dtype=np.uint16).reshape(GRID.shape) % 251
    turned = GRID.affine.copy()
    turned[:3, 3] += turned[:3, 2] * (GRID.shape[0] - 1)
    turned[:3, 2] *= -1
    other = Volume(array[::-1].astype(np.uint8), Geometry(GRID.shape, turned))
    version = PseudoLabel(case).save(other, author="Ada")
    saved = read_volume(version.path)
    assert saved.geometry.same_grid(GRID)
    assert np.array_equal(saved.array, array)


def test_original_and_versions_are_read_only_files(case):
    version = PseudoLabel(case).save(label_map(2), author="Ada")
    assert not mode(case / "labels.nii.gz") & 0o222
    assert not mode(version.path) & 0o222


def test_merely_looking_at_a_case_changes_nothing_in_it(case):
    before = {p.name: (p.stat().st_mtime_ns, mode(p)) for p in case.iterdir()}
    label = PseudoLabel(case)
    assert (label.latest().name, label.latest().status) == ("original", "open")
    label.read(0)
    assert {p.name: (p.stat().st_mtime_ns, mode(p)) for p in case.iterdir()} == before


def test_reviews_are_added_and_the_last_one_is_the_status(case):
    label = PseudoLabel(case)
    label.save(label_map(2), author="Ada")
    label.review(1, "flagged", author="Bo", comment="vessel, no tumor")
    label.review(1, "approved", author="Cy")
    version = PseudoLabel(case).version(1)
    assert version.status == "approved"
    assert [(r.status, r.author, r.comment) for r in version.reviews] == [
        ("flagged", "Bo", "vessel, no tumor"),
        ("approved", "Cy", ""),
    ]
    assert (version.author, PseudoLabel(case).version(0).status) == ("Ada", "open")


def test_the_original_can_be_approved_as_it_is(case):
    PseudoLabel(case).review(0, "approved", author="Ada")
    assert [v.status for v in PseudoLabel(case).versions()] == ["approved"]


def test_a_version_can_be_based_on_an_older_one(case):
    label = PseudoLabel(case)
    label.save(label_map(2), author="Ada")
    assert label.save(label_map(3), author="Bo", based_on=0).based_on == 0


def test_a_file_changed_behind_the_back_is_not_taken_for_the_version(case):
    label = PseudoLabel(case)
    version = label.save(label_map(2), author="Ada")
    version.path.chmod(0o644)
    write_volume(label_map(9), version.path)
    with pytest.raises(BadInput) as refused:
        label.read(1)
    assert refused.value.kind == "changed"


def test_what_a_killed_process_left_is_no_version_and_its_number_is_not_reused(case):
    write_volume(label_map(9), case / "labels_v01.nii.gz")
    label = PseudoLabel(case)
    assert [v.name for v in label.versions()] == ["original"]
    assert label.save(label_map(2), author="Ada").name == "v02"
    assert (read_volume(case / "labels_v01.nii.gz").array == 9).all()


def save_some(case: Path, author: str) -> None:
    for value in range(4):
        PseudoLabel(case).save(label_map(value), author=author)


def test_two_people_who_save_at_once_both_keep_their_work(case):
    context = multiprocessing.get_context("spawn")
    people = [context.Process(target=save_some, args=(case, name)) for name in ("Ada", "Bo")]
    for person in people:
        person.start()
    for person in people:
        person.join()
    versions = PseudoLabel(case).versions()[1:]
    assert [v.number for v in versions] == list(range(1, 9))
    assert sorted(v.author for v in versions) == ["Ada"] * 4 + ["Bo"] * 4
    assert not [p.name for p in case.iterdir() if p.name.startswith(".")]


def test_a_file_system_without_hard_links_keeps_the_same_promise(case, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    label = PseudoLabel(case)
    label.save(label_map(2), author="Ada")
    version = label.save(label_map(3), author="Ada")
    assert (version.name, int(label.read(2).array[0, 0, 0])) == ("v02", 3)
    assert not mode(version.path) & 0o222


def test_a_full_disk_leaves_nothing_behind(case, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    label = PseudoLabel(case)
    label.review(0, "open", author="Ada")
    before = sorted(p.name for p in case.iterdir())
    monkeypatch.setattr("freetumor.segmentation.versions.write_json", full)
    with pytest.raises(OutputError):
        label.save(label_map(2), author="Ada")
    assert sorted(p.name for p in case.iterdir()) == before


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (lambda label: label.save(label_map(2), author="  "), "no_author"),
        (lambda label: label.save(label_map(2), author="Ada", based_on=4), "no_such_version"),
        (lambda label: label.review(0, "approved", author=""), "no_author"),
        (lambda label: label.review(0, "flagged", author="Ada"), "usage"),
        (lambda label: label.review(0, "perfect", author="Ada"), "usage"),
        (lambda label: label.review(3, "approved", author="Ada"), "no_such_version"),
        (lambda label: label.read(3), "no_such_version"),
    ],
)
def test_what_is_missing_is_said_and_nothing_is_written(case, act, kind):
    with pytest.raises(BadInput) as refused:
        act(PseudoLabel(case))
    assert refused.value.kind == kind
    assert len(PseudoLabel(case).versions()) == 1


def test_a_correction_on_another_grid_is_refused(case):
    other = Volume(np.zeros((2, 7, 8), np.uint8), Geometry((2, 7, 8), GRID.affine))
    with pytest.raises(BadInput) as refused:
        PseudoLabel(case).save(other, author="Ada")
    assert refused.value.kind == "grid_mismatch"


def test_a_damaged_record_is_named(case):
    PseudoLabel(case).save(label_map(2), author="Ada")
    (case / "labels_v01.json").write_text("{", "utf-8")
    with pytest.raises(BadInput, match=r"labels_v01\.json"):
        PseudoLabel(case).versions()


def test_cases_come_in_natural_order_and_the_cursor_stays_at_the_ends(tmp_path):
    for name in ("case10", "case2", "case1"):
        make_case(tmp_path / name)
    (tmp_path / "notes").mkdir()
    cases = CaseList(tmp_path)
    assert [c.name for c in cases.cases] == ["case1", "case2", "case10"]
    assert cases.previous() is None
    assert [cases.next().name, cases.next().name] == ["case2", "case10"]
    assert cases.next() is None
    assert (cases.current.name, cases.go(0).name, len(cases)) == ("case10", "case1", 3)


def test_the_next_open_case_is_the_next_that_nobody_judged(tmp_path):
    for name in ("a", "b", "c"):
        make_case(tmp_path / name)
    cases = CaseList(tmp_path)
    PseudoLabel(tmp_path / "b").review(0, "approved", author="Ada")
    assert cases.next_open().name == "c"
    assert cases.next_open().name == "a"
    for name in ("a", "c"):
        PseudoLabel(tmp_path / name).review(0, "flagged", author="Ada", comment="shifted")
    assert cases.next_open() is None


def test_a_case_knows_its_organ_by_its_provenance(tmp_path):
    make_case(tmp_path / "synthetic", {"organ": "pancreas"})
    make_case(tmp_path / "real")
    real, synthetic = CaseList(tmp_path).cases
    assert (real.organ, synthetic.organ) == (None, "pancreas")
    assert synthetic.ct.is_file()


@pytest.mark.parametrize(("folder", "kind"), [("nowhere", "not_a_folder"), ("", "no_cases")])
def test_a_folder_without_cases_is_refused(tmp_path, folder, kind):
    with pytest.raises(BadInput) as refused:
        CaseList(tmp_path / folder)
    assert refused.value.kind == kind
