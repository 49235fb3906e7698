"""Label maps as segments and back. What a segment is, its terminology tells, as for every Slicer module."""

import numpy as np
import slicer
from freetumor.anatomy import ORGANS
from freetumor.segmentation import find_lesions, import_labels, lesion_rows
from freetumor.volume import read_volume
from FreeTumorSlicerLib.terminology import terminologyEntry
from FreeTumorSlicerLib.volumes import labelsFromSegmentation, segmentFromMask, volumeFromNode
from slicer.i18n import tr as _

# A see-through organ: the lesions in it are what matters. Outlines: a filling hides what is to be judged.
ORGAN_OPACITY_3D, ORGAN_FILL_2D, LESION_FILL_2D = 0.25, 0.0, 0.1


def segmentationFromLabels(labels, organ, ctNode, name):
    """A new segmentation node; one segment for each id of `labels` (freetumor convention, the CT's grid)."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.CreateDefaultDisplayNodes()
    if ctNode.GetParentTransformNode() is not None:
        node.SetAndObserveTransformNodeID(ctNode.GetParentTransformNode().GetID())
    fillFromLabels(node, labels, organ, ctNode)
    return node


def fillFromLabels(node, labels, organ, ctNode) -> None:
    """Replace all segments of `node` by those of `labels`."""
    segmentation = node.GetSegmentation()
    segmentation.RemoveAllSegments()
    lesions = lesion_rows(organ)
    organs = {row.organ_label: row for row in ORGANS.values() if row.group == organ.group}
    organs[organ.organ_label] = organ
    display = node.GetDisplayNode()
    for value in sorted({*organs, *lesions}):
        mask = labels.array == value
        if not mask.any():
            continue
        kind, row = ("organ", organs[value]) if value in organs else ("lesion", lesions[value])
        title = row.site.meaning if kind == "organ" else row.title[:1].upper() + row.title[1:]
        segmentID = segmentFromMask(node, mask, ctNode, title, organRow=row, kind=kind)
        if kind == "organ":
            display.SetSegmentOpacity3D(segmentID, ORGAN_OPACITY_3D)
        display.SetSegmentOpacity2DFill(segmentID, ORGAN_FILL_2D if kind == "organ" else LESION_FILL_2D)


def labelOfSegment(segment, organ) -> int:
    """The id of a segment by its terminology; a segment without one of ours is a lesion of `organ`."""
    entry = segment.GetTerminology()
    for value, row in lesion_rows(organ).items():
        if _sameMeaning(entry, terminologyEntry(row, "lesion")):
            return value
    for row in ORGANS.values():
        if row.group != organ.group:
            continue
        if _sameMeaning(entry, terminologyEntry(row, "lesion")):
            return row.lesion_label
        if _sameMeaning(entry, terminologyEntry(row, "organ")):
            return row.organ_label
    return organ.lesion_label


def labelsOf(node, organ, ctNode):
    """All segments as a label map (freetumor convention, uint8) on the CT's grid; lesions win over organs."""
    segmentation = node.GetSegmentation()
    lesions = set(lesion_rows(organ))
    found = [
        (labelOfSegment(segmentation.GetNthSegment(n), organ), segmentation.GetNthSegmentID(n))
        for n in range(segmentation.GetNumberOfSegments())
    ]
    found.sort(key=lambda pair: pair[0] in lesions)
    numbered = labelsFromSegmentation(node, [segmentID for _value, segmentID in found], ctNode)
    table = np.array([0, *(value for value, _segmentID in found)], np.uint8)
    return numbered.like(table[numbered.array], node.GetName())


def importFile(path, ctNode, organ, convention, organValues, lesionValues, resample):
    """Read a label map of any convention as a segmentation of the CT; (node, ids that meant nothing)."""
    imported = import_labels(
        read_volume(path),
        organ,
        ct=volumeFromNode(ctNode),
        convention=convention,
        organ_values=organValues,
        lesion_values=lesionValues,
        resample=resample,
    )
    name = _("{ct} - {file}").format(ct=ctNode.GetName(), file=path.name.split(".")[0])
    return segmentationFromLabels(imported.labels, organ, ctNode, name), imported.ignored


def lesionsOf(node, organ, ctNode, probabilityNode=None) -> list:
    """The lesions of a segmentation, measured on the CT."""
    probability = None if probabilityNode is None else volumeFromNode(probabilityNode)
    ct = volumeFromNode(ctNode)
    return find_lesions(labelsOf(node, organ, ctNode), organ, ct=ct, probability=probability)


def _sameMeaning(entry: str, ours: str) -> bool:
    """Do two serialised terminology entries agree in category, type and region?"""
    codes = [[part.rpartition("^")[0] for part in text.split("~")] for text in (entry, ours)]
    return len(codes[0]) == len(codes[1]) and [codes[0][n] for n in (1, 2, 5)] == [
        codes[1][n] for n in (1, 2, 5)
    ]
