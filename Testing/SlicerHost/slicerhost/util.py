"""``slicer.util`` comes with slicer-core; here its message boxes can be read and answered by a test."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import slicer
import slicer.util
from PySide6.QtWidgets import QMessageBox

from . import packaging


@dataclass(frozen=True)
class Message:
    """One message box that the user would have seen."""

    level: int
    text: str
    title: str
    details: str


@dataclass
class Messages:
    """What was shown while nobody sits in front of the host, and what questions are to be answered."""

    shown: list[Message] = field(default_factory=list)
    answers: list[bool] = field(default_factory=list)

    def clear(self) -> None:
        """Forget everything."""
        self.shown.clear()
        self.answers.clear()

    def texts(self, level: int = logging.INFO) -> list[str]:
        """The texts of this level (``logging.ERROR``: errors) and above."""
        return [m.text for m in self.shown if m.level >= level]

    def answer(self, *accept: bool) -> None:
        """Answer the coming questions with yes (True) or no; without this Slicer's testing mode says yes."""
        self.answers.extend(accept)

    def note(self, level: int, text: str, options: dict) -> None:
        """Remember a message."""
        title, details = options.get("windowTitle") or "", options.get("detailedText") or ""
        self.shown.append(Message(level, str(text), title, details))


messages = Messages()


def _display(original: Callable) -> Callable:
    def _messageDisplay(logLevel, text, testingReturnValue, *args, **options):
        messages.note(logLevel, text, options)
        result = original(logLevel, text, testingReturnValue, *args, **options)
        if testingReturnValue is None or not slicer.app.testingEnabled():
            return result
        # A question. slicer-core compares the answer with a button, so a button it has to be.
        yes = messages.answers.pop(0) if messages.answers else testingReturnValue
        offered = options["standardButtons"]
        accepting = next(b for b in (QMessageBox.Yes, QMessageBox.Ok, QMessageBox.Retry) if offered & b)
        return accepting if yes else QMessageBox.NoButton

    return _messageDisplay


def _delay(original: Callable) -> Callable:
    def delayDisplay(message, autoCloseMsec=1000, parent=None, **options):
        messages.note(logging.INFO, message, options)
        # Nobody reads it in a test: let events through, as Slicer does for short times, and go on.
        original(message, 0 if slicer.app.testingEnabled() else autoCloseMsec, parent, **options)

    return delayDisplay


def install() -> None:
    """Complete ``slicer.util``; once."""
    if slicer.util.pip_install is packaging.pip_install:
        return
    slicer.util._messageDisplay = _display(slicer.util._messageDisplay)
    slicer.util.delayDisplay = _delay(slicer.util.delayDisplay)
    slicer.util.pip_install, slicer.util.pip_uninstall = packaging.pip_install, packaging.pip_uninstall
