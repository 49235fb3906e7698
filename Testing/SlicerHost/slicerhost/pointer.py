"""Mouse events of a view, in VTK's pixels."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt


@dataclass(frozen=True)
class PointerEvent:
    """What the mouse did: `kind` is press, move, release, wheel or double; pixels count from below left."""

    kind: str
    button: Qt.MouseButton
    x: int
    y: int
    modifiers: Qt.KeyboardModifiers
    steps: int = 0
