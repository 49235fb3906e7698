"""Everything that the module FreeTumor Segment lets the user choose; saved and restored with the scene."""

from pathlib import Path
from typing import Annotated

from freetumor.anatomy import ORGANS
from freetumor.nets.backends import BACKENDS
from freetumor.nets.devices import DEVICES
from freetumor.segmentation.whole_volume import OVERLAP
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.parameterNodeWrapper import Choice, Decimals, SingleStep, WithinRange, parameterNodeWrapper

CONVENTIONS = ["freetumor", "totalsegmentator", "own ids"]
_AUTO = "auto"


@parameterNodeWrapper
class FreeTumorSegmentParameterNode:
    """The parameters of FreeTumor Segment.

    model: name of a model; empty for the first that fits. cropSegmentation, cropSegmentID: the organ, where
    the model is to look near it only. overlap: share of a window, of neighbouring windows.
    """

    ctVolume: vtkMRMLScalarVolumeNode
    segmentation: vtkMRMLSegmentationNode
    probabilityVolume: vtkMRMLScalarVolumeNode
    organ: Annotated[str, Choice(list(ORGANS))] = "liver"

    model: str
    cropSegmentation: vtkMRMLSegmentationNode
    cropSegmentID: str
    overlap: Annotated[float, Decimals(2), SingleStep(0.05), WithinRange(0.0, 0.75)] = OVERLAP
    device: Annotated[str, Choice(list(DEVICES))] = _AUTO
    backend: Annotated[str, Choice([_AUTO, *BACKENDS])] = _AUTO

    labelFile: Path
    convention: Annotated[str, Choice(CONVENTIONS)] = "freetumor"
    organValues: str
    lesionValues: str
    resampleLabels: bool = False

    show3D: bool = False
    casesFolder: Path
    author: str
    comment: str
