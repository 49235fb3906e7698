"""Requests that ask for networks: what cannot be is said at once; jobs show what they save."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from freetumor import jobs
from freetumor.errors import BadInput
from freetumor.job import Job, run
from freetumor.models import NetworkSpec
from freetumor.nets.devices import Device
from freetumor.request import Request
from freetumor.synthesis import Style
from freetumor.volume import read_volume, write_volume
from made_models import made_model
from networks_seen import COARSE, small_generators


@pytest.fixture(scope="module")
def ours(tmp_path_factory) -> dict[str, str]:
    return small_generators(tmp_path_factory.mktemp("models"))


@pytest.mark.parametrize(
    ("asked", "kind", "words"),
    [
        ({"engine": "learned"}, "no_model", "models import"),
        ({"engine": "released"}, "no_model", "procedural"),
        ({"engine": "learned", "model": "nobody"}, "no_model", "nobody"),
        ({"engine": "learned", "model": "CHEST"}, "wrong_organ", "liver"),
        ({"engine": "released", "model": "OURS"}, "wrong_engine", "--engine learned"),
        ({"engine": "learned", "model": "OURS", "style": Style(rim=True)}, "usage", "rim"),
        ({"engine": "released", "model": "OURS", "style": Style(core=False)}, "usage", "core"),
        ({"model": "OURS"}, "usage", "runs no model"),
        ({"device": "abacus"}, "usage", "abacus"),
        ({"device": "cuda"}, "usage", "--device"),
        ({"engine": "learned", "model": "OURS", "backend": "abacus"}, "usage", "abacus"),
    ],
)
def test_what_cannot_be_is_said_before_the_ct_is_read(ours, tmp_path, monkeypatch, asked, kind, words):
    monkeypatch.setenv("FREETUMOR_MODELS", str(tmp_path / "store"))
    names = {"OURS": ours["abdomen"], "CHEST": ours["chest"]}
    if "model" in asked:
        asked = asked | {"model": names.get(asked["model"], asked["model"])}
    with pytest.raises(BadInput, match=words) as caught:
        run(Job(tmp_path / "no-such-ct.nii", "liver", tmp_path / "out", request=Request(**asked)))
    assert caught.value.kind == kind


def test_a_gpu_that_is_not_there_is_said_before_the_ct_is_read(ours, tmp_path, monkeypatch):
    monkeypatch.setattr("freetumor.nets.devices.gpu", lambda: Device("cpu", "CPU. There is no GPU."))
    request = Request(engine="learned", model=ours["abdomen"], device="cuda")
    with pytest.raises(BadInput, match="There is no GPU") as caught:
        run(Job(tmp_path / "no-such-ct.nii", "liver", tmp_path / "out", request=request))
    assert caught.value.kind == "no_gpu"


# As a job


def run_job(folder: Path, parameters: dict) -> list[dict]:
    (folder / "job.json").write_text(json.dumps({"kind": "synthesize", "parameters": parameters}), "utf-8")
    out = io.StringIO()
    jobs.run(folder / "job.json", out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


@pytest.fixture
def job_folder(phantom, tmp_path) -> Path:
    write_volume(phantom.ct, tmp_path / "ct.nii")
    write_volume(phantom.label_map("abdomen"), tmp_path / "labels.nii")
    return tmp_path


def test_what_a_job_showed_is_what_it_saves_as_a_case(job_folder, ours):
    request = {
        "engine": "learned", "model": ours["abdomen"], "diameter": 20.0, "gate": False, "backend": "torch",
    }  # fmt: skip
    job = {"ct": "ct.nii", "labels": "labels.nii", "organ": "liver", "request": request, "device": "cpu"}
    shown = run_job(job_folder, job)[-1]["result"]
    assert shown["provenance"]["request"]["device"] == "cpu"
    saved = run_job(job_folder, {**job, "case": "case", "expected": shown["provenance"]})[-1]
    assert saved["event"] == "done", saved
    assert json.loads((job_folder / "case" / "provenance.json").read_text("utf-8")) == shown["provenance"]
    box = shown["lesions"][0]["box"]
    part = tuple(slice(a, b) for a, b in zip(box["start"], box["stop"], strict=True))
    after = read_volume(job_folder / shown["lesions"][0]["after"]).array
    assert np.array_equal(read_volume(job_folder / "case" / "ct.nii.gz").array[part], after)


def test_a_job_without_a_model_ends_before_it_reads(tmp_path, monkeypatch):
    monkeypatch.setenv("FREETUMOR_MODELS", str(tmp_path / "store"))
    job = {"ct": "none.nii", "labels": "none.nii", "organ": "liver", "request": {"engine": "learned"}}
    (said,) = run_job(tmp_path, job)
    assert (said["event"], said["kind"]) == ("error", "no_model")


def test_only_an_engine_without_a_network_leaves_the_gpu_unused(job_folder):
    job = {"ct": "ct.nii", "labels": "labels.nii", "organ": "liver", "device": "cuda"}
    events = run_job(job_folder, {**job, "request": {"diameter": 20.0}})
    assert [e["message"] for e in events if e["event"] == "warning"] == [
        "engine procedural computes on the CPU; the GPU is not used"
    ]
    assert events[-1]["event"] == "done"


def test_a_judge_that_is_not_independent_is_said_and_recorded(job_folder, tmp_path):
    parts = {
        "generator": NetworkSpec("conditional-unet", {"features": [4, 8]}),
        "segmenter": NetworkSpec("voxelwise", {"classes": [0, 1, 2]}),
    }
    both = made_model(tmp_path / "models", "abdomen", parts, name="both", **COARSE)
    request = {
        "engine": "learned", "model": str(both.folder), "judges": ["model-free", "learned"],
        "judge_model": str(both.folder), "diameter": 20.0, "gate": False, "backend": "torch",
    }  # fmt: skip
    job = {"ct": "ct.nii", "labels": "labels.nii", "organ": "liver", "request": request}
    events = run_job(job_folder, job)
    (warning,) = [e["message"] for e in events if e["event"] == "warning"]
    assert "not independent" in warning
    assert events[-1]["result"]["provenance"]["judges"][1]["independent"] is False
