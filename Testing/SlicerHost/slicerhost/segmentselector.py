"""qMRMLSegmentSelectorWidget: a segmentation and one of its segments."""

from __future__ import annotations

import slicer
from PySide6 import QtWidgets
from PySide6.QtCore import Signal

from .mrmlwidget import SceneWidget
from .nodecombobox import qMRMLNodeComboBox


class qMRMLSegmentSelectorWidget(SceneWidget):
    """Two lists side by side; the second follows the segments of the first."""

    currentNodeChanged = Signal(object)
    currentSegmentChanged = Signal(str)

    def __init__(self, parent: QtWidgets.QWidget | None = None):
        super().__init__(parent)
        self._noneEnabled = False
        self._segmentID = ""
        self._ids: list[str] = []
        self._nodes = qMRMLNodeComboBox(self)
        self._nodes.setNodeTypes(["vtkMRMLSegmentationNode"])
        for flag in ("addEnabled", "removeEnabled"):
            setattr(self._nodes, flag, False)
        self._segments = QtWidgets.QComboBox(self)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (self._nodes, self._segments):
            layout.addWidget(part, 1)
        self._nodes.currentNodeChanged.connect(self._onNodeChanged)
        self._segments.activated.connect(self._onSegmentActivated)

    @property
    def noneEnabled(self) -> bool:
        """Is "None" in both lists?"""
        return self._noneEnabled

    @noneEnabled.setter
    def noneEnabled(self, enabled: bool) -> None:
        self.setNoneEnabled(enabled)

    def setNoneEnabled(self, enabled: bool) -> None:
        """Put "None" into both lists."""
        self._noneEnabled = bool(enabled)
        self._nodes.setNoneEnabled(enabled)
        self._fill()

    @property
    def segmentationNodeSelectorVisible(self) -> bool:
        """Is the list of segmentations shown?"""
        return not self._nodes.isHidden()

    @segmentationNodeSelectorVisible.setter
    def segmentationNodeSelectorVisible(self, visible: bool) -> None:
        self.setSegmentationNodeSelectorVisible(visible)

    def setSegmentationNodeSelectorVisible(self, visible: bool) -> None:
        """Show or hide the list of segmentations."""
        self._nodes.setVisible(bool(visible))

    def _sceneWasSet(self) -> None:
        self._nodes.setMRMLScene(self._scene)

    def currentNode(self):
        """The chosen segmentation, or None."""
        return self._nodes.currentNode()

    def currentNodeID(self) -> str:
        """Its ID; a method here, as in Slicer."""
        return self._nodes.currentNodeID

    def setCurrentNode(self, node) -> None:
        """Choose a segmentation."""
        self._nodes.setCurrentNode(node)

    def setCurrentNodeID(self, nodeID: str) -> None:
        """Choose a segmentation by ID."""
        self._nodes.setCurrentNodeID(nodeID)

    def currentSegmentID(self) -> str:
        """ID of the chosen segment, empty for none."""
        return self._segmentID

    def setCurrentSegmentID(self, segmentID: str) -> None:
        """Choose a segment of the current segmentation."""
        self._choose(segmentID)

    def _onNodeChanged(self, node) -> None:
        self._observations.clear()
        if node is not None:
            segmentation = node.GetSegmentation()
            kind = slicer.vtkSegmentation
            for event in (kind.SegmentAdded, kind.SegmentRemoved, kind.SegmentModified):
                self._observations.add(segmentation, event, self._onSegmentsChanged)
        self._fill()
        self.currentNodeChanged.emit(node)

    def _onSegmentsChanged(self, _segmentation, _data) -> None:
        self._fill()

    def _fill(self) -> None:
        node = self.currentNode()
        segmentation = node.GetSegmentation() if node is not None else None
        self._ids = [""] if self._noneEnabled else []
        self._ids += list(segmentation.GetSegmentIDs()) if segmentation is not None else []
        self._segments.clear()
        for segmentID in self._ids:
            self._segments.addItem(segmentation.GetSegment(segmentID).GetName() if segmentID else "None")
        # Slicer chooses the first segment of a segmentation where "None" is no choice.
        keep = self._segmentID if self._segmentID in self._ids else next(iter(self._ids), "")
        self._choose(keep)

    def _choose(self, segmentID: str) -> None:
        if segmentID not in self._ids:
            segmentID = ""
        self._segments.setCurrentIndex(self._ids.index(segmentID) if segmentID in self._ids else -1)
        if segmentID != self._segmentID:
            self._segmentID = segmentID
            self.currentSegmentChanged.emit(segmentID)

    def _onSegmentActivated(self, index: int) -> None:
        self._choose(self._ids[index])
