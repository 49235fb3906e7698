"""``slicer.parameterNodeWrapper``: typed, validated parameters in the scene, shown by widgets both ways."""

from __future__ import annotations

import sys
import types
import weakref

import slicer
import vtk
from PySide6 import QtWidgets
from slicer.util import NodeModify

from . import containers, guiconnectors, parameterpack, validators
from .guiconnectors import GuiConnector, createGuiConnector
from .parameterpack import Parameter, parametersOf, typeOf

SlicerParameterNamePropertyName = "SlicerParameterName"


class _Connection:
    """Widgets of one `connectGui`, and the observer that keeps them up to date."""

    def __init__(self, wrapper: ParameterNode, connectors: dict[str, GuiConnector]):
        self.connectors, self._node, self._updating = connectors, wrapper.parameterNode, False
        self._wrapper = weakref.ref(wrapper)
        for name, connector in connectors.items():
            connector.write(wrapper.getValue(name))
            connector.onChanged(self._changer(name, connector))
        weak = weakref.WeakMethod(self._show)
        self._tag = self._node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: (weak() or _nothing)())

    def _changer(self, name: str, connector: GuiConnector):
        weak = weakref.ref(self)

        def change() -> None:
            connection = weak()
            wrapper = connection and connection._wrapper()
            if wrapper is not None and not connection._updating:
                with NodeModify(wrapper):
                    wrapper.setValue(name, connector.read())

        return change

    def _show(self) -> None:
        wrapper = self._wrapper()
        if self._updating or wrapper is None:
            return
        self._updating = True
        try:
            with NodeModify(wrapper):
                for name, connector in self.connectors.items():
                    connector.write(wrapper.getValue(name))
        finally:
            self._updating = False

    def end(self) -> None:
        """Let go of the widgets and of the node."""
        self._node.RemoveObserver(self._tag)
        for connector in self.connectors.values():
            connector.onChanged(None)
        self.connectors = {}


def _nothing() -> None:
    """For an observer whose connection is gone."""


class ParameterNode:
    """What the decorator adds to a class: its members are read from and written to `parameterNode`."""

    _is_parameter_node_wrapper = True
    allParameters: dict[str, Parameter]

    def __init__(self, parameterNode, prefix: str | None = None):
        if not isinstance(parameterNode, slicer.vtkMRMLScriptedModuleNode):
            raise TypeError(f"expected a vtkMRMLScriptedModuleNode, got {type(parameterNode).__name__}.")
        self.parameterNode, self._prefix = parameterNode, prefix or ""
        self._connections: dict[int, _Connection] = {}
        self._nextTag = 0
        for name, parameter in self.allParameters.items():
            if not parameter.serializer.isIn(parameterNode, self._prefix + name):
                self._write(name, parameter.default)

    def _read(self, name: str):
        serializer = self.allParameters[name].serializer
        if not serializer.isIn(self.parameterNode, self._prefix + name):
            self._write(name, self.allParameters[name].default)
        return serializer.read(self.parameterNode, self._prefix + name)

    def _write(self, name: str, value) -> None:
        serializer = self.allParameters[name].serializer
        serializer.validate(value)
        serializer.write(self.parameterNode, self._prefix + name, value)

    def getValue(self, name: str):
        """The value of "a" or, in a pack, "a.b.c"."""
        typeOf(self.allParameters, name)
        top, _, rest = name.partition(".")
        return self._read(top).getValue(rest) if rest else self._read(top)

    def setValue(self, name: str, value) -> None:
        """Set "a" or, in a pack, "a.b.c"."""
        typeOf(self.allParameters, name)
        top, _, rest = name.partition(".")
        if rest:
            self._read(top).setValue(rest, value)
        else:
            self._write(top, value)

    def default(self, name: str) -> validators.Default:
        """The default of a parameter."""
        typeOf(self.allParameters, name)
        return validators.Default(self.allParameters[name].default)

    def isCached(self, name: str) -> bool:
        """False: the host reads from the node each time."""
        typeOf(self.allParameters, name)
        return False

    @classmethod
    def dataType(cls, name: str):
        """The annotated type of a parameter."""
        return typeOf(cls.allParameters, name)

    def connectGui(self, gui) -> int:
        """Connect all widgets that have SlicerParameterName, in a widget or in `childWidgetVariables`."""
        if isinstance(gui, QtWidgets.QWidget):
            widgets = gui.findChildren(QtWidgets.QWidget)
        else:
            widgets = [w for w in vars(gui).values() if isinstance(w, QtWidgets.QWidget)]
        named = {w.property(SlicerParameterNamePropertyName): w for w in widgets}
        return self.connectParametersToGui({name: w for name, w in named.items() if name})

    def connectParametersToGui(self, mapping: dict) -> int:
        """Connect {parameter name: widget}; the tag returned is for `disconnectGui`."""
        connectors = {
            name: w if isinstance(w, GuiConnector) else createGuiConnector(w, self.dataType(name))
            for name, w in mapping.items()
        }
        tag, self._nextTag = self._nextTag, self._nextTag + 1
        self._connections[tag] = _Connection(self, connectors)
        return tag

    def disconnectGui(self, tag: int | None) -> None:
        """End a connection."""
        connection = self._connections.pop(tag, None)
        if connection is not None:
            connection.end()

    def StartModify(self):
        """See vtkMRMLNode."""
        return self.parameterNode.StartModify()

    def EndModify(self, wasModified):
        """See vtkMRMLNode."""
        return self.parameterNode.EndModify(wasModified)

    def AddObserver(self, event, callback, priority: float = 0.0) -> int:
        """See vtkObject."""
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag: int) -> None:
        """See vtkObject."""
        self.parameterNode.RemoveObserver(tag)

    def Modified(self) -> None:
        """See vtkObject."""
        self.parameterNode.Modified()


