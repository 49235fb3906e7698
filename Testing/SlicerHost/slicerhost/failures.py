"""Exceptions in Qt slots and in VTK observers: Slicer only prints them, here they are collected too."""

from __future__ import annotations

import sys
import traceback
from dataclasses import dataclass

from PySide6 import QtCore

# What Qt says when it is used wrongly; its other messages are about the display.
_MISUSE = ("QObject:", "QLayout:", "QWidget:", "QTimer:", "QBasicTimer:", "QPainter:", "QThread:")
# What the platform without a screen says each time a window opens.
_NOISE = "This plugin does not support"


@dataclass(frozen=True)
class Failure:
    """One exception that nobody caught, or one complaint of Qt."""

    summary: str
    details: str


_collected: list[Failure] = []
_state: dict = {}


def collected() -> tuple[Failure, ...]:
    """What has gone wrong since the last `clear`."""
    return tuple(_collected)


def clear() -> None:
    """Forget what was collected."""
    _collected.clear()


def check() -> None:
    """AssertionError that tells of everything collected; nothing is left behind."""
    found = collected()
    clear()
    if found:
        raise AssertionError("\n\n".join(f"{f.summary}\n{f.details}" for f in found))


def _exception(kind, value, trace) -> None:
    text = "".join(traceback.format_exception(kind, value, trace))
    _collected.append(Failure(f"{kind.__name__} in a slot or an observer: {value}", text))
    _state["excepthook"](kind, value, trace)


def _unraisable(event) -> None:
    text = "".join(traceback.format_exception(event.exc_type, event.exc_value, event.exc_traceback))
    _collected.append(Failure(f"{event.exc_type.__name__} that could not be raised: {event.exc_value}", text))
    _state["unraisablehook"](event)


def _qtMessage(level, context, text: str) -> None:
    if text.startswith(_MISUSE):
        _collected.append(Failure(f"Qt: {text}", "".join(traceback.format_stack(limit=12)[:-1])))
    if level != QtCore.QtMsgType.QtDebugMsg and sys.stderr is not None and not text.startswith(_NOISE):
        print(text, file=sys.stderr)


def install() -> None:
    """Listen. The previous hooks go on printing.

    May be called again at any time: others (Typer, pytest) put their own hooks in place.
    """
    if sys.excepthook is not _exception:
        _state["excepthook"], sys.excepthook = sys.excepthook, _exception
    if sys.unraisablehook is not _unraisable:
        _state["unraisablehook"], sys.unraisablehook = sys.unraisablehook, _unraisable
    QtCore.qInstallMessageHandler(_qtMessage)
