"""Results in the scene: a synthetic CT, its tumors as segments, marked for ever as synthetic."""

import json

import numpy as np
import slicer
from freetumor.anatomy import organ as organRow
from freetumor.synthesis.provenance import NOTICE
from freetumor.volume import Box, Volume, read_volume
from FreeTumorSlicerLib.hierarchy import placeBeside
from FreeTumorSlicerLib.volumes import labelsFromSegmentation, nodeFromVolume, segmentFromMask, volumeFromNode
from slicer.i18n import tr as _

SYNTHETIC, PROVENANCE, STATE = "FreeTumor.Synthetic", "FreeTumor.Provenance", "FreeTumor.State"
SEGMENTS, JOB, LABELED_BY = "FreeTumor.Segments", "FreeTumor.Job", "FreeTumor.LabeledBy"
PENDING, ACCEPTED = "pending", "accepted"
_INPUT, _SEGMENTATION, _ORGAN = "FreeTumorInput", "FreeTumorSegmentation", "FreeTumorOrgan"


class Result:
    """A synthetic CT in the scene. All it knows is in its nodes, so that it survives saving the scene."""

    def __init__(self, volumeNode) -> None:
        self.volume = volumeNode

    @classmethod
    def of(cls, volumeNode):
        """The result whose volume is `volumeNode`; None if that is not one."""
        if volumeNode is None or volumeNode.GetAttribute(JOB) is None:
            return None
        return cls(volumeNode)

    @property
    def input(self):
        """The CT that it was made from; None if it was removed."""
        return self.volume.GetNodeReference(_INPUT)

    @property
    def segmentation(self):
        """The segmentation of its tumors; None if it was removed."""
        return self.volume.GetNodeReference(_SEGMENTATION)

    @property
    def organModel(self):
        """The see-through surface of the organ; None if there is none."""
        return self.volume.GetNodeReference(_ORGAN)

    @organModel.setter
    def organModel(self, node) -> None:
        self.volume.SetNodeReferenceID(_ORGAN, node.GetID())

    @property
    def segmentIDs(self) -> list:
        """IDs of its tumors that are still there."""
        ids = json.loads(self.volume.GetAttribute(SEGMENTS))
        segmentation = self.segmentation
        return (
            [] if segmentation is None else [i for i in ids if segmentation.GetSegmentation().GetSegment(i)]
        )

    @property
    def provenance(self) -> dict:
        """How it came to be."""
        return json.loads(self.volume.GetAttribute(PROVENANCE))

    @property
    def job(self) -> dict:
        """The parameters of its job, without files."""
        return json.loads(self.volume.GetAttribute(JOB))

    @property
    def isPending(self) -> bool:
        """Whether it was neither accepted nor undone."""
        return self.volume.GetAttribute(STATE) == PENDING

    def accept(self) -> None:
        """Keep it."""
        self.volume.SetAttribute(STATE, ACCEPTED)

    def tumorMask(self) -> Volume:
        """All its tumors as 0 and 1 on the grid of the CT."""
        labels = labelsFromSegmentation(self.segmentation, self.segmentIDs, self.input)
        return labels.like((labels.array > 0).astype(np.uint8))

    def remove(self) -> None:
        """Take it out of the scene; everything else, the input first of all, stays as it was."""
        segmentation, model = self.segmentation, self.organModel
        for segmentID in self.segmentIDs:
            segmentation.GetSegmentation().RemoveSegment(segmentID)
        slicer.mrmlScene.RemoveNode(self.volume)
        if segmentation is not None and segmentation.GetSegmentation().GetNumberOfSegments() == 0:
            slicer.mrmlScene.RemoveNode(segmentation)
        if model is not None and not _isReferenced(model):
            slicer.mrmlScene.RemoveNode(model)

    def centre(self) -> tuple:
        """Centre of its first tumor, RAS mm."""
        return tuple(self.provenance["lesions"][0]["got"]["centre_ras_mm"])

    def words(self) -> str:
        """Size, place, contrast and verdict of every tumor, and the models that had a part in it."""
        record = self.provenance
        judge = next((j["model"] for j in record.get("judges", ()) if "model" in j), None)
        lines = [_sayLesion(lesion, judge) for lesion in record["lesions"]]
        if record.get("model") is not None:
            made = _("Made by the engine {engine} with the model {model}.")
            lines.append(made.format(engine=record["engine"], model=record["model"]["name"]))
        return "\n".join(lines)


