"""Jobs: what a viewer, a terminal or a cluster starts as a process of its own."""

from __future__ import annotations

import json
import runpy
import shutil
import subprocess
import sys
import time
from pathlib import Path

import freetumor
import numpy as np
import pytest
from freetumor.jobs import LEASH, STOP, explained
from freetumor.volume import read_volume, write_volume
from phantom import Phantom

CORE = Path(freetumor.__file__).parent
SCRIPT = CORE.parent / "Scripts" / "freetumor-job.py"


def run_job(folder: Path, kind: str, parameters: dict, script: Path = SCRIPT):
    """All events, the exit code and what went to standard error."""
    (folder / "job.json").write_text(json.dumps({"kind": kind, "parameters": parameters}), "utf-8")
    ran = subprocess.run(
        [sys.executable, script, folder / "job.json"], capture_output=True, text=True, input="", timeout=120
    )
    return [json.loads(line) for line in ran.stdout.splitlines()], ran.returncode, ran.stderr


@pytest.fixture
def job_folder(phantom: Phantom, tmp_path: Path) -> Path:
    write_volume(phantom.ct, tmp_path / "ct.nii")
    write_volume(phantom.label_map("abdomen"), tmp_path / "labels.nii")
    return tmp_path


LIVER = {"ct": "ct.nii", "labels": "labels.nii", "organ": "liver", "request": {"diameter": 20.0, "seed": 3}}


def test_a_synthesis_hands_back_crops_that_pasted_give_exactly_the_case(job_folder, phantom):
    two = {**LIVER, "request": {"diameter": 12.0, "count": 2, "seed": 3}, "case": "case"}
    events, code, _ = run_job(job_folder, "synthesize", two)
    assert (code, events[-1]["event"]) == (0, "done")
    shares = [e["share"] for e in events if e["event"] == "progress"]
    assert shares == sorted(shares)
    assert len(shares) >= 4
    result = json.loads((job_folder / "result.json").read_text("utf-8"))
    assert result == events[-1]["result"]
    pasted, tumors = phantom.ct.array.copy(), np.zeros(phantom.ct.array.shape, np.uint8)
    for lesion in result["lesions"]:
        box = tuple(slice(a, b) for a, b in zip(lesion["box"]["start"], lesion["box"]["stop"], strict=True))
        pasted[box] = read_volume(job_folder / lesion["after"]).array
        tumors[box][read_volume(job_folder / lesion["mask"]).array > 0] = lesion["number"]
        assert lesion["record"]["verdict"]["passed"]
    assert np.array_equal(pasted, read_volume(job_folder / "case" / "ct.nii.gz").array)
    assert np.array_equal(tumors, read_volume(job_folder / "case" / "tumor_mask.nii.gz").array)
    assert result["provenance"]["synthetic"] is True


def test_a_drawn_mask_is_synthesized_where_it_was_drawn(job_folder, phantom):
    where = np.argwhere(phantom.organ("liver"))
    distance = np.linalg.norm((where - where.mean(axis=0)) * phantom.ct.geometry.spacing, axis=1)
    mask = np.zeros(phantom.ct.array.shape, np.uint8)
    mask[tuple(where[distance < 8].T)] = 1
    write_volume(phantom.ct.like(mask), job_folder / "mask.nii")
    drawn = {**LIVER, "request": {"gate": False}, "mask": "mask.nii"}
    events, code, _ = run_job(job_folder, "synthesize", drawn)
    assert code == 0, events[-1]
    (lesion,) = events[-1]["result"]["lesions"]
    assert lesion["record"]["got"]["voxels"] == mask.sum()


def test_a_case_is_not_written_of_other_inputs_than_those_that_were_shown(job_folder):
    events, _, _ = run_job(job_folder, "synthesize", LIVER)
    shown = events[-1]["result"]["provenance"]
    again = {**LIVER, "case": "case", "expected": shown}
    assert run_job(job_folder, "synthesize", again)[1] == 0
    shutil.rmtree(job_folder / "case")
    ct = read_volume(job_folder / "ct.nii")
    ct.array[0, 0, 0] += 1
    write_volume(ct, job_folder / "ct.nii")
    events, code, _ = run_job(job_folder, "synthesize", again)
    assert (code, events[-1]["kind"]) == (1, "input_changed")
    assert not (job_folder / "case").exists()


def test_lungs_are_labeled_without_any_label_map(phantom, tmp_path):
    write_volume(phantom.ct, tmp_path / "ct.nii")
    events, code, _ = run_job(tmp_path, "label-organs", {"ct": "ct.nii", "organ": "lung"})
    assert code == 0, events[-1]
    labels = read_volume(tmp_path / events[-1]["result"]["labels"]).array == events[-1]["result"]["value"]
    truth = phantom.organ("lung")
    assert 2 * (labels & truth).sum() / (labels.sum() + truth.sum()) > 0.9


