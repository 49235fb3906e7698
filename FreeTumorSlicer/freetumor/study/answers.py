"""Answers of the readers: one file each, a line per answer, never written over.

A line is written with one call and flushed to the disk before the next case is shown. A program that is
killed leaves at most one line torn: it stays where it is, ended by the next answer, and is passed over.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from numbers import Real
from pathlib import Path

from freetumor.errors import BadInput
from freetumor.files import os_errors
from freetumor.study.locks import Lock
from freetumor.study.record import ANSWERS, BLOCKS, PAIRS, Presentation, Study, read_study

SUFFIX = ".jsonl"
SIDES = ("left", "right")
LEVELS, CONFIDENCES = range(1, 7), range(1, 4)


@dataclass(frozen=True)
class TornLine:
    """A line that was cut off when a program was killed or a disk was full; `number` counts from 1."""

    file: Path
    number: int
    text: str


class AnswerLog:
    """The answers of one reader, open for writing: nobody else can answer as this reader meanwhile.

    Args:
        study: the study or its folder. reader: one of its readers.
        take_over: see :class:`freetumor.study.locks.Lock`.

    Attributes:
        answers: all answers so far, in the order in which they were given.
        torn: lines that were passed over.

    Raises:
        BadInput: kind "not_a_study", "unknown_reader", "locked", "damaged_answers" or "other_study".
    """

    def __init__(self, study: Study | str | Path, reader: str, *, take_over: bool = False) -> None:
        self.study = study if isinstance(study, Study) else read_study(study)
        self.reader = reader
        self.order = self.study.order(reader)
        folder = self.study.folder / ANSWERS
        with os_errors(folder):
            folder.mkdir(exist_ok=True)
        self.path = folder / f"{reader}{SUFFIX}"
        self._lock = Lock(folder / f"{reader}.lock", f"the answers of {reader}", take_over=take_over)
        try:
            self.answers, self.torn = _read(self.path)
            for answer in self.answers:
                self._belongs(answer)
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> AnswerLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def answered(self) -> set[str]:
        """Ids of the presentations that have an answer."""
        return {answer["presentation"] for answer in self.answers}

    def unanswered(self) -> list[tuple[str, Presentation]]:
        """(block, presentation) that are to come, in the reader's order; the first is where to resume."""
        answered = self.answered
        return [(block, shown) for block, shown in self.order if shown.id not in answered]

    def append(self, answer: dict) -> None:
        """Keep an answer: on the disk when this returns.

        Raises:
            BadInput: not an answer of this study and reader ("wrong_answer"), answered before
                ("answered"), or another program has taken over ("locked").
            OutputError: the disk is full. The answer is not kept and can be given again.
        """
        check_answer(answer)
        self._belongs(answer)
        if answer["presentation"] in self.answered and not answer.get("changes"):
            raise BadInput(
                "a presentation without an answer", answer["presentation"],
                "Answers are locked once they are given.", kind="answered",
            )  # fmt: skip
        line = json.dumps(answer, ensure_ascii=False, allow_nan=False).encode("utf-8") + b"\n"
        self._lock.check()
        with os_errors(self.path):
            _append(self.path, line)
        self.answers.append(answer)

    def close(self) -> None:
        """Let others answer as this reader again."""
        self._lock.release()

    def _belongs(self, answer: dict) -> None:
        block = {shown.id: (block, shown.cases) for block, shown in self.order}.get(answer["presentation"])
        if answer["study"] != self.study.id or answer["reader"] != self.reader or block is None:
            raise BadInput(
                f"answers of {self.reader} in study {self.study.id}",
                f"{answer['presentation']} of {answer['reader']} in {answer['study']} ({self.path})",
                "The file belongs to another study or reader: move it away.",
                kind="other_study",
            )
        if block != (answer["block"], tuple(answer["cases"])):
            raise _wrong("block and cases as in the reader's order", answer)


def read_answers(folder: str | Path) -> list[dict]:
    """All answers of all readers of a study folder, by reader and then as they were given.

    A changed answer is a later one of the same reader and presentation with "changes": true. Torn lines are
    passed over; `torn_lines` tells them.

    Raises:
        BadInput: kind "damaged_answers": a line that was changed after it was written, or a file that is
            not named after its reader.
    """
    found = []
    for path in _files(folder):
        answers, _torn = _read(path)
        for answer in answers:
            if f"{answer['reader']}{SUFFIX}" != path.name:
                raise _damaged(path, f"an answer of {answer['reader']!r}")
        found += answers
    return found


def reader_answers(study: Study, reader: str) -> list[dict]:
    """The answers of one reader so far, without opening them for writing. Raises as `read_answers` does."""
    return _read(study.folder / ANSWERS / f"{reader}{SUFFIX}")[0]


