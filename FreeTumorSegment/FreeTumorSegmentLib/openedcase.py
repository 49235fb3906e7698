"""A case in the scene: its nodes, which version they show, and whether corrections are not saved yet.

What belongs to a case is written on its nodes, so that it is still known in a saved scene.
"""

import hashlib

import slicer
from freetumor.errors import BadInput
from freetumor.segmentation import PseudoLabel
from freetumor.volume import read_volume
from FreeTumorSlicerLib.volumes import nodeFromVolume
from slicer.i18n import tr as _

from FreeTumorSegmentLib.labels import fillFromLabels, labelsOf, segmentationFromLabels

CASE, VERSION, SAVED = "FreeTumor.Case", "FreeTumor.Version", "FreeTumor.SavedLabels"
SYNTHETIC = "FreeTumor.Synthetic"
_WINDOWS = {"abdomen": (400.0, 40.0), "chest": (1500.0, -600.0)}  # width and level in HU by label group


def openCase(case, organ):
    """Load the CT of `case` and the latest version of its label map; (ctNode, segmentationNode)."""
    version = case.pseudo_label.latest()
    labels = case.pseudo_label.read(version.number)
    ct = read_volume(case.ct)
    if not ct.geometry.same_grid(labels.geometry):
        raise BadInput(
            _("a label map on the grid of its CT"),
            _("{case}, where they differ").format(case=case.name),
            _("Make the case again, or import its label map with resampling."),
            kind="grid_mismatch",
        )
    isSynthetic = case.organ is not None  # it has a provenance: the mark stays on everything synthetic
    ctNode = nodeFromVolume(ct, f"SYNTHETIC {case.name}" if isSynthetic else case.name)
    ctNode.GetDisplayNode().SetAutoWindowLevel(False)
    ctNode.GetDisplayNode().SetWindowLevel(*_WINDOWS[organ.group])
    node = segmentationFromLabels(labels, organ, ctNode, _("{case} - labels").format(case=case.name))
    for made in (ctNode, node):
        made.SetAttribute(CASE, str(case.path))
        if isSynthetic:
            made.SetAttribute(SYNTHETIC, "1")
    _remember(node, version.number, organ, ctNode)
    return ctNode, node


def joinCase(node, ctNode) -> None:
    """A node made from the CT of an open case belongs to that case; its segments are no version yet."""
    if ctNode.GetAttribute(SYNTHETIC):
        node.SetAttribute(SYNTHETIC, ctNode.GetAttribute(SYNTHETIC))
    if caseOf(ctNode):
        node.SetAttribute(CASE, caseOf(ctNode))
        node.SetAttribute(VERSION, str(pseudoLabelOf(ctNode).latest().number))


def chooseCt(parameters):
    """The parameters, with the first CT of the scene where the user has not chosen one."""
    if parameters.ctVolume is None:
        nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
        cts = (node for node in nodes if not node.IsA("vtkMRMLLabelMapVolumeNode"))
        parameters.ctVolume = next(cts, None)
    return parameters


def closeCase(folder) -> None:
    """Take the nodes of a case out of the scene."""
    for className in ("vtkMRMLSegmentationNode", "vtkMRMLScalarVolumeNode"):
        nodes = [
            slicer.mrmlScene.GetNthNodeByClass(n, className)
            for n in range(slicer.mrmlScene.GetNumberOfNodesByClass(className))
        ]
        for node in nodes:
            if node.GetAttribute(CASE) == str(folder):
                slicer.mrmlScene.RemoveNode(node)


def pseudoLabelOf(node):
    """The versions of the case that a segmentation node belongs to; None if it belongs to none."""
    return PseudoLabel(caseOf(node)) if caseOf(node) else None


def shownVersion(node) -> int:
    """Number of the version that a segmentation node showed before any correction."""
    return int(node.GetAttribute(VERSION) or 0)


def showVersion(node, number: int, organ, ctNode) -> None:
    """Replace the segments by those of another version."""
    fillFromLabels(node, pseudoLabelOf(node).read(number), organ, ctNode)
    _remember(node, number, organ, ctNode)


def saveVersion(node, organ, ctNode, author: str, comment: str):
    """Save the segments as the next version of their case, based on the one they showed; the version."""
    labels = labelsOf(node, organ, ctNode)
    version = pseudoLabelOf(node).save(labels, author=author, comment=comment, based_on=shownVersion(node))
    _remember(node, version.number, organ, ctNode)
    return version


def caseOf(node) -> str:
    """Path of the case that a node belongs to; empty if it belongs to none."""
    return (node and node.GetAttribute(CASE)) or ""


def isCorrected(node, organ, ctNode) -> bool:
    """Do the segments of an open case differ from the version they showed?"""
    return (
        bool(caseOf(node))
        and ctNode is not None
        and node.GetAttribute(SAVED) != _digest(labelsOf(node, organ, ctNode))
    )


def _remember(node, number: int, organ, ctNode) -> None:
    node.SetAttribute(VERSION, str(number))
    node.SetAttribute(SAVED, _digest(labelsOf(node, organ, ctNode)))


def _digest(labels) -> str:
    return hashlib.blake2b(labels.array.tobytes(), digest_size=16).hexdigest()
