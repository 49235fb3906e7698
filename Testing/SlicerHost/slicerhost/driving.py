"""The mouse of a test: clicks and drags in a slice view, given in RAS mm, as a user would make them."""

from __future__ import annotations

import slicer
from PySide6.QtCore import Qt

from .pointer import PointerEvent


def _pixel(view, ras) -> tuple[int, int]:
    x, y, _ = view.convertRASToXYZ(ras)
    width, height = view.mrmlSliceNode().GetDimensions()[:2]
    if not (0 <= x < width and 0 <= y < height):
        raise ValueError(
            f"expected a point inside the view ({width} x {height}), got {ras} at pixel ({x:.0f}, {y:.0f})"
        )
    return round(x), round(y)


def jumpTo(ras, viewName: str = "Red") -> None:
    """Bring a slice view to a point, so that a stroke there lies in the shown slice."""
    slicer.app.layoutManager().sliceWidget(viewName).mrmlSliceNode().JumpSliceByCentering(*ras)


def drag(pointsRAS, viewName: str = "Red", button=Qt.LeftButton, modifiers=Qt.NoModifier) -> None:
    """Press at the first point, move through all, release at the last."""
    view = slicer.app.layoutManager().sliceWidget(viewName).sliceView()
    pixels = [_pixel(view, point) for point in pointsRAS]
    view.deliver(PointerEvent("press", button, *pixels[0], modifiers))
    for pixel in pixels[1:]:
        view.deliver(PointerEvent("move", Qt.NoButton, *pixel, modifiers))
    view.deliver(PointerEvent("release", button, *pixels[-1], modifiers))


def click(pointRAS, viewName: str = "Red", button=Qt.LeftButton, modifiers=Qt.NoModifier) -> None:
    """Press and release."""
    drag([pointRAS], viewName, button, modifiers)


def scroll(steps: int, viewName: str = "Red", modifiers=Qt.NoModifier) -> None:
    """Turn the wheel."""
    view = slicer.app.layoutManager().sliceWidget(viewName).sliceView()
    width, height = view.mrmlSliceNode().GetDimensions()[:2]
    view.deliver(PointerEvent("wheel", Qt.NoButton, width // 2, height // 2, modifiers, steps))
