"""``parameterPack``: several parameters under one name (``slicer.parameterNodeWrapper``)."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from typing import Any

from slicer.util import NodeModify

from .serializers import Serializer, createSerializer, defaultOf
from .validators import unannotatedType


@dataclass(frozen=True)
class Parameter:
    """One member of a pack or a parameter node: what Slicer calls ParameterInfo."""

    basename: str
    serializer: Serializer
    default: Any
    unalteredType: Any
    annotations: tuple


def parametersOf(cls: type) -> dict[str, Parameter]:
    """The annotated members of a class description."""
    found = {}
    for name, hint in typing.get_type_hints(cls, include_extras=True).items():
        try:
            serializer, annotations = createSerializer(hint)
            default = defaultOf(cls, name, serializer, annotations)
            serializer.validate(default)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{cls.__name__}.{name}: {error}") from error
        found[name] = Parameter(name, serializer, default, hint, annotations)
    if not found:
        raise ValueError(f"expected annotated members in {cls.__name__}, got none.")
    return found


def isParameterPack(obj) -> bool:
    """Is it a pack, or a pack's class?"""
    return getattr(obj, "_is_parameterPack", False)


def nestedParameterNames(pack) -> list[str]:
    """All names of a pack with dots: "box.corner.x"."""
    names = []
    for name, parameter in (pack if isParameterPack(pack) else unannotatedType(pack)).allParameters.items():
        kind = unannotatedType(parameter.unalteredType)
        names += [f"{name}.{n}" for n in nestedParameterNames(kind)] if isParameterPack(kind) else [name]
    return names


def typeOf(parameters: dict[str, Parameter], name: str):
    """The annotated type of "a" or "a.b.c"; ValueError where there is no such parameter."""
    top, _, rest = name.partition(".")
    if top not in parameters:
        raise ValueError(f"expected one of the parameters {sorted(parameters)}, got {name!r}.")
    hint = parameters[top].unalteredType
    if not rest:
        return hint
    kind = unannotatedType(hint)
    if not isParameterPack(kind):
        raise ValueError(f"expected a parameter pack before the dot, got {name!r} ({kind}).")
    return typeOf(kind.allParameters, rest)


class _Pack:
    """What the decorator adds to a class."""

    _is_parameterPack = True
    allParameters: dict[str, Parameter]

    def __init__(self, *args, **kwargs):
        self._values, self._home = {}, None
        given = dict(zip(self.allParameters, args, strict=False))
        if (
            len(args) > len(self.allParameters)
            or set(given) & set(kwargs)
            or set(kwargs) - set(self.allParameters)
        ):
            raise TypeError(
                f"expected each of {list(self.allParameters)} at most once, got {len(args)} values and "
                f"{sorted(kwargs)}."
            )
        for name, parameter in self.allParameters.items():
            setattr(self, name, {**given, **kwargs}.get(name, parameter.default))

    def _write(self, name: str, value) -> None:
        self.allParameters[name].serializer.validate(value)
        self._values[name] = value
        self._save()

    def _save(self) -> None:
        if self._home is not None:
            serializer, node, name = self._home
            serializer.write(node, name, self)

    def getValue(self, name: str):
        """The value of "a" or "a.b.c"."""
        typeOf(self.allParameters, name)
        top, _, rest = name.partition(".")
        return getattr(self, top).getValue(rest) if rest else getattr(self, top)

    def setValue(self, name: str, value) -> None:
        """Set "a" or "a.b.c"."""
        typeOf(self.allParameters, name)
        top, _, rest = name.partition(".")
        if rest:
            getattr(self, top).setValue(rest, value)
        else:
            setattr(self, top, value)

    @classmethod
    def dataType(cls, name: str):
        """The annotated type of "a" or "a.b.c"."""
        return typeOf(cls.allParameters, name)

    def __eq__(self, other) -> bool:
        return isinstance(other, type(self)) and all(
            getattr(self, name) == getattr(other, name) for name in self.allParameters
        )

    __hash__ = None

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.allParameters)
        return f"{type(self).__name__}({values})"


def _member(name: str) -> property:
    return property(lambda self: self._values[name], lambda self, value: self._write(name, value))


def parameterPack(cls: type | None = None):
    """Class decorator; members are annotated, defaults and validators work as in a parameter node."""

    def wrap(described: type) -> type:
        parameters = parametersOf(described)
        members = {
            k: v for k, v in vars(described).items() if k not in ("__dict__", "__weakref__", *parameters)
        }
        members |= {name: _member(name) for name in parameters}
        return type(described.__name__, (_Pack,), {**members, "allParameters": parameters})

    return wrap if cls is None else wrap(cls)


class PackSerializer(Serializer):
    """A pack, kept member by member under "name.member"."""

    def __init__(self, cls: type):
        self._cls = cls

    def validate(self, value) -> None:
        """Only this pack; its members have been validated when they were set."""
        if not isinstance(value, self._cls):
            raise TypeError(f"expected a {self._cls.__name__}, got {type(value).__name__}.")

    def default(self):
        """All defaults."""
        return self._cls()

    def _members(self):
        return ((name, p.serializer) for name, p in self._cls.allParameters.items())

    def isIn(self, node, name: str) -> bool:
        """Is the first member there?"""
        member, serializer = next(iter(self._members()))
        return serializer.isIn(node, f"{name}.{member}")

    def write(self, node, name: str, value) -> None:
        """All members."""
        with NodeModify(node):
            for member, serializer in self._members():
                serializer.write(node, f"{name}.{member}", getattr(value, member))

    def read(self, node, name: str):
        """A pack that writes itself back when it is changed."""
        pack = self._cls()
        for member, serializer in self._members():
            pack._values[member] = serializer.read(node, f"{name}.{member}")
        pack._home = (self, node, name)
        return pack

    def remove(self, node, name: str) -> None:
        """All members."""
        for member, serializer in self._members():
            serializer.remove(node, f"{name}.{member}")