def _member(name: str) -> property:
    return property(lambda self: self._read(name), lambda self, value: self._write(name, value))


def parameterNodeWrapper(cls: type | None = None):
    """Class decorator: annotated members become parameters of a vtkMRMLScriptedModuleNode."""

    def wrap(described: type) -> type:
        parameters = parametersOf(described)
        mine = {n for n in dir(ParameterNode) if not n.startswith("__")} | {"parameterNode"}
        reserved = mine & (set(vars(described)) | set(parameters))
        if reserved:
            raise ValueError(f"expected names that are free in a parameter node, got {sorted(reserved)}.")
        members = {
            k: v for k, v in vars(described).items() if k not in ("__dict__", "__weakref__", *parameters)
        }
        members |= {name: _member(name) for name in parameters}
        return type(described.__name__, (ParameterNode,), {**members, "allParameters": parameters})

    return wrap if cls is None else wrap(cls)


def isParameterNodeWrapper(classOrObject) -> bool:
    """Was it decorated with `parameterNodeWrapper`?"""
    return getattr(classOrObject, "_is_parameter_node_wrapper", False)


def findChildWidgetForParameter(widget, parameter: str):
    """The child widget whose property SlicerParameterName is `parameter`, or None."""
    children = widget.findChildren(QtWidgets.QWidget)
    return next((w for w in children if w.property(SlicerParameterNamePropertyName) == parameter), None)


PUBLIC = {
    validators: "Validator NotNone IsInstance WithinRange Minimum Maximum Choice Exclude Default Decimals "
    "SingleStep splitAnnotations unannotatedType findFirstAnnotation",
    parameterpack: "parameterPack isParameterPack nestedParameterNames",
    guiconnectors: "GuiConnector createGuiConnector",
    containers: "ObservedList ObservedDict",
    sys.modules[__name__]: "parameterNodeWrapper isParameterNodeWrapper findChildWidgetForParameter "
    "SlicerParameterNamePropertyName",
}


def install() -> None:
    """Register ``slicer.parameterNodeWrapper``."""
    if "slicer.parameterNodeWrapper" in sys.modules:
        return
    module = types.ModuleType("slicer.parameterNodeWrapper", __doc__)
    module.__all__ = [name for names in PUBLIC.values() for name in names.split()]
    for home, names in PUBLIC.items():
        for name in names.split():
            setattr(module, name, getattr(home, name))
    sys.modules["slicer.parameterNodeWrapper"] = slicer.parameterNodeWrapper = module