def test_cases_are_exported_as_a_data_set(case_of, tmp_path):
    given = {"cases": [str(case_of("liver"))], "format": "nnunet", "out": "set"}
    events, code, _ = run_job(tmp_path, "export", given)
    assert code == 0, events[-1]
    assert (tmp_path / "set" / "dataset.json").is_file()


def test_a_stop_file_ends_the_job_and_leaves_no_result(job_folder):
    (job_folder / STOP).touch()
    events, code, _ = run_job(job_folder, "synthesize", LIVER)
    assert (code, events[-1]["event"], events[-1]["kind"]) == (1, "error", "stopped")
    assert not (job_folder / "result.json").exists()


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"organ": "spleen"}, "usage"),
        ({"ct": "none.nii"}, "not_found"),
        ({"labels": None}, "usage"),
        ({"request": {"size": 3}}, "usage"),
        ({"device": "abacus"}, "usage"),
        ({"request": {"diameter": 500.0}}, "usage"),
        ({"request": {"diameter": 150.0}}, "does_not_fit"),
    ],
)
def test_wrong_input_is_told_by_kind(job_folder, change, kind):
    events, code, _ = run_job(job_folder, "synthesize", {**LIVER, **change})
    assert (code, events[-1]["event"], events[-1]["kind"]) == (1, "error", kind)
    assert "expected" in events[-1]["message"]


DAMAGED = ["", "{", "[]", '{"kind": "sing", "parameters": {}}', '{"kind": "export"}']


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_job_file_is_told_as_wrong_usage(tmp_path, content):
    job = tmp_path / "job.json"
    job.write_text(content, "utf-8")
    ran = subprocess.run([sys.executable, SCRIPT, job], capture_output=True, text=True, input="")
    assert (ran.returncode, json.loads(ran.stdout)["kind"]) == (1, "usage")


def test_errors_that_are_not_ours_are_told_apart():
    memory = type("OutOfMemoryError", (RuntimeError,), {})
    kinds = [
        (MemoryError(), "out_of_memory"),
        (memory("CUDA out of memory"), "out_of_memory"),
        (ModuleNotFoundError("No module named 'torch'", name="torch"), "missing_package"),
        (ZeroDivisionError("x"), "crashed"),
        (PermissionError(13, "denied"), "os"),
    ]
    assert [explained(error)["kind"] for error, _ in kinds] == [kind for _, kind in kinds]
    assert "torch" in explained(kinds[2][0])["message"]


LABEL = '{"kind": "label-organs", "parameters": {"ct": "ct.nii", "organ": "%s"}}'


def flat(folder: Path) -> Path:
    """As an installed extension lies on disk: the folders of all modules in one."""
    shutil.copytree(CORE, folder / "freetumor", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "Scripts").mkdir()
    return Path(shutil.copy(SCRIPT, folder / "Scripts"))


def test_the_script_runs_from_a_flat_install_with_the_core_beside_it(phantom, tmp_path):
    script = flat(tmp_path / "installed with blanks and umlauts äö")
    folder = tmp_path / "job"
    folder.mkdir()
    write_volume(phantom.ct, folder / "ct.nii")
    (folder / "job.json").write_text(LABEL % "nose")
    # -S: without the site packages' link to the repository, but with its libraries
    paths = {str(Path(m.__file__).parents[1]) for m in (np, __import__("scipy"), __import__("SimpleITK"))}
    ran = subprocess.run(
        [sys.executable, "-S", script, folder / "job.json"],
        capture_output=True,
        text=True,
        input="",
        env={"PYTHONPATH": ":".join(paths)},
    )
    told = json.loads(ran.stdout.splitlines()[-1])
    assert told["kind"] == "usage", ran.stderr


def test_the_processes_that_a_job_starts_do_not_run_the_job_again():
    """As multiprocessing reads the script in each of them: it would end with the test if it ran."""
    runpy.run_path(str(SCRIPT), run_name="__mp_main__")


def test_a_job_ends_when_its_parent_is_gone(phantom, tmp_path):
    write_volume(phantom.ct, tmp_path / "ct.nii")
    (tmp_path / "job.json").write_text(LABEL % "lung")
    job = subprocess.Popen(
        [sys.executable, SCRIPT, tmp_path / "job.json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    job.stdin.write(LEASH + "\n")
    job.stdin.close()  # what the system does with the pipe of a dead parent
    started = time.monotonic()
    assert job.wait(timeout=60) == 1
    assert time.monotonic() - started < 60
    assert not (tmp_path / "result.json").exists()
