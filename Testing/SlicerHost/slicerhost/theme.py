"""Colors of the host's window: dark, because CTs are read in the dark."""

from __future__ import annotations

from PySide6 import QtGui, QtWidgets

_COLORS = {
    "Window": "#26292e",
    "WindowText": "#e6e6e6",
    "Base": "#1b1d21",
    "AlternateBase": "#22252a",
    "Text": "#e6e6e6",
    "Button": "#34383f",
    "ButtonText": "#e6e6e6",
    "ToolTipBase": "#34383f",
    "ToolTipText": "#f2f2f2",
    "Highlight": "#2f78c4",
    "HighlightedText": "#ffffff",
    "PlaceholderText": "#8a8f98",
    "Link": "#6db3f2",
}
_DISABLED = {"WindowText": "#7d828a", "Text": "#7d828a", "ButtonText": "#7d828a"}


def apply(application: QtWidgets.QApplication) -> None:
    """Give the whole application these colors."""
    application.setStyle("Fusion")
    palette = QtGui.QPalette()
    for role, color in _COLORS.items():
        palette.setColor(getattr(QtGui.QPalette, role), QtGui.QColor(color))
    for role, color in _DISABLED.items():
        palette.setColor(QtGui.QPalette.Disabled, getattr(QtGui.QPalette, role), QtGui.QColor(color))
    application.setPalette(palette)
