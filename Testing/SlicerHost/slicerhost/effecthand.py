"""The hand of the user in a slice view: mouse events to the active effect, feedback drawn."""

from __future__ import annotations

from PySide6 import QtCore, QtGui

_COLOR = QtGui.QColor(255, 214, 80)


class EffectHand:
    """Connects one slice view with an editor until `letGo`."""

    def __init__(self, editor, view):
        self._editor, self._view = editor, view
        self._here: tuple[int, int] | None = None
        view.addHandler(self._onEvent)
        view.addOverlay(self._paint)

    def letGo(self) -> None:
        """Hear and draw nothing any more."""
        self._view.removeHandler(self._onEvent)
        self._view.removeOverlay(self._paint)

    def _onEvent(self, event) -> bool:
        effect = self._editor.activeEffect()
        if effect is None:
            return False
        self._here = (event.x, event.y)
        self._view.update()
        return effect.processInteractionEvent(event, self._view)

    def _paint(self, painter: QtGui.QPainter) -> None:
        effect = self._editor.activeEffect()
        if effect is None or self._here is None:
            return
        ratio = self._view.devicePixelRatioF()
        painter.setRenderHint(QtGui.QPainter.Antialiasing)
        painter.setPen(QtGui.QPen(_COLOR, 1.5))
        for line in effect.feedback(self._here, self._view):
            points = [QtCore.QPointF(x / ratio, self._view.height - 1 - y / ratio) for x, y in line]
            painter.drawPolyline(points)


def letGo(hands: list[EffectHand], *_) -> None:
    """Let go of all views."""
    while hands:
        hands.pop().letGo()
