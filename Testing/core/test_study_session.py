"""A reading session: what comes next, how long it was looked at, and what is kept of it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from freetumor.errors import BadInput
from freetumor.study import read_study
from freetumor.study.answers import AnswerLog
from freetumor.study.session import DONE, PAUSED, READING, WAITING, ReadingSession
from made_studies import make_study

READER = "reader-01"


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self):
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def log(tmp_path):
    with AnswerLog(make_study(tmp_path / "study"), READER) as log:
        yield log


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def session(log, clock):
    return ReadingSession(log, clock=clock, now=lambda: datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC))


def test_time_counts_from_the_moment_the_case_is_shown_and_not_in_pauses(session, clock):
    clock.seconds += 50  # loading
    assert session.state == WAITING
    session.shown(150, 90)
    clock.seconds += 4
    session.pause()
    assert session.state == PAUSED
    clock.seconds += 100
    session.resume()
    clock.seconds += 2.5
    session.answer(2, comment=" too smooth ", mark_ras_mm=(1.04, 2, 3), mark_case=session.cases[0].id)
    (answer,) = session.log.answers
    assert (answer["seconds"], answer["comment"], answer["mark_ras_mm"]) == (
        6.5,
        "too smooth",
        [1.0, 2.0, 3.0],
    )
    assert (answer["at"], answer["mark_case"]) == ("2025-01-02T03:04:05+00:00", answer["cases"][0])


def test_window_changes_are_kept_one_per_drag(session, clock):
    session.shown(150, 90)
    clock.seconds += 3
    for step in range(20):
        clock.seconds += 0.05
        session.window_changed(200 + step, 90)
    clock.seconds += 5
    session.window_changed(400, 40)
    session.window_changed(400, 40)
    session.answer(4)
    (answer,) = session.log.answers
    assert answer["window_changes"] == [[4.0, 219.0, 90.0], [9.0, 400.0, 40.0]]
    assert (answer["window"], answer["level"]) == (400.0, 40.0)


def test_a_reader_goes_through_training_main_and_pairs_and_is_done(session, clock):
    seen = []
    while session.state != DONE:
        seen.append((session.progress.block, session.progress.number, session.progress.count))
        assert len(session.cases) == (2 if session.is_pair else 1)
        session.shown(150, 90)
        session.answer({"synthetic": "right", "confidence": 1} if session.is_pair else 3)
    expected = (
        [("training", n, 2) for n in (1, 2)] + [("main", n, 7) for n in range(1, 8)] + [("pairs", 1, 1)]
    )
    assert seen == expected
    assert session.progress.answered == session.progress.total == 10
    assert len({a["presentation"] for a in session.log.answers}) == 10


def test_an_answer_that_could_not_be_kept_leaves_the_case_on_the_screen(session, monkeypatch):
    shown = session.presentation
    session.shown(150, 90)
    with pytest.raises(BadInput):
        session.answer(9)
    assert (session.state, session.presentation) == (READING, shown)
    session.answer(6)
    assert session.presentation is not shown


def test_nothing_can_be_answered_before_it_is_shown_or_in_a_pause(session):
    with pytest.raises(BadInput, match="waiting"):
        session.answer(3)
    session.shown(150, 90)
    session.pause()
    with pytest.raises(BadInput, match="paused"):
        session.answer(3)
    assert not session.log.answers


def test_a_time_limit_runs_down_while_the_case_is_looked_at(tmp_path, clock):
    study = read_study(make_study(tmp_path / "limited", time_limit_s=30))
    with AnswerLog(study, READER) as log:
        session = ReadingSession(log, clock=clock)
        session.shown(150, 90)
        clock.seconds += 20
        session.pause()
        clock.seconds += 60
        assert session.seconds_left == 10
        session.resume()
        clock.seconds += 15
        assert session.seconds_left == 0
        session.answer(3)
        assert log.answers[0]["seconds"] == 35
