"""What a radiologist reads at the edges of a slice: sides of the patient, window, slice number."""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from PySide6 import QtCore, QtGui
from PySide6.QtCore import Qt

_LETTERS = (("L", "R"), ("P", "A"), ("I", "S"))  # negative and positive end of the RAS axes
_OBLIQUE = 0.35  # a second letter where the view is turned by more than some 20 degrees
_MARGIN = 8


def side(direction) -> str:
    """The patient's side that a direction in RAS points to, such as "A" or, turned, "AR"."""
    order = np.argsort(-np.abs(direction))
    return "".join(
        _LETTERS[axis][int(direction[axis] > 0)]
        for place, axis in enumerate(order)
        if place == 0 or abs(direction[axis]) > _OBLIQUE
    )


def normal(sliceNode: slicer.vtkMRMLSliceNode) -> np.ndarray:
    """The direction in RAS in which a slice's offset grows."""
    return np.array([sliceNode.GetSliceToRAS().GetElement(row, 2) for row in range(3)])


def edges(sliceNode: slicer.vtkMRMLSliceNode) -> dict[str, str]:
    """The letters at the four edges of a view."""
    matrix = sliceNode.GetSliceToRAS()
    right = np.array([matrix.GetElement(row, 0) for row in range(3)])
    up = np.array([matrix.GetElement(row, 1) for row in range(3)])
    return {"left": side(-right), "right": side(right), "top": side(up), "bottom": side(-up)}


def description(logic: slicer.vtkMRMLSliceLogic) -> list[str]:
    """Lines for the corner: name of the volume, window and level, slice number."""
    volume = logic.GetBackgroundLayer().GetVolumeNode()
    if volume is None or volume.GetDisplayNode() is None:
        return []
    display = volume.GetDisplayNode()
    lines = [volume.GetName()]
    if hasattr(display, "GetWindow"):
        lines.append(f"W {display.GetWindow():.0f}  L {display.GetLevel():.0f}")
    bounds, step = [0.0, 0.0], vtk.reference(1.0)
    if logic.GetSliceOffsetRangeResolution(bounds, step) and step.get() > 0:
        count = round((bounds[1] - bounds[0]) / step.get()) + 1
        here = round((logic.GetSliceOffset() - bounds[0]) / step.get()) + 1
        lines.append(f"Slice {min(max(here, 1), count)} / {count}")
    return lines


def draw(painter: QtGui.QPainter, rect: QtCore.QRect, sliceNode, logic: slicer.vtkMRMLSliceLogic) -> None:
    """Write it over the picture."""
    lines = description(logic)
    if not lines:
        return
    inner = rect.adjusted(_MARGIN, _MARGIN // 2, -_MARGIN, -_MARGIN // 2)
    font = painter.font()
    font.setPixelSize(12)
    painter.setFont(font)
    _text(painter, inner, Qt.AlignLeft | Qt.AlignBottom, "\n".join(lines))
    font.setBold(True)
    font.setPixelSize(14)
    painter.setFont(font)
    for name, letters in edges(sliceNode).items():
        flag = {
            "left": Qt.AlignLeft | Qt.AlignVCenter,
            "right": Qt.AlignRight | Qt.AlignVCenter,
            "top": Qt.AlignHCenter | Qt.AlignTop,
            "bottom": Qt.AlignHCenter | Qt.AlignBottom,
        }[name]
        _text(painter, inner, flag, letters)


def _text(painter: QtGui.QPainter, rect: QtCore.QRect, flags, text: str) -> None:
    """Light letters with a shadow: readable over bone and over air."""
    painter.setPen(QtGui.QColor(0, 0, 0))
    painter.drawText(rect.translated(1, 1), flags, text)
    painter.setPen(QtGui.QColor(255, 236, 160))
    painter.drawText(rect, flags, text)
