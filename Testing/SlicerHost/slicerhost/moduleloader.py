"""Loading and unloading of scripted modules: what Slicer's module factory and module panel do."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import slicer
from PySide6 import QtCore, QtGui, QtWidgets

from . import pythonqt

ATTRIBUTES = frozenset(
    {"name", "path", "title", "categories", "dependencies", "contributors", "helpText", "acknowledgementText"}
    | {"icon", "hidden", "index", "associatedNodeTypes", "widgetRepresentationCreationEnabled"}
)


class qSlicerScriptedLoadableModule:
    """What a module's ``__init__`` gets as ``parent``, and what ``slicer.modules.<name>`` is."""

    def __init__(self, name: str, path: str):
        self.name, self.path, self.title = name, path, ""
        self.categories, self.dependencies, self.contributors = [], [], []
        self.helpText = self.acknowledgementText = ""
        self.icon, self.hidden, self.index = QtGui.QIcon(), False, -1
        self.associatedNodeTypes, self.widgetRepresentationCreationEnabled = [], True
        self._widget: QtWidgets.QWidget | None = None

    def __setattr__(self, name, value):
        if name not in ATTRIBUTES and name[0] != "_":
            raise AttributeError(f"Attribute or property '{name}' does not exist on {type(self).__name__}.")
        super().__setattr__(name, value)

    def widgetRepresentation(self):
        """The module's panel; made when first asked for."""
        if self._widget is None:
            self._widget = self.createNewWidgetRepresentation()
        return self._widget

    def createNewWidgetRepresentation(self):
        """Another panel of the module."""
        return slicer.qSlicerScriptedLoadableModuleWidget(self)

    @property
    def widget(self):
        """The module's widget object in Python (a short cut of the host, Slicer does not have it)."""
        return self.widgetRepresentation().self()

    def logic(self):
        """None: the logic of a scripted module belongs to its widget."""
        return


def _moduleWidgetClass() -> type:
    """The class of a module's panel; it needs the host's qSlicerWidget, which needs the application."""
    from . import qmrml

    class qSlicerScriptedLoadableModuleWidget(qmrml.WIDGETS["qSlicerWidget"]):
        """A module's panel."""

        def __init__(self, module: qSlicerScriptedLoadableModule):
            super().__init__()
            self._module, self._entered = module, False
            self.setLayout(QtWidgets.QVBoxLayout())
            self.setMRMLScene(slicer.mrmlScene)
            self._python = None
            self.reload()

        def self(self):
            """The module's widget object in Python."""
            return self._python

        def reload(self) -> None:
            """Make the module's widget object anew."""
            cls = getattr(sys.modules[self._module.name], f"{self._module.name}Widget")
            self._python = cls(self)
            setattr(slicer.modules, f"{self._module.name}Widget", self._python)
            try:
                self._python.setup()
            except BaseException:
                # Slicer would print it and show half a panel. Here the module fails as a whole.
                manager = slicer.app.moduleManager()
                manager.disconnect(
                    "moduleAboutToBeUnloaded(QString)", self._python._onModuleAboutToBeUnloaded
                )
                raise

        def enter(self) -> None:
            """The user comes to the module."""
            self._entered = True
            getattr(self._python, "enter", _nothing)()

        def exit(self) -> None:
            """The user goes to another module."""
            self._entered = False
            getattr(self._python, "exit", _nothing)()

        @property
        def isEntered(self) -> bool:
            """Is the user in the module?"""
            return self._entered

    return qSlicerScriptedLoadableModuleWidget


def _nothing() -> None:
    """Enter or exit of a module that has none."""


def loadModule(path) -> qSlicerScriptedLoadableModule:
    """What Slicer's module factory does with <Module>.py."""
    path = Path(path).resolve()
    name = path.stem
    if slicer.app.moduleManager().module(name) is not None:
        raise RuntimeError(f"expected a module that is not loaded, got {name}: unload it first.")
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(name, path)
    code = importlib.util.module_from_spec(spec)
    sys.modules[name] = code
    try:
        spec.loader.exec_module(code)
    except BaseException:
        del sys.modules[name]
        raise
    module = qSlicerScriptedLoadableModule(name, str(path))
    setattr(slicer.modules, name.lower(), module)
    setattr(slicer.moduleNames, name, name)
    setattr(slicer.modules, f"{name}Instance", getattr(code, name)(module))
    slicer.app.moduleManager().moduleLoaded.emit(name)
    return module


def unloadModule(name: str) -> None:
    """Clean a scripted module up and destroy its widgets, as Slicer does when it quits."""
    module = slicer.app.moduleManager().module(name)
    if not isinstance(module, qSlicerScriptedLoadableModule):
        raise RuntimeError(f"expected a loaded scripted module, got {name!r}.")
    slicer.app.moduleManager().moduleAboutToBeUnloaded.emit(name)
    # What a module connects to the application, like its sample data, Slicer never lets go of.
    pythonqt.disconnectModule(slicer.app, name)
    panel, module._widget = module._widget, None
    for holder, attribute in (
        (slicer.modules, name.lower()),
        (slicer.modules, f"{name}Widget"),
        (slicer.modules, f"{name}Instance"),
        (slicer.moduleNames, name),
    ):
        vars(holder).pop(attribute, None)
    slicer.selfTests.pop(name, None)
    sys.modules.pop(name, None)
    if panel is not None:
        panel._python = None
        panel.deleteLater()
    QtCore.QCoreApplication.sendPostedEvents(None, QtCore.QEvent.DeferredDelete)


def install() -> None:
    """Register the classes that ``slicer.util`` asks for."""
    if not hasattr(slicer, "qSlicerScriptedLoadableModule"):
        slicer.qSlicerScriptedLoadableModule = qSlicerScriptedLoadableModule
        slicer.qSlicerScriptedLoadableModuleWidget = _moduleWidgetClass()
