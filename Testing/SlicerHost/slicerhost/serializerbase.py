"""The base class of everything that keeps a parameter in a parameter node."""

from __future__ import annotations

from .validators import Validator


class Serializer:
    """Base class: one parameter of one type, kept under a name in a vtkMRMLScriptedModuleNode."""

    validators: tuple[Validator, ...] = ()

    def validate(self, value) -> None:
        """Raise where the value is not of the type or breaks a validator."""
        for validator in self.validators:
            validator.validate(value)

    def default(self):
        """The value where no other default is given."""
        raise NotImplementedError

    def accepts(self, value) -> bool:
        """Would `write` take it?"""
        try:
            self.validate(value)
        except (TypeError, ValueError):
            return False
        return True

    def isIn(self, node, name: str) -> bool:
        """Has the node such a parameter?"""
        return node.HasParameter(name)

    def write(self, node, name: str, value) -> None:
        """Keep a valid value."""
        raise NotImplementedError

    def read(self, node, name: str):
        """The value that is kept."""
        raise NotImplementedError

    def remove(self, node, name: str) -> None:
        """Forget the value."""
        node.UnsetParameter(name)
