"""One tumor on the real sample CT, from the first stroke to the scene that is opened again the next day."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
from freetumor.anatomy import organ
from freetumor.organs import organ_labels
from freetumor.sample_data import FetchError
from freetumor.volume import read_volume
from scipy import ndimage
from slicerhost import driving
from synth_steps import array, background, finish, mask, synthesize
from waiting import turn

SEED, BRUSH_MM = 4, 18


@pytest.fixture
def sample(synth):
    """CT and organ labels of the sample in the scene, the liver chosen in the panel."""
    from FreeTumorSlicerLib.sampledata import loadSample

    try:
        ct, labels = loadSample()
    except FetchError as error:
        pytest.skip(f"the sample CT cannot be had here: {error}")
    ui = synth.ui
    ui.inputVolumeSelector.setCurrentNode(ct)
    ui.organComboBox.currentText = "liver"
    ui.organSourceComboBox.currentText = "label map"
    ui.organLabelMapSelector.setCurrentNode(labels)
    ui.labelConventionComboBox.currentText = "totalsegmentator"
    ui.seedSpinBox.value = SEED
    return ct, labels


def deepestPoint(labels) -> np.ndarray:
    """The point of the liver that is farthest from its surface, RAS mm."""
    from FreeTumorSlicerLib.volumes import volumeFromNode

    liver = organ_labels(volumeFromNode(labels), organ("liver"), convention="totalsegmentator")
    step = (1, 4, 4)
    geometry = liver.geometry.strided(step)
    depth = ndimage.distance_transform_edt(liver.strided(step), sampling=geometry.spacing)
    return geometry.index_to_ras(np.array(np.unravel_index(depth.argmax(), depth.shape)))


def draw(synth, at: np.ndarray) -> None:
    """One stroke of a round brush in the axial view."""
    for name in slicer.app.layoutManager().sliceViewNames():
        view = slicer.app.layoutManager().sliceWidget(name)
        view.resize(400, 422)
        view.sliceView().renderWindow()
        view.sliceView().resize(400, 400)
    slicer.util.resetSliceViews()
    synth.ui.drawButton.click()
    effect = synth.ui.segmentEditor.activeEffect()
    effect.setParameter("BrushSphere", 1)
    effect.setParameter("BrushAbsoluteDiameter", BRUSH_MM)
    driving.jumpTo(at, "Red")
    driving.drag([at, at + np.array([4.0, 0.0, 0.0])], "Red")


def test_a_drawn_tumor_goes_all_the_way_to_an_exported_data_set_and_a_reopened_scene(synth, sample, tmp_path):
    ct, labels = sample
    before, ui = array(ct), synth.ui
    draw(synth, deepestPoint(labels))
    p = synth.panel.parameters
    drawn = mask(p.drawnSegmentation, p.drawnSegmentID, ct)

    result = synthesize(synth)
    tumor, after = mask(result.segmentation, result.segmentIDs[0], ct), array(result.volume)
    assert np.array_equal(tumor, drawn)
    assert (after != before)[tumor].mean() > 0.8
    assert after[tumor].mean() < before[tumor].mean() - 10
    assert "Passed the quality test" in ui.verdictLabel.text
    assert background() is result.volume
    assert result.segmentation.GetDisplayNode().GetVisibility3D()
    assert result.organModel.GetPolyData().GetNumberOfCells() > 1000

    ui.acceptButton.click()
    ui.caseFolderLineEdit.currentPath = str(tmp_path / "cases")
    ui.saveCaseButton.click()
    finish(synth)
    (case,) = (tmp_path / "cases").iterdir()
    assert np.array_equal(read_volume(case / "ct.nii.gz").array, after), ui.statusLabel.text
    assert np.array_equal(read_volume(case / "tumor_mask.nii.gz").array > 0, tumor)

    ui.exportFolderLineEdit.currentPath = str(tmp_path / "set")
    ui.exportButton.click()
    finish(synth)
    (image,) = (tmp_path / "set" / "imagesTr").iterdir()
    assert np.array_equal(read_volume(image).array, after), ui.statusLabel.text

    said, scene = ui.verdictLabel.text, str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(scene)
    slicer.mrmlScene.Clear(0)
    slicer.util.loadScene(scene)
    turn(lambda: synth.panel.result is not None, seconds=20)
    again = synth.panel.result
    assert np.array_equal(array(again.volume), after)
    assert np.array_equal(mask(again.segmentation, again.segmentIDs[0], again.input), tumor)
    assert ui.verdictLabel.text == said
    assert not again.isPending
    assert again.organModel is not None
