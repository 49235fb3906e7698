"""``freetumor benchmark``: the naive schedule it compares with, its workers, and its table."""

from __future__ import annotations

import importlib.metadata
import json
import os
from contextlib import ExitStack

import numpy as np
import pytest
from freetumor import benchmark
from freetumor.benchmark import baseline, entrants, run, subjects
from freetumor.benchmark.machine import processors
from freetumor.benchmark.worker import Turn, Worker, WorkerFailed, surroundings
from freetumor.models import NetworkSpec
from runs import command

SEGMENTER = NetworkSpec("light-unet", {"features": [2, 2, 2, 2, 2]})
TINY = benchmark.Case(
    ct_shape=(36, 40, 56),
    organ_shape=(20, 36, 44),
    spacing=3.0,
    diameter=15.0,
    window=32,
    small=16,
    part_shape=(32, 32, 40),
    models={
        "released-generator": ("generator", NetworkSpec("released-unet", {"out_channels": 3})),
        "released-segmenter": ("segmenter", SEGMENTER),
        "light-generator": ("generator", NetworkSpec("conditional-unet", {"features": [2, 4]})),
        "light-segmenter": ("segmenter", SEGMENTER),
    },
)


def test_the_made_up_ct_has_a_liver_of_the_asked_box_with_the_lesion_s_place_in_its_middle():
    ct, labels = TINY.ct()
    box = TINY.organ_box
    assert box.shape == TINY.organ_shape
    outside = labels.labels.array.copy()
    outside[box.slices] = 0
    assert not outside.any()
    inside = labels.mask(box)
    for axis in range(3):
        line = inside.any(axis=tuple(a for a in range(3) if a != axis))
        assert line[0]
        assert line[-1]
    assert np.abs(ct.geometry.ras_to_index(np.zeros(3)) - (np.array(TINY.ct_shape) - 1) / 2).max() < 1e-6
    again, _ = TINY.ct()
    assert ct.fingerprint() == again.fingerprint()


HELD = 400 * 2**20


def counting(start):
    """A subject for the worker: gets ready, then adds."""
    total = start
    while True:
        what = yield total
        if what == "hold":
            held = np.ones(HELD, np.uint8)
            what = int(held[0])
        if what == "fail":
            raise ValueError("no such thing")
        if what == "end":
            raise SystemExit(3)
        total += what


def threads_said():
    yield os.environ["OMP_NUM_THREADS"]


def test_a_worker_takes_turns_and_tells_what_they_took():
    worker = Worker(counting, 5)
    try:
        assert worker.turn().value == 5
        turn = worker.turn(2)
        assert turn.value == 7
        assert 0 <= turn.seconds < 60
        holding = worker.turn("hold")
        if turn.peak_bytes is not None:
            assert turn.peak_bytes < holding.peak_bytes - 0.5 * HELD
            assert holding.peak_bytes > HELD
        with pytest.raises(WorkerFailed, match="ValueError: no such thing"):
            worker.turn("fail")
    finally:
        worker.close()


def test_a_worker_that_is_ended_is_said_to_be():
    worker = Worker(counting, 0)
    worker.turn()
    with pytest.raises(WorkerFailed, match="its process ended"):
        worker.turn("end")
    worker.close()


def test_workers_get_the_threads_and_the_environment_is_left_as_it_was(monkeypatch, tmp_path):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("FREETUMOR_CACHE", raising=False)
    before = dict(os.environ)
    with surroundings(7, tmp_path):
        worker = Worker(threads_said)
        assert os.environ["FREETUMOR_CACHE"] == str(tmp_path)
    try:
        assert worker.turn().value == "7"
    finally:
        worker.close()
    assert dict(os.environ) == before


class Here:
    """A worker that runs in this process: what it takes is told by `seconds`, one for each turn in order."""

    failing = ()

    def __init__(self, subject, case, folder, *arguments):
        self.name = (subject.__name__, *arguments)
        self.running = subject(case, folder, *arguments)

    def turn(self, what=None):
        if self.name[-1] in self.failing:
            raise WorkerFailed("it is not for here", kind="worker_failed")
        return Turn(self.running.send(what), 2.0, 3.0, 2**30)

    def close(self):
        self.running.close()


def in_this_process(patch):
    """The benchmark of tiny networks, in this process, with a backend that is there and one that is not."""
    patch.setattr(entrants, "Worker", Here)
    patch.setattr(run, "Case", lambda: TINY)
    patch.setattr(run, "BACKENDS", ("torch", "openvino"))
    patch.setattr(run, "SLOW_BACKENDS", ())
    patch.setattr(Here, "failing", ("openvino",))


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    """What the command said in its quick mode, and the file that it wrote."""
    out = tmp_path_factory.mktemp("benchmark") / "speed.json"
    with pytest.MonkeyPatch.context() as patch:
        in_this_process(patch)
        said = command("benchmark", "--json", "--threads", "1", "--out", out)
    assert said.code == 0, said
    return said.json, json.loads(out.read_text("utf-8"))


