"""qMRMLSegmentEditorWidget: segments, effects, undo; the work is done by Slicer's segment editor logic."""

from __future__ import annotations

from functools import partial

import slicer
import vtk
from PySide6 import QtGui, QtWidgets
from PySide6.QtCore import Signal

from .brushes import Draw, Erase, Paint
from .editorpanel import EditorPanel
from .editorswitches import EditorSwitches
from .effecthand import EffectHand, letGo
from .effects import Islands, Threshold, qSlicerSegmentEditorAbstractEffect
from .mrmlwidget import SceneWidget

EFFECTS = (Paint, Draw, Erase, Threshold, Islands)
KEYS = {"Ctrl+Z": "undo", "Ctrl+Y": "redo"}


class qMRMLSegmentEditorWidget(EditorSwitches, SceneWidget):
    """As in Slicer the embedding module owns the vtkMRMLSegmentEditorNode and sets it first."""

    segmentationNodeChanged = Signal(object)
    sourceVolumeNodeChanged = Signal(object)
    currentSegmentIDChanged = Signal(str)

    def __init__(self, parent: QtWidgets.QWidget | None = None):
        super().__init__(parent)
        self._node: slicer.vtkMRMLSegmentEditorNode | None = None
        self._logic = slicer.vtkSlicerSegmentEditorLogic()
        self._logic.SetMaximumNumberOfUndoStates(10)
        self._undoEnabled = self._autoShow = True
        self._readOnly = False
        self._effects = {kind.name: kind(self) for kind in EFFECTS}
        self._shown = (None, None, "")
        self._hands: list[EffectHand] = []
        self._shortcuts: list[QtGui.QShortcut] = []
        self._panel = EditorPanel(self)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._panel)
        self.destroyed.connect(partial(letGo, self._hands))
        self._panel.refresh()

    # --- scene and nodes -------------------------------------------------------------------------------

    def _sceneWasSet(self) -> None:
        self._logic.SetMRMLScene(self._scene)
        self._panel.setScene(self._scene)
        if self._scene is not None:
            self._observations.add(self._scene, slicer.vtkMRMLScene.EndCloseEvent, self._onSceneClosed)
            self._observations.add(
                self._logic,
                slicer.vtkSlicerSegmentEditorLogic.SegmentationHistoryChangedEvent,
                self._onHistoryChanged,
            )
        self._observeNode()

    def _onSceneClosed(self, _scene, _data) -> None:
        self.setActiveEffect(None)
        self._logic.ClearUndoState()
        self.updateWidgetFromMRML()

    def _onHistoryChanged(self, _logic, _data) -> None:
        self._panel.refreshUndo()

    def editorLogic(self) -> slicer.vtkSlicerSegmentEditorLogic:
        """The logic (for the effects)."""
        return self._logic

    def mrmlSegmentEditorNode(self) -> slicer.vtkMRMLSegmentEditorNode | None:
        """The state of the editor."""
        return self._node

    def setMRMLSegmentEditorNode(self, node: slicer.vtkMRMLSegmentEditorNode | None) -> None:
        """Keep the state of the editor in this node."""
        if node is self._node:
            return
        self.setActiveEffect(None)
        if self._node is not None:
            self._observations.drop(self._node)
        self._node = node
        self._logic.SetSegmentEditorNode(node)
        self._observeNode()

    def _observeNode(self) -> None:
        if self._node is not None:
            self._observations.drop(self._node)
            self._observations.add(self._node, vtk.vtkCommand.ModifiedEvent, self._onNodeModified)
        self.updateWidgetFromMRML()

    def _onNodeModified(self, _node, _data) -> None:
        self.updateWidgetFromMRML()

    def updateWidgetFromMRML(self) -> None:
        """Show what the node says; tell what changed."""
        segmentation, volume, segmentID = (
            self.segmentationNode(),
            self.sourceVolumeNode(),
            self.currentSegmentID(),
        )
        before, self._shown = self._shown, (segmentation, volume, segmentID)
        if segmentation is not before[0]:
            self._logic.SetSegmentationNode(segmentation)
            self._logic.ClearUndoState()
            self._observeSegments(before[0], segmentation)
        if volume is not before[1] or segmentation is not before[0]:
            self._logic.SetSourceVolumeNode(volume)
            if segmentation is not None and volume is not None:
                self._logic.UpdateReferenceGeometryImage()
        self._panel.refresh()
        for signal, old, new in zip(
            (self.segmentationNodeChanged, self.sourceVolumeNodeChanged, self.currentSegmentIDChanged),
            before,
            self._shown,
            strict=True,
        ):
            if old is not new and old != new:
                signal.emit(new)

    def _observeSegments(self, old, new) -> None:
        if old is not None:
            self._observations.drop(old)
        if new is not None:
            kind = slicer.vtkSegmentation
            for event in (kind.SegmentAdded, kind.SegmentRemoved, kind.SegmentModified):
                # Of the node, not of its vtkSegmentation: then the display node knows the segment already.
                self._observations.add(new, event, self._onSegmentsChanged)
            if new.GetDisplayNode() is None:
                new.CreateDefaultDisplayNodes()
            if not self.currentSegmentID() and new.GetSegmentation().GetNumberOfSegments():
                self.setCurrentSegmentID(new.GetSegmentation().GetNthSegmentID(0))

    def _onSegmentsChanged(self, node, _data) -> None:
        segmentation = node.GetSegmentation()
        if self.currentSegmentID() and segmentation.GetSegment(self.currentSegmentID()) is None:
            first = segmentation.GetNthSegmentID(0) if segmentation.GetNumberOfSegments() else ""
            self.setCurrentSegmentID(first)
        self._panel.refresh()

    def segmentationNode(self) -> slicer.vtkMRMLSegmentationNode | None:
        """The edited segmentation."""
        return self._node.GetSegmentationNode() if self._node is not None else None

    def segmentationNodeID(self) -> str:
        """Its ID, or empty."""
        node = self.segmentationNode()
        return node.GetID() if node is not None else ""

    def setSegmentationNode(self, node: slicer.vtkMRMLSegmentationNode | None) -> None:
        """Edit this segmentation."""
        self._needsNode("setSegmentationNode").SetAndObserveSegmentationNode(node)

    def setSegmentationNodeID(self, nodeID: str) -> None:
        """The same by ID."""
        self.setSegmentationNode(self._scene.GetNodeByID(nodeID) if nodeID else None)

    def sourceVolumeNode(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        """The volume whose grid and intensities are used."""
        return self._node.GetSourceVolumeNode() if self._node is not None else None

    def sourceVolumeNodeID(self) -> str:
        """Its ID, or empty."""
        node = self.sourceVolumeNode()
        return node.GetID() if node is not None else ""

    def setSourceVolumeNode(self, node: slicer.vtkMRMLScalarVolumeNode | None) -> None:
        """Use this volume's grid; a segmentation without a geometry takes it over."""
        self._needsNode("setSourceVolumeNode").SetAndObserveSourceVolumeNode(node)
        segmentation = self.segmentationNode()
        if (
            node is not None
            and segmentation is not None
            and not self._logic.GetReferenceImageGeometryString()
        ):
            segmentation.SetReferenceImageGeometryParameterFromVolumeNode(node)
        if node is not None and self._autoShow and slicer.util.mainWindow() is not None:
            slicer.util.setSliceViewerLayers(background=node)

    def setSourceVolumeNodeID(self, nodeID: str) -> None:
        """The same by ID."""
        self.setSourceVolumeNode(self._scene.GetNodeByID(nodeID) if nodeID else None)

    def _needsNode(self, method: str) -> slicer.vtkMRMLSegmentEditorNode:
        if self._node is None:
            raise RuntimeError(
                f"{method}: expected a segment editor node: call setMRMLSegmentEditorNode first"
            )
        return self._node

    def currentSegmentID(self) -> str:
        """The selected segment, or empty."""
        return (self._node.GetSelectedSegmentID() or "") if self._node is not None else ""

    def setCurrentSegmentID(self, segmentID: str) -> None:
        """Select a segment."""
        self._needsNode("setCurrentSegmentID").SetSelectedSegmentID(segmentID or None)

    # --- effects ---------------------------------------------------------------------------------------

    def availableEffectNames(self) -> list[str]:
        """The effects of the host."""
        return list(self._effects)

    def effectByName(self, name: str) -> qSlicerSegmentEditorAbstractEffect | None:
        """An effect, None where there is none of this name."""
        return self._effects.get(name)

    def activeEffect(self) -> qSlicerSegmentEditorAbstractEffect | None:
        """The effect in use."""
        return self._effects.get(self._node.GetActiveEffectName() or "") if self._node is not None else None

    def setActiveEffectByName(self, name: str) -> None:
        """Use an effect; an empty name: none."""
        if name and name not in self._effects:
            raise ValueError(f"setActiveEffectByName: expected one of {list(self._effects)}, got {name!r}")
        self.setActiveEffect(self._effects.get(name))

    def setActiveEffect(self, effect: qSlicerSegmentEditorAbstractEffect | None) -> None:
        """Use an effect; None: none."""
        old = self.activeEffect()
        if self._node is None or effect is old:
            return
        if effect is not None and (self.segmentationNode() is None or self.sourceVolumeNode() is None):
            effect = None  # as in Slicer: without something to edit no effect stays pressed
        if old is not None:
            old.deactivate()
        self._node.SetActiveEffectName(effect.name if effect is not None else "")
        if effect is not None:
            effect.activate()
        self._panel.refresh()

    def setupViewObservations(self) -> None:
        """Hear the mouse in the slice views: call it when the module is entered."""
        self.removeViewObservations()
        manager = slicer.app.layoutManager()
        for name in manager.sliceViewNames():
            view = manager.sliceWidget(name).sliceView()
            self._hands.append(EffectHand(self, view))

    def removeViewObservations(self) -> None:
        """Hear it no more: call it when the module is left."""
        letGo(self._hands)

    # --- undo ------------------------------------------------------------------------------------------

    def saveStateForUndo(self) -> None:
        """Remember the segmentation as it is now."""
        if self._undoEnabled:
            self._logic.SaveStateForUndo()

    def undo(self) -> None:
        """Back to the state before the last change."""
        self._logic.Undo()

    def redo(self) -> None:
        """Forth again."""
        self._logic.Redo()

    def installKeyboardShortcuts(self, parent: QtWidgets.QWidget | None = None) -> None:
        """Undo, redo and the effects' numbers, in `parent` (the main window if not given)."""
        self.uninstallKeyboardShortcuts()
        parent = parent or slicer.util.mainWindow() or self.window()
        keys = {key: getattr(self, method) for key, method in KEYS.items()}
        keys |= {str(n): partial(self._toggle, name) for n, name in enumerate(self._effects, start=1)}
        for key, action in keys.items():
            shortcut = QtGui.QShortcut(QtGui.QKeySequence(key), parent)
            shortcut.activated.connect(action)
            self._shortcuts.append(shortcut)

    def _toggle(self, name: str) -> None:
        active = self.activeEffect()
        self.setActiveEffectByName("" if active is not None and active.name == name else name)

    def uninstallKeyboardShortcuts(self) -> None:
        """Take them off."""
        while self._shortcuts:
            shortcut = self._shortcuts.pop()
            shortcut.setEnabled(False)
            shortcut.deleteLater()
