"""FreeTumor Segment runs a model: lesions, probabilities, cancel, errors, versions, a saved scene."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import slicer
import slicerhost
from freetumor.segmentation import PseudoLabel
from freetumor.volume import Volume
from made_models import threshold_segmenter
from model_damage import damage
from reviewcases import GRID, labelArray, makeCase
from waiting import alive, turn

SEGMENT = Path(__file__).resolve().parents[2] / "FreeTumorSegment" / "FreeTumorSegment.py"
CORNERS = ((4, 8, 8), (11, 20, 30))
ORGAN_HU, LESION_HU = 110, 200


def brightLesions(labels: np.ndarray) -> np.ndarray:
    """A CT whose lesions are brighter than the organ: no border between organ and air looks like them."""
    return np.choose(labels, (-1000, ORGAN_HU, LESION_HU)).astype(np.int16)


@pytest.fixture
def ct(scene):
    """A CT whose liver has two lesions."""
    from FreeTumorSlicerLib.volumes import nodeFromVolume

    return nodeFromVolume(Volume(brightLesions(labelArray(*CORNERS)), GRID), "CT")


@pytest.fixture
def model(models):
    """An installed model that calls everything above 155 HU a liver tumor."""
    limits = (ORGAN_HU + LESION_HU) / 2, 300
    return threshold_segmenter(models, "abdomen", *limits, organ_hu=(0, 300), name="threshold")


@pytest.fixture
def ready(segment, ct, model):
    """The module with a CT and a model."""
    segment.ui.ctSelector.setCurrentNode(ct)
    segment.enter()
    segment.ui.backendCombo.setCurrentText("torch")  # OpenVINO takes longer to start than the work takes
    return segment


def run(segment) -> None:
    """Press Segment and wait."""
    assert segment.ui.segmentButton.enabled, segment.ui.segmentButton.toolTip
    segment.ui.segmentButton.click()
    turn(lambda: not segment.segmentPanel.runner.isRunning)


def cells(table, column: int) -> list[str]:
    return [table.item(row, column).text() for row in range(table.rowCount)]


def count(className: str) -> int:
    return slicer.mrmlScene.GetNumberOfNodesByClass(className)


def background() -> str:
    composite = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    return composite.GetBackgroundVolumeID() or ""


def test_without_a_model_the_section_says_so_and_leads_to_models_and_to_an_import(segment, ct, hub):
    segment.ui.ctSelector.setCurrentNode(ct)
    assert "No segmentation model for liver tumors is installed" in segment.ui.modelNote.text
    assert "label map" in segment.ui.modelNote.toolTip
    assert not segment.ui.segmentButton.enabled
    assert "FreeTumor > Models" in segment.ui.segmentButton.toolTip
    assert segment.ui.advancedSection.isHidden()
    segment.ui.modelsButton.click()
    assert not hub.ui.modelsSection.collapsed


def test_research_weights_segment_nothing_before_their_terms_are_accepted(
    segment, ct, models, messages, monkeypatch
):
    threshold_segmenter(models, "abdomen", 155, 300, organ_hu=(0, 300), licence="CC BY-NC-SA 4.0")
    segment.ui.ctSelector.setCurrentNode(ct)
    segment.enter()
    assert "asked to accept" in segment.ui.modelNote.text
    started = []
    monkeypatch.setattr(segment.segmentPanel.runner, "start", lambda *given, **_rest: started.append(given))
    messages.answer(False, True)
    segment.ui.segmentButton.click()
    assert "CC BY-NC-SA 4.0" in messages.texts()[0]
    assert "terms were not accepted" in segment.ui.jobLabel.text
    assert started == []
    segment.ui.segmentButton.click()
    assert len(started) == 1


def test_lesions_are_found_where_they_are_with_size_and_probability(ready, ct, model):
    slicer.util.setSliceViewerLayers(background=ct)
    ready.ui.show3DCheck.checked = True
    run(ready)
    assert ready.ui.jobLabel.text == "Segmented by threshold."
    table = ready.ui.lesionTable
    assert cells(table, 1) == ["liver", "liver"]
    assert [float(text) for text in cells(table, 2)] == pytest.approx([4.1, 4.1], rel=0.15)
    assert all(0.8 < float(text) < 1 for text in cells(table, 5))
    centres = [GRID.ras_to_index(lesion.centre_ras) for lesion in ready.lesionPanel.lesions]
    truth = labelArray(*CORNERS)
    assert all(truth[tuple(np.rint(index).astype(int))] == 2 for index in centres)
    assert background() == ct.GetID()
    node = ready.ui.segmentationSelector.currentNode()
    assert node.GetDisplayNode().GetVisibility3D()
    assert node.GetAttribute("FreeTumor.Model") == model.name
    names = [node.GetSegmentation().GetNthSegment(n).GetName() for n in range(2)]
    assert names == ["Liver", "Liver tumor"]
    assert "108369006^Neoplasm" in node.GetSegmentation().GetNthSegment(1).GetTerminology()
    display = ready.ui.probabilitySelector.currentNode().GetDisplayNode()
    assert (display.GetWindow(), display.GetLevel()) == (1.0, 0.5)


def test_near_a_segment_only_its_surroundings_are_searched(ready, ct):
    from FreeTumorSlicerLib.volumes import segmentFromMask

    organ = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Organs")
    organ.CreateDefaultDisplayNodes()
    truth = labelArray(*CORNERS)
    near = np.zeros(truth.shape, bool)
    near[2:9, :, 4:24] = truth[2:9, :, 4:24] > 0  # the part of the liver around the first lesion
    liver = segmentFromMask(organ, near, ct, "liver")
    ready.ui.cropSelector.setCurrentNode(organ)
    ready.ui.cropSelector.setCurrentSegmentID("")
    assert "segment of the organ" in ready.ui.segmentButton.toolTip
    ready.ui.cropSelector.setCurrentSegmentID(liver)
    run(ready)
    (lesion,) = ready.lesionPanel.lesions
    k, j, i = np.rint(GRID.ras_to_index(lesion.centre_ras)).astype(int)
    assert near[k, j, i]


def test_cancel_ends_the_job_with_all_that_it_started_and_the_next_one_runs(ready, endless, monkeypatch):
    ready.ui.segmentButton.click()
    assert ready.ui.segmentButton.text == "Cancel"
    turn(lambda: ready.ui.logText.toPlainText())
    pids = ready.segmentPanel.runner.processId, int(ready.ui.logText.toPlainText())
    ready.ui.segmentButton.click()
    assert not ready.ui.segmentButton.enabled
    turn(lambda: not ready.segmentPanel.runner.isRunning)
    turn(lambda: not any(map(alive, pids)), seconds=5)
    assert "Stopped" in ready.ui.jobLabel.text
    assert (ready.ui.segmentButton.text, ready.ui.progressBar.isHidden()) == ("Segment", True)
    assert count("vtkMRMLSegmentationNode") == 0
    monkeypatch.undo()


def test_a_cancel_in_the_middle_of_the_work_leaves_nothing(ready):
    ready.ui.segmentButton.click()
    turn(lambda: ready.ui.progressBar.value > 0)
    process = ready.segmentPanel.runner.processId
    ready.ui.segmentButton.click()
    turn(lambda: not ready.segmentPanel.runner.isRunning)
    assert not alive(process)
    assert count("vtkMRMLSegmentationNode") == 0
    assert ready.ui.segmentButton.enabled


def test_a_closed_scene_takes_the_job_with_it(ready, endless, scene):
    ready.ui.segmentButton.click()
    turn(lambda: ready.ui.logText.toPlainText())
    pids = ready.segmentPanel.runner.processId, int(ready.ui.logText.toPlainText())
    scene.Clear(0)
    turn(lambda: not any(map(alive, pids)), seconds=5)
    assert "scene was closed" in ready.ui.jobLabel.text


def test_an_unloaded_module_takes_its_job_with_it(scene, ct, model, endless):
    widget = slicerhost.loadModule(SEGMENT).widget
    widget.ui.ctSelector.setCurrentNode(ct)
    widget.ui.segmentButton.click()
    turn(lambda: widget.ui.logText.toPlainText())
    pids = widget.segmentPanel.runner.processId, int(widget.ui.logText.toPlainText())
    slicerhost.unloadModule("FreeTumorSegment")
    turn(lambda: not any(map(alive, pids)), seconds=5)


def test_a_model_for_other_organs_is_not_offered(ready):
    ready.ui.organCombo.setCurrentText("lung")
    assert not ready.ui.segmentButton.enabled
    assert "lung tumors" in ready.ui.segmentButton.toolTip


def test_a_chosen_model_that_does_not_fit_the_organ_is_told(ready):
    ready.ui.modelCombo.setCurrentText("threshold")
    ready.ui.organCombo.setCurrentText("lung")
    assert "threshold does not fit lung tumors" in ready.ui.segmentButton.toolTip


def test_a_damaged_file_is_told_by_kind_and_the_module_is_idle_again(ready, model):
    damage(model)
    run(ready)
    assert "The file of the model is damaged" in ready.ui.jobLabel.text
    assert "section Models" in ready.ui.jobLabel.text
    assert ready.ui.segmentButton.enabled
    assert count("vtkMRMLSegmentationNode") == 0


def test_a_model_that_was_removed_in_the_meantime_is_told_by_kind(ready, model):
    shutil.rmtree(model.folder)
    ready.ui.segmentButton.click()
    turn(lambda: not ready.segmentPanel.runner.isRunning)
    assert "No such model" in ready.ui.jobLabel.text
    assert not ready.ui.segmentButton.enabled


def test_a_ct_that_is_removed_during_the_job_is_no_error(ready, ct):
    ready.ui.segmentButton.click()
    turn(lambda: ready.segmentPanel.runner.processId is not None)
    slicer.mrmlScene.RemoveNode(ct)
    turn(lambda: not ready.segmentPanel.runner.isRunning)
    assert count("vtkMRMLVolumeNode") == 0
    assert ready.ui.progressBar.isHidden()


def test_a_segmented_case_is_corrected_and_saved_as_a_version_of_it(segment, model, tmp_path):
    from freetumor.volume import read_volume, write_volume

    case = makeCase(tmp_path / "cases" / "case1", CORNERS[0])
    (case / "ct.nii.gz").unlink()
    write_volume(Volume(brightLesions(labelArray(*CORNERS)), GRID), case / "ct.nii.gz")
    segment.ui.casesFolderEdit.setCurrentPath(str(tmp_path / "cases"))
    segment.ui.nextButton.click()
    assert segment.ui.lesionTable.rowCount == 1
    segment.ui.backendCombo.setCurrentText("torch")
    run(segment)
    assert segment.ui.lesionTable.rowCount == 2
    assert count("vtkMRMLSegmentationNode") == 2  # what was there stays
    assert segment.ui.segmentationSelector.currentNode().GetAttribute("FreeTumor.Synthetic") == "1"
    segment.ui.authorEdit.setText("Ada")
    segment.ui.approveButton.click()
    assert "Save the corrections" in segment.ui.statusLabel.text
    segment.ui.saveVersionButton.click()
    assert segment.ui.statusLabel.text == "Saved as v01."
    version = PseudoLabel(case).latest()
    assert (version.author, version.comment) == ("Ada", "Segmented by the model threshold")
    saved = read_volume(version.path).array
    truth = labelArray(*CORNERS)
    assert (saved[truth == 2] == 2).mean() > 0.8
    segment.ui.approveButton.click()
    assert PseudoLabel(case).latest().status == "approved"


def test_every_choice_survives_a_saved_scene_and_a_missing_model_is_told(ready, scene, model, tmp_path):
    run(ready)
    ui = ready.ui
    ui.modelCombo.setCurrentText("threshold")
    ui.deviceCombo.setCurrentText("cpu")
    ui.overlapSlider.value = 0.5
    ui.cropSelector.setCurrentNode(ui.segmentationSelector.currentNode())
    segmentID = ui.segmentationSelector.currentNode().GetSegmentation().GetNthSegmentID(0)
    ui.cropSelector.setCurrentSegmentID(segmentID)
    node = ready.logic.getParameterNode()
    names = ("model", "device", "backend", "overlap", "cropSegmentID")
    probabilities = cells(ui.lesionTable, 5)
    before = {name: node.getValue(name) for name in names}
    assert before["cropSegmentID"]
    slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    scene.Clear(0)
    shutil.rmtree(model.folder)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    slicer.app.processEvents()
    node = ready.logic.getParameterNode()
    assert {name: node.getValue(name) for name in names} == before
    assert node.cropSegmentation is node.segmentation
    assert ui.cropSelector.currentSegmentID() == segmentID
    assert cells(ui.lesionTable, 5) == probabilities
    assert node.segmentation.GetAttribute("FreeTumor.Model") == "threshold"
    assert "threshold is not installed" in ui.segmentButton.toolTip
