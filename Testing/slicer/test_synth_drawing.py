"""FreeTumor Synth with a tumor that is drawn: few clicks, and exactly what was drawn."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
from freetumor.volume import read_volume
from scipy import ndimage
from slicerhost import driving
from synth_steps import array, choose, finish, load, mask, synthesize


@pytest.fixture
def chosen(synth, phantom):
    """The panel with CT and liver chosen."""
    choose(synth, *load(phantom))
    return synth


def ball(phantom, radius: float = 9.0, organ: str = "liver") -> np.ndarray:
    """A ball around the deepest point of an organ, on the CT's grid."""
    spacing = np.array(phantom.ct.geometry.spacing)
    depth = ndimage.distance_transform_edt(phantom.organ(organ), sampling=spacing)
    centre = np.array(np.unravel_index(depth.argmax(), depth.shape))
    index = np.moveaxis(np.indices(phantom.ct.array.shape), 0, -1)
    return np.linalg.norm((index - centre) * spacing, axis=-1) < radius


def centre(phantom, organ: str = "liver") -> np.ndarray:
    """The deepest point of an organ of the phantom, RAS mm."""
    where = np.argwhere(ball(phantom, organ=organ)).mean(axis=0)
    return phantom.ct.geometry.index_to_ras(where)


def paint(synth, voxels: np.ndarray) -> None:
    """Paint the drawn segment: what a stroke leaves behind."""
    p = synth.panel.parameters
    slicer.util.updateSegmentBinaryLabelmapFromArray(
        voxels.astype(np.uint8), p.drawnSegmentation, p.drawnSegmentID, p.inputVolume
    )


def test_draw_synthesize_and_see_it_in_3d_in_three_actions(chosen, phantom):
    assert not chosen.ui.applyButton.enabled
    chosen.ui.drawButton.click()  # 1
    assert "Paint the tumor" in chosen.ui.applyButton.toolTip
    drawn = ball(phantom)
    paint(chosen, drawn)  # 2
    assert chosen.ui.applyButton.enabled  # painting alone enables it
    result = synthesize(chosen)  # 3
    assert np.array_equal(mask(result.segmentation, result.segmentIDs[0], result.input), drawn)
    assert result.segmentation.GetDisplayNode().GetVisibility3D()
    changed = array(result.volume) != array(result.input)
    assert changed[drawn].mean() > 0.8


def test_a_stroke_of_the_mouse_becomes_a_tumor_in_3d_within_six_clicks(chosen, phantom):
    clicks = 0
    for name in slicer.app.layoutManager().sliceViewNames():
        view = slicer.app.layoutManager().sliceWidget(name)
        view.resize(400, 422)
        view.sliceView().renderWindow()
        view.sliceView().resize(400, 400)
    slicer.util.setSliceViewerLayers(background=chosen.panel.parameters.inputVolume, fit=True)
    chosen.ui.drawButton.click()
    clicks += 1
    effect = chosen.ui.segmentEditor.activeEffect()
    effect.setParameter("BrushSphere", 1)
    clicks += 1
    effect.setParameter("BrushAbsoluteDiameter", 18)
    clicks += 1
    at = centre(phantom)
    driving.jumpTo(at, "Red")
    driving.drag([at, at + np.array([3.0, 0.0, 0.0])], "Red")
    clicks += 1
    result = synthesize(chosen)
    clicks += 1
    assert clicks <= 6
    p = chosen.panel.parameters
    drawn = mask(p.drawnSegmentation, p.drawnSegmentID, p.inputVolume)
    assert drawn.sum() * phantom.ct.geometry.voxel_volume > 2000
    assert np.array_equal(mask(result.segmentation, result.segmentIDs[0], result.input), drawn)
    assert result.segmentation.GetDisplayNode().GetVisibility3D()


def test_the_drawing_is_hidden_behind_its_tumor_and_comes_back_on_undo(chosen, phantom):
    chosen.ui.drawButton.click()
    paint(chosen, ball(phantom))
    synthesize(chosen)
    display = chosen.panel.parameters.drawnSegmentation.GetDisplayNode()
    assert not display.GetVisibility()
    chosen.ui.undoButton.click()
    assert display.GetVisibility()
    assert chosen.ui.applyButton.enabled  # the drawing is still there to try again


def test_the_drawn_segment_carries_terminology_and_lies_on_the_cts_grid(chosen):
    chosen.ui.drawButton.click()
    p = chosen.panel.parameters
    segment = p.drawnSegmentation.GetSegmentation().GetSegment(p.drawnSegmentID)
    assert "Neoplasm" in segment.GetTerminology()
    role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    assert p.drawnSegmentation.GetNodeReference(role) is p.inputVolume


def test_the_brush_is_put_away_while_a_tumor_is_synthesized(chosen, phantom):
    chosen.ui.drawButton.click()
    assert chosen.ui.segmentEditor.activeEffect() is not None
    paint(chosen, ball(phantom))
    synthesize(chosen)
    assert chosen.ui.segmentEditor.activeEffect() is None


def test_a_mask_outside_the_organ_is_refused_in_words(chosen, phantom):
    chosen.ui.drawButton.click()
    paint(chosen, ball(phantom, organ="lung"))
    chosen.ui.applyButton.click()
    finish(chosen)
    assert "liver" in chosen.ui.statusLabel.text
    assert chosen.panel.result is None


def test_a_drawn_tumor_is_saved_as_a_case(chosen, phantom, tmp_path):
    chosen.ui.drawButton.click()
    paint(chosen, ball(phantom))
    result = synthesize(chosen)
    chosen.ui.caseFolderLineEdit.currentPath = str(tmp_path)
    chosen.ui.saveCaseButton.click()
    finish(chosen)
    (case,) = tmp_path.iterdir()
    assert np.array_equal(read_volume(case / "ct.nii.gz").array, array(result.volume)), (
        chosen.ui.statusLabel.text
    )
