"""Everything that the module FreeTumor Synth lets the user choose; saved and restored with the scene."""

import pathlib
from typing import Annotated

from freetumor.anatomy import ORGANS, SIZE_CLASSES
from freetumor.nets.backends import BACKENDS
from freetumor.nets.devices import DEVICES
from freetumor.organs import CONVENTIONS
from freetumor.synthesis.engines import ENGINES
from slicer import (
    vtkMRMLLabelMapVolumeNode,
    vtkMRMLMarkupsFiducialNode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLSegmentationNode,
)
from slicer.parameterNodeWrapper import Choice, Decimals, SingleStep, WithinRange, parameterNodeWrapper

SEGMENT, LABEL_MAP = "segment", "label map"
ANY_SIZE, BY_DIAMETER = "any size", "diameter"
OWN_VALUES = "values below"
DRAW, PLACE, SAMPLE = "draw", "place", "sample"
MODES = (DRAW, PLACE, SAMPLE)
AUTO, YES, NO = "auto", "yes", "no"
_ANSWERS = (AUTO, YES, NO)
_MM = (Decimals(1), SingleStep(1.0), WithinRange(-3000.0, 3000.0))


@parameterNodeWrapper
class FreeTumorSynthParameterNode:
    """The parameters of FreeTumor Synth.

    inputVolume: the CT. organSource tells which of organSegmentation + organSegmentID and organLabelMap holds
    the organ; labelConvention or organValues tell its ids in the label map.
    mode: draw (drawnSegmentation, drawnSegmentID), place (right, anterior, superior, RAS mm), sample (count).
    size: by diameter (mm) or of a size class. contrast: HU, used with ownContrast.
    model, judgeModel: names of models; empty for the first that fits. judgeThreshold: T of the learned judge.
    resultVolume: the synthetic CT that is shown and that Accept, Undo, Compare and Save act on.
    """

    inputVolume: vtkMRMLScalarVolumeNode
    organ: Annotated[str, Choice(list(ORGANS))] = next(iter(ORGANS))
    organSource: Annotated[str, Choice([SEGMENT, LABEL_MAP])] = SEGMENT
    organSegmentation: vtkMRMLSegmentationNode
    organSegmentID: str
    organLabelMap: vtkMRMLLabelMapVolumeNode
    labelConvention: Annotated[str, Choice([*CONVENTIONS, OWN_VALUES])] = next(iter(CONVENTIONS))
    organValues: str = "1"

    mode: Annotated[str, Choice(list(MODES))] = DRAW
    drawnSegmentation: vtkMRMLSegmentationNode
    drawnSegmentID: str
    placedPoint: vtkMRMLMarkupsFiducialNode
    right: Annotated[float, *_MM] = 0.0
    anterior: Annotated[float, *_MM] = 0.0
    superior: Annotated[float, *_MM] = 0.0
    livePreview: bool = False

    size: Annotated[str, Choice([BY_DIAMETER, ANY_SIZE, *SIZE_CLASSES])] = BY_DIAMETER
    diameter: Annotated[float, Decimals(1), SingleStep(1.0), WithinRange(2.0, 150.0)] = 20.0
    count: Annotated[int, WithinRange(1, 20)] = 1
    seed: Annotated[int, WithinRange(0, 999_999)] = 0
    ownContrast: bool = False
    contrast: Annotated[float, Decimals(0), SingleStep(5.0), WithinRange(-300.0, 1000.0)] = -40.0

    engine: Annotated[str, Choice(list(ENGINES))] = next(iter(ENGINES))
    model: str
    askModel: bool = False
    judgeModel: str
    judgeThreshold: Annotated[float, Decimals(2), SingleStep(0.05), WithinRange(0.0, 0.99)] = 0.7
    device: Annotated[str, Choice(list(DEVICES))] = AUTO
    backend: Annotated[str, Choice([AUTO, *BACKENDS])] = AUTO
    rim: Annotated[str, Choice(list(_ANSWERS))] = AUTO
    core: Annotated[str, Choice(list(_ANSWERS))] = AUTO
    exophytic: Annotated[str, Choice(list(_ANSWERS))] = AUTO
    keepRejected: bool = False

    resultVolume: vtkMRMLScalarVolumeNode
    caseFolder: pathlib.Path
    caseName: str
    exportFormat: Annotated[str, Choice(["nnunet", "msd"])] = "nnunet"
    exportFolder: pathlib.Path
