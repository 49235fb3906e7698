"""VTK's and MRML's error texts, sent to Python's logging: readable in a terminal, catchable in a test."""

from __future__ import annotations

import logging
import re

import vtk

_log = logging.getLogger("vtk")
_LEVELS = {"WarningEvent": logging.WARNING, "ErrorEvent": logging.ERROR}
_STAMP = re.compile(r"^(?:Generic )?(?:Warning|ERROR): In [^,]+, line \d+\n", re.MULTILINE | re.IGNORECASE)


def toPythonLogging() -> None:
    """Replace VTK's output window, which would write to the terminal (on Windows: open a window)."""
    # The logger of VTK prints each report once more.
    vtk.vtkLogger.SetStderrVerbosity(vtk.vtkLogger.VERBOSITY_OFF)
    window = vtk.vtkStringOutputWindow()
    for event, level in _LEVELS.items():
        window.AddObserver(event, _reporter(level))
    vtk.vtkOutputWindow.SetInstance(window)


def _reporter(level: int):
    @vtk.calldata_type(vtk.VTK_STRING)
    def report(_window, _event, text: str) -> None:
        _log.log(level, _STAMP.sub("", text).strip())

    return report
