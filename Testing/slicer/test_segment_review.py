"""FreeTumor Segment as a user drives it: import, lesions, 3-D, versions, cases and keys."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import slicer
import vtk
from freetumor.segmentation import PseudoLabel
from freetumor.volume import Volume, read_volume, write_volume
from reviewcases import GRID, LESION_HU, ctArray, labelArray, makeCase

CORNERS = ((4, 8, 8), (11, 20, 30))


def choose(segment, **paths) -> None:
    """Fill path fields of the form."""
    for name, path in paths.items():
        getattr(segment.ui, f"{name}Edit").setCurrentPath(str(path))


def cells(table, column: int) -> list[str]:
    return [table.item(row, column).text() for row in range(table.rowCount)]


def clickRow(table, row: int) -> None:
    table.setCurrentCell(row, 0)
    table.cellClicked.emit(row, 0)


@pytest.fixture
def ct(scene):
    """A CT whose liver has two lesions."""
    from FreeTumorSlicerLib.volumes import nodeFromVolume

    return nodeFromVolume(Volume(ctArray(labelArray(*CORNERS)), GRID), "CT")


@pytest.fixture
def labelFile(tmp_path) -> Path:
    write_volume(Volume(labelArray(*CORNERS), GRID), tmp_path / "labels of somebody.nii.gz")
    return tmp_path / "labels of somebody.nii.gz"


@pytest.fixture
def imported(segment, ct, labelFile):
    """The module with an imported label map; its segmentation node."""
    segment.ui.ctSelector.setCurrentNode(ct)
    choose(segment, labelFile=labelFile)
    segment.ui.importButton.click()
    return segment.ui.segmentationSelector.currentNode()


@pytest.fixture
def cases(tmp_path) -> Path:
    folder = tmp_path / "cases"
    makeCase(folder / "case1", CORNERS[0])
    makeCase(folder / "case2", *CORNERS)
    makeCase(folder / "case10", CORNERS[1])
    return folder


@pytest.fixture
def opened(segment, cases):
    """The module with case1 open and an author; its widget object."""
    choose(segment, casesFolder=cases)
    segment.ui.nextButton.click()
    segment.ui.authorEdit.setText("Ada")
    return segment


def erase(node, corner: tuple[int, int, int]) -> None:
    """Correct a segmentation: the lesion at `corner` was none."""
    segmentation = node.GetSegmentation()
    lesion = next(
        segmentation.GetNthSegmentID(n)
        for n in range(segmentation.GetNumberOfSegments())
        if segmentation.GetNthSegment(n).GetName() == "Liver tumor"
    )
    volume = next(
        slicer.mrmlScene.GetNthNodeByClass(n, "vtkMRMLScalarVolumeNode")
        for n in range(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode"))
    )
    array = slicer.util.arrayFromSegmentBinaryLabelmap(node, lesion, volume).copy()
    array[tuple(slice(c, c + s) for c, s in zip(corner, (4, 8, 8), strict=True))] = 0
    slicer.util.updateSegmentBinaryLabelmapFromArray(array, node, lesion, volume)


def test_import_is_offered_once_there_is_a_ct_and_a_file(segment, ct, labelFile):
    assert not segment.ui.importButton.enabled
    assert segment.ui.importButton.toolTip == "Choose a CT first."
    segment.ui.ctSelector.setCurrentNode(ct)
    assert segment.ui.importButton.toolTip == "Choose a label map file first."
    choose(segment, labelFile=labelFile)
    assert segment.ui.importButton.enabled


def test_an_imported_label_map_is_segments_with_terminology_and_a_table_of_lesions(segment, imported, ct):
    segmentation = imported.GetSegmentation()
    segments = [segmentation.GetNthSegment(n) for n in range(segmentation.GetNumberOfSegments())]
    assert [s.GetName() for s in segments] == ["Liver", "Liver tumor"]
    assert "10200004^Liver" in segments[0].GetTerminology()
    assert "108369006^Neoplasm" in segments[1].GetTerminology()
    reference = imported.GetNodeReference(imported.GetReferenceImageGeometryReferenceRole())
    assert reference is ct
    assert cells(segment.ui.lesionTable, 1) == ["liver", "liver"]
    assert [float(text) for text in cells(segment.ui.lesionTable, 2)] == pytest.approx([4.1, 4.1], rel=0.01)
    assert cells(segment.ui.lesionTable, 4) == [str(LESION_HU)] * 2
    assert cells(segment.ui.lesionTable, 5) == ["-", "-"]


def test_lesions_are_listed_before_anything_is_installed_into_slicer(segment, imported, monkeypatch):
    before = cells(segment.ui.lesionTable, 2)
    monkeypatch.setitem(sys.modules, "cc3d", None)  # 3D Slicer does not carry it
    segment.ui.updateButton.click()
    assert cells(segment.ui.lesionTable, 2) == before
    assert len(before) == 2


def test_a_click_on_a_lesion_jumps_there_in_all_slices(segment, imported, host):
    host.layoutManager()
    clickRow(segment.ui.lesionTable, 1)
    lesion = segment.lesionPanel.lesions[1]
    k, j, i = np.rint(GRID.ras_to_index(lesion.centre_ras)).astype(int)
    assert labelArray(*CORNERS)[k, j, i] == 2
    nodes = [
        slicer.mrmlScene.GetNthNodeByClass(n, "vtkMRMLSliceNode")
        for n in range(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSliceNode"))
    ]
    assert nodes
    for node in nodes:
        matrix = node.GetSliceToRAS()
        assert [matrix.GetElement(row, 3) for row in range(3)] == pytest.approx(lesion.centre_ras, abs=1e-6)


def test_show_3d_makes_surfaces_in_a_see_through_organ(segment, imported):
    segment.ui.show3DCheck.click()
    segmentation, display = imported.GetSegmentation(), imported.GetDisplayNode()
    assert display.GetVisibility3D()
    surface = vtk.vtkPolyData()
    imported.GetClosedSurfaceRepresentation(segmentation.GetNthSegmentID(1), surface)
    assert surface.GetNumberOfPoints() > 0
    assert display.GetSegmentOpacity3D(segmentation.GetNthSegmentID(0)) < 0.5
    segment.ui.show3DCheck.click()
    assert not display.GetVisibility3D()


def test_probabilities_are_shown_where_a_map_is_chosen(segment, imported):
    from FreeTumorSlicerLib.volumes import nodeFromVolume

    values = np.where(labelArray(*CORNERS) == 2, 0.8, 0.0).astype(np.float32)
    segment.ui.probabilitySelector.setCurrentNode(nodeFromVolume(Volume(values, GRID), "probability"))
    assert cells(segment.ui.lesionTable, 5) == ["0.80", "0.80"]


def test_own_ids_are_read_and_a_map_of_lesions_alone_needs_no_organ(segment, ct, tmp_path):
    write_volume(Volume((labelArray(*CORNERS) == 2).astype(np.uint8) * 7, GRID), tmp_path / "mask.nrrd")
    segment.ui.ctSelector.setCurrentNode(ct)
    choose(segment, labelFile=tmp_path / "mask.nrrd")
    assert not segment.ui.lesionValuesEdit.enabled
    segment.ui.conventionCombo.setCurrentText("own ids")
    segment.ui.lesionValuesEdit.setText("7")
    segment.ui.importButton.click()
    assert segment.ui.lesionTable.rowCount == 2


@pytest.mark.parametrize(
    ("convention", "lesions", "words"),
    [
        ("freetumor", "", "other convention"),
        ("own ids", "", "Fill them in"),
        ("own ids", "seven", "ids above 0"),
    ],
)
def test_a_map_that_cannot_be_read_is_refused_in_words_and_nothing_is_added(
    segment, ct, tmp_path, convention, lesions, words
):
    write_volume(Volume(labelArray(*CORNERS) * 9, GRID), tmp_path / "foreign.nii.gz")
    segment.ui.ctSelector.setCurrentNode(ct)
    choose(segment, labelFile=tmp_path / "foreign.nii.gz")
    segment.ui.conventionCombo.setCurrentText(convention)
    segment.ui.lesionValuesEdit.setText(lesions)
    segment.ui.importButton.click()
    said = segment.ui.statusLabel.text
    assert words in said or "another convention" in said
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0


def test_a_label_map_of_another_scan_is_refused_until_resampling_is_allowed(segment, ct, tmp_path):
    coarse = Volume(np.ascontiguousarray(labelArray(*CORNERS)[::2]), GRID.strided((2, 1, 1)))
    write_volume(coarse, tmp_path / "coarse.nii.gz")
    segment.ui.ctSelector.setCurrentNode(ct)
    choose(segment, labelFile=tmp_path / "coarse.nii.gz")
    segment.ui.importButton.click()
    assert "Allow resampling" in segment.ui.statusLabel.text
    segment.ui.resampleCheck.click()
    segment.ui.importButton.click()
    assert segment.ui.lesionTable.rowCount == 2


def test_a_case_opens_with_its_lesions_and_the_list_goes_on_and_back(opened):
    assert opened.ui.statusLabel.text == "Opened case1."
    assert opened.ui.lesionTable.rowCount == 1
    assert not opened.ui.previousButton.enabled
    opened.ui.nextButton.click()
    assert opened.ui.lesionTable.rowCount == 2
    opened.ui.nextButton.click()
    assert not opened.ui.nextButton.enabled
    assert opened.ui.nextButton.toolTip == "This is the last case."
    opened.ui.previousButton.click()
    assert opened.ui.statusLabel.text == "Opened case2."


def test_a_synthetic_case_stays_marked_as_such(opened, cases):
    for node in (opened.ui.ctSelector.currentNode(), opened.ui.segmentationSelector.currentNode()):
        assert node.GetAttribute("FreeTumor.Synthetic") == "1"


def test_only_the_open_case_stays_in_the_scene(opened, scene):
    for _step in range(2):
        opened.ui.nextButton.click()
    assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 1
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 1


def test_a_correction_is_saved_as_a_new_version_and_the_original_stays(opened, cases):
    before = (cases / "case1" / "labels.nii.gz").read_bytes()
    erase(opened.ui.segmentationSelector.currentNode(), CORNERS[0])
    opened.ui.commentEdit.setText("a vessel")
    opened.ui.saveVersionButton.click()
    assert opened.ui.statusLabel.text == "Saved as v01."
    assert cells(opened.ui.versionTable, 0) == ["original", "v01"]
    assert cells(opened.ui.versionTable, 1) == ["", "Ada"]
    assert cells(opened.ui.versionTable, 4) == ["", "a vessel"]
    assert opened.ui.lesionTable.rowCount == 0
    assert (cases / "case1" / "labels.nii.gz").read_bytes() == before
    saved = read_volume(cases / "case1" / "labels_v01.nii.gz").array
    truth = labelArray(CORNERS[0])
    truth[truth == 2] = 0
    assert (saved == truth).all()


def test_an_older_version_can_be_opened_again(opened):
    erase(opened.ui.segmentationSelector.currentNode(), CORNERS[0])
    opened.ui.saveVersionButton.click()
    opened.ui.versionTable.setCurrentCell(0, 0)
    opened.ui.openVersionButton.click()
    assert opened.ui.statusLabel.text == "Shows original."
    assert opened.ui.lesionTable.rowCount == 1


def test_reviews_need_an_author_and_a_flag_needs_a_reason(opened):
    opened.ui.authorEdit.setText(" ")
    assert not opened.ui.approveButton.enabled
    assert opened.ui.approveButton.toolTip == "Fill in the author first."
    opened.ui.authorEdit.setText("Ada")
    assert opened.ui.approveButton.enabled
    assert not opened.ui.flagButton.enabled
    opened.ui.commentEdit.setText("shifted")
    opened.ui.flagButton.click()
    assert cells(opened.ui.versionTable, 3) == ["flagged by Ada"]
    assert opened.ui.commentEdit.text == ""
    assert "\u2691" in opened.ui.caseList.item(0).text()


def test_an_unsaved_correction_cannot_be_approved_by_mistake(opened, cases):
    erase(opened.ui.segmentationSelector.currentNode(), CORNERS[0])
    opened.ui.approveButton.click()
    assert "Save the corrections" in opened.ui.statusLabel.text
    assert PseudoLabel(cases / "case1").latest().status == "open"


def test_unsaved_corrections_are_kept_when_the_user_says_no(opened, messages):
    node = opened.ui.segmentationSelector.currentNode()
    erase(node, CORNERS[0])
    messages.answer(False)
    opened.ui.nextButton.click()
    assert "not saved as a version" in messages.texts()[-1]
    assert opened.ui.segmentationSelector.currentNode() is node
    assert opened.ui.caseList.currentRow == 0
    messages.answer(True)
    opened.ui.nextButton.click()
    assert opened.ui.statusLabel.text == "Opened case2."


def test_moving_on_without_corrections_asks_nothing(opened, messages):
    opened.ui.nextButton.click()
    assert messages.texts() == []


def test_next_open_skips_what_was_judged(opened, cases):
    PseudoLabel(cases / "case2").review(0, "approved", author="Bo")
    opened.ui.nextOpenButton.click()
    assert opened.ui.statusLabel.text == "Opened case10."


def test_a_damaged_case_is_told_and_the_open_one_stays(opened, cases):
    (cases / "case2" / "ct.nii.gz").write_bytes(b"nothing")
    node = opened.ui.segmentationSelector.currentNode()
    opened.ui.nextButton.click()
    assert "ct.nii.gz" in opened.ui.statusLabel.text
    assert opened.ui.segmentationSelector.currentNode() is node
    assert opened.ui.caseList.currentRow == 0


def test_keys_work_in_the_module_and_not_outside(opened, host):
    shortcuts = {s.key.toString(): s for s in opened.shortcuts.all}
    shortcuts["Ctrl+Shift+Right"].activated.emit()
    assert opened.ui.statusLabel.text == "Opened case2."
    shortcuts["Ctrl+Shift+Y"].activated.emit()
    assert opened.ui.statusLabel.text == "Approved original."
    opened.exit()
    assert not any(s.enabled for s in shortcuts.values())
    opened.enter()
    assert all(s.enabled for s in shortcuts.values())


def test_every_parameter_survives_a_saved_scene_and_versions_go_on(opened, scene, cases, tmp_path):
    opened.ui.conventionCombo.setCurrentText("own ids")
    opened.ui.organValuesEdit.setText("5")
    opened.ui.lesionValuesEdit.setText("6 7")
    opened.ui.resampleCheck.click()
    opened.ui.show3DCheck.click()
    opened.ui.commentEdit.setText("half way")
    choose(opened, labelFile=cases / "case1" / "labels.nii.gz")
    node = opened.logic.getParameterNode()
    plain = [n for n in node.allParameters if n not in ("ctVolume", "segmentation", "probabilityVolume")]
    before = {name: node.getValue(name) for name in plain}
    slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    scene.Clear(0)
    assert opened.ui.lesionTable.rowCount == 0
    assert opened.ui.versionTable.rowCount == 0
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    node = opened.logic.getParameterNode()
    assert {name: node.getValue(name) for name in plain} == before
    assert (node.ctVolume is not None, node.segmentation is not None) == (True, True)
    assert opened.ui.lesionTable.rowCount == 1
    erase(node.segmentation, CORNERS[0])
    opened.ui.saveVersionButton.click()
    assert opened.ui.statusLabel.text == "Saved as v01."


def test_a_segment_without_a_terminology_counts_as_a_lesion_of_the_chosen_organ(segment, imported, ct):
    from FreeTumorSlicerLib.volumes import segmentFromMask

    mask = np.zeros(GRID.shape, bool)
    mask[6:9, 25:30, 10:15] = True
    segmentFromMask(imported, mask, ct, "Segment_1")
    segment.ui.updateButton.click()
    assert segment.ui.lesionTable.rowCount == 3


def test_the_self_test_passes(segment):
    slicer.modules.FreeTumorSegmentInstance.runTest(msec=0)
