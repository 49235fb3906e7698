"""A batch killed at any moment goes on where it was, and its workers do not outlive it."""

import csv
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from runs import COMMAND, command, contents, tree

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs signals and /proc")
ROWS = 6


@pytest.fixture(scope="module")
def whole(inputs, tmp_path_factory):
    """The contents of the case folders of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole")
    write_list(folder, inputs)
    assert command("synthesize-batch", folder / "list.csv").code == 0
    return contents(folder / "out")


def write_list(folder, inputs):
    with (folder / "list.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("ct", "organ", "labels", "out", "diameter", "seed"))
        writer.writerows(
            (inputs.ct, "liver", inputs.maps["abdomen"], f"out/{seed}", 15, seed) for seed in range(ROWS)
        )


def start(folder):
    return subprocess.Popen(
        [*COMMAND, "synthesize-batch", str(folder / "list.csv"), "--workers", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def children(pid):
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def finished(folder):
    return [p for p in (folder / "out").glob("*") if not p.name.startswith(".")]


@pytest.mark.parametrize("victim", ["group", "parent"])
def test_a_killed_batch_goes_on_where_it_was(inputs, whole, tmp_path, victim):
    write_list(tmp_path, inputs)
    process = start(tmp_path)
    wait_for(lambda: finished(tmp_path))
    delay = random.uniform(0.0, 0.25)
    time.sleep(delay)
    workers = children(process.pid)
    if victim == "group":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.communicate(timeout=60)
    assert len(workers) >= 2
    wait_for(lambda: not any(runs(pid) for pid in workers), 15)
    before = {case: case.stat().st_mtime_ns for case in finished(tmp_path)}
    assert before, delay
    said = command("synthesize-batch", tmp_path / "list.csv", "--json")
    assert said.code == 0, (said, delay)
    assert (said.json["kept"], said.json["done"]) == (len(before), ROWS - len(before))
    assert contents(tmp_path / "out") == whole, delay
    assert {case: case.stat().st_mtime_ns for case in before} == before
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [str(seed) for seed in range(ROWS)]
    assert [name for name in tree(tmp_path) if not name.startswith("out")] == [
        "list.csv",
        "list.results.jsonl",
    ]


def test_a_lost_worker_is_told_and_the_batch_goes_on_later(inputs, whole, tmp_path):
    write_list(tmp_path, inputs)
    process = start(tmp_path)
    wait_for(lambda: finished(tmp_path))
    # Not multiprocessing's resource tracker, which is a child too.
    worker = next(
        pid for pid in children(process.pid) if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    )
    os.kill(worker, signal.SIGKILL)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1, said
    assert said.splitlines()[-1].startswith("freetumor: a worker process ended without a word")
    assert "Traceback" not in said
    assert command("synthesize-batch", tmp_path / "list.csv").code == 0
    assert contents(tmp_path / "out") == whole
