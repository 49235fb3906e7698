"""One reader at work: which case is next, how long it was looked at, and the answer that is kept.

A state machine without a window: `WAITING` (the next presentation is being loaded) → `shown` → `READING` →
`pause` / `resume` → `answer` → `WAITING` ... → `DONE`. It tells nobody whether an answer was right: it does
not know.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import freetumor
from freetumor.errors import BadInput
from freetumor.study.answers import AnswerLog
from freetumor.study.record import PAIRS, Presentation, StudyCase

WAITING, READING, PAUSED, DONE = "waiting", "reading", "paused", "done"
# A drag of the mouse makes many changes of the window: those within this time count as one.
_ONE_CHANGE_S = 1.0


@dataclass(frozen=True)
class Progress:
    """How far a reader is: `number` of `count` in the block, `answered` of `total` in the study."""

    block: str
    number: int
    count: int
    answered: int
    total: int


class ReadingSession:
    """Takes a reader through the presentations that have no answer yet.

    Args:
        log: the reader's answers; where the session begins is after the last one.
        clock: seconds, monotonic. now: the time of day, UTC.

    Attributes:
        state: WAITING, READING, PAUSED or DONE.
        block, presentation: what is to be shown or judged; None when DONE.
    """

    def __init__(
        self,
        log: AnswerLog,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.log, self._clock, self._now = log, clock, now
        self._todo = log.unanswered()
        self._next()

    @property
    def cases(self) -> tuple[StudyCase, ...]:
        """The case to be judged, or the two of a pair: left, right."""
        if self.presentation is None:
            return ()
        return tuple(self.log.study.cases[case] for case in self.presentation.cases)

    @property
    def is_pair(self) -> bool:
        """Whether one of two cases is to be chosen."""
        return self.block == PAIRS

    @property
    def progress(self) -> Progress:
        """How far the reader is; when DONE, in the last block."""
        order = self.log.order
        at = len(order) - len(self._todo)
        block = self.block if self.block is not None else order[-1][0] if order else ""
        mine = [number for number, (name, _shown) in enumerate(order) if name == block]
        answered = len(self.log.answered)
        # After a resume only what is unanswered counts: there are no gaps, as nothing can be skipped.
        number = min(sum(place <= at for place in mine), len(mine))
        return Progress(block, number, len(mine), answered, len(order))

    @property
    def seconds(self) -> float:
        """How long the presentation has been looked at; pauses do not count."""
        return self._looked + (self._clock() - self._since if self.state == READING else 0.0)

    @property
    def seconds_left(self) -> float | None:
        """Until the time limit of the study; never below 0; None without a limit."""
        limit = self.log.study.time_limit_s
        return None if limit is None else max(0.0, limit - self.seconds)

    def shown(self, window: float, level: float) -> None:
        """The presentation is on the screen, in this window: from now on the time counts."""
        self._must_be(WAITING)
        self._window, self._changes = (float(window), float(level)), []
        self._looked, self._since, self.state = 0.0, self._clock(), READING

    def window_changed(self, window: float, level: float) -> None:
        """The reader chose another window; changes of one drag count once."""
        if self.state != READING or (float(window), float(level)) == self._window:
            return
        self._window = (float(window), float(level))
        at = self.seconds
        if self._changes and at - self._last_change < _ONE_CHANGE_S:
            self._changes.pop()
        self._last_change = at
        self._changes.append([round(at, 2), *self._window])

    def pause(self) -> None:
        """The reader looks away: the pictures are hidden meanwhile."""
        self._must_be(READING)
        self._looked, self.state = self.seconds, PAUSED

    def resume(self) -> None:
        """The reader looks again."""
        self._must_be(PAUSED)
        self._since, self.state = self._clock(), READING

    def answer(
        self,
        given: int | dict,
        *,
        comment: str = "",
        mark_ras_mm: tuple[float, float, float] | None = None,
        mark_case: str | None = None,
    ) -> None:
        """Keep the answer, on the disk, and go on to the next presentation.

        Args:
            given: 1 (certainly real) to 6 (certainly synthetic), or for a pair
                {"synthetic": "left" or "right", "confidence": 1 to 3}.
            mark_ras_mm: the place that gave it away. mark_case: id of the case that it lies in.

        Raises:
            BadInput, OutputError: it could not be kept (see AnswerLog.append); the presentation stays.
        """
        self._must_be(READING)
        self.log.append(
            {
                "presentation": self.presentation.id,
                "cases": list(self.presentation.cases),
                "block": self.block,
                "answer": given,
                "seconds": round(self.seconds, 3),
                "window": self._window[0],
                "level": self._window[1],
                "window_changes": self._changes,
                "comment": comment.strip(),
                "mark_ras_mm": None if mark_ras_mm is None else [round(float(v), 1) for v in mark_ras_mm],
                "mark_case": mark_case,
                "at": self._now().isoformat(timespec="seconds"),
                "reader": self.log.reader,
                "study": self.log.study.id,
                "version": freetumor.__version__,
            }
        )
        self._todo.pop(0)
        self._next()

    def _next(self) -> None:
        self._looked = self._since = self._last_change = 0.0
        self.block: str | None = None
        self.presentation: Presentation | None = None
        self.state = DONE
        if self._todo:
            (self.block, self.presentation), self.state = self._todo[0], WAITING

    def _must_be(self, state: str) -> None:
        if self.state != state:
            raise BadInput(f"a session that is {state}", f"one that is {self.state}", kind="wrong_state")