def rows_of(said):
    return {(row["section"].split(",")[-1].strip(), row["name"]): row for row in said["rows"]}


def test_the_command_tells_seconds_ratios_memory_agreement_and_what_was_extrapolated(once):
    result, written = once
    assert written == result
    assert result["machine"]["threads"] == 1
    assert result["machine"]["processors"] == processors()
    assert result["machine"]["versions"]["torch"] == importlib.metadata.version("torch")
    rows = rows_of(result)
    assert len(rows) == 8
    naive, ours = (
        rows["released networks", "naive schedule, float32"],
        rows["released networks", "ours, torch"],
    )
    # 6 windows for each network, 4 of which ran in one turn of 2 s.
    assert naive["seconds"] == pytest.approx(2 * 2.0 * 6 / 4)
    assert "4 of 6 windows (generator)" in naive["extrapolated"]
    assert (ours["seconds"], ours["runs"], ours["extrapolated"]) == (2.0, 3, "")
    assert ours["faster"] == pytest.approx(naive["seconds"] / 2.0)
    assert ours["agreement"] == 1.0
    assert ours["difference"] < 1e-4
    assert ours["peak_bytes"] == 2**30
    assert "1 look of the judge" in ours["note"]
    assert not any("32³" in name for _, name in rows)  # that is for --full
    assert rows["light networks", "ours, auto"]["seconds"] == 2.0
    missing = rows["released networks", "ours, openvino"]
    assert missing["seconds"] is None
    assert "it is not for here" in missing["note"]
    volume = rows["released segmenter", "naive schedule, float32"]
    # 16 windows: 4 of them ran for the tumor, 2 for the part.
    assert volume["seconds"] == pytest.approx((2.0 + 2.0) * 16 / 6, rel=1e-4)
    assert volume["extrapolated"] == "from 6 of 16 windows"
    assert rows["released segmenter", "ours, torch"]["extrapolated"].startswith("from 2 of ")
    assert rows["light segmenter", "ours, auto"]["extrapolated"] == ""


def test_with_full_less_is_extrapolated_and_the_text_marks_what_still_is(monkeypatch, tmp_path):
    in_this_process(monkeypatch)
    out = tmp_path / "speed.txt"
    said = command("benchmark", "--full", "--out", out)
    assert said.code == 0, said
    assert out.read_text("utf-8") == said.out
    lines = said.out.splitlines()
    naive = [line for line in lines if line.startswith("naive schedule")]
    assert len(naive) == 2
    assert naive[0].split()[3] == "8"  # seconds: both networks in two turns each
    assert naive[1].split()[3].startswith("~")
    assert [line for line in lines if line.startswith("ours, torch ") and "~" in line] == [
        line for line in lines if line.startswith("ours, torch ") and "~" in line.split()[3]
    ]
    assert "  naive schedule, float32: extrapolated from 8 of 16 windows; 4 windows at a time" in lines
    assert any(line.startswith("ours, openvino") and line.split()[2:] == ["-"] * 6 for line in lines)


def obedient(case, folder, sides):
    """A naive schedule that does what it is told at no cost."""
    _, batch = yield {"windows": {"generator": 9, "segmenter": 9}}
    while True:
        _, batch = yield batch


def test_without_memory_for_four_windows_they_run_one_by_one(monkeypatch, tmp_path):
    in_this_process(monkeypatch)
    monkeypatch.setattr(subjects, "naive", obedient)
    monkeypatch.setattr(baseline, "available_bytes", lambda: 0)
    with ExitStack() as stack:
        stage = entrants.Stage(TINY, tmp_path, False, (), lambda message, share: None, stack)
        naive = baseline.Naive(stage, "here")
        naive.entrant.prepare()
        pieces = naive.pieces()
        assert pieces == ["generator"] * 4 + ["segmenter"] * 4
        for part in pieces:
            naive.run(part)
        row = naive.row()
    assert row.seconds == pytest.approx(2 * 2.0 * 9)
    assert "1 windows at a time, not 4, for want of memory" in row.note


def test_nothing_is_overwritten_and_that_is_said_before_the_minutes(tmp_path):
    out = tmp_path / "speed.json"
    out.write_text("mine")
    said = command("benchmark", "--json", "--out", out)
    assert (said.code, said.json["kind"]) == (2, "exists")
    assert out.read_text() == "mine"
    said = command("benchmark", "--json", "--out", tmp_path / "nowhere" / "speed.json")
    assert (said.code, said.json["kind"]) == (2, "output_not_writable")
