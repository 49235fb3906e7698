"""A reader at work: one case on the screen, its answer kept, the next one. See freetumor.study.session."""

import qt
from freetumor.study.session import DONE, PAUSED, READING, WAITING, ReadingSession
from slicer.i18n import tr as _

from FreeTumorSlicerLib.readingform import ReadingForm
from FreeTumorSlicerLib.readingkeys import ReadingKeys
from FreeTumorSlicerLib.readingscreen import ReadingScreen

_TICK_MS = 250  # of the time limit


class ReadingPanel:
    """Takes a reader through a study.

    Args:
        ui: the widgets of the reading form. attempt: see `attempts`. parent: see ReadingKeys.
        left: called with a text when the study was closed, by the reader or because nothing is left; with
            None where the reason was told already.
    """

    def __init__(self, ui, attempt, parent, left) -> None:
        self._ui, self._attempt, self._left, self.session = ui, attempt, left, None
        self.screen = ReadingScreen(ui, self._onWindow)
        self.form, self.keys = ReadingForm(ui), ReadingKeys(self, parent)
        self._timer = qt.QTimer()
        self._timer.interval = _TICK_MS
        self._timer.connect("timeout()", self._onTick)
        ui.answerButton.connect("clicked()", self.answer)
        ui.jumpButton.connect("clicked()", self.jump)
        ui.markButton.connect("clicked()", self.mark)
        ui.pauseButton.connect("clicked()", self.togglePause)
        ui.leaveButton.connect("clicked()", self.leave)

    @property
    def state(self) -> str | None:
        """The session's state; None without one."""
        return self.session.state if self.session is not None else None

    @property
    def _canSee(self) -> bool:
        return self.state == READING and self.session.seconds_left != 0

    def begin(self, log) -> None:
        """Go on where the reader of an AnswerLog stopped."""
        self.session = ReadingSession(log)
        self._next()

    def leave(self, text: str | None = "") -> None:
        """Close the study: nothing of it stays in the scene, and the reader can go on another time."""
        if self.session is None:
            return
        session, self.session = self.session, None
        self._stop()
        self.screen.close()
        session.log.close()
        self._left(text)

    def suspend(self) -> None:
        """The user goes to another module: pause, with nothing of the case in the scene."""
        if self.session is None:
            return
        if self.state == READING:
            self.session.pause()
        self._stop()
        self.screen.close()
        self._sayPause()

    def cleanup(self) -> None:
        """The module is unloaded."""
        self.leave()
        self.keys.cleanup()

    # --- what the reader does ------------------------------------------------------------------------------

    def answer(self) -> None:
        """Keep the answer and show the next case."""
        if self.state != READING or self.form.given is None:
            return
        kept, _nothing = self._attempt(
            lambda: self.session.answer(
                self.form.given,
                comment=self._ui.commentEdit.text,
                mark_ras_mm=self.screen.mark.ras,
                mark_case=self.screen.markedCase,
            )
        )
        if kept:
            self._attempt.say("")
            self._next()

    def pressNumber(self, number: int) -> None:
        """A number key."""
        if self.state == READING:
            self.form.pressNumber(number)

    def chooseSide(self, side: str) -> None:
        """An arrow key."""
        if self.state == READING:
            self.form.chooseSide(side)

    def pressEnter(self) -> None:
        """Enter: out of the comment, or the answer; in a pause, go on."""
        if self._ui.commentEdit.hasFocus():
            self.leaveComment()
        elif self.state == PAUSED:
            self.togglePause()
        else:
            self.answer()

    def comment(self) -> None:
        """Write a comment."""
        if self.state == READING:
            self._ui.commentEdit.setFocus()

    def leaveComment(self) -> None:
        """Back from the comment to the case; gives up placing a mark, too."""
        self._ui.commentEdit.clearFocus()
        if self.screen.mark.isPlacing:
            self.screen.mark.remove()

    def jump(self) -> None:
        """Back to the lesion, as it was shown first."""
        if self._canSee:
            self.screen.jump()

    def toggleCircle(self) -> None:
        """Hide the circle, or show it again."""
        self._ui.circleCheck.click()

    def nextWindow(self) -> None:
        """The next of the study's windows."""
        if self._canSee:
            self.screen.windows.chooseNext()

    def mark(self) -> None:
        """The next click in a slice marks what gave the case away; again: not."""
        if self._canSee:
            self.screen.toggleMark()

    def scroll(self, plane: int, steps: int) -> None:
        """Move the slices of a plane."""
        if self._canSee:
            self.screen.views.scroll(plane, steps)

    def zoom(self, factor: float) -> None:
        """Closer or farther."""
        if self._canSee:
            self.screen.views.zoom(factor)

    def togglePause(self) -> None:
        """Hide the case, or show it again."""
        if self.state == READING:
            self.session.pause()
            self._timer.stop()
            self.screen.hide()
            self._sayPause()
        elif self.state in (PAUSED, WAITING):
            self._goOn()

    # --- one case after the other --------------------------------------------------------------------------

    def _next(self) -> None:
        """The old case is gone before anything of the next one is there."""
        self._stop()
        self.screen.clear()
        if self.state == DONE:
            self.leave(_("All cases are answered. Thank you."))
            return
        self.screen.views.open(len(self.session.cases))
        self.form.ask(self.session)
        self.form.say(_("The case is being opened."))
        self._ui.pauseButton.enabled = False
        qt.QTimer.singleShot(0, self._openNext)

    def _openNext(self) -> None:
        if self.state == WAITING and self.screen.views.isOpen and not self.screen.cases:
            self._goOn()

    def _goOn(self) -> None:
        """Show the case, after it was opened or in a pause, and let the time run."""
        if not self.screen.cases and not self._attempt(self.screen.open, self.session.cases)[0]:
            self.leave(None)  # the reader can go on here when the file can be read
            return
        if self.state == WAITING:
            self.screen.views.render()
            self.session.shown(*self.screen.windows.current)
        else:
            self.session.resume()
            self.session.window_changed(*self.screen.windows.current)
        self.form.setEnabled(True)
        self._ui.pauseButton.enabled = True
        self._ui.pauseButton.text = _("Pause")
        self.keys.enable(True)
        if self._canSee:
            self.screen.show()
            self.form.say(self._word())
        else:
            self._endTime()
        if self.session.seconds_left:
            self._timer.start()

    def _stop(self) -> None:
        self._timer.stop()
        self.keys.enable(False)
        self.form.setEnabled(False)

    def _sayPause(self) -> None:
        self.form.setEnabled(False)
        self.form.say(_("Paused. The time stands still."))
        self._ui.pauseButton.enabled = True
        self._ui.pauseButton.text = _("Go on")

    def _word(self) -> str:
        progress, left = self.session.progress, self.session.seconds_left
        if left is not None:
            return _("{seconds} s left").format(seconds=round(left))
        if progress.block == "training":
            return _("For practice: these answers do not count.")
        if progress.number == 1 and progress.block == "main":
            return _("From here on your answers count.")
        return ""

    def _onTick(self) -> None:
        if self._canSee:
            self.form.say(self._word())
        elif self.state == READING:
            self._endTime()

    def _endTime(self) -> None:
        """Nothing is left to see, only to answer."""
        self._timer.stop()
        self.screen.hide()
        self.form.say(_("The time is over: please answer now."))

    def _onWindow(self, window: float, level: float) -> None:
        if self.session is not None:
            self.session.window_changed(window, level)
