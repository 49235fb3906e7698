"""The form of a reader: the question, what was chosen, and where the reader is."""

from slicer.i18n import tr as _

from FreeTumorSlicerLib.widgets import enable

_STEPS = 1000  # of the progress bar
# What can be used while a case is on the screen.
_USED = (
    *("ratingPage", "pairPage", "commentEdit", "presetBox", "jumpButton", "circleCheck"),
    *("markButton", "removeMarkButton"),
)


class ReadingForm:
    """Shows the question for a presentation and knows what the reader has chosen.

    Args:
        ui: the widgets of the reading form.
    """

    def __init__(self, ui) -> None:
        self._ui, self._isPair, self._canAnswer = ui, False, False
        self._choice = self._confidence = None
        self.ratings = [getattr(ui, f"ratingButton{number}") for number in range(1, 7)]
        self.confidences = [getattr(ui, f"confidenceButton{number}") for number in range(1, 4)]
        self.sides = {"left": ui.leftButton, "right": ui.rightButton}
        ui.readingBar.maximum = _STEPS
        for number, button in enumerate(self.ratings, start=1):
            button.connect("clicked()", lambda number=number: self.pressNumber(number))
        for number, button in enumerate(self.confidences, start=1):
            button.connect("clicked()", lambda number=number: self.pressNumber(number))
        for side, button in self.sides.items():
            button.connect("clicked()", lambda side=side: self.chooseSide(side))

    @property
    def given(self):
        """The answer as the study keeps it, or None as long as something is missing."""
        if not self._isPair:
            return self._choice
        if self._choice is None or self._confidence is None:
            return None
        return {"synthetic": self._choice, "confidence": self._confidence}

    def ask(self, session) -> None:
        """Show the question of the session's presentation, with nothing chosen."""
        ui, self._isPair = self._ui, session.is_pair
        ui.ratingPage.setVisible(not self._isPair)
        ui.pairPage.setVisible(self._isPair)
        for number, (button, text) in enumerate(
            zip(self.ratings, session.log.study.scale, strict=True), start=1
        ):
            button.text = "   ".join((str(number), text))
        ui.questionLabel.text = (
            _("One of the two lesions is synthetic. Which?")
            if self._isPair
            else _("The lesion in the circle: real or synthetic?")
        )
        self.showPlace(session)
        self.clear()

    def showPlace(self, session) -> None:
        """Where the reader is in the study."""
        progress = session.progress
        blocks = {
            "training": _("Training case {number} of {count}"),
            "main": _("Case {number} of {count}"),
            "pairs": _("Pair {number} of {count}"),
        }
        text = blocks.get(progress.block, "").format(number=progress.number, count=progress.count)
        self._ui.placeLabel.text = text
        self._ui.readingBar.value = round(_STEPS * progress.answered / max(1, progress.total))

    def clear(self) -> None:
        """Nothing is chosen."""
        self._choice = self._confidence = None
        self._ui.commentEdit.clear()
        self._ui.commentEdit.clearFocus()
        self._update()

    def pressNumber(self, number: int) -> None:
        """Choose a rating, or for a pair how sure the reader is."""
        if not self._isPair:
            self._choice = number
        elif number <= len(self.confidences):
            self._confidence = number
        self._update()

    def chooseSide(self, side: str) -> None:
        """Choose the synthetic one of a pair."""
        if self._isPair:
            self._choice = side
        self._update()

    def say(self, text: str) -> None:
        """A word to the reader above the question; it takes no room while there is none."""
        self._ui.noteLabel.text = text
        self._ui.noteLabel.setVisible(bool(text))

    def setEnabled(self, canAnswer: bool) -> None:
        """Let the reader choose, or not: while a case is loaded, and in a pause."""
        for name in _USED:
            getattr(self._ui, name).enabled = canAnswer
        self._canAnswer = canAnswer
        self._update()

    def _update(self) -> None:
        for number, button in enumerate(self.ratings, start=1):
            button.checked = not self._isPair and self._choice == number
        for number, button in enumerate(self.confidences, start=1):
            button.checked = self._confidence == number
        for side, button in self.sides.items():
            button.checked = self._isPair and self._choice == side
        missing = _("Choose first: keys 1 to 6.")
        if self._isPair:
            missing = _("Choose a side (left or right arrow) and how sure you are (1 to 3) first.")
        enable(self._ui.answerButton, self._canAnswer and self.given is not None, missing)
