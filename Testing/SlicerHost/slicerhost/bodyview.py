"""The CT itself in the 3-D view, by ray casting on the CPU (0.1 s a picture; no graphics card is needed)."""

from __future__ import annotations

import slicer

PRESET = "CT-Chest-Contrast-Enhanced"
_CLASS = "vtkMRMLCPURayCastVolumeRenderingDisplayNode"


def setVisible(volume: slicer.vtkMRMLScalarVolumeNode, visible: bool) -> None:
    """Show or hide a CT in 3-D."""
    logic = slicer.modules.volumerendering.logic()
    display = logic.GetFirstVolumeRenderingDisplayNode(volume)
    if display is None:
        if not visible:
            return
        display = slicer.mrmlScene.AddNewNodeByClass(_CLASS)
        volume.AddAndObserveDisplayNodeID(display.GetID())
        logic.UpdateDisplayNodeFromVolumeNode(display, volume)
        preset = logic.GetPresetByName(PRESET)
        display.GetVolumePropertyNode().Copy(preset)
    display.SetVisibility(visible)


def isVisible(volume: slicer.vtkMRMLScalarVolumeNode | None) -> bool:
    """Is it shown?"""
    if volume is None:
        return False
    display = slicer.modules.volumerendering.logic().GetFirstVolumeRenderingDisplayNode(volume)
    return display is not None and bool(display.GetVisibility())
