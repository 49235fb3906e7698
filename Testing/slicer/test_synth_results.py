"""FreeTumor Synth from the CT to the result: sampled, placed, compared, accepted, undone, saved, reloaded."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import slicer
from freetumor.anatomy import ORGANS
from freetumor.volume import read_volume
from synth_steps import array, background, choose, finish, load, mask, sample, synthesize
from waiting import turn


@pytest.fixture
def ready(synth, phantom):
    """The panel with CT and liver chosen and a sampled tumor asked for."""
    ct, segmentation, liver = load(phantom)
    choose(synth, ct, segmentation, liver)
    sample(synth)
    return synth


@pytest.fixture
def done(ready):
    """The panel with a result."""
    synthesize(ready)
    return ready


def test_a_sampled_tumor_is_a_new_volume_that_differs_in_the_tumor_only(ready, phantom):
    ct = ready.ui.inputVolumeSelector.currentNode()
    before = array(ct)
    result = synthesize(ready)
    assert np.array_equal(array(ct), before)
    assert result.volume is not ct
    changed = array(result.volume) != before
    tumor = mask(result.segmentation, result.segmentIDs[0], ct)
    assert tumor.sum() > 100
    assert changed[tumor].mean() > 0.8
    assert (tumor & ~phantom.organ("liver")).sum() == 0
    ijk = [np.array(slicer.util.arrayFromVTKMatrix(m)) for m in map(_ijkToRas, (ct, result.volume))]
    assert np.allclose(*ijk)


def _ijkToRas(node):
    import vtk

    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return matrix


def test_everything_synthetic_is_marked_with_its_provenance(done):
    result = done.panel.result
    for node in (result.volume, result.segmentation):
        assert node.GetAttribute("FreeTumor.Synthetic") == "1"
        assert json.loads(node.GetAttribute("FreeTumor.Provenance"))["seed"] == 3
        assert node.GetName().startswith("SYNTHETIC")
    segment = result.segmentation.GetSegmentation().GetSegment(result.segmentIDs[0])
    assert ORGANS["liver"].finding.value in segment.GetTerminology()
    assert done.ui.inputVolumeSelector.currentNode().GetAttribute("FreeTumor.Synthetic") is None


def test_the_result_is_shown_in_the_slices_and_in_3d_within_a_see_through_organ(done):
    result = done.panel.result
    assert background("Red") is result.volume
    assert result.segmentation.GetDisplayNode().GetVisibility3D()
    assert result.segmentation.GetSegmentation().ContainsRepresentation("Closed surface")
    model = result.organModel
    assert model.GetDisplayNode().GetOpacity() < 0.5
    surface = model.GetPolyData()
    liver = mask(
        done.ui.organSegmentSelector.currentNode(),
        done.ui.organSegmentSelector.currentSegmentID(),
        result.input,
    )
    from FreeTumorSlicerLib.volumes import geometryOfNode

    where = geometryOfNode(result.input).index_to_ras(np.argwhere(liver))
    assert np.allclose(surface.GetBounds()[::2], where.min(axis=0), atol=4)
    assert np.allclose(surface.GetBounds()[1::2], where.max(axis=0), atol=4)
    assert "mm at R,A,S" in done.ui.verdictLabel.text
    assert "Passed the quality test" in done.ui.verdictLabel.text


def test_neighbouring_segments_are_left_alone(ready):
    ct, organs = ready.ui.inputVolumeSelector.currentNode(), ready.ui.organSegmentSelector.currentNode()
    ids = organs.GetSegmentation().GetSegmentIDs()
    before = {i: mask(organs, i, ct) for i in ids}
    synthesize(ready)
    assert organs.GetSegmentation().GetSegmentIDs() == ids
    for i in ids:
        assert np.array_equal(mask(organs, i, ct), before[i])


def test_undo_removes_the_result_and_shows_the_ct_again(done):
    result, ct = done.panel.result, done.panel.result.input
    made = [result.volume, result.segmentation, result.organModel]
    assert all(node.GetScene() is not None for node in made)
    done.ui.undoButton.click()
    assert all(node.GetScene() is None for node in made)
    assert background() is ct
    assert not done.ui.undoButton.enabled
    assert "Synthesize a tumor first" in done.ui.undoButton.toolTip


def test_an_accepted_result_cannot_be_undone_by_a_slip(done):
    done.ui.acceptButton.click()
    assert not done.ui.undoButton.enabled
    assert "accepted" in done.ui.undoButton.toolTip
    first = done.panel.result.volume
    synthesize(done)
    assert first.GetScene() is not None


def test_another_one_takes_the_next_seed_and_the_place_of_the_first(done):
    first = done.panel.result.volume
    done.ui.anotherButton.click()
    assert first.GetScene() is not None  # nothing is lost until the new one is there
    finish(done)
    assert first.GetScene() is None
    assert done.panel.result.provenance["seed"] == 4
    assert done.ui.seedSpinBox.value == 4


def test_several_tumors_become_segments_of_their_own(ready):
    ready.ui.countSpinBox.value = 3
    sample(ready, diameter=12)
    result = synthesize(ready)
    assert len(result.segmentIDs) == 3
    masks = [mask(result.segmentation, i, result.input) for i in result.segmentIDs]
    assert sum(m.sum() for m in masks) == np.logical_or.reduce(masks).sum()


def test_a_tumor_put_into_a_result_keeps_off_the_first_and_its_case_holds_both(done, tmp_path):
    first = done.panel.result
    done.ui.acceptButton.click()
    done.ui.inputVolumeSelector.setCurrentNode(first.volume)
    # The very same request: without the first tumor's label it would be put upon it.
    second = synthesize(done)
    tumors = [mask(r.segmentation, r.segmentIDs[0], first.input) for r in (first, second)]
    assert not (tumors[0] & tumors[1]).any()
    # Saved from the result, whatever CT is chosen now.
    done.ui.inputVolumeSelector.setCurrentNode(first.input)
    done.ui.caseFolderLineEdit.currentPath = str(tmp_path)
    done.ui.saveCaseButton.click()
    finish(done)
    (case,) = tmp_path.iterdir()
    labels = read_volume(case / "labels.nii.gz").array
    assert np.array_equal(labels == ORGANS["liver"].lesion_label, tumors[0] | tumors[1])
    assert np.array_equal(read_volume(case / "ct.nii.gz").array, array(second.volume))


def test_blink_shows_before_and_after_in_turn_and_ends_with_the_result(done):
    result = done.panel.result
    done.ui.blinkButton.click()
    turn(lambda: background() is result.input, seconds=5)
    turn(lambda: background() is result.volume, seconds=5)
    done.ui.blinkButton.click()
    assert background() is result.volume


def test_side_by_side_shows_both_and_gives_the_layout_back(done):
    result, manager = done.panel.result, slicer.app.layoutManager()
    layout = manager.layout
    done.ui.sideBySideButton.click()
    assert (background("Red"), background("Yellow")) == (result.input, result.volume)
    nodes = [manager.sliceWidget(name).mrmlSliceNode() for name in ("Red", "Yellow")]
    assert nodes[0].GetOrientation() == nodes[1].GetOrientation()
    done.ui.sideBySideButton.click()
    assert manager.layout == layout
    assert background("Yellow") is result.volume
    assert manager.sliceWidget("Yellow").mrmlSliceNode().GetOrientation() == "Sagittal"


def test_the_difference_is_after_minus_before_in_hu(done):
    from FreeTumorSlicerLib.volumes import geometryOfNode
    from FreeTumorSynthLib.comparison import differenceNode

    result = done.panel.result
    done.ui.differenceButton.click()
    composite = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    shown = slicer.mrmlScene.GetNodeByID(composite.GetForegroundVolumeID())
    change = array(result.volume).astype(float) - array(result.input)
    start = np.rint(geometryOfNode(result.input).ras_to_index(geometryOfNode(shown).affine[:3, 3])).astype(
        int
    )
    where = tuple(slice(a, a + n) for a, n in zip(start, array(shown).shape, strict=True))
    assert np.array_equal(array(shown), change[where])
    assert np.count_nonzero(change) == np.count_nonzero(change[where])
    done.ui.differenceButton.click()
    assert composite.GetForegroundVolumeID() is None
    assert shown.GetScene() is None
    slicer.mrmlScene.RemoveNode(result.input)
    assert differenceNode(result) is None


def test_only_one_comparison_is_on_at_a_time(done):
    done.ui.blinkButton.click()
    done.ui.differenceButton.click()
    assert not done.ui.blinkButton.checked
    assert done.ui.differenceButton.checked


def test_a_result_is_saved_as_a_case_exported_and_both_are_the_result(done, tmp_path):
    result, ui = done.panel.result, done.ui
    assert "folder" in ui.saveCaseButton.toolTip
    ui.caseFolderLineEdit.currentPath = str(tmp_path / "cases")
    ui.saveCaseButton.click()
    finish(done)
    (case,) = (tmp_path / "cases").iterdir()
    assert case.name == "CT_1-liver-3", ui.statusLabel.text
    assert np.array_equal(read_volume(case / "ct.nii.gz").array, array(result.volume))
    tumor = read_volume(case / "tumor_mask.nii.gz").array > 0
    assert np.array_equal(tumor, mask(result.segmentation, result.segmentIDs[0], result.input))
    ui.saveCaseButton.click()
    finish(done)
    assert "exists" in ui.statusLabel.text  # never overwritten
    ui.exportFolderLineEdit.currentPath = str(tmp_path / "set")
    ui.exportButton.click()
    finish(done)
    assert (tmp_path / "set" / "imagesTr" / "CT_1-liver-3_0000.nii.gz").is_file(), ui.statusLabel.text


def test_a_ct_that_was_changed_since_is_not_saved_as_if_it_were_the_same(done, tmp_path):
    ct = done.panel.result.input
    slicer.util.arrayFromVolume(ct)[0, 0, 0] += 5
    slicer.util.arrayFromVolumeModified(ct)
    done.ui.caseFolderLineEdit.currentPath = str(tmp_path / "cases")
    done.ui.saveCaseButton.click()
    finish(done)
    assert "changed since" in done.ui.statusLabel.text
    assert not (tmp_path / "cases" / "CT_1-liver-3").exists()


def test_parameters_and_result_survive_saving_and_loading_the_scene(done, tmp_path):
    ui = done.ui
    ui.diameterSlider.value, ui.seedSpinBox.value, ui.contrastSlider.value = 31, 77, -55
    ui.ownContrastCheckBox.checked, ui.keepRejectedCheckBox.checked = True, True
    ui.caseFolderLineEdit.currentPath = str(tmp_path / "cases")
    ui.rimComboBox.currentIndex = 2
    voxels, said = array(done.panel.result.volume), ui.verdictLabel.text
    scene = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(scene)
    slicer.mrmlScene.Clear(0)
    assert ui.inputVolumeSelector.currentNode() is None
    slicer.util.loadScene(scene)
    turn(ui.organSegmentSelector.currentSegmentID, seconds=5)
    assert (ui.diameterSlider.value, ui.seedSpinBox.value, ui.contrastSlider.value) == (31, 77, -55)
    assert (ui.ownContrastCheckBox.checked, ui.keepRejectedCheckBox.checked) == (True, True)
    assert Path(ui.caseFolderLineEdit.currentPath) == tmp_path / "cases"
    assert ui.rimComboBox.currentText == "no"
    assert ui.modeTabs.currentIndex == 2
    assert ui.inputVolumeSelector.currentNode().GetName() == "CT 1"
    assert ui.organSegmentSelector.currentSegmentID() == "liver"
    assert ui.verdictLabel.text == said
    assert np.array_equal(array(done.panel.result.volume), voxels)
    done.ui.undoButton.click()
    assert done.panel.result is None
