"""Correction in FreeTumor Segment with the mouse, through the embedded Segment Editor."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
from freetumor.segmentation import PseudoLabel
from reviewcases import GRID, labelArray, makeCase
from slicerhost import driving

CORNER = (8, 16, 20)


@pytest.fixture
def opened(segment, host, tmp_path):
    """The module with a case open and its lesion in the middle of the slices; its widget object."""
    manager = host.layoutManager()
    for name in manager.sliceViewNames():
        manager.sliceWidget(name).resize(400, 422)
        manager.sliceWidget(name).sliceView().renderWindow()
        manager.sliceWidget(name).sliceView().resize(400, 400)
    makeCase(tmp_path / "case1", CORNER)
    segment.ui.casesFolderEdit.setCurrentPath(str(tmp_path))
    segment.ui.nextButton.click()
    segment.ui.authorEdit.setText("Ada")
    return segment


def segmentID(opened, name: str) -> str:
    segmentation = opened.ui.segmentationSelector.currentNode().GetSegmentation()
    return segmentation.GetSegmentIdBySegmentName(name)


def stroke(opened, effect: str, name: str, diameter: float) -> None:
    """One click of a ball-shaped brush in the middle of the lesion, on the segment of that name."""
    editor = opened.editorPanel.widget
    editor.setCurrentSegmentID(segmentID(opened, name))
    editor.setActiveEffectByName(effect)
    editor.activeEffect().setParameter("BrushAbsoluteDiameter", diameter)
    editor.activeEffect().setParameter("BrushSphere", 1)
    centre = GRID.index_to_ras(np.add(CORNER, (2, 4, 4)))
    driving.jumpTo(centre, "Red")
    driving.drag([centre], "Red")


def test_the_editor_works_on_the_open_case(opened):
    editor = opened.editorPanel.widget
    assert editor.segmentationNode() is opened.ui.segmentationSelector.currentNode()
    assert editor.sourceVolumeNode() is opened.ui.ctSelector.currentNode()


def test_an_erased_lesion_is_gone_from_the_table_and_from_the_saved_version(opened, tmp_path):
    stroke(opened, "Erase", "Liver tumor", 60)
    opened.ui.updateButton.click()
    assert opened.ui.lesionTable.rowCount == 0
    opened.ui.saveVersionButton.click()
    assert opened.ui.statusLabel.text == "Saved as v01."
    saved = PseudoLabel(tmp_path / "case1").read(1).array
    assert not (saved == 2).any()
    untouched = labelArray(CORNER) == 1
    assert (saved[untouched] == 1).all()


def test_a_painted_lesion_is_measured_and_takes_the_liver_s_place(opened):
    before = opened.lesionPanel.lesions[0].voxels
    stroke(opened, "Paint", "Liver tumor", 40)
    opened.ui.updateButton.click()
    assert opened.lesionPanel.lesions[0].voxels > before
    opened.ui.saveVersionButton.click()
    opened.ui.approveButton.click()
    assert opened.ui.statusLabel.text == "Approved v01."


def test_undo_brings_the_case_back_and_nothing_is_asked_then(opened, messages, tmp_path):
    makeCase(tmp_path / "case2", CORNER)
    opened.enter()
    opened.ui.casesFolderEdit.setCurrentPath("")
    opened.ui.casesFolderEdit.setCurrentPath(str(tmp_path))
    stroke(opened, "Erase", "Liver tumor", 60)
    opened.editorPanel.widget.undo()
    opened.ui.updateButton.click()
    assert opened.ui.lesionTable.rowCount == 1
    opened.ui.nextButton.click()
    assert messages.texts() == []
    assert opened.ui.statusLabel.text == "Opened case2."


def test_leaving_the_module_ends_the_stroke_mode(opened):
    opened.editorPanel.widget.setActiveEffectByName("Paint")
    opened.exit()
    assert opened.editorPanel.widget.activeEffect() is None
    opened.enter()


def test_a_closed_scene_leaves_the_editor_without_nodes(opened, scene):
    opened.editorPanel.widget.setActiveEffectByName("Paint")
    scene.Clear(0)
    assert opened.editorPanel.widget.segmentationNode() is None
    assert opened.ui.lesionTable.rowCount == 0
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0
