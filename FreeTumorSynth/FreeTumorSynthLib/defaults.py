"""What is chosen in a scene where the user has not chosen yet."""

import slicer

from FreeTumorSynthLib.parameters import LABEL_MAP
from FreeTumorSynthLib.results import SYNTHETIC


def chooseDefaults(parameters) -> None:
    """The first CT and the first segment of the first segmentation, where none is chosen."""
    p = parameters
    if p.inputVolume is None:
        p.inputVolume = _first("vtkMRMLScalarVolumeNode", p)
    if p.organSegmentation is None and p.organSource != LABEL_MAP:
        node = _first("vtkMRMLSegmentationNode", p)
        if node is not None and node.GetSegmentation().GetNumberOfSegments() > 0:
            p.organSegmentID = node.GetSegmentation().GetNthSegmentID(0)
            p.organSegmentation = node


def _first(className: str, parameters):
    """The first node of a class that is no result, no drawing and no label map."""
    for node in slicer.util.getNodesByClass(className):
        ours = node.GetAttribute(SYNTHETIC) is not None or node is parameters.drawnSegmentation
        if not ours and not node.IsA("vtkMRMLLabelMapVolumeNode"):
            return node
    return None
