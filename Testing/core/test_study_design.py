"""A study made of files: what its folder and its key hold, and what is refused."""

from __future__ import annotations

import json
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from freetumor.errors import BadInput
from freetumor.study import read_key, read_study
from freetumor.study.design import Design, new_study
from freetumor.study.key import default_key_path
from freetumor.volume import read_volume, write_volume
from runs import command, contents, tree, write_dicom
from study_pools import PATIENT, ROW, Pool, Scan, write_pool

DESIGN = Design(organs=("lung",), readers=2, seed=5, training=1, pairs=1, repeats=0.3)
TODAY = "2025-03-09"


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Pool:
    """Six scans with a real lesion, in five of which a synthetic one was put at a like place."""
    scans = [Scan(n, 17.0 + n, 17.0 + n if n else None, mirrored=True) for n in range(6)]
    return write_pool(tmp_path_factory.mktemp("pool"), scans)


@pytest.fixture(scope="module")
def study(pool: Pool, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("studies") / "study"
    new_study([pool.real], [pool.synthetic], DESIGN, folder, today=TODAY)
    return folder


def read(folder: Path):
    made = read_study(folder)
    return made, read_key(default_key_path(folder), made)


def voxels(case) -> tuple[np.ndarray, np.ndarray]:
    """The CT of a case, and the voxel that its place names."""
    volume = read_volume(case.file)
    index = volume.geometry.ras_to_index(np.array(case.center_ras_mm))
    assert np.abs(index - np.rint(index)).max() < 0.01
    return volume, np.rint(index).astype(int)


def test_blocks_and_repeats_are_those_asked_for(study):
    made, key = read(study)
    assert len(made.cases) == 9
    assert made.readers == ("reader-01", "reader-02")
    for reader in made.readers:
        order = made.order(reader)
        blocks = [block for block, _ in order]
        assert blocks == sorted(blocks, key=("training", "main", "pairs").index)
        assert [blocks.count(block) for block in ("training", "main", "pairs")] == [1, 8, 1]
        shown = [one.cases[0] for block, one in order if block == "main"]
        roles = {case for case, facts in key.cases.items() if facts.role == "main"}
        assert set(shown) == roles
        assert len(key.repeats[reader]) == 2
        for presentation, case in key.repeats[reader].items():
            place = next(n for n, (_, one) in enumerate(order) if one.id == presentation)
            assert order[place][1].cases == (case,)
            assert case in [one.cases[0] for _, one in order[:place]]
    assert made.orders["reader-01"] != made.orders["reader-02"]


def test_the_place_named_is_the_lesion_of_its_class_and_size(study):
    made, key = read(study)
    for case in made.cases.values():
        volume, index = voxels(case)
        assert volume.array.dtype == np.int16
        assert volume.array[tuple(index)] > -500, case
        known = key.cases[case.id]
        assert known.diameter_mm / 2 <= case.radius_mm <= 1.5 * known.diameter_mm
        assert case.radius_mm % 5 == 0
        assert known.patient.startswith(PATIENT)
    mains = [known for known in key.cases.values() if known.role == "main"]
    assert sum(known.synthetic for known in mains) == len(mains) / 2
    for known in mains:
        partner = key.cases[known.match]
        assert partner.synthetic != known.synthetic
        assert 1 / 1.4 <= partner.diameter_mm / known.diameter_mm <= 1.4


def test_a_case_shows_the_voxels_of_its_scan(study, pool):
    made, key = read(study)
    for case in made.cases.values():
        volume, _ = voxels(case)
        number = int(key.cases[case.id].patient[-2:])
        source = read_volume(
            pool.synthetic / f"okapi-{number:02d}" / "ct.nii.gz" if number else real_ct(pool, 0)
        )
        view = source.array[:, ::-1, ::-1]  # the phantom's axes run to the left and to the back
        size = volume.array.shape
        found = [
            start
            for start in np.argwhere(view == volume.array[0, 0, 0])
            if all(s + n <= m for s, n, m in zip(start, size, view.shape, strict=True))
            and np.array_equal(
                view[tuple(slice(s, s + n) for s, n in zip(start, size, strict=True))], volume.array
            )
        ]
        assert found, case
        assert volume.geometry.spacing == pytest.approx(source.geometry.spacing, abs=1e-3)


def real_ct(pool: Pool, number: int) -> Path:
    return pool.real.parent / json.loads(pool.real.read_text("utf-8"))[number]["ct"]


def test_the_same_seed_gives_the_same_bytes_and_another_one_another_study(study, pool, tmp_path):
    new_study([pool.real], [pool.synthetic], DESIGN, tmp_path / "again", today=TODAY)
    assert contents(tmp_path / "again") == contents(study)
    assert default_key_path(tmp_path / "again").read_bytes() == default_key_path(study).read_bytes()
    other = Design(organs=("lung",), readers=1, seed=6)
    new_study([pool.real], [pool.synthetic], other, tmp_path / "other", today=TODAY)
    assert not set(read_study(tmp_path / "other").cases) & set(read_study(study).cases)


def test_ids_cannot_be_drawn_again_from_the_seed_alone(study, pool, tmp_path):
    listed = json.loads(pool.real.read_text("utf-8"))
    fewer = pool.real.with_name("fewer.json")
    fewer.write_text(json.dumps(listed[1:]), "utf-8")
    new_study([fewer], [pool.synthetic], DESIGN, tmp_path / "fewer", today=TODAY)
    assert not set(read_study(tmp_path / "fewer").cases) & set(read_study(study).cases)


def test_the_key_is_for_its_owner_only_and_for_no_other_study(study, tmp_path):
    path = default_key_path(study)
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    changed = tmp_path / "changed.key.json"
    changed.write_text(path.read_text("utf-8").replace("true", "false", 1), "utf-8")
    with pytest.raises(BadInput, match="changed since"):
        read_key(changed, read_study(study))
    with pytest.raises(BadInput, match="--key") as error:
        read_key(tmp_path / "none.json")
    assert error.value.kind == "no_key"


def test_what_was_not_shown_is_in_the_key_with_its_reason(study):
    _, key = read(study)
    assert key.unmatched
    assert all(set(entry) == {"what", "why"} and entry["why"] for entry in key.unmatched)
    assert {row["covariate"] for row in key.balance} >= {"diameter", "noise", "lung in view"}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda s: s.pop("orders"), "orders"),
        (lambda s: s["cases"][min(s["cases"])].update(file="../../etc/passwd"), "file"),
        (lambda s: s["cases"][min(s["cases"])].update(radius_mm=-1), "radius_mm"),
        (lambda s: s["orders"]["reader-01"]["main"][0].update(cases=["ffff"]), "no such case"),
        (lambda s: s.update(readers=["../reader"]), "reader"),
        (lambda s: s.update(format=2), "format"),
        (lambda s: s.update(positive="real"), "positive"),
    ],
)
def test_a_damaged_study_is_told_in_words(study, tmp_path, change: Callable, word: str):
    folder = tmp_path / "copy"
    shutil.copytree(study, folder)
    content = json.loads((folder / "study.json").read_text("utf-8"))
    change(content)
    (folder / "study.json").write_text(json.dumps(content), "utf-8")
    with pytest.raises(BadInput, match=word):
        read_study(folder)