def torn_lines(folder: str | Path) -> list[TornLine]:
    """The lines that `read_answers` passes over: answers that a reader was asked for again."""
    return [line for path in _files(folder) for line in _read(path)[1]]


def check_answer(answer: dict) -> None:
    """Raise BadInput, kind "wrong_answer", if it is not an answer as the study's folder holds them."""
    texts = ("presentation", "reader", "study", "at", "comment", "version")
    if not isinstance(answer, dict) or not all(isinstance(answer.get(name), str) for name in texts):
        raise _wrong(f"texts for {', '.join(texts)}", answer)
    if answer.get("block") not in BLOCKS:
        raise _wrong(f"a block of {', '.join(BLOCKS)}", answer)
    numbers = ("seconds", "window", "level")
    if not all(_is_number(answer.get(name)) for name in numbers) or answer["seconds"] < 0:
        raise _wrong(f"numbers for {', '.join(numbers)}", answer)
    given, cases = answer.get("answer"), answer.get("cases")
    if answer["block"] == PAIRS:
        right = (
            isinstance(given, dict)
            and given.get("synthetic") in SIDES
            and _is_one_of(given.get("confidence"), CONFIDENCES)
        )
        if not right:
            raise _wrong('{"synthetic": "left" or "right", "confidence": 1 to 3}', answer)
    elif not _is_one_of(given, LEVELS):
        raise _wrong("an answer from 1 to 6", answer)
    if not isinstance(cases, list) or len(cases) != (2 if answer["block"] == PAIRS else 1):
        raise _wrong("one case, or two for a pair", answer)
    mark, changes = answer.get("mark_ras_mm"), answer.get("window_changes")
    if mark is not None and not _is_row(mark):
        raise _wrong("a mark [x, y, z] or null", answer)
    if not isinstance(changes, list) or not all(_is_row(change) for change in changes):
        raise _wrong("window_changes [[seconds, window, level], ...]", answer)


def _files(folder: str | Path) -> list[Path]:
    return sorted((Path(folder) / ANSWERS).glob(f"*{SUFFIX}"))


def _read(path: Path) -> tuple[list[dict], list[TornLine]]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return [], []
    except OSError as error:
        raise BadInput("answers that can be read", f"{path}: {error.strerror}", kind="unreadable") from error
    answers, torn = [], []
    for number, raw in enumerate(content.split(b"\n"), start=1):
        # After a power failure some file systems leave zeros where the last line was to be.
        text = raw.strip(b"\0 \r").decode("utf-8", errors="replace")
        if not text:
            continue
        try:
            answer = json.loads(text)
            check_answer(answer)
        except BadInput as error:
            raise _damaged(path, f"line {number}: {error}") from error
        except ValueError as error:
            if not _is_cut_off(text):
                raise _damaged(path, f"line {number}: {error}") from error
            torn.append(TornLine(path, number, text))
        else:
            answers.append(answer)
    return answers, torn


def _is_cut_off(text: str) -> bool:
    """Does the object that begins with the text not end in it?"""
    if not text.startswith("{"):
        return False
    depth, quoted, escaped = 0, False, False
    for sign in text:
        if quoted:
            quoted, escaped = escaped or sign != '"', sign == "\\" and not escaped
        elif sign == '"':
            quoted = True
        elif sign in "{[":
            depth += 1
        elif sign in "}]":
            depth -= 1
        if depth == 0 and not quoted:
            return False
    return True


def _append(path: Path, line: bytes) -> None:
    """Add a line, after ending a torn one; on the disk when this returns."""
    is_new = not path.exists()
    # Opened for each answer: a network folder that was away for a while does not matter.
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o666)
    try:
        size = os.fstat(file).st_size
        if size:
            os.lseek(file, size - 1, os.SEEK_SET)
            if os.read(file, 1) != b"\n":
                line = b"\n" + line
        while line:
            line = line[os.write(file, line) :]
        os.fsync(file)
    finally:
        os.close(file)
    if is_new and os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _is_one_of(value: object, allowed: range) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value in allowed


def _is_row(value: object) -> bool:
    return isinstance(value, list | tuple) and len(value) == 3 and all(_is_number(number) for number in value)


def _wrong(expected: str, answer: object) -> BadInput:
    return BadInput(expected, repr(answer)[:300], kind="wrong_answer")


def _damaged(path: Path, said: str) -> BadInput:
    return BadInput(
        "answers as FreeTumor wrote them",
        f"{path}, {said}",
        "Restore the file from a backup; it must not be edited.",
        kind="damaged_answers",
    )
