"""The embedded Segment Editor; its node is its own, so that the module Segment Editor is not disturbed."""

import slicer

TAG = "FreeTumorSegmentEditor"
UNDO_STATES = 10


class EditorPanel:
    """Puts a Segment Editor into `section`, a collapsible button of the form."""

    def __init__(self, section) -> None:
        self.widget = slicer.qMRMLSegmentEditorWidget()
        self.widget.setMRMLScene(slicer.mrmlScene)
        self.widget.setMaximumNumberOfUndoStates(UNDO_STATES)
        # The module's own selectors choose both.
        self.widget.setSegmentationNodeSelectorVisible(False)
        self.widget.setSourceVolumeNodeSelectorVisible(False)
        section.layout().addWidget(self.widget)

    def enter(self) -> None:
        """The user comes to the module: strokes and keys belong to this editor."""
        self._ensureNode()
        self.widget.setupViewObservations()
        self.widget.installKeyboardShortcuts()
        self.widget.updateWidgetFromMRML()

    def exit(self) -> None:
        """The user goes to another module."""
        self.widget.setActiveEffect(None)
        self.widget.uninstallKeyboardShortcuts()
        self.widget.removeViewObservations()

    def setNodes(self, segmentationNode, volumeNode) -> None:
        """Edit `segmentationNode` on `volumeNode`; None: nothing, and no node of the scene is held."""
        if segmentationNode is None:
            if self.widget.mrmlSegmentEditorNode() is not None:
                self.widget.setActiveEffect(None)
                self.widget.setSegmentationNode(None)
                self.widget.setSourceVolumeNode(None)
                self.widget.setMRMLSegmentEditorNode(None)
            return
        self._ensureNode()
        if self.widget.segmentationNode() is not segmentationNode:
            self.widget.setSegmentationNode(segmentationNode)
        if self.widget.sourceVolumeNode() is not volumeNode:
            self.widget.setSourceVolumeNode(volumeNode)

    def cleanup(self) -> None:
        """The module is unloaded."""
        self.exit()
        self.setNodes(None, None)

    def _ensureNode(self) -> None:
        node = slicer.mrmlScene.GetSingletonNode(TAG, "vtkMRMLSegmentEditorNode")
        if node is None:
            node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLSegmentEditorNode")
            node.UnRegister(None)
            node.SetSingletonTag(TAG)
            node = slicer.mrmlScene.AddNode(node)
        if self.widget.mrmlSegmentEditorNode() is not node:
            self.widget.setMRMLSegmentEditorNode(node)
