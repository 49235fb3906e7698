"""The job runner: follows a process, ends it with all that it started, and is idle again whatever happens."""

from __future__ import annotations

import signal
import sys

import numpy as np
import pytest
from freetumor.volume import read_volume, write_volume
from waiting import alive, turn


class Said:
    """Everything that a job told its owner."""

    def __init__(self) -> None:
        self.progress, self.log, self.done, self.error = [], [], None, None

    @property
    def callbacks(self) -> dict:
        return {
            "onProgress": lambda message, share: self.progress.append((message, share)),
            "onLog": self.log.append,
            "onDone": lambda result, folder: setattr(self, "done", (result, folder)),
            "onError": lambda kind, message: setattr(self, "error", (kind, message)),
        }


@pytest.fixture
def runner(host):
    from FreeTumorSlicerLib.jobs import JobRunner

    runner = JobRunner()
    yield runner
    runner.cleanup()


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Put a script of our own in the place of the job script: for jobs that misbehave."""
    from FreeTumorSlicerLib import processes

    def make(code: str) -> None:
        script = tmp_path / "fake.py"
        script.write_text("import json, os, sys, time, subprocess\n" + code, "utf-8")
        monkeypatch.setattr(processes, "scriptPath", lambda: script)

    return make


FOREVER = "time.sleep(300)\n"
CHILD = "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)'])\n"
TELL = "print(json.dumps({'event': 'log', 'message': str(child.pid)}), flush=True)\n"


def test_a_job_reports_progress_and_hands_over_its_result_once(runner, phantom):
    from FreeTumorSlicerLib.inputs import writeInPieces

    said = Said()
    runner.start(
        "label-organs",
        {"ct": "ct.nii", "organ": "lung"},
        prepare=lambda folder: writeInPieces(phantom.ct, folder / "ct.nii"),
        **said.callbacks,
    )
    assert runner.isRunning
    turn(lambda: not runner.isRunning)
    assert said.error is None
    result, folder = said.done
    assert (result["organ"], result["value"]) == ("lung", 1)
    assert [share for _, share in said.progress] == sorted(share for _, share in said.progress)
    assert not folder.exists()  # a temporary folder goes when the result has been read


def test_inputs_written_in_pieces_are_the_volume(host, phantom, tmp_path):
    from FreeTumorSlicerLib import inputs

    shares = list(inputs.writeInPieces(phantom.ct, tmp_path / "ct.nii"))
    assert shares[-1] == 1.0
    back = read_volume(tmp_path / "ct.nii")
    assert np.array_equal(back.hu(), phantom.ct.hu())
    assert back.geometry.same_grid(phantom.ct.geometry)


def test_an_error_of_the_job_comes_with_its_kind(runner, phantom, tmp_path):
    said = Said()
    write_volume(phantom.ct, tmp_path / "ct.nii")
    runner.start("label-organs", {"ct": "ct.nii", "organ": "pancreas"}, folder=tmp_path, **said.callbacks)
    turn(lambda: not runner.isRunning)
    assert said.error[0] == "labels_missing"
    assert (tmp_path / "ct.nii").exists()  # a folder that was given stays


def test_cancel_ends_the_job_and_all_that_it_started(runner, fake):
    fake(CHILD + TELL + FOREVER)
    said = Said()
    runner.start("label-organs", {}, **said.callbacks)
    turn(lambda: said.log)
    job, child = runner.processId, int(said.log[0])
    assert alive(job)
    assert alive(child)
    runner.cancel()
    assert runner.isCancelling
    turn(lambda: not runner.isRunning, seconds=20)
    assert said.error[0] == "stopped"
    assert not alive(job)
    turn(lambda: not alive(child), seconds=5)


def test_a_job_that_heeds_the_stop_file_ends_by_itself(runner, fake):
    waits = "while not os.path.exists('stop'): time.sleep(0.01)\n"
    fake(waits + "open('../heeded-' + str(os.getpid()), 'w').close()\n")
    said = Said()
    folder = runner.start("label-organs", {}, **said.callbacks)
    turn(lambda: runner.processId is not None)
    heeded = folder.parent / f"heeded-{runner.processId}"
    runner.cancel()
    turn(lambda: not runner.isRunning)
    assert said.error[0] == "stopped"
    assert heeded.exists()
    heeded.unlink()


def test_cancel_while_inputs_are_written_starts_no_process(runner, monkeypatch):
    from FreeTumorSlicerLib import jobs

    def endless(folder):
        while True:
            yield 0.0

    monkeypatch.setattr(jobs, "startJobProcess", lambda *a: pytest.fail("a process was started"))
    said = Said()
    runner.start("label-organs", {}, prepare=endless, **said.callbacks)
    runner.cancel()
    turn(lambda: not runner.isRunning)
    assert said.error[0] == "stopped"


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        ("os.kill(os.getpid(), 9)", "killed", "system"),
        ("raise RuntimeError('the reason')", "crashed", "the reason"),
        ("sys.exit(0)", "crashed", "code 0"),
        ("print('{not json'); os.abort()", "crashed", "code"),
    ],
)
def test_a_job_that_dies_is_told_by_kind_and_the_next_one_can_start(runner, fake, code, kind, words):
    fake(code)
    for _again in range(2):
        said = Said()
        runner.start("label-organs", {}, **said.callbacks)
        turn(lambda: not runner.isRunning)
        assert said.done is None
        assert said.error[0] == kind
        assert words in said.error[1]


def test_cleanup_leaves_no_process_and_calls_nobody(runner, fake):
    fake(CHILD + TELL + FOREVER)
    said = Said()
    folder = runner.start("label-organs", {}, **said.callbacks)
    turn(lambda: said.log)
    job, child = runner.processId, int(said.log[0])
    runner.cleanup()
    assert not runner.isRunning
    assert not alive(job)
    turn(lambda: not alive(child), seconds=5)
    assert not folder.exists()
    assert (said.done, said.error) == (None, None)


def test_a_result_that_cannot_be_shown_becomes_an_error_and_the_runner_is_idle(runner, fake):
    fake("print(json.dumps({'event': 'done', 'result': {}}))")
    said = Said()
    shown = []

    def fails(result, folder):
        shown.append(result)
        raise ValueError("cannot show it")

    runner.start("label-organs", {}, **{**said.callbacks, "onDone": fails})
    turn(lambda: not runner.isRunning)
    assert shown == [{}]
    assert said.error == ("crashed", "cannot show it")


def test_a_second_job_is_refused_while_one_runs(runner, fake):
    fake(FOREVER)
    runner.start("label-organs", {})
    with pytest.raises(RuntimeError, match="running"):
        runner.start("label-organs", {})


def test_inputs_that_cannot_be_written_become_an_error_by_kind(runner):
    from freetumor.errors import BadInput

    def fails(folder):
        yield 0.0
        raise BadInput("a disk with room", "a full one", kind="disk_full")

    said = Said()
    runner.start("label-organs", {}, prepare=fails, **said.callbacks)
    turn(lambda: not runner.isRunning)
    assert said.error[0] == "disk_full"


def test_a_folder_with_blanks_and_umlauts_works(runner, phantom, tmp_path):
    folder = tmp_path / "Fälle von Müller 肝臓"
    folder.mkdir()
    write_volume(phantom.ct, folder / "ct.nii")
    said = Said()
    runner.start("label-organs", {"ct": "ct.nii", "organ": "lung"}, folder=folder, **said.callbacks)
    turn(lambda: not runner.isRunning)
    assert said.error is None


def test_the_interpreter_is_that_of_slicer_where_there_is_one(host, tmp_path, monkeypatch):
    from FreeTumorSlicerLib.processes import pythonExecutable

    monkeypatch.setenv("PATH", str(tmp_path))
    assert pythonExecutable() == sys.executable
    launcher = tmp_path / "PythonSlicer"
    launcher.write_text("#!/bin/sh\n")
    launcher.chmod(0o755)
    assert pythonExecutable() == str(launcher)
    launcher.unlink()
    monkeypatch.setattr(sys, "executable", "/opt/Slicer/bin/SlicerApp-real")
    with pytest.raises(RuntimeError, match="PythonSlicer"):
        pythonExecutable()


def test_killing_what_has_ended_by_itself_is_no_error(host, tmp_path):
    from FreeTumorSlicerLib.processes import killTree, startJobProcess

    (tmp_path / "job.json").write_text("{}")
    process = startJobProcess(sys.executable, tmp_path / "job.json", tmp_path / "e", tmp_path / "f")
    process.stdin.close()
    process.wait()
    killTree(process)
    assert process.returncode not in (None, -signal.SIGKILL)
    assert (tmp_path / "e").exists()
