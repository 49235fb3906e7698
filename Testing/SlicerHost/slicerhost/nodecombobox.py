"""qMRMLNodeComboBox: choose, make, rename and delete nodes of given classes."""

from __future__ import annotations

import slicer
import vtk
from PySide6 import QtWidgets
from PySide6.QtCore import Signal

from .mrmlwidget import SceneWidget
from .nodefilter import NodeFilter

_NONE, _ACTION = "none", "action"  # kinds of rows that are not nodes


class _Row:
    """One row of the list: a node, "None", or something to do."""

    def __init__(self, kind: str, key: str, text: str):
        self.kind, self.key, self.text = kind, key, text


class qMRMLNodeComboBox(NodeFilter, SceneWidget):
    """Follows the scene: a node that goes leaves the list, a new name shows at once.

    As in Slicer nothing is chosen by itself; with `selectNodeUponCreation` a node made here is.
    """

    currentNodeChanged = Signal(object)
    currentNodeIDChanged = Signal(str)
    currentNodeRenamed = Signal(str)
    nodeActivated = Signal(object)
    nodeAdded = Signal(object)
    nodeAddedByUser = Signal(object)
    nodeAboutToBeRemoved = Signal(object)

    def __init__(self, parent: QtWidgets.QWidget | None = None):
        super().__init__(parent)
        self._initFilter()
        self._rows: list[_Row] = []
        self._current = ""
        self._filling = False
        self._box = QtWidgets.QComboBox(self)
        self._box.setSizeAdjustPolicy(QtWidgets.QComboBox.AdjustToMinimumContentsLengthWithIcon)
        self._box.setMinimumContentsLength(12)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._box)
        self.setFocusProxy(self._box)
        self._box.activated.connect(self._onActivated)

    # --- following the scene ---------------------------------------------------------------------------

    def _sceneWasSet(self) -> None:
        if self._scene is not None:
            events = slicer.vtkMRMLScene
            self._observations.add(self._scene, events.NodeAddedEvent, self._onNodeAdded)
            self._observations.add(self._scene, events.NodeAboutToBeRemovedEvent, self._onNodeGoes)
            self._observations.add(self._scene, events.NodeRemovedEvent, self._onNodeGone)
            for event in (events.EndBatchProcessEvent, events.EndCloseEvent):
                self._observations.add(self._scene, event, self._onBatchEnd)
            for node in self.nodes():
                self._observations.add(node, vtk.vtkCommand.ModifiedEvent, self._onNodeModified)
        self._fill()

    def _onNodeAdded(self, scene, node) -> None:
        if not any(node.IsA(name) for name in self._types):
            return
        self._observations.add(node, vtk.vtkCommand.ModifiedEvent, self._onNodeModified)
        if self._accepts(node) and not scene.IsBatchProcessing():
            self._fill()
            self.nodeAdded.emit(node)

    def _onNodeGoes(self, _scene, node) -> None:
        if any(row.key == node.GetID() for row in self._rows):
            self.nodeAboutToBeRemoved.emit(node)

    def _onNodeGone(self, scene, node) -> None:
        self._observations.drop(node)
        if not scene.IsBatchProcessing() and any(row.key == node.GetID() for row in self._rows):
            self._fill()

    def _onBatchEnd(self, _scene, _node) -> None:
        if self._scene is not None:
            for node in self.nodes():
                self._observations.drop(node)
                self._observations.add(node, vtk.vtkCommand.ModifiedEvent, self._onNodeModified)
        self._fill()

    def _onNodeModified(self, node, _data) -> None:
        if self._scene is None or self._scene.IsBatchProcessing():
            return
        row = next((i for i, row in enumerate(self._rows) if row.key == node.GetID()), None)
        if (row is not None) != self._accepts(node):
            self._fill()
        elif row is not None and self._rows[row].text != node.GetName():
            self._rows[row].text = node.GetName() or ""
            self._box.setItemText(row, self._rows[row].text)
            if node.GetID() == self._current:
                self.currentNodeRenamed.emit(node.GetName())

    def _fill(self) -> None:
        rows = [_Row(_NONE, "", self._noneDisplay)] if self._noneEnabled else []
        rows += [_Row("node", node.GetID(), node.GetName() or "") for node in self.nodes()]
        rows += [_Row(_ACTION, key, text) for key, text in self._actions()]
        self._rows, self._filling = rows, True
        self._box.clear()
        for row in rows:
            self._box.addItem(row.text)
        self._filling = False
        self._choose(self._current)

    def _actions(self) -> list[tuple[str, str]]:
        kinds = self._types[:1] if self._scene is not None else []
        offered = [
            ("add", "Create new {}", self.addEnabled),
            ("rename", "Rename current {}", self.renameEnabled),
            ("remove", "Delete current {}", self.removeEnabled),
        ]
        return [(key, text.format(_tag(kind))) for kind in kinds for key, text, enabled in offered if enabled]

    # --- the choice ------------------------------------------------------------------------------------

    def nodes(self) -> list:
        """The nodes in the list, in the scene's order."""
        if self._scene is None:
            return []
        every = (self._scene.GetNthNode(index) for index in range(self._scene.GetNumberOfNodes()))
        return [node for node in every if self._accepts(node)]

    def nodeCount(self) -> int:
        """How many nodes are in the list."""
        return sum(row.kind == "node" for row in self._rows)

    def nodeFromIndex(self, index: int):
        """The node in this place, None beyond the end."""
        keys = [row.key for row in self._rows if row.kind == "node"]
        return self._scene.GetNodeByID(keys[index]) if 0 <= index < len(keys) else None

    def currentNode(self):
        """The chosen node, or None."""
        return self._scene.GetNodeByID(self._current) if self._scene is not None and self._current else None

    @property
    def currentNodeID(self) -> str:
        """ID of the chosen node, empty for none."""
        return self._current

    @currentNodeID.setter
    def currentNodeID(self, nodeID: str) -> None:
        self.setCurrentNodeID(nodeID)

    def setCurrentNode(self, node) -> None:
        """Choose a node; None, or a node that is not in the list, chooses nothing."""
        if node is not None and not isinstance(node, slicer.vtkMRMLNode):
            raise TypeError(f"setCurrentNode: expected a vtkMRMLNode, got a {type(node).__name__}")
        self.setCurrentNodeID(node.GetID() if node is not None else "")

    def setCurrentNodeID(self, nodeID: str | None) -> None:
        """The same by ID."""
        self._choose(nodeID or "")

    def setCurrentNodeIndex(self, index: int) -> None:
        """The same by place in the list."""
        self.setCurrentNode(self.nodeFromIndex(index))

    def _choose(self, nodeID: str) -> None:
        wanted = next(
            (i for i, row in enumerate(self._rows) if row.key == nodeID and row.kind != _ACTION), None
        )
        if wanted is None:
            nodeID = ""
            wanted = 0 if self._noneEnabled else -1
        self._box.setCurrentIndex(wanted)
        if nodeID != self._current:
            self._current = nodeID
            self.currentNodeChanged.emit(self.currentNode())
            self.currentNodeIDChanged.emit(nodeID)

    def _onActivated(self, index: int) -> None:
        row = self._rows[index]
        if row.kind == _ACTION:
            self._choose(self._current)  # the list shows the node again, not the action
            {"add": self.addNode, "rename": self.renameCurrentNode, "remove": self.removeCurrentNode}[
                row.key
            ]()
            return
        self._choose(row.key)
        self.nodeActivated.emit(self.currentNode())

    # --- making and removing ---------------------------------------------------------------------------

    def addNode(self, nodeType: str = ""):
        """Make a node of the first class (or `nodeType`); the node."""
        kind = nodeType or self._types[0]
        node = self._scene.CreateNodeByClass(kind)
        node.UnRegister(None)
        base = self._baseNames.get(kind) or self.baseName or node.GetNodeTagName()
        node.SetName(self._scene.GenerateUniqueName(base))
        for attributeType, name, value in self._attributes:
            if node.IsA(attributeType):
                node.SetAttribute(name, value or "")
        node = self._scene.AddNode(node)
        if self.selectNodeUponCreation:
            self.setCurrentNode(node)
        self.nodeAddedByUser.emit(node)
        return node

    def removeCurrentNode(self) -> None:
        """Delete the chosen node from the scene."""
        if self.currentNode() is not None:
            self._scene.RemoveNode(self.currentNode())

    def renameCurrentNode(self) -> None:
        """Ask for a new name of the chosen node."""
        node = self.currentNode()
        if node is None:
            return
        name, accepted = QtWidgets.QInputDialog.getText(self, "Rename", "New name:", text=node.GetName())
        if accepted and name:
            node.SetName(name)


def _tag(kind: str) -> str:
    return kind.removeprefix("vtkMRML").removesuffix("Node")
