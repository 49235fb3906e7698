"""What a qMRMLNodeComboBox offers: node classes, attributes, "None", and what the user may do."""

from __future__ import annotations

import slicer


class NodeFilter:
    """Mixed into the combo box, which has `_fill`."""

    def _initFilter(self) -> None:
        self._types: list[str] = []
        self._attributes: list[tuple[str, str, str | None]] = []
        self._baseNames: dict[str, str] = {}
        self._noneEnabled, self._noneDisplay = False, "None"
        self._flags = {
            "addEnabled": True,
            "removeEnabled": True,
            "editEnabled": False,
            "renameEnabled": False,
            "showHidden": False,
            "showChildNodeTypes": True,
            "selectNodeUponCreation": True,
        }

    @property
    def nodeTypes(self) -> tuple[str, ...]:
        """Class names of the nodes to show."""
        return tuple(self._types)

    @nodeTypes.setter
    def nodeTypes(self, names) -> None:
        self.setNodeTypes(names)

    def setNodeTypes(self, names) -> None:
        """Show nodes of these classes (a list: a single string is a mistake in Slicer as well)."""
        if isinstance(names, str):
            raise TypeError(f"nodeTypes: expected a list of class names, got the string {names!r}")
        unknown = [name for name in names if not hasattr(slicer, name)]
        if unknown:
            raise ValueError(f"nodeTypes: expected classes of MRML nodes, got {', '.join(unknown)}")
        self._types = list(names)
        self._fill()

    @property
    def noneEnabled(self) -> bool:
        """Is "None" in the list?"""
        return self._noneEnabled

    @noneEnabled.setter
    def noneEnabled(self, enabled: bool) -> None:
        self.setNoneEnabled(enabled)

    def setNoneEnabled(self, enabled: bool) -> None:
        """Put "None" into the list, or take it out."""
        self._noneEnabled = bool(enabled)
        self._fill()

    @property
    def noneDisplay(self) -> str:
        """What "None" is called."""
        return self._noneDisplay

    @noneDisplay.setter
    def noneDisplay(self, text: str) -> None:
        self.setNoneDisplay(text)

    def setNoneDisplay(self, text: str) -> None:
        """Call "None" something else."""
        self._noneDisplay = text
        self._fill()

    @property
    def baseName(self) -> str:
        """The name that new nodes get, with a number."""
        return self._baseNames.get("", "")

    @baseName.setter
    def baseName(self, name: str) -> None:
        self.setBaseName(name)

    def setBaseName(self, name: str, nodeType: str = "") -> None:
        """The name of new nodes, of one class or of all."""
        self._baseNames[nodeType] = name

    def addAttribute(self, nodeType: str, name: str, value=None) -> None:
        """Show only nodes that carry this attribute (with this value); new nodes get it."""
        self._attributes.append((nodeType, name, None if value is None else str(value)))
        self._fill()

    def removeAttribute(self, nodeType: str, name: str) -> None:
        """Stop asking for an attribute."""
        self._attributes = [entry for entry in self._attributes if entry[:2] != (nodeType, name)]
        self._fill()

    def _accepts(self, node) -> bool:
        if node is None or (node.GetHideFromEditors() and not self.showHidden):
            return False
        if self.showChildNodeTypes:
            fits = any(node.IsA(name) for name in self._types)
        else:
            fits = node.GetClassName() in self._types
        return fits and all(
            node.GetAttribute(name) is not None if value is None else node.GetAttribute(name) == value
            for nodeType, name, value in self._attributes
            if node.IsA(nodeType)
        )


def _flag(name: str) -> property:
    def read(self) -> bool:
        return self._flags[name]

    def write(self, value: bool) -> None:
        self._flags[name] = bool(value)
        self._fill()

    return property(read, write)


for _name in (
    "addEnabled",
    "removeEnabled",
    "editEnabled",
    "renameEnabled",
    "showHidden",
    "showChildNodeTypes",
    "selectNodeUponCreation",
):
    setattr(NodeFilter, _name, _flag(_name))
