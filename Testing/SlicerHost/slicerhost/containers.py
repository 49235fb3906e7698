"""Parameters that hold several values: tuples, lists and dictionaries (``slicer.parameterNodeWrapper``)."""

from __future__ import annotations

from collections.abc import MutableMapping, MutableSequence

from slicer.util import NodeModify

from .serializerbase import Serializer


class TupleSerializer(Serializer):
    """tuple[A, B]."""

    def __init__(self, members: list[Serializer]):
        self._members = members

    def validate(self, value) -> None:
        """Length and every item."""
        if not isinstance(value, (tuple, list)) or len(value) != len(self._members):
            raise ValueError(f"expected {len(self._members)} values, got {value!r}.")
        for member, item in zip(self._members, value, strict=True):
            member.validate(item)

    def default(self):
        """The defaults of all."""
        return tuple(m.default() for m in self._members)

    def isIn(self, node, name: str) -> bool:
        """Is the first one there?"""
        return self._members[0].isIn(node, f"{name}.0")

    def write(self, node, name: str, value) -> None:
        """One by one."""
        with NodeModify(node):
            for index, (member, item) in enumerate(zip(self._members, value, strict=True)):
                member.write(node, f"{name}.{index}", item)

    def read(self, node, name: str):
        """A tuple."""
        return tuple(m.read(node, f"{name}.{i}") for i, m in enumerate(self._members))

    def remove(self, node, name: str) -> None:
        """All."""
        for index, member in enumerate(self._members):
            member.remove(node, f"{name}.{index}")


class ListSerializer(Serializer):
    """list[A]: its length and its items."""

    def __init__(self, item: Serializer):
        self._item = item

    def validate(self, value) -> None:
        """Every item."""
        if not isinstance(value, (list, tuple, ObservedList)):
            raise TypeError(f"expected a list, got {type(value).__name__}.")
        for item in value:
            self._item.validate(item)

    def default(self):
        """Empty."""
        return []

    def isIn(self, node, name: str) -> bool:
        """Is there a length?"""
        return node.HasParameter(f"{name}.len")

    def _length(self, node, name: str) -> int:
        return int(node.GetParameter(f"{name}.len")) if self.isIn(node, name) else 0

    def write(self, node, name: str, value) -> None:
        """All items, and none of the old ones."""
        with NodeModify(node):
            for index in range(len(value), self._length(node, name)):
                self._item.remove(node, f"{name}.{index}")
            for index, item in enumerate(value):
                self._item.write(node, f"{name}.{index}", item)
            node.SetParameter(f"{name}.len", str(len(value)))

    def read(self, node, name: str):
        """A list that writes itself back when it is changed."""
        items = [self._item.read(node, f"{name}.{i}") for i in range(self._length(node, name))]
        return ObservedList(items, self, node, name)

    def remove(self, node, name: str) -> None:
        """All items and the length."""
        with NodeModify(node):
            for index in range(self._length(node, name)):
                self._item.remove(node, f"{name}.{index}")
            node.UnsetParameter(f"{name}.len")


class DictSerializer(Serializer):
    """dict[A, B], kept as a list of pairs."""

    def __init__(self, key: Serializer, value: Serializer):
        self._pairs = ListSerializer(TupleSerializer([key, value]))

    def validate(self, value) -> None:
        """Every pair."""
        if not isinstance(value, (dict, ObservedDict)):
            raise TypeError(f"expected a dictionary, got {type(value).__name__}.")
        self._pairs.validate(list(value.items()))

    def default(self):
        """Empty."""
        return {}

    def isIn(self, node, name: str) -> bool:
        """Is there a list?"""
        return self._pairs.isIn(node, name)

    def write(self, node, name: str, value) -> None:
        """In its order."""
        self._pairs.write(node, name, list(value.items()))

    def read(self, node, name: str):
        """A dictionary that writes itself back when it is changed."""
        return ObservedDict(dict(list(self._pairs.read(node, name))), self, node, name)

    def remove(self, node, name: str) -> None:
        """All pairs."""
        self._pairs.remove(node, name)


class _Observed:
    def __init__(self, content, serializer: Serializer, node, name: str):
        self._content, self._serializer, self._node, self._name = content, serializer, node, name

    def _save(self) -> None:
        try:
            self._serializer.validate(self._content)
        except (TypeError, ValueError):
            self._content = self._serializer.read(self._node, self._name)._content
            raise
        self._serializer.write(self._node, self._name, self._content)

    def __len__(self) -> int:
        return len(self._content)

    def __getitem__(self, key):
        return self._content[key]

    def __setitem__(self, key, value) -> None:
        self._content[key] = value
        self._save()

    def __delitem__(self, key) -> None:
        del self._content[key]
        self._save()

    def __eq__(self, other) -> bool:
        return self._content == (other._content if isinstance(other, _Observed) else other)

    __hash__ = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._content})"


class ObservedList(_Observed, MutableSequence):
    """A list parameter."""

    def insert(self, index: int, value) -> None:
        """See list."""
        self._content.insert(index, value)
        self._save()


class ObservedDict(_Observed, MutableMapping):
    """A dictionary parameter."""

    def __iter__(self):
        return iter(self._content)
