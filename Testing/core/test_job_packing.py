"""A job saved for another computer runs there: inputs come along, no path of this one stays in it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from freetumor.errors import BadInput
from freetumor.job_packing import pack_job, read_job
from freetumor.volume import write_volume


def write_job(folder: Path, kind: str, **parameters: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "job.json").write_text(json.dumps({"kind": kind, "parameters": parameters}), "utf-8")
    return folder / "job.json"


def test_a_packed_job_runs_elsewhere_without_its_source(tmp_path, phantom):
    source = tmp_path / "here"
    source.mkdir()
    write_volume(phantom.ct, source / "ct.nii")
    job = write_job(source, "label-organs", ct="ct.nii", organ="lung", out="labels.nii")
    packed = pack_job(job, tmp_path / "saved ü" / "lungs")
    shutil.rmtree(source)
    moved = packed.rename(tmp_path / "elsewhere")
    done = subprocess.run(
        [sys.executable, "-m", "freetumor.jobs", "job.json"],
        cwd=moved, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert (moved / "labels.nii").is_file()
    assert "python -m freetumor.jobs job.json" in (moved / "README.txt").read_text("utf-8")


def test_inputs_of_one_name_stay_apart_and_cases_keep_theirs(tmp_path):
    for group in ("a", "b"):
        (tmp_path / group / "case1").mkdir(parents=True)
        (tmp_path / group / "case1" / "labels.nii.gz").write_text(group)
    cases = [str(tmp_path / group / "case1") for group in ("a", "b")]
    job = write_job(
        tmp_path / "job", "export", cases=cases, format="msd", out=str(tmp_path / "set" / "Task1")
    )
    packed = pack_job(job, tmp_path / "packed")
    parameters = read_job(packed / "job.json")["parameters"]
    assert parameters["out"] == "outputs/Task1"
    assert [Path(case).name for case in parameters["cases"]] == ["case1", "case1"]
    told = [(packed / case / "labels.nii.gz").read_text() for case in parameters["cases"]]
    assert told == ["a", "b"]
    assert str(tmp_path) not in (packed / "job.json").read_text("utf-8")


def test_nothing_is_overwritten_and_nothing_half_packed_stays(tmp_path, monkeypatch):
    job = write_job(tmp_path / "job", "label-organs", ct="ct.nii", organ="lung")
    (tmp_path / "job" / "ct.nii").write_text("x")
    (tmp_path / "taken").mkdir()
    with pytest.raises(BadInput) as refused:
        pack_job(job, tmp_path / "taken")
    assert refused.value.kind == "exists"

    def broken(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(shutil, "copy2", broken)
    with pytest.raises(OSError, match="Input/output"):
        pack_job(job, tmp_path / "new")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["job", "taken"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("job.json", "{"),
        ("job.json", "[]"),
        ("job.json", '{"kind": "tea", "parameters": {}}'),
        ("job.json", '{"kind": "export", "parameters": 3}'),
        ("other.json", '{"kind": "export", "parameters": {}}'),
    ],
)
def test_what_is_no_job_is_refused(tmp_path, name, text):
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(BadInput) as refused:
        read_job(tmp_path / name)
    assert refused.value.kind == "bad_job"
