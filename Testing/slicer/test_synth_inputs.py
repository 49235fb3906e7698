"""FreeTumor Synth: what it asks for, where the organ and the tumor may come from, and the live preview."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
from freetumor.volume import Geometry, Volume
from synth_steps import array, background, choose, finish, load, mask, sample, synthesize
from waiting import turn


@pytest.fixture
def chosen(synth, phantom):
    """The panel with CT and liver chosen."""
    choose(synth, *load(phantom))
    return synth


def centre_of(phantom, organ: str = "liver") -> tuple:
    """The deepest point of an organ of the phantom, RAS mm."""
    from scipy import ndimage

    depth = ndimage.distance_transform_edt(phantom.organ(organ), sampling=phantom.ct.geometry.spacing)
    index = np.unravel_index(depth.argmax(), depth.shape)
    return tuple(float(c) for c in phantom.ct.geometry.index_to_ras(np.array(index)))


def place(synth, point) -> None:
    """Press "Click the place" and click, as the view's markups manager does."""
    synth.ui.placeButton.click()
    synth.panel.parameters.placedPoint.AddControlPointWorld(*point)


def test_an_empty_scene_asks_for_a_ct_and_nothing_else(synth):
    assert not synth.ui.applyButton.enabled
    assert "Choose a CT" in synth.ui.applyButton.toolTip
    assert "Synthesize a tumor first" in synth.ui.blinkButton.toolTip


def test_each_missing_thing_is_named_in_turn(synth, phantom):
    ct, segmentation, liver = load(phantom)
    synth.ui.inputVolumeSelector.setCurrentNode(ct)
    synth.ui.organSegmentSelector.setCurrentNode(None)
    assert "segmentation" in synth.ui.applyButton.toolTip
    synth.ui.organSegmentSelector.setCurrentNode(segmentation)
    synth.ui.organSegmentSelector.setCurrentSegmentID(liver)
    assert "paint" in synth.ui.applyButton.toolTip
    sample(synth)
    assert synth.ui.applyButton.enabled


def test_ct_and_organ_are_chosen_when_the_module_is_entered(synth, phantom):
    ct, segmentation, _liver = load(phantom)
    synth.enter()
    assert synth.ui.inputVolumeSelector.currentNode() is ct
    assert synth.ui.organSegmentSelector.currentNode() is segmentation


def test_a_tumor_grows_where_it_was_clicked(chosen, phantom):
    at = centre_of(phantom)
    place(chosen, at)
    ui = chosen.ui
    assert ui.modeTabs.currentIndex == 1
    assert (ui.rightSlider.value, ui.anteriorSlider.value, ui.superiorSlider.value) == pytest.approx(
        at, abs=0.06
    )
    result = synthesize(chosen)
    assert np.linalg.norm(np.subtract(result.centre(), at)) < 6


def test_the_crosshair_is_a_place_too(chosen, phantom):
    at = centre_of(phantom)
    slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode").SetCrosshairRAS(*at)
    chosen.ui.crosshairButton.click()
    assert chosen.ui.superiorSlider.value == pytest.approx(at[2], abs=0.06)
    assert chosen.ui.modeTabs.currentIndex == 1


def test_the_clicked_point_follows_the_sliders(chosen, phantom):
    at = centre_of(phantom)
    place(chosen, at)
    chosen.ui.rightSlider.value = at[0] + 7
    assert chosen.panel.parameters.placedPoint.GetNthControlPointPositionWorld(0)[0] == pytest.approx(
        at[0] + 7, abs=0.06
    )


def test_a_point_outside_the_organ_is_refused_in_words_and_nothing_is_left(chosen, phantom):
    place(chosen, centre_of(phantom, "lung"))
    nodes = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLVolumeNode")
    chosen.ui.applyButton.click()
    finish(chosen)
    assert "inside the liver" in chosen.ui.statusLabel.text
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLVolumeNode") == nodes
    assert chosen.ui.applyButton.text == "Synthesize"
    assert chosen.ui.applyButton.enabled


def test_lungs_are_computed_and_become_the_chosen_organ(synth, phantom):
    ct, *_ = load(phantom)
    ui = synth.ui
    ui.inputVolumeSelector.setCurrentNode(ct)
    assert not ui.labelOrganButton.enabled
    assert "TotalSegmentator" in ui.labelOrganButton.toolTip
    ui.organComboBox.currentIndex = ui.organComboBox.findText("lung")
    ui.labelOrganButton.click()
    finish(synth)
    assert "thresholds" in ui.statusLabel.text
    lungs = mask(ui.organSegmentSelector.currentNode(), ui.organSegmentSelector.currentSegmentID(), ct)
    truth = phantom.organ("lung")
    assert 2 * (lungs & truth).sum() / (lungs.sum() + truth.sum()) > 0.9, ui.statusLabel.text
    sample(synth)
    synthesize(synth)


