"""Nothing but the lesion itself tells a reader which is which."""

from __future__ import annotations

import difflib
import json

import slicer
import vtk
from made_studies import make_study
from PySide6.QtWidgets import QLabel
from study_steps import everything, nodes, nodesOfCases, withoutCounters


def test_nothing_in_scene_and_window_tells_real_from_synthetic(reader, tmp_path):
    """Every case shows the same CT: what differs between them could only come from the key or the folder."""
    study = make_study(tmp_path / "blind", alike=True, main=4, training=1)
    content = json.loads((tmp_path / "blind.key.json").read_text("utf-8"))
    secrets = [value for case in content["cases"].values() for value in (case["patient"], case["source"])]
    reader.open(study)
    seen = {}
    while not reader.panel.session.is_pair:
        told = everything()
        (case,) = reader.panel.session.presentation.cases
        for secret in [*secrets, *content["cases"], *content["repeats"], "nii.gz", "key.json"]:
            assert secret not in told
        assert reader.panel.session.presentation.id not in told
        if reader.panel.session.block == "main":
            seen.setdefault(content["cases"][case]["synthetic"], []).append(withoutCounters(told))
        reader.answer()
    assert {True, False} == set(seen)
    first = seen[True][1].splitlines()
    for told in (*seen[True][1:], *seen[False][1:]):
        difference = difflib.unified_diff(first, told.splitlines(), lineterm="", n=0)
        assert "\n".join(difference) == ""


def test_the_nodes_of_a_case_have_no_file_no_attribute_and_are_not_saved(reader, study, tmp_path):
    reader.open(study)
    reader.press("M")
    reader.click(reader.panel.screen.cases[0].center)
    assert nodesOfCases() == ["CT", "Circle", "Mark"]
    for node in nodes():
        if node.GetName() in ("CT", "Circle", "Mark"):
            assert not [n for n in node.GetAttributeNames() if not n.startswith("Markups.Moving")]
            assert node.GetStorageNode() is None
            assert not node.GetDescription()
            assert not node.GetSaveWithScene()
    slicer.util.saveScene(str(tmp_path / "scene.mrml"))
    text = (tmp_path / "scene.mrml").read_text("utf-8")
    assert "<Volume " not in text
    assert "<Model " not in text
    assert "<MarkupsFiducial " not in text
    assert str(study) not in text


def test_the_previous_case_is_gone_before_the_next_appears(reader, study, scene):
    reader.open(study)
    together = []

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def added(_scene, _event, node):
        if node.IsA("vtkMRMLScalarVolumeNode"):
            together.append(nodesOfCases())

    tag = scene.AddObserver(scene.NodeAddedEvent, added)
    count = scene.GetNumberOfNodes()
    for _ in range(3):
        reader.press("M")
        reader.click(reader.panel.screen.cases[0].center)
        reader.answer()
        assert scene.GetNumberOfNodes() == count
    scene.RemoveObserver(tag)
    assert together == [["CT"]] * 3


def test_undo_brings_no_case_back(reader, study, scene):
    scene.SetUndoOn()
    try:
        reader.open(study)
        scene.SaveStateForUndo()
        before = [node for node in nodes() if node.GetName() == "CT"]
        reader.answer()
        scene.SaveStateForUndo()
        while scene.GetNumberOfUndoLevels():
            scene.Undo()
        assert nodesOfCases() == ["CT", "Circle"]
        assert [node for node in nodes() if node.GetName() == "CT"] != before
    finally:
        scene.SetUndoOff()


def test_the_reader_is_told_nothing_about_answers(reader, tmp_path):
    """Six answers from one end of the scale to the other: the window says the same after each."""
    study = make_study(tmp_path / "silent", alike=True, training=0, repeats=0, pairs=0)
    reader.open(study)
    reader.answer(1)
    after = []
    for number in (1, 6, 3, 4):
        reader.answer(number)
        after.append(withoutCounters(everything()))
    assert len(set(after)) == 1
    assert reader.hub.ui.statusLabel.isHidden()


def test_the_window_around_the_question_does_not_speak_of_synthetic_data(reader, study):
    """It would prime the reader."""
    reader.open(study)
    said = [label.property("text") for label in reader.window.statusBar().findChildren(QLabel)]
    assert any("Not for clinical use" in text for text in said)
    assert "synthetic" not in " ".join([*said, reader.window.property("windowTitle")]).lower()
