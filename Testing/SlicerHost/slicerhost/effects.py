"""Effects of the segment editor. In Slicer they are Qt plugins, which slicer-core lacks; the work below them
(modifier label map, masks, overwriting, undo) is Slicer's own vtkSlicerSegmentEditorLogic.

Parameters have Slicer's names and live in the segment editor node, so that a module sets them the same way.
"""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from scipy import ndimage
from vtk.util.numpy_support import vtk_to_numpy

ADD = slicer.vtkSlicerSegmentEditorLogic.ModificationModeAdd
REMOVE = slicer.vtkSlicerSegmentEditorLogic.ModificationModeRemove
SET = slicer.vtkSlicerSegmentEditorLogic.ModificationModeSet
# Parameters that all effects share: their attribute has no effect's name in front.
COMMON = {
    "BrushAbsoluteDiameter": 10.0,
    "BrushDiameterIsRelative": 0,
    "BrushRelativeDiameter": 3.0,
    "BrushSphere": 0,
}


def arrayOf(image: slicer.vtkOrientedImageData) -> np.ndarray:
    """The voxels, indexed (k, j, i); shared with the image."""
    i, j, k = image.GetDimensions()
    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(k, j, i)


class qSlicerSegmentEditorAbstractEffect:
    """One tool. `defaults` are its parameters."""

    name = ""
    defaults: dict[str, object] = {}  # noqa: RUF012  read only, replaced by subclasses

    def __init__(self, editor):
        self._editor = editor

    def self(self):
        """The Python side of a scripted effect: here the effect itself."""
        return self

    # --- parameters ------------------------------------------------------------------------------------

    def _attribute(self, name: str) -> str:
        return name if name in COMMON else f"{self.name}.{name}"

    def parameterDefined(self, name: str) -> bool:
        """Has it been set, by anybody?"""
        return self._editor.mrmlSegmentEditorNode().GetAttribute(self._attribute(name)) is not None

    def parameter(self, name: str) -> str:
        """The value as text."""
        known = {**COMMON, **self.defaults}
        if name not in known:
            raise ValueError(f"{self.name}: expected one of {', '.join(known)}, got the parameter {name!r}")
        return self._editor.mrmlSegmentEditorNode().GetAttribute(self._attribute(name)) or str(known[name])

    def setParameter(self, name: str, value) -> None:
        """Set a parameter of this effect (or a common one)."""
        self.parameter(name)  # refuses unknown names, which Slicer would store unread
        self._editor.mrmlSegmentEditorNode().SetAttribute(self._attribute(name), str(value))

    def setCommonParameter(self, name: str, value) -> None:
        """The same, in Slicer's words for shared parameters."""
        self.setParameter(name, value)

    def integerParameter(self, name: str) -> int:
        """The value as a whole number."""
        return int(float(self.parameter(name)))

    def doubleParameter(self, name: str) -> float:
        """The value as a number."""
        return float(self.parameter(name))

    # --- the work --------------------------------------------------------------------------------------

    def saveStateForUndo(self) -> None:
        """Remember the segmentation as it is."""
        self._editor.saveStateForUndo()

    def defaultModifierLabelmap(self) -> slicer.vtkOrientedImageData:
        """An empty label map on the source volume's grid."""
        logic = self._editor.editorLogic()
        if not logic.ResetModifierLabelmapToDefault():
            raise RuntimeError(f"{self.name}: expected a segmentation and a source volume, got none")
        return logic.GetModifierLabelmap()

    def selectedSegmentLabelmap(self) -> slicer.vtkOrientedImageData:
        """The selected segment on the source volume's grid."""
        logic = self._editor.editorLogic()
        logic.UpdateSelectedSegmentLabelmap()
        return logic.GetSelectedSegmentLabelmap()

    def modifySelectedSegmentByLabelmap(self, image, mode, extent=None) -> None:
        """Add to, take from or set the selected segment, within mask and overwrite rules of the editor."""
        logic, segmentID = self._editor.editorLogic(), self._editor.currentSegmentID()
        if not segmentID:
            raise RuntimeError(f"{self.name}: expected a selected segment, got none: add or select one")
        image.Modified()
        logic.ModifySegmentByLabelmap(
            self._editor.segmentationNode(),
            segmentID,
            image,
            mode,
            list(extent or image.GetExtent()),
            True,  # per segment
            False,  # respect the mask
        )

    def worldToImage(self, image) -> np.ndarray:
        """(4, 4) matrix: world RAS mm -> voxel indices (i, j, k) of an image in the segmentation's space."""
        toWorld = vtk.vtkMatrix4x4()
        image.GetImageToWorldMatrix(toWorld)
        parent = vtk.vtkMatrix4x4()
        slicer.vtkMRMLTransformNode.GetMatrixTransformBetweenNodes(
            self._editor.segmentationNode().GetParentTransformNode(), None, parent
        )
        both = vtk.vtkMatrix4x4()
        vtk.vtkMatrix4x4.Multiply4x4(parent, toWorld, both)
        both.Invert()
        return np.array([[both.GetElement(r, c) for c in range(4)] for r in range(4)])

    # --- the user --------------------------------------------------------------------------------------

    def activate(self) -> None:
        """The user chose this effect."""

    def deactivate(self) -> None:
        """The user left it."""

    def feedback(self, here: tuple[int, int], view) -> list[list[tuple[float, float]]]:
        """Lines to draw in a view, in its pixels: what a click at `here` would touch."""
        return []

    def processInteractionEvent(self, event, view) -> bool:
        """A mouse event in a slice view; True if the effect used it."""
        return False


