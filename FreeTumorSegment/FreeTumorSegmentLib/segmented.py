"""What the job "segment" hands back, as nodes: segments with terminology, and the lesions' probability."""

import json

from freetumor.anatomy import organ as organRow
from freetumor.volume import read_volume
from FreeTumorSlicerLib.hierarchy import placeBeside
from FreeTumorSlicerLib.volumes import nodeFromVolume
from slicer.i18n import tr as _

from FreeTumorSegmentLib.labels import segmentationFromLabels
from FreeTumorSegmentLib.openedcase import joinCase

MODEL, FACTS = "FreeTumor.Model", "FreeTumor.Segmentation"


def addSegmented(result: dict, folder, ctNode):
    """(segmentation node, probability node) of a finished job on `ctNode`; nothing is put into the views.

    Args:
        result: what the job handed back; its files lie in `folder`.
    """
    row, facts = organRow(result["organ"]), result["facts"]
    # Lists cut names at their end: what tells the nodes apart comes first.
    names = {"model": facts["model"], "ct": ctNode.GetName()}
    labels = read_volume(folder / result["labels"])
    title = _("{model} - {ct}").format(**names)
    segmentation = segmentationFromLabels(labels, row, ctNode, title)
    probability = read_volume(folder / result["probability"])
    title = _("Probability - {model} - {ct}").format(**names)
    probability = nodeFromVolume(probability, title, like=ctNode)
    probability.GetDisplayNode().SetAutoWindowLevel(False)
    probability.GetDisplayNode().SetWindowLevel(1.0, 0.5)
    told = _("Found by the model {model}, not by a reader. Not for clinical use.").format(**names)
    for node in (segmentation, probability):
        node.SetAttribute(MODEL, facts["model"])
        node.SetAttribute(FACTS, json.dumps(facts))
        node.SetDescription(told)
    joinCase(segmentation, ctNode)
    joinCase(probability, ctNode)
    placeBeside(ctNode, segmentation, probability)
    return segmentation, probability
