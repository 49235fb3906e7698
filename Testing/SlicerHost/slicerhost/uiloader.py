"""Qt Designer's files with CTK and qMRML widgets in them.

PySide6's loader knows neither the stand-ins' properties nor their signals. Both are taken out of the XML
first and applied in Python afterwards, so that a property or a connection that a widget does not have is an
error.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

from . import contract, ctkmod, pythonqt

_NUMBERS = {"number": int, "longLong": int, "uInt": int, "uint": int, "double": float, "float": float}


def standIns() -> dict[str, type]:
    """Class name -> class, of every widget that is not Qt's own."""
    from . import qmrml

    return {**ctkmod.WIDGETS, **qmrml.WIDGETS}


def _value(element: ElementTree.Element):
    """The Python value of a <property> element."""
    value = element[0]
    text = value.text or ""
    if value.tag == "bool":
        return text.strip() == "true"
    if value.tag in _NUMBERS:
        return _NUMBERS[value.tag](text)
    if value.tag in ("string", "cstring"):
        return text
    if value.tag == "stringlist":
        return [item.text or "" for item in value]
    if value.tag == "color":
        return QtGui.QColor(*(int(value.find(c).text) for c in ("red", "green", "blue")))
    raise RuntimeError(f"expected a plain value for property {element.get('name')!r}, got <{value.tag}>.")


def _flags(cls: type, name: str, text: str):
    """ "ctkPathLineEdit::Dirs|ctkPathLineEdit::Readable" as the class's own constants."""
    total = None
    for word in text.split("|"):
        constant = word.strip().rpartition("::")[2]
        flag = getattr(cls, constant, getattr(QtCore.Qt, constant, getattr(QtWidgets.QFrame, constant, None)))
        if flag is None:
            raise RuntimeError(f"expected constants of {cls.__name__} for property {name!r}, got {word!r}.")
        total = flag if total is None else total | flag
    return total


class UiLoader(QtUiTools.QUiLoader):
    """QUiLoader that makes the host's stand-ins and refuses what they do not have."""

    def createWidget(self, className: str, parent=None, name: str = ""):
        """Called by Qt for each widget of the file."""
        cls = standIns().get(className)
        if cls is not None:
            widget = cls(parent)
            widget.setObjectName(name)
            return widget
        if className not in contract.QT_CLASSES and className not in ("Line", "Spacer"):
            # Raising in here, inside Qt's loader, would only be printed: `load` looks at the names
            # beforehand.
            return None
        return super().createWidget(className, parent, name)

    def load(self, device, parent=None):
        """The widget of a .ui file (an open QIODevice or a path)."""
        data = bytes(device.readAll()) if isinstance(device, QtCore.QIODevice) else Path(device).read_bytes()
        root = ElementTree.fromstring(data)
        self._checkClasses(root)
        properties, connections = self._takeProperties(root), self._takeConnections(root)
        buffer = QtCore.QBuffer()
        buffer.setData(ElementTree.tostring(root))
        buffer.open(QtCore.QIODevice.ReadOnly)
        with pythonqt.lenient():
            widget = super().load(buffer, parent)
        if widget is None:
            return None
        children = {child.objectName: child for child in (widget, *widget.findChildren(QtCore.QObject))}
        # PySide6 makes each child an attribute of the widget; Slicer's loader does not, and the references
        # would keep the tree alive in a circle.
        for name in vars(widget).keys() & children.keys():
            del widget.__dict__[name]
        for name, key, value in properties:
            self._apply(children[name], key, value)
        for connection in connections:
            self._connectChildren(children, connection)
        return widget

    @staticmethod
    def _checkClasses(root: ElementTree.Element) -> None:
        known = standIns()
        for element in root.iter("widget"):
            name = element.get("class")
            if name not in known and name not in contract.QT_CLASSES and name != "Line":
                raise RuntimeError(
                    f"expected a widget class that the host supports, got {name} in the .ui file."
                )

    @staticmethod
    def _takeProperties(root: ElementTree.Element) -> list[tuple[str, str, object]]:
        """Take the stand-ins' own properties out of the XML: (widget, property, value)."""
        taken, known = [], standIns()
        for element in root.iter("widget"):
            cls = known.get(element.get("class"))
            if cls is None:
                continue
            meta = next(c for c in cls.__mro__ if c.__module__.startswith("PySide6")).staticMetaObject
            for item in element.findall("property"):
                name = item.get("name")
                if item.get("stdset") == "0" and not hasattr(cls, name):
                    continue  # a dynamic property such as SlicerParameterName
                if meta.indexOfProperty(name) >= 0 and not any(name in vars(c) for c in _own(cls)):
                    continue
                element.remove(item)
                enum = item[0].tag in ("enum", "set")
                value = _flags(cls, name, item[0].text or "") if enum else _value(item)
                taken.append((element.get("name"), name, value))
        return taken

    @staticmethod
    def _takeConnections(root: ElementTree.Element) -> list[dict[str, str]]:
        connections = [{e.tag: e.text or "" for e in c if e.tag != "hints"} for c in root.iter("connection")]
        for element in root.findall("connections"):
            root.remove(element)
        return connections

    @staticmethod
    def _apply(widget: QtCore.QObject, name: str, value) -> None:
        found = contract.of(type(widget))
        if not hasattr(type(widget), name) or (found and name not in contract.names(type(widget))):
            raise RuntimeError(f"{widget.objectName}: {contract.refusal(type(widget), name)}")
        setattr(widget, name, value)

    @staticmethod
    def _connectChildren(children: dict[str, QtCore.QObject], connection: dict[str, str]) -> None:
        try:
            sender, receiver = children[connection["sender"]], children[connection["receiver"]]
        except KeyError as error:
            raise RuntimeError(f"expected widgets of the .ui file in its connections, got {error}.") from None
        slot = connection["slot"].partition("(")[0]
        function = getattr(receiver, slot, None)
        if not callable(function):
            raise RuntimeError(f"expected a slot of {type(receiver).__name__}, got {connection['slot']!r}.")
        sender.connect(connection["signal"], function)


def _own(cls: type) -> list[type]:
    """The Python classes of a stand-in, without Qt's."""
    return [c for c in cls.__mro__ if c.__module__.partition(".")[0] == "slicerhost"]
