"""The file of a reader's answers: append-only, and nothing that was written is ever lost."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
from freetumor.errors import BadInput, OutputError
from freetumor.study.answers import AnswerLog, read_answers, torn_lines
from made_studies import make_answer, make_study

READER = "reader-01"


@pytest.fixture
def folder(tmp_path) -> Path:
    return make_study(tmp_path / "study")


@pytest.fixture
def log(folder):
    with AnswerLog(folder, READER) as log:
        yield log


def give(log: AnswerLog, count: int = 1, **changes) -> None:
    for _ in range(count):
        block, shown = log.unanswered()[0]
        log.append(make_answer(log.study, log.reader, block, shown) | changes)


def file_of(folder: Path, reader: str = READER) -> Path:
    return folder / "answers" / f"{reader}.jsonl"


def test_an_answer_is_a_line_on_the_disk_before_append_returns(log, folder, monkeypatch):
    synced = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (synced.append(os.fstat(file).st_size), real(file)))
    give(log)
    size = file_of(folder).stat().st_size
    assert size in synced
    give(log)
    assert file_of(folder).read_bytes().startswith(file_of(folder).read_bytes()[:size])
    assert [a["presentation"] for a in read_answers(folder)] == [shown.id for _b, shown in log.order[:2]]


def test_reading_goes_on_at_the_first_presentation_without_an_answer(log, folder):
    give(log, 3)
    log.close()
    with AnswerLog(folder, READER) as again:
        assert again.answers == log.answers
        assert again.unanswered() == log.order[3:]


def test_an_answer_is_locked_once_given_and_a_change_is_a_new_line(log, folder):
    block, shown = log.order[0]
    give(log)
    with pytest.raises(BadInput, match="locked") as refused:
        log.append(make_answer(log.study, READER, block, shown))
    assert refused.value.kind == "answered"
    log.append(make_answer(log.study, READER, block, shown, answer=1, changes=True))
    assert [a["answer"] for a in read_answers(folder)] == [5, 1]


def test_a_torn_line_is_told_and_passed_over_wherever_it_was_cut(folder):
    """Also inside the answer to a pair, whose own braces are closed already."""
    with AnswerLog(folder, READER) as log:
        give(log, 2)
        pair = make_answer(log.study, READER, *log.order[-1], comment='a "brace" } or ü')
    line = json.dumps(pair, ensure_ascii=False).encode()
    whole = file_of(folder).read_bytes()
    for cut in range(1, len(line), 3):
        file_of(folder).write_bytes(whole + line[:cut])
        assert len(read_answers(folder)) == 2
        assert [(torn.number, torn.file) for torn in torn_lines(folder)] == [(3, file_of(folder))]
    with AnswerLog(folder, READER) as log:
        assert (len(log.answers), len(log.torn)) == (2, 1)
        give(log)
    assert len(read_answers(folder)) == 3
    assert file_of(folder).read_bytes().startswith(whole + line[:cut] + b"\n")
    assert [torn.number for torn in torn_lines(folder)] == [3]


def test_a_whole_line_whose_end_of_line_was_lost_counts(folder):
    with AnswerLog(folder, READER) as log:
        give(log, 2)
    file_of(folder).write_bytes(file_of(folder).read_bytes().removesuffix(b"\n"))
    with AnswerLog(folder, READER) as log:
        assert len(log.answers) == 2
        assert not log.torn
        give(log)
    assert len(read_answers(folder)) == 3


def test_zeros_that_a_power_failure_left_are_no_answer(folder):
    with AnswerLog(folder, READER) as log:
        give(log)
    with file_of(folder).open("ab") as file:
        file.write(bytes(300))
    with AnswerLog(folder, READER) as log:
        give(log)
    assert len(read_answers(folder)) == 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda lines: [lines[0].replace('"answer": 5', '"answer": 7'), lines[1]],
        lambda lines: [lines[0].replace('"answer"', "answer"), lines[1]],
        lambda lines: ["presentation;answer", *lines],
        lambda lines: [lines[0].replace("reader-01", "reader-02"), lines[1]],
    ],
)
def test_a_file_that_was_edited_is_refused_with_its_name(folder, damage):
    with AnswerLog(folder, READER) as log:
        give(log, 2)
    lines = file_of(folder).read_text("utf-8").splitlines()
    file_of(folder).write_text("\n".join(damage(lines)) + "\n", "utf-8")
    with pytest.raises(BadInput, match=r"reader-01\.jsonl") as refused:
        read_answers(folder)
    assert refused.value.kind == "damaged_answers"


def test_answers_of_another_study_are_not_taken_up(folder, tmp_path):
    other = make_study(tmp_path / "other", seed=5)
    with AnswerLog(other, READER) as log:
        give(log)
    (folder / "answers").mkdir()
    file_of(other).rename(file_of(folder))
    with pytest.raises(BadInput, match="another study") as refused:
        AnswerLog(folder, READER)
    assert refused.value.kind == "other_study"
    assert not list((folder / "answers").glob("*.lock"))


def test_a_full_disk_is_told_and_the_answer_can_be_given_again(log, folder, monkeypatch):
    give(log)
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", _fills_up(os.write))
        with pytest.raises(OutputError, match="disk is full"):
            give(log)
    assert len(log.answers) == 1
    give(log)
    assert len(read_answers(folder)) == 2


def _fills_up(real):
    left = [20]

    def write(file, data):
        if left[0] <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        count = real(file, data[: left[0]])
        left[0] -= count
        return count

    return write


@pytest.mark.parametrize(
    "wrong",
    [
        {"answer": 0},
        {"answer": 7},
        {"answer": True},
        {"answer": {"synthetic": "left", "confidence": 2}},
        {"seconds": -1.0},
        {"seconds": float("nan")},
        {"mark_ras_mm": [1.0, 2.0]},
        {"cases": []},
        {"block": "pairs"},
        {"presentation": "ffffffffffffffff"},
        {"reader": "reader-02"},
    ],
)
def test_what_is_no_answer_to_this_presentation_never_reaches_the_file(log, folder, wrong):
    with pytest.raises(BadInput):
        give(log, **wrong)
    assert not file_of(folder).exists()
