"""What a user does in FreeTumor Synth, step by step, for its tests."""

from __future__ import annotations

import numpy as np
import slicer
from freetumor.anatomy import ORGANS
from phantom import Phantom
from waiting import turn


def load(phantom: Phantom, organ: str = "liver", name: str = "CT 1"):
    """The phantom's CT, a segmentation with `organ` and the spleen, and the ID of the organ's segment."""
    from FreeTumorSlicerLib.volumes import nodeFromVolume, segmentFromMask

    ct = nodeFromVolume(phantom.ct, name)
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Organs")
    segmentation.CreateDefaultDisplayNodes()
    row = ORGANS[organ]
    chosen = segmentFromMask(segmentation, phantom.organ(organ), ct, organ, organRow=row, kind="organ")
    segmentFromMask(segmentation, phantom.labels["spleen"], ct, "spleen")
    return ct, segmentation, chosen


def choose(synth, ct, segmentation, segmentID: str, organ: str = "liver") -> None:
    """Choose CT and organ in the panel's own widgets."""
    ui = synth.ui
    ui.inputVolumeSelector.setCurrentNode(ct)
    ui.organComboBox.currentIndex = ui.organComboBox.findText(organ)
    ui.organSegmentSelector.setCurrentNode(segmentation)
    ui.organSegmentSelector.setCurrentSegmentID(segmentID)


def sample(synth, diameter: float = 20.0, seed: int = 3) -> None:
    """Ask for a sampled tumor."""
    synth.ui.modeTabs.currentIndex = 2
    synth.ui.diameterSlider.value = diameter
    synth.ui.seedSpinBox.value = seed


def finish(synth) -> None:
    """Wait until the running job is over."""
    turn(lambda: not synth.logic.runner.isRunning)


def synthesize(synth):
    """Press Synthesize and wait; the result."""
    assert synth.ui.applyButton.enabled, synth.ui.applyButton.toolTip
    synth.ui.applyButton.click()
    finish(synth)
    assert synth.panel.result is not None, synth.ui.statusLabel.text
    return synth.panel.result


def array(node) -> np.ndarray:
    """A copy of the voxels of a volume node."""
    return slicer.util.arrayFromVolume(node).copy()


def mask(segmentation, segmentID: str, ct) -> np.ndarray:
    """The voxels of a segment on a CT."""
    return slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, segmentID, ct) > 0


def background(view: str = "Red"):
    """The volume that a slice view shows."""
    composite = slicer.app.layoutManager().sliceWidget(view).mrmlSliceCompositeNode()
    return slicer.mrmlScene.GetNodeByID(composite.GetBackgroundVolumeID() or "")
