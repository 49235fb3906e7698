"""PySide6 with the manners of PythonQt, the Qt binding inside 3D Slicer. The classes are patched in place.

Properties are attributes (``button.enabled = False``, ``spinBox.value``) while setters and slots stay
methods; ``sender.connect("clicked(bool)", function)`` takes signatures; attributes that a class lacks can be
neither read nor set. Patching, rather than subclassing, reaches the widgets that Qt makes by itself, too.
"""

from __future__ import annotations

import inspect
import re
import sys
import types
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import shiboken6
from PySide6 import QtCore, QtGui, QtWidgets

from . import contract

_HOST = ("slicerhost", "PySide6", "shiboken6", "shibokensupport")
_MISSING = object()
_state = {"patched": False, "lenient": 0}
_originalGetattribute = QtCore.QObject.__getattribute__


class Property:
    """One Qt property as an attribute of instances; on the class it is still the method (``singleShot``)."""

    def __init__(self, name: str, getter: Callable | None, setter: Callable | None, writable: bool):
        self.name, self.getter, self.setter, self.writable = name, getter, setter, writable

    def __get__(self, instance, owner=None):
        if instance is None:
            return self if self.getter is None else self.getter
        if self.getter is not None:
            try:
                return self.getter(instance)
            except TypeError:  # a method of the same name that wants arguments is not the property's getter
                return instance.property(self.name)
        return instance.property(self.name)

    def __set__(self, instance, value):
        owner = type(instance).__name__
        if not self.writable:
            raise AttributeError(f"Property '{self.name}' of {owner} is not writable.")
        try:
            accepted = (
                instance.setProperty(self.name, value)
                if self.setter is None
                else self.setter(instance, value) is not False
            )
        except TypeError:
            accepted = False
        if not accepted:
            raise ValueError(
                f"Property '{self.name}' of {owner} does not accept an object of type {type(value).__name__} "
                f"({value!r})."
            )


def qobjectClasses() -> Iterator[type]:
    """Every QObject class of the Qt modules that Slicer's ``qt`` has."""
    seen = set()
    for module in (QtCore, QtGui, QtWidgets):
        for name in dir(module):
            value = getattr(
                module, name
            )  # PySide6 makes a class when it is first asked for: vars() lacks most
            if isinstance(value, type) and issubclass(value, QtCore.QObject) and value not in seen:
                seen.add(value)
                yield value


@contextmanager
def lenient():
    """Let Qt's own loader set attributes on widgets."""
    _state["lenient"] += 1
    try:
        yield
    finally:
        _state["lenient"] -= 1


def _calledByHost(depth: int) -> bool:
    """Is the code that touches the attribute part of the host itself?"""
    name = sys._getframe(depth + 1).f_globals.get("__name__", "")
    return name.partition(".")[0] in _HOST


# --- signals and slots --------------------------------------------------------------------------------------


def _signature(text: str) -> tuple[str, str | None]:
    """Name and normalized argument list of "clicked(bool)"; the list is None where none was given."""
    match = re.fullmatch(r"\s*(\w+)\s*(?:\(([^()]*)\))?\s*", text)
    if match is None:
        raise ValueError(f"expected a signal like 'clicked(bool)', got {text!r}.")
    if match[2] is None:
        return match[1], None
    normal = QtCore.QMetaObject.normalizedSignature(text.strip()).data().decode()
    return match[1], normal[normal.index("(") + 1 : -1]