@pytest.mark.parametrize(("convention", "values"), [("totalsegmentator", ""), ("values below", "5")])
def test_a_label_map_gives_the_organ_by_convention_or_by_its_values(synth, phantom, convention, values):
    from FreeTumorSlicerLib.volumes import nodeFromVolume

    ct, *_ = load(phantom)
    labels = nodeFromVolume(phantom.totalsegmentator(), "labels", className="vtkMRMLLabelMapVolumeNode")
    ui = synth.ui
    ui.inputVolumeSelector.setCurrentNode(ct)
    ui.organSourceComboBox.currentIndex = 1
    ui.organLabelMapSelector.setCurrentNode(labels)
    ui.labelConventionComboBox.currentIndex = ui.labelConventionComboBox.findText(convention)
    ui.organValuesLineEdit.text = values or "1"
    sample(synth)
    result = synthesize(synth)
    tumor = mask(result.segmentation, result.segmentIDs[0], ct)
    assert (tumor & ~phantom.organ("liver")).sum() == 0


def test_a_label_map_of_another_resolution_is_refused_with_both_grids(synth, phantom):
    from FreeTumorSlicerLib.volumes import nodeFromVolume

    ct, *_ = load(phantom)
    labels = phantom.label_map("abdomen")
    thin = labels.array[::2].copy()
    labels = Volume(thin, Geometry(thin.shape, labels.geometry.strided((2, 1, 1)).affine))
    node = nodeFromVolume(labels, "thin", className="vtkMRMLLabelMapVolumeNode")
    ui = synth.ui
    ui.inputVolumeSelector.setCurrentNode(ct)
    ui.organSourceComboBox.currentIndex = 1
    ui.organLabelMapSelector.setCurrentNode(node)
    sample(synth)
    ui.applyButton.click()
    assert not synth.logic.runner.isRunning
    assert "grid of the CT" in ui.statusLabel.text
    assert "segmentation" in ui.statusLabel.text


def test_a_volume_that_is_no_ct_is_refused_by_its_values(synth, phantom):
    ct, segmentation, liver = load(phantom)
    slicer.util.arrayFromVolume(ct)[:] = slicer.util.arrayFromVolume(ct) % 7
    choose(synth, ct, segmentation, liver)
    sample(synth)
    synth.ui.applyButton.click()
    finish(synth)
    assert "Hounsfield" in synth.ui.statusLabel.text


def test_two_volumes_of_different_grids_each_get_their_own_result(synth, phantom):
    ct, segmentation, liver = load(phantom)
    half = Volume(
        phantom.ct.array[:, ::2, ::2].copy(), phantom.ct.geometry.strided((1, 2, 2)), phantom.ct.storage
    )
    from FreeTumorSlicerLib.volumes import nodeFromVolume

    coarse = nodeFromVolume(half, "CT 2")
    for node in (ct, coarse):
        choose(synth, node, segmentation, liver)
        sample(synth)
        result = synthesize(synth)
        assert result.input is node
        assert array(result.volume).shape == array(node).shape
        tumor = mask(result.segmentation, result.segmentIDs[0], node)
        assert (array(result.volume) != array(node))[tumor].mean() > 0.8


def test_the_preview_follows_the_sliders_and_leaves_the_ct_alone(chosen, phantom):
    ui, ct = chosen.ui, chosen.ui.inputVolumeSelector.currentNode()
    before = array(ct)
    place(chosen, centre_of(phantom))
    ui.livePreviewCheckBox.click()
    view = chosen.panel.preview.view
    turn(lambda: view.isOn and view.centre() is not None)
    assert background() is view.node
    first = array(view.node)
    assert (first != before).any()
    ui.diameterSlider.value = 32
    turn(lambda: not np.array_equal(array(view.node), first))
    assert (array(view.node) != before).sum() > (first != before).sum()
    ui.livePreviewCheckBox.click()
    assert not view.isOn
    assert background() is ct
    assert np.array_equal(array(ct), before)
    assert len(slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")) == 1


def test_what_the_preview_showed_is_what_is_synthesized(chosen, phantom):
    place(chosen, centre_of(phantom))
    chosen.ui.livePreviewCheckBox.click()
    view = chosen.panel.preview.view
    turn(lambda: view.isOn and view.centre() is not None)
    shown = array(view.node)
    result = synthesize(chosen)
    assert not view.isOn
    assert np.array_equal(array(result.volume), shown)


def test_a_preview_that_does_not_fit_says_so_and_goes_on(chosen, phantom):
    place(chosen, centre_of(phantom))
    chosen.ui.livePreviewCheckBox.click()
    view = chosen.panel.preview.view
    turn(lambda: view.isOn and view.centre() is not None)
    chosen.ui.diameterSlider.value = 150
    turn(lambda: "fits" in chosen.ui.statusLabel.text)
    assert np.array_equal(array(view.node), array(chosen.ui.inputVolumeSelector.currentNode()))
    chosen.ui.diameterSlider.value = 15
    turn(lambda: view.centre() is not None)


def test_a_drawn_tumor_has_no_preview_and_the_tool_tip_says_why(chosen):
    assert not chosen.ui.livePreviewCheckBox.enabled
    assert "drawn" in chosen.ui.livePreviewCheckBox.toolTip