def earlierResults(volumeNode) -> list:
    """Results whose tumors are in this CT: itself if it is one, and those that it was made from."""
    found, result = [], Result.of(volumeNode)
    while result is not None and result.input is not None:
        if result.segmentation is not None:
            found.append(result)
        result = Result.of(result.input)
    return found


def addResult(done: dict, folder, job: dict, inputNode) -> Result:
    """Nodes of a finished job: crops are pasted into a copy of the CT, masks become segments.

    Args:
        done: what the job "synthesize" handed back; its files lie in `folder`.
        job: the parameters of the job, without files; they are kept for saving it as a case.
    """
    row, name = organRow(done["organ"]), inputNode.GetName()
    ct = volumeFromNode(inputNode)
    after = Volume(ct.array.copy(), ct.geometry)
    boxes = [Box(tuple(crop["box"]["start"]), tuple(crop["box"]["stop"])) for crop in done["lesions"]]
    # In their order: a later tumor was made on the CT that holds the earlier ones.
    for crop, box in zip(done["lesions"], boxes, strict=True):
        after.array[box.slices] = read_volume(folder / crop["after"]).array
    node = nodeFromVolume(after, slicer.mrmlScene.GenerateUniqueName(f"SYNTHETIC {name}"), like=inputNode)
    segmentation = _segmentationFor(inputNode)
    ids = []
    for crop, box in zip(done["lesions"], boxes, strict=True):
        inside = read_volume(folder / crop["mask"]).array > 0
        title = _("{what} {number}").format(what=row.title.capitalize(), number=crop["number"])
        ids.append(segmentFromMask(segmentation, inside, inputNode, title, organRow=row, box=box))
    _mark(node, done["provenance"])
    _mark(segmentation, done["provenance"])
    node.SetAttribute(SEGMENTS, json.dumps(ids))
    node.SetAttribute(JOB, json.dumps(job))
    node.SetAttribute(STATE, PENDING)
    node.SetNodeReferenceID(_INPUT, inputNode.GetID())
    node.SetNodeReferenceID(_SEGMENTATION, segmentation.GetID())
    placeBeside(inputNode, node, segmentation)
    return Result(node)


def _segmentationFor(inputNode):
    node = slicer.mrmlScene.AddNewNodeByClass(
        "vtkMRMLSegmentationNode",
        slicer.mrmlScene.GenerateUniqueName(_("SYNTHETIC tumors of {ct}").format(ct=inputNode.GetName())),
    )
    node.CreateDefaultDisplayNodes()
    # The outline alone: a filling would hide what was synthesized.
    node.GetDisplayNode().SetVisibility2DFill(False)
    transform = inputNode.GetParentTransformNode()
    node.SetAndObserveTransformNodeID(transform.GetID() if transform is not None else None)
    return node


def _mark(node, provenance: dict) -> None:
    node.SetAttribute(SYNTHETIC, "1")
    node.SetAttribute(PROVENANCE, json.dumps(provenance))
    node.SetDescription(NOTICE)


def _isReferenced(model) -> bool:
    nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    return any(node.GetNodeReference(_ORGAN) is model for node in nodes)


def _sayLesion(lesion: dict, judge) -> str:
    got, verdict = lesion["got"], lesion["verdict"]
    where = ", ".join(f"{c:.0f}" for c in got["centre_ras_mm"])
    parts = [
        _("Tumor {number}: {size:.1f} mm at R,A,S = {where} mm, {contrast:+.0f} HU to the organ.").format(
            number=lesion["id"], size=got["diameter_mm"], where=where, contrast=got["contrast_hu"]
        )
    ]
    if verdict["passed"]:
        parts.append(_("Passed the quality test."))
        if judge is not None:
            found = next(f["value"] for f in verdict["findings"] if f["name"] == "recall")
            parts.append(_("The model {judge} finds {share:.0%} of it.").format(judge=judge, share=found))
    else:
        failed = _("FAILED the quality test: {reasons}.")
        parts.append(failed.format(reasons="; ".join(verdict["reasons"])))
    return " ".join(parts)
