"""A case of a reader study in the scene: a CT and a circle around its lesion, and nothing that tells which.

The nodes have names that are the same for every case, no attributes and no storage node, are not saved with
the scene and cannot be brought back by undo.
"""

import slicer
import vtk
from freetumor.volume import read_volume

from FreeTumorSlicerLib.volumes import nodeFromVolume, rightHanded

CUE_COLOR = (1.0, 0.85, 0.1)
_SEGMENTS = 96  # of the circle


class ReadingCase:
    """The nodes of one case.

    Args:
        case: the StudyCase. name: of the volume node, such as "CT".
        viewIDs: view nodes that the circle is drawn in.

    Raises:
        BadInput: the CT cannot be read.
    """

    def __init__(self, case, name: str, viewIDs) -> None:
        self.id, self.center = case.id, case.center_ras_mm
        # Read first: while it takes its time nothing of the case is in the scene.
        volume = rightHanded(read_volume(case.file))
        self.volumeNode = nodeFromVolume(volume, name)
        display = self.volumeNode.GetDisplayNode()
        display.SetAutoWindowLevel(False)
        self.cueNode = _cue(case.center_ras_mm, case.radius_mm, viewIDs)
        for node in (self.volumeNode, self.cueNode):
            # Slicer's own names of display nodes count up.
            node.GetDisplayNode().SetName(f"{node.GetName()} display")
        for node in self._nodes():
            node.SetSaveWithScene(False)
            node.SetUndoEnabled(False)

    @property
    def displayNode(self):
        """The display node of the CT: window and level."""
        return self.volumeNode.GetDisplayNode()

    def setWindow(self, window: float, level: float) -> None:
        """Show the CT in a window."""
        self.displayNode.SetWindowLevel(window, level)

    def setCueVisible(self, visible: bool) -> None:
        """Draw the circle, or not."""
        self.cueNode.GetDisplayNode().SetVisibility(visible)

    def remove(self) -> None:
        """Take all nodes of the case out of the scene."""
        for node in self._nodes():
            if slicer.mrmlScene.IsNodePresent(node):
                slicer.mrmlScene.RemoveNode(node)

    def _nodes(self) -> list:
        nodes = []
        for node in (self.volumeNode, self.cueNode):
            displays = [node.GetNthDisplayNode(n) for n in range(node.GetNumberOfDisplayNodes())]
            storages = [node.GetNthStorageNode(n) for n in range(node.GetNumberOfStorageNodes())]
            nodes += [other for other in (*displays, *storages, node) if other is not None]
        return nodes


def _cue(center, radius: float, viewIDs):
    """A sphere, of which slices show the circle that they cut: the same look for every case."""
    source = vtk.vtkSphereSource()
    source.SetCenter(*center)
    source.SetRadius(radius)
    source.SetThetaResolution(_SEGMENTS)
    source.SetPhiResolution(_SEGMENTS)
    source.Update()
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", "Circle")
    node.SetAndObservePolyData(source.GetOutput())
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetColor(*CUE_COLOR)
    display.SetVisibility2D(True)
    display.SetVisibility3D(False)
    display.SetSliceIntersectionThickness(1)
    display.SetSliceIntersectionOpacity(0.7)
    for viewID in viewIDs:
        display.AddViewNodeID(viewID)
    return node
