"""Drawing the tumor with the embedded Segment Editor."""

import slicer
from freetumor.anatomy import organ as organRow
from FreeTumorSlicerLib.terminology import colorOf, terminologyEntry
from slicer.i18n import tr as _

EDITOR_TAG = "FreeTumorSynth"
EFFECT = "Paint"


class Drawing:
    """The segment that the user paints, and the editor that paints it.

    Args:
        editor: the qMRMLSegmentEditorWidget of the panel.
    """

    def __init__(self, editor) -> None:
        self._editor, self._isActive = editor, False
        # The panel chooses both.
        editor.setSegmentationNodeSelectorVisible(False)
        editor.setSourceVolumeNodeSelectorVisible(False)

    @property
    def isActive(self) -> bool:
        """Whether the editor is connected with the scene."""
        return self._isActive

    def start(self, parameters) -> None:
        """Get the brush ready: a segmentation on the CT's grid, a segment for the tumor, the effect Paint."""
        node = parameters.drawnSegmentation
        if node is None:
            name = _("Tumor drawing on {ct}").format(ct=parameters.inputVolume.GetName())
            node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
            node.CreateDefaultDisplayNodes()
        node.SetReferenceImageGeometryParameterFromVolumeNode(parameters.inputVolume)
        segmentation, segmentID = node.GetSegmentation(), parameters.drawnSegmentID
        if segmentation.GetSegment(segmentID) is None:
            row = organRow(parameters.organ)
            segmentID = segmentation.AddEmptySegment("", _("Drawn tumor"), colorOf(row, "lesion"))
            segmentation.GetSegment(segmentID).SetTerminology(terminologyEntry(row, "lesion"))
        node.GetDisplayNode().SetVisibility(True)
        parameters.drawnSegmentID, parameters.drawnSegmentation = segmentID, node
        self.connect(parameters)
        self._editor.setActiveEffectByName(EFFECT)

    def connect(self, parameters) -> None:
        """Show the drawing in the editor."""
        self._editor.setMRMLSegmentEditorNode(_editorNode())
        self._editor.setSegmentationNode(parameters.drawnSegmentation)
        self._editor.setSourceVolumeNode(parameters.inputVolume)
        if parameters.drawnSegmentID:
            self._editor.setCurrentSegmentID(parameters.drawnSegmentID)
        if not self._isActive:
            self._editor.setupViewObservations()
            self._editor.installKeyboardShortcuts()
        self._isActive = True

    def pause(self) -> None:
        """Put the brush away: a click in a slice paints no more."""
        if self._isActive:
            self._editor.setActiveEffectByName("")

    def disconnect(self) -> None:
        """Leave mouse and keyboard to others."""
        if not self._isActive:
            return
        self.pause()
        self._editor.uninstallKeyboardShortcuts()
        self._editor.removeViewObservations()
        self._isActive = False

    @staticmethod
    def hide(parameters) -> None:
        """Hide the drawing once its tumor is there: it would lie over it."""
        if parameters.drawnSegmentation is not None:
            parameters.drawnSegmentation.GetDisplayNode().SetVisibility(False)


def _editorNode():
    """The state of this module's editor, apart from that of the Segment Editor module."""
    node = slicer.mrmlScene.GetSingletonNode(EDITOR_TAG, "vtkMRMLSegmentEditorNode")
    if node is None:
        node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLSegmentEditorNode")
        node.UnRegister(None)
        node.SetSingletonTag(EDITOR_TAG)
        node = slicer.mrmlScene.AddNode(node)
    return node
