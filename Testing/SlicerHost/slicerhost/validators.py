"""Annotations of parameters: validators, defaults, hints for widgets (``slicer.parameterNodeWrapper``)."""

from __future__ import annotations

import abc
import typing
from dataclasses import dataclass
from typing import Any


class Validator(abc.ABC):
    """Base class of everything that can refuse a value."""

    @abc.abstractmethod
    def validate(self, value) -> None:
        """Raise ValueError or TypeError where `value` is not allowed."""


@dataclass(frozen=True)
class NotNone(Validator):
    """Anything but None."""

    def validate(self, value) -> None:
        """See the class."""
        if value is None:
            raise ValueError("expected a value, got None.")


@dataclass(frozen=True)
class IsInstance(Validator):
    """An instance of a class, or None."""

    classtype: Any

    def validate(self, value) -> None:
        """See the class."""
        if value is not None and not isinstance(value, self.classtype):
            raise TypeError(f"expected {self.classtype}, got {type(value).__name__} ({value!r}).")


@dataclass(frozen=True)
class WithinRange(Validator):
    """From minimum to maximum, both allowed."""

    minimum: float
    maximum: float

    def validate(self, value) -> None:
        """See the class."""
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"expected a value within [{self.minimum}, {self.maximum}], got {value}.")


@dataclass(frozen=True)
class Minimum(Validator):
    """At least this."""

    minimum: float

    def validate(self, value) -> None:
        """See the class."""
        if value < self.minimum:
            raise ValueError(f"expected {self.minimum} or more, got {value}.")


@dataclass(frozen=True)
class Maximum(Validator):
    """At most this."""

    maximum: float

    def validate(self, value) -> None:
        """See the class."""
        if value > self.maximum:
            raise ValueError(f"expected {self.maximum} or less, got {value}.")


@dataclass(frozen=True)
class Choice(Validator):
    """One of these."""

    choices: Any

    def validate(self, value) -> None:
        """See the class."""
        if value not in self.choices:
            raise ValueError(f"expected one of {self.choices}, got {value!r}.")


@dataclass(frozen=True)
class Exclude(Validator):
    """None of these."""

    excludedValues: Any

    def validate(self, value) -> None:
        """See the class."""
        if value in self.excludedValues:
            raise ValueError(f"expected none of {self.excludedValues}, got {value!r}.")


@dataclass(frozen=True)
class Default:
    """The value of a parameter that nobody has set."""

    value: Any


@dataclass(frozen=True)
class Decimals:
    """Digits after the point in the widget."""

    value: int


@dataclass(frozen=True)
class SingleStep:
    """Step of the widget."""

    value: float


def splitAnnotations(hint) -> tuple[Any, tuple]:
    """``Annotated[float, Default(1)]`` -> (float, (Default(1),))."""
    if typing.get_origin(hint) is typing.Annotated:
        kind, *annotations = typing.get_args(hint)
        return kind, tuple(annotations)
    return hint, ()


def unannotatedType(hint) -> Any:
    """``Annotated[float, ...]`` -> float."""
    return splitAnnotations(hint)[0]


def findFirstAnnotation(annotations, kind: type):
    """The first annotation of a class, or None."""
    return next((a for a in annotations if isinstance(a, kind)), None)