def test_no_study_and_no_reader_are_told(study, tmp_path):
    with pytest.raises(BadInput, match=r"study\.json"):
        read_study(tmp_path)
    with pytest.raises(BadInput, match="reader-01, reader-02"):
        read_study(study).order("reader-09")


def test_the_command_makes_a_study_and_says_what_was_not_shown(pool, tmp_path):
    out, key = tmp_path / "study", tmp_path / "keys" / "secret.json"
    said = command(
        "study", "new", "--real", pool.real, "--synthetic", pool.synthetic, "--organs", "lung",
        "--readers", 1, "--training", 0, "--cases", 4, "--key", key, "--time-limit", 60, "--out", out,
        "--json",
    )  # fmt: skip
    assert said.code == 0, said
    assert said.json["blocks"] == {"training": 0, "main": 4, "pairs": 0}
    assert any("lung: only 2 pairs" in warning for warning in said.json["warnings"])
    assert any("more than the cases asked for" in entry["why"] for entry in said.json["unmatched"])
    made = read_study(out)
    assert made.time_limit_s == 60
    assert len(read_key(key, made).cases) == 4
    assert not default_key_path(out).exists()


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        (("--pairs", "9"), "too_few"),
        (("--cases", "2"), "usage"),
        (("--repeats", "0.9"), "usage"),
        (("--organs", "lung,spleen"), "usage"),
        (("--key", "study/inside.json"), "usage"),
        (("--real", "nowhere"), "not_found"),
    ],
)
def test_what_cannot_be_made_is_refused_and_leaves_nothing(pool, tmp_path, monkeypatch, options, kind):
    monkeypatch.chdir(tmp_path)
    usual = {
        "--real": pool.real,
        "--synthetic": pool.synthetic,
        "--organs": "lung",
        "--readers": 1,
        "--out": "study",
    }
    given = [word for item in (usual | dict([options])).items() for word in item]
    said = command("study", "new", *given, "--json")
    assert (said.code, said.json["kind"]) == (2, kind), said
    assert tree(tmp_path) == []


def test_real_and_synthetic_cases_are_not_mixed_up(pool, tmp_path):
    with pytest.raises(BadInput, match="a synthetic case") as error:
        new_study([pool.synthetic], [pool.synthetic], DESIGN, tmp_path / "study")
    assert error.value.kind == "mixed_up"


def test_real_scans_may_be_dicom_and_one_that_is_broken_is_left_out(pool, tmp_path):
    """The synthetic cases of these scans are NIfTI: that they are the same scans is told by their content."""
    listed = json.loads(pool.real.read_text("utf-8"))
    for number, case in enumerate(listed):
        volume = read_volume(pool.real.parent / case["ct"])
        case["labels"] = str(pool.real.parent / case["labels"])
        if number == 0:
            write_volume(volume.like(np.zeros_like(volume.array)), tmp_path / "empty.nii.gz")
            case["ct"] = str(tmp_path / "empty.nii.gz")
        else:
            case["ct"] = str(write_dicom(volume, tmp_path / f"dicom-{number}", uid=f"1.2.{number}"))
    (tmp_path / "list.json").write_text(json.dumps(listed), "utf-8")
    design = Design(organs=("lung",), readers=1, training=0)
    made = new_study([tmp_path / "list.json"], [pool.synthetic], design, tmp_path / "study")
    assert listed[0]["name"] in " ".join(made.warnings)
    _, key = read(tmp_path / "study")
    patients = [known.patient for known in key.cases.values()]
    # A scan with another patient's name than the real one's was not recognised.
    assert set(patients) == {case["patient"] for case in listed[1:]}
    assert all(patients.count(patient) == 2 for patient in patients)


def test_case_folders_of_real_scans_say_whose_lesions_they_hold(pool, tmp_path):
    for case in json.loads(pool.real.read_text("utf-8"))[1:3]:
        shutil.copytree(pool.real.parent / case["name"], tmp_path / "real" / case["name"])
    design = Design(organs=("lung", "liver"), readers=1, training=0)
    named = f"{ROW.name}={tmp_path / 'real'}"
    made = new_study([named], [pool.synthetic], design, tmp_path / "study")
    assert made.blocks["main"] == 4
