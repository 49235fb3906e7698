"""Slicer's module ``qt``: QtCore, QtGui and QtWidgets in one flat module, with PythonQt's manners."""

from __future__ import annotations

import sys
import types

from PySide6 import QtCore, QtGui, QtWidgets

from . import contract, pythonqt


class _QtModule(types.ModuleType):
    def __getattr__(self, name: str):
        if name.startswith("__"):
            raise AttributeError(name)
        raise AttributeError(
            f"expected one of the Qt classes that the host supports, got qt.{name}: use another class, or "
            "add it to contract.QT_CLASSES after checking that Slicer's PythonQt has it."
        )


def install() -> types.ModuleType:
    """Patch PySide6 and register ``qt``; the same module on every call."""
    if isinstance(sys.modules.get("qt"), _QtModule):
        return sys.modules["qt"]
    pythonqt.patch()
    from . import uiloader

    qt = _QtModule("qt", __doc__)
    for name in contract.QT_CLASSES:
        setattr(qt, name, next(getattr(m, name) for m in (QtCore, QtGui, QtWidgets) if hasattr(m, name)))
    qt.QUiLoader = uiloader.UiLoader
    sys.modules["qt"] = qt
    return qt