class Threshold(qSlicerSegmentEditorAbstractEffect):
    """The selected segment becomes all voxels within a range of intensity."""

    name = "Threshold"
    defaults = {"MinimumThreshold": 0.0, "MaximumThreshold": 0.0, "AutoThresholdMode": "SET_LOWER_MAX"}  # noqa: RUF012

    def activate(self) -> None:
        """Slicer offers the upper two thirds of the range."""
        if not self.parameterDefined("MinimumThreshold"):
            low, high = self._editor.sourceVolumeNode().GetImageData().GetScalarRange()
            self.setParameter("MinimumThreshold", low + (high - low) * 0.25)
            self.setParameter("MaximumThreshold", high)

    def onApply(self) -> None:
        """The button "Apply"."""
        logic = self._editor.editorLogic()
        logic.UpdateAlignedSourceVolume()
        source = arrayOf(logic.GetAlignedSourceVolume())
        low, high = self.doubleParameter("MinimumThreshold"), self.doubleParameter("MaximumThreshold")
        self.saveStateForUndo()
        image = self.defaultModifierLabelmap()
        arrayOf(image)[:] = (source >= low) & (source <= high)
        self.modifySelectedSegmentByLabelmap(image, SET)


class Islands(qSlicerSegmentEditorAbstractEffect):
    """Keep, remove or split the pieces of the selected segment."""

    name = "Islands"
    defaults = {"Operation": "KEEP_LARGEST_ISLAND", "MinimumSize": 1000}  # noqa: RUF012
    BY_CLICK = ("KEEP_SELECTED_ISLAND", "REMOVE_SELECTED_ISLAND")

    def _islands(self) -> tuple[np.ndarray, np.ndarray]:
        labels, count = ndimage.label(self._segmentArray())
        return labels, np.bincount(labels.ravel(), minlength=count + 1)

    def _segmentArray(self) -> np.ndarray:
        """The selected segment on the whole reference grid (its own image may cover a part)."""
        part = self.selectedSegmentLabelmap()
        whole = np.zeros_like(arrayOf(self.defaultModifierLabelmap()), dtype=bool)
        outer, inner = self._editor.editorLogic().GetModifierLabelmap().GetExtent(), part.GetExtent()
        if inner[1] >= inner[0]:
            where = tuple(
                slice(inner[a] - outer[a], inner[a + 1] + 1 - outer[a]) for a in (4, 2, 0)
            )  # (k, j, i)
            whole[where] = arrayOf(part) > 0
        return whole

    def onApply(self) -> None:
        """The button "Apply", for the operations that need no click."""
        operation = self.parameter("Operation")
        labels, sizes = self._islands()
        if len(sizes) < 2:
            return
        if operation == "KEEP_LARGEST_ISLAND":
            keep = labels == 1 + int(np.argmax(sizes[1:]))
        elif operation == "REMOVE_SMALL_ISLANDS":
            keep = (sizes >= self.integerParameter("MinimumSize"))[labels] & (labels > 0)
        elif operation == "SPLIT_ISLANDS_TO_SEGMENTS":
            self._split(labels, sizes)
            return
        else:
            raise ValueError(f"Islands: expected an operation without a click, got {operation}")
        self._become(keep)

    def _become(self, keep: np.ndarray) -> None:
        self.saveStateForUndo()
        image = self.defaultModifierLabelmap()
        arrayOf(image)[:] = keep
        self.modifySelectedSegmentByLabelmap(image, SET)

    def _split(self, labels: np.ndarray, sizes: np.ndarray) -> None:
        order = 1 + np.argsort(sizes[1:], kind="stable")[::-1]
        self._become(labels == order[0])
        node, reference = self._editor.segmentationNode(), self._editor.sourceVolumeNode()
        first = self._editor.currentSegmentID()
        name = node.GetSegmentation().GetSegment(first).GetName()
        for number, label in enumerate(order[1:], start=2):
            segmentID = node.GetSegmentation().AddEmptySegment("", f"{name}_{number}")
            slicer.util.updateSegmentBinaryLabelmapFromArray(
                (labels == label).astype(np.uint8), node, segmentID, reference
            )

    def processInteractionEvent(self, event, view) -> bool:
        """A click on an island, for the operations that need one."""
        operation = self.parameter("Operation")
        if event.kind != "press" or operation not in self.BY_CLICK:
            return False
        labels, _ = self._islands()
        toImage = self.worldToImage(self._editor.editorLogic().GetModifierLabelmap())
        i, j, k = np.rint(toImage @ [*view.convertXYZToRAS((event.x, event.y, 0)), 1.0])[:3].astype(int)
        inside = all(0 <= index < size for index, size in zip((k, j, i), labels.shape, strict=True))
        label = labels[k, j, i] if inside else 0
        if label:
            chosen = labels == label
            self._become(chosen if operation == "KEEP_SELECTED_ISLAND" else (labels > 0) & ~chosen)
        return True