def _maximumArguments(function: Callable) -> int | None:
    """How many positional arguments it takes; None: any number, or nobody can tell."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return None
    return sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)


def _boundSignal(sender: QtCore.QObject, text: str):
    """The signal and the number of arguments of `text`; ValueError where the class has no such signal."""
    name, arguments = _signature(text)
    kind = type(sender)
    listed, allowed = contract.signals(kind, name), contract.names(kind)
    meta = sender.metaObject()
    full = f"{name}({arguments})"
    known = full in listed if listed else meta.indexOfSignal(full) >= 0
    if not known or (allowed is not None and name not in allowed):
        mine = listed or sorted(
            {
                meta.method(i).methodSignature().data().decode()
                for i in range(meta.methodCount())
                if meta.method(i).methodType() == QtCore.QMetaMethod.MethodType.Signal
            }
        )
        raise ValueError(f"expected a signal of {kind.__name__} {list(mine)}, got {text!r}.")
    signal = _originalGetattribute(sender, name)
    if not listed and arguments:
        with suppress(IndexError, KeyError):  # only one overload: the signal itself is the right one
            signal = signal[arguments]
    return signal, len(arguments.split(",")) if arguments else 0


class _Link:
    """One connection. The sender's wrapper holds it, where Python's garbage collector can see the circle

    sender - function - module widget - sender; what Qt holds, `slot`, knows it weakly.
    """

    def __init__(self, signature: str, target: Callable, count: int):
        self.signature, self.target, self.count = signature, target, count
        weak = weakref.ref(self)

        def slot(*values):
            link = weak()
            if link is not None:
                link.target(*values[: link.count])

        self.slot = slot


# Wrappers of objects that belong to Qt: without their links they would be forgotten while the object lives
# on.
_senders: dict[int, QtCore.QObject] = {}


def _hold(sender: QtCore.QObject) -> None:
    key = id(sender)
    if key not in _senders and not shiboken6.ownedByPython(sender):
        _senders[key] = sender
        _originalGetattribute(sender, "destroyed").connect(lambda *_: _senders.pop(key, None))


def _connect(self, *args):
    if not args or not isinstance(args[0], str):
        return _originalGetattribute(self, "connect")(*args)
    target = getattr(args[1], _signature(args[2])[0]) if len(args) == 3 else args[1]
    if not callable(target):
        raise ValueError(f"expected something to call for {args[0]!r}, got {type(target).__name__}.")
    signal, count = _boundSignal(self, args[0])
    most = _maximumArguments(target)
    link = _Link(args[0], target, count if most is None else min(count, most))
    signal.connect(link.slot)
    self.__dict__.setdefault("_links", []).append(link)
    _hold(self)
    return True


def _disconnect(self, *args):
    if not args or not isinstance(args[0], str):
        return _originalGetattribute(self, "disconnect")(*args)
    name = _signature(args[0])[0]
    target = (
        getattr(args[1], _signature(args[2])[0]) if len(args) == 3 else args[1] if len(args) > 1 else None
    )
    links = self.__dict__.get("_links", [])
    found = [
        x for x in links if _signature(x.signature)[0] == name and (target is None or x.target == target)
    ]
    for link in found:
        _boundSignal(self, link.signature)[0].disconnect(link.slot)
        links.remove(link)
    return bool(found)


def disconnectModule(sender: QtCore.QObject, module: str) -> None:
    """End the connections of `sender` to functions of a Python module that is unloaded."""
    for link in list(sender.__dict__.get("_links", [])):
        if getattr(link.target, "__module__", None) == module:
            sender.disconnect(link.signature, link.target)


# --- attributes ---------------------------------------------------------------------------------------------


def _guardedGetattribute(original: Callable) -> Callable:
    # PySide6 finds the instance methods connect / disconnect before it looks into the class, so that
    # replacing them on the class has no effect: the lookup itself has to be wrapped.
    def __getattribute__(self, name):
        if name == "connect":
            return types.MethodType(_connect, self)
        if name == "disconnect":
            return types.MethodType(_disconnect, self)
        if name[0] != "_":
            names = contract.names(type(self))
            if names is not None and name not in names and not _calledByHost(1):
                raise AttributeError(contract.refusal(type(self), name))
        return original(self, name)

    return __getattribute__


def _setattr(self, name, value):
    kind = type(self)
    host = _state["lenient"] or _calledByHost(1)
    names = contract.names(kind)
    if names is not None and name not in names and not host:
        raise AttributeError(contract.refusal(kind, name))
    for cls in kind.__mro__:
        attribute = cls.__dict__.get(name, _MISSING)
        if attribute is _MISSING:
            continue
        setter = getattr(type(attribute), "__set__", None)
        if setter is not None:
            setter(attribute, self, value)
            return
        break
    if not host and (names is not None or kind.__module__.partition(".")[0] in _HOST):
        raise AttributeError(contract.refusal(kind, name))
    self.__dict__[name] = value


def _patchProperties(cls: type) -> None:
    meta = cls.staticMetaObject
    for index in range(meta.propertyCount()):
        meta_property = meta.property(index)
        name = meta_property.name()
        own = cls.__dict__.get(name)
        if isinstance(own, (property, Property)) or (index < meta.propertyOffset() and own is None):
            continue
        if own is not None and not callable(own):
            continue  # a signal of the same name
        getter = None if own is None else getattr(cls, name)
        setter = getattr(cls, f"set{name[0].upper()}{name[1:]}", None)
        writable = meta_property.isWritable()
        setattr(
            cls, name, Property(name, getter, setter if writable and callable(setter) else None, writable)
        )


def patch() -> None:
    """Give all QObject classes of PySide6 PythonQt's manners; once."""
    if _state["patched"]:
        return
    _state["patched"] = True
    classes = list(qobjectClasses())
    for cls in classes:
        _patchProperties(cls)
    base = QtCore.QObject
    guards = [
        (cls, _guardedGetattribute(cls.__getattribute__))
        for cls in classes
        if cls is base or "__getattribute__" in cls.__dict__
    ]
    for cls, guard in guards:
        cls.__getattribute__ = guard
    for cls in classes:
        if cls is base or "__setattr__" in cls.__dict__:
            cls.__setattr__ = _setattr
    base.className = lambda self: self.metaObject().className()
    base.name = property(lambda self: self.objectName, lambda self, value: self.setObjectName(value))
    base.delete = lambda self: self.deleteLater()
