"""How a parameter of each type is kept in a parameter node: the same names and texts as Slicer's, so that a
scene saved by the host opens in Slicer.
"""

from __future__ import annotations

import enum
import pathlib
import types
import typing
from collections.abc import Callable

import slicer
from slicer.util import NodeModify

from .containers import DictSerializer, ListSerializer, TupleSerializer
from .serializerbase import Serializer
from .validators import Default, IsInstance, NotNone, Validator, splitAnnotations

PATHS = (
    pathlib.Path,
    pathlib.PosixPath,
    pathlib.WindowsPath,
    pathlib.PurePath,
    pathlib.PurePosixPath,
    pathlib.PureWindowsPath,
)


class TextSerializer(Serializer):
    """Everything that is one text: numbers, strings, truth values, paths and enumerations."""

    def __init__(self, classes, default, toText: Callable, fromText: Callable):
        self.validators = (NotNone(), IsInstance(classes))
        self._default, self._toText, self._fromText = default, toText, fromText

    def default(self):
        """Zero, empty or the first member."""
        return self._default

    def write(self, node, name: str, value) -> None:
        """As text."""
        node.SetParameter(name, self._toText(value))

    def read(self, node, name: str):
        """From text."""
        return self._fromText(node.GetParameter(name))


class NoneSerializer(Serializer):
    """The None of an Optional."""

    def validate(self, value) -> None:
        """Only None."""
        if value is not None:
            raise ValueError(f"expected None, got {value!r}.")

    def default(self):
        """None."""
        return

    def write(self, node, name: str, value) -> None:
        """A mark."""
        node.SetParameter(name, "True")

    def read(self, node, name: str):
        """None."""
        return


class NodeSerializer(Serializer):
    """A MRML node, kept as a node reference; None is allowed."""

    def __init__(self, cls: type):
        self.validators = (IsInstance(cls),)

    def default(self):
        """None."""
        return

    def write(self, node, name: str, value) -> None:
        """As a reference, which survives saving the scene; the empty text tells None from never written."""
        node.SetParameter(name, "")
        node.SetNodeReferenceID(name, value.GetID() if value is not None else None)

    def read(self, node, name: str):
        """The node, or None."""
        return node.GetNodeReference(name)

    def remove(self, node, name: str) -> None:
        """Both marks."""
        super().remove(node, name)
        node.RemoveNodeReferenceIDs(name)


class UnionSerializer(Serializer):
    """One of several types: Optional[X], Union[Node, OtherNode, None]."""

    def __init__(self, members: list[Serializer]):
        self._members = members

    def validate(self, value) -> None:
        """Some member has to take it."""
        if self._member(value) is None:
            wanted = " or ".join(type(m).__name__ for m in self._members)
            raise TypeError(f"expected {wanted}, got {type(value).__name__} ({value!r}).")

    def _member(self, value) -> int | None:
        # A node serializer takes None, too: None belongs to the NoneSerializer.
        if value is None:
            return next((i for i, m in enumerate(self._members) if isinstance(m, NoneSerializer)), None)
        return next((i for i, m in enumerate(self._members) if m.accepts(value)), None)

    def default(self):
        """None for Optional[X], else the default of the first type."""
        if len(self._members) == 2 and isinstance(self._members[1], NoneSerializer):
            return None
        return self._members[0].default()

    def isIn(self, node, name: str) -> bool:
        """Has any member a value?"""
        return any(m.isIn(node, f"{name}.{i}") for i, m in enumerate(self._members))

    def write(self, node, name: str, value) -> None:
        """Under the number of the member."""
        with NodeModify(node):
            self.remove(node, name)
            index = self._member(value)
            self._members[index].write(node, f"{name}.{index}", value)

    def read(self, node, name: str):
        """The one member that has a value."""
        index = next(i for i, m in enumerate(self._members) if m.isIn(node, f"{name}.{i}"))
        return self._members[index].read(node, f"{name}.{index}")

    def remove(self, node, name: str) -> None:
        """All members."""
        for index, member in enumerate(self._members):
            member.remove(node, f"{name}.{index}")


def createSerializer(hint) -> tuple[Serializer, tuple]:
    """The serializer of a (possibly annotated) type, and the annotations that it has no use for."""
    kind, annotations = splitAnnotations(hint)
    serializer = _forType(kind)
    own = tuple(a() if isinstance(a, type) else a for a in annotations if _isValidator(a))
    if own:
        inner = serializer.validate
        outer = [v.validate for v in own]

        def validate(value) -> None:
            for check in (inner, *outer):
                check(value)

        serializer.validate = validate
    return serializer, tuple(a for a in annotations if not _isValidator(a))


def _isValidator(annotation) -> bool:
    return isinstance(annotation, Validator) or (
        isinstance(annotation, type) and issubclass(annotation, Validator)
    )


def _plain(hint) -> Serializer:
    return createSerializer(hint)[0]


def _forType(kind) -> Serializer:
    """One serializer for a plain type; TypeError for a type that Slicer has none for."""
    from .parameterpack import PackSerializer, isParameterPack

    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if kind in (int, float):
        return TextSerializer((int, float) if kind is float else int, kind(0), str, kind)
    if kind is str:
        return TextSerializer(str, "", str, str)
    if kind is bool:
        return TextSerializer(bool, False, str, lambda text: text == "True")
    if kind in PATHS:
        return TextSerializer(kind, kind(), str, kind)
    if kind is types.NoneType:
        return NoneSerializer()
    if isParameterPack(kind):
        return PackSerializer(kind)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return TextSerializer(kind, next(iter(kind)), lambda member: member.name, lambda text: kind[text])
    if isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode):
        return NodeSerializer(kind)
    if origin is typing.Union:
        return UnionSerializer([_plain(a) for a in args])
    if origin is tuple:
        return TupleSerializer([_plain(a) for a in args])
    if origin is list:
        return ListSerializer(_plain(args[0]))
    if origin is dict:
        return DictSerializer(_plain(args[0]), _plain(args[1]))
    advice = " Write Optional[X] or Union[X, None]." if origin is types.UnionType else ""
    raise TypeError(f"expected a type that a parameter node can keep, got {kind}.{advice}")


def defaultOf(owner: type, name: str, serializer: Serializer, annotations: tuple):
    """The default of a member: after "=", by Default(...), or the type's own."""
    if hasattr(owner, name):
        return getattr(owner, name)
    given = next((a for a in annotations if isinstance(a, Default)), None)
    return serializer.default() if given is None else given.value
