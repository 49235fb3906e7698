"""Several programs at the answers of one study: killed ones, and two at the same reader."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from freetumor.errors import BadInput
from freetumor.study.answers import AnswerLog, read_answers
from made_studies import make_answer, make_study

READER = "reader-01"


@pytest.fixture
def folder(tmp_path) -> Path:
    return make_study(tmp_path / "study")


@pytest.fixture
def log(folder):
    with AnswerLog(folder, READER) as log:
        yield log


def give(log: AnswerLog) -> None:
    block, shown = log.unanswered()[0]
    log.append(make_answer(log.study, log.reader, block, shown))


# Answers for ever, and says on its standard output which answer it is about to write or has written.
READS = """
import sys
from freetumor.study.answers import AnswerLog
from made_studies import make_answer
log = AnswerLog(sys.argv[1], sys.argv[2])
print("open", flush=True)
for line in sys.stdin:
    block, shown = log.unanswered()[0]
    print("key", flush=True)
    log.append(make_answer(log.study, log.reader, block, shown, comment="x" * int(line)))
    print("kept", flush=True)
"""


@pytest.fixture
def program(folder):
    """Starts programs that answer as a reader for each line that they get."""
    started = []

    def start(reader: str = READER) -> subprocess.Popen:
        path = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
        process = subprocess.Popen(
            [sys.executable, "-c", READS, str(folder), reader],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": path},
        )  # fmt: skip
        started.append(process)
        assert process.stdout.readline() == "open\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def press(process: subprocess.Popen, length: int = 0) -> None:
    process.stdin.write(f"{length}\n")
    process.stdin.flush()


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_a_kill_between_two_key_strokes_loses_at_most_the_answer_being_given(folder, program):
    kept = 0
    for _ in range(3):
        reader = program()
        press(reader)
        assert [reader.stdout.readline() for _line in range(2)] == ["key\n", "kept\n"]
        kept += 1
        press(reader, 200_000)
        assert reader.stdout.readline() == "key\n"
        reader.send_signal(signal.SIGKILL)
        rest, _errors = reader.communicate()
        kept += "kept" in rest
        answers = read_answers(folder)
        assert kept <= len(answers) <= kept + 1  # the last may be on the disk without having been told
        kept = len(answers)
    with AnswerLog(folder, READER) as log:  # its lock died with it
        assert log.unanswered() == log.order[kept:]
        give(log)


def test_two_readers_of_one_folder_do_not_disturb_each_other(folder, program):
    processes = [program("reader-01"), program("reader-02")]
    for _ in range(4):
        for process in processes:
            press(process)
    for process in processes:
        assert [process.stdout.readline() for _line in range(8)] == ["key\n", "kept\n"] * 4
    answers = read_answers(folder)
    assert [a["reader"] for a in answers] == ["reader-01"] * 4 + ["reader-02"] * 4


def test_a_second_program_of_the_same_reader_is_refused_until_it_takes_over(folder, program):
    first = program()
    with pytest.raises(BadInput, match=f"process {first.pid}") as refused:
        AnswerLog(folder, READER)
    assert refused.value.kind == "locked"
    with AnswerLog(folder, READER, take_over=True) as log:
        give(log)
        press(first)
        assert first.communicate()[0] == "key\n"  # it noticed, and wrote nothing
        assert first.returncode == 1
    assert len(read_answers(folder)) == 1


def test_a_lock_of_another_computer_is_never_taken_for_dead(folder):
    lock = folder / "answers" / f"{READER}.lock"
    lock.parent.mkdir()
    lock.write_text(json.dumps({"host": "elsewhere", "pid": 2**22 + 1, "since": "today", "token": "0"}))
    with pytest.raises(BadInput, match=r"computer elsewhere.*reader-01\.lock"):
        AnswerLog(folder, READER)
    assert lock.exists()


def test_a_lock_that_somebody_removed_by_hand_is_made_again(log, folder):
    lock = folder / "answers" / f"{READER}.lock"
    lock.unlink()
    give(log)
    assert lock.exists()
    log.close()
    assert not lock.exists()
