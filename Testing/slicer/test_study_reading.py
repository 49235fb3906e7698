"""A reader study as a radiologist reads it: by keys and mouse, with the user's own things out of the way."""

from __future__ import annotations

import pytest
import slicer
from freetumor.study.answers import read_answers
from made_studies import make_study
from PySide6.QtCore import Qt
from study_steps import nodesOfCases, shown, sliceWidget
from waiting import turn


def test_a_study_is_read_by_keys_alone_from_the_first_case_to_the_last(reader, study):
    reader.open(study)
    asked = []
    while reader.panel.state is not None:
        asked.append(reader.ui.placeLabel.text)
        reader.answer(number=len(asked) % 6 + 1, side="Right")
    cases = [f"Case {number} of 4" for number in range(1, 5)]  # three, and one of them twice
    assert asked == ["Training case 1 of 1", *cases, "Pair 1 of 1"]
    answers = read_answers(study)
    assert [a["answer"] for a in answers[:-1]] == [2, 3, 4, 5, 6]
    assert answers[-1]["answer"] == {"synthetic": "right", "confidence": 2}
    assert reader.hub.ui.statusLabel.text == "All cases are answered. Thank you."
    assert not reader.ui.startButton.enabled
    assert nodesOfCases() == []


def test_a_case_is_shown_in_three_planes_around_its_lesion_in_the_first_window(reader, study):
    reader.open(study)
    (case,) = reader.panel.session.cases
    for plane, axis in enumerate((2, 1, 0)):
        assert shown(plane) is reader.panel.screen.cases[0].volumeNode
        view = sliceWidget(plane).sliceView()
        x, y, _z = view.convertRASToXYZ(case.center_ras_mm)
        width, height = view.mrmlSliceNode().GetDimensions()[:2]
        assert (x, y) == pytest.approx((width / 2, height / 2), abs=2)
        position = sliceWidget(plane).mrmlSliceNode().GetSliceToRAS().GetElement(axis, 3)
        assert abs(position - case.center_ras_mm[axis]) <= 1.5  # half a slice
    assert (shown().GetDisplayNode().GetWindow(), shown().GetDisplayNode().GetLevel()) == (150, 90)
    picture = sliceWidget().sliceView().picture()
    row = picture.height() // 2
    colors = [picture.pixelColor(x, row).getRgb()[:3] for x in range(picture.width())]
    assert any(red > 150 and blue < 100 for red, _green, blue in colors)  # the circle


def test_the_keys_scroll_zoom_and_come_back_to_the_lesion(reader, study):
    reader.open(study)

    def state() -> list:
        widgets = [sliceWidget(plane) for plane in range(3)]
        fields = [widget.mrmlSliceNode().GetFieldOfView()[0] for widget in widgets]
        return [*(widget.sliceLogic().GetSliceOffset() for widget in widgets), *fields]

    start = state()
    reader.press("Up", "Up", "Down")
    reader.press("Up", modifier=Qt.ShiftModifier)
    reader.press("Down", modifier=Qt.ControlModifier)
    moved = [now - before for now, before in zip(state(), start, strict=True)]
    assert moved[:3] == pytest.approx([3.0, 2.0, -2.0])
    reader.press("Plus", "Plus", "Minus")
    assert state()[3:] == pytest.approx([field * 0.8 for field in start[3:]])
    reader.press("Space")
    assert state() == pytest.approx(start)
    reader.press("H")
    assert not reader.panel.screen.cases[0].cueNode.GetDisplayNode().GetVisibility()


def test_windows_are_chosen_by_key_or_mouse_and_kept_with_the_answer(reader, study):
    reader.open(study)
    reader.press("W")
    display = shown().GetDisplayNode()
    assert (display.GetWindow(), display.GetLevel()) == (400, 40)
    display.SetWindowLevel(777, 33)  # what a drag does
    reader.answer()
    (answer,) = read_answers(study)
    assert (answer["window"], answer["level"]) == (777, 33)
    assert answer["window_changes"][-1][1:] == [777, 33]
    assert (shown().GetDisplayNode().GetWindow(), shown().GetDisplayNode().GetLevel()) == (150, 90)


def test_a_pair_is_two_cases_beside_each_other_in_one_window(reader, tmp_path):
    study = make_study(tmp_path / "pairs", training=0, main=0, repeats=0, pairs=2)
    reader.open(study)
    left, right = reader.panel.screen.cases
    assert (shown(side=0), shown(side=1)) == (left.volumeNode, right.volumeNode)
    left.displayNode.SetWindowLevel(500, 50)
    assert (right.displayNode.GetWindow(), right.displayNode.GetLevel()) == (500, 50)
    before = sliceWidget(1, side=0).sliceLogic().GetSliceOffset()
    reader.click([value + 8 for value in right.center], side=1)
    assert sliceWidget(1, side=0).sliceLogic().GetSliceOffset() == before
    reader.press("Left", "Enter")
    assert not read_answers(study)  # how sure is missing
    assert "how sure" in reader.ui.answerButton.toolTip
    reader.press("5", "3", "Space", "M")
    reader.click(right.center, plane=2, side=1)
    reader.press("Enter")
    (answer,) = read_answers(study)
    assert answer["answer"] == {"synthetic": "left", "confidence": 3}
    assert answer["mark_case"] == answer["cases"][1] == right.id
    assert answer["mark_ras_mm"] == pytest.approx(right.center, abs=2)


def test_comment_and_mark_say_what_gave_it_away(reader, study):
    reader.open(study)
    (case,) = reader.panel.session.cases
    reader.press("5", "C", "1", "2", "Space", "P", "Enter")
    assert reader.panel.form.given == 5  # digits in a comment are no answers, and Enter only leaves it
    assert reader.panel.state == "reading"
    reader.press("M")
    assert reader.ui.markButton.text == "Click in a slice"
    place = [value + 5 for value in case.center_ras_mm]
    reader.click([place[0], place[1], case.center_ras_mm[2]])
    assert reader.ui.markButton.text == "Marked"
    reader.press("Enter")
    reader.wait()
    (answer,) = read_answers(study)
    assert answer["comment"] == "12 p"
    assert answer["mark_ras_mm"] == pytest.approx([place[0], place[1], case.center_ras_mm[2]], abs=1.6)
    assert nodesOfCases() == ["CT", "Circle"]  # the mark went with its case
    assert not reader.ui.commentEdit.text
    reader.press("M", "Escape", "1", "Enter")
    assert read_answers(study)[1]["mark_ras_mm"] is None


def test_a_pause_hides_the_case_and_stops_the_time(reader, study):
    reader.open(study)
    session = reader.panel.session
    reader.press("6", "P")
    assert shown() is None
    assert not reader.panel.screen.cases[0].cueNode.GetDisplayNode().GetVisibility()
    seconds = session.seconds
    reader.press("Enter")
    assert session.state == "reading"
    assert session.seconds == pytest.approx(seconds, abs=0.5)
    assert shown() is not None
    assert reader.panel.form.given == 6
    reader.ui.pauseButton.click()
    reader.press("1", "W", "M")
    assert reader.panel.form.given == 6
    assert session.state == "paused"


def test_another_module_means_a_pause_with_nothing_of_the_case_in_the_scene(reader, study):
    layout = slicer.app.layoutManager().layout
    reader.open(study)
    reader.press("W", "2")
    slicer.app.moduleManager().module("FreeTumorSlicer").widgetRepresentation().exit()
    assert nodesOfCases() == []
    assert slicer.app.layoutManager().layout == layout
    reader.press("3", "Enter")
    assert not read_answers(study)
    slicer.app.moduleManager().module("FreeTumorSlicer").widgetRepresentation().enter()
    reader.ui.pauseButton.click()
    assert reader.panel.state == "reading"
    assert shown() is not None
    reader.press("Enter")
    (answer,) = read_answers(study)
    assert answer["answer"] == 2
    assert (answer["window"], answer["level"]) == (150, 90)


def test_a_time_limit_takes_the_case_away_and_asks_for_the_answer(reader, tmp_path):
    study = make_study(tmp_path / "limited", time_limit_s=0.3)
    reader.open(study)
    turn(lambda: shown() is None, 10)
    assert reader.ui.noteLabel.text == "The time is over: please answer now."
    reader.press("H", "H", "P", "P", "Space", "M")  # nothing brings it back
    assert shown() is None
    assert not reader.panel.screen.cases[0].cueNode.GetDisplayNode().GetVisibility()
    reader.answer(3)
    assert read_answers(study)[0]["answer"] == 3
    assert shown() is not None


def test_the_users_nodes_are_out_of_sight_while_reading_and_back_afterwards(reader, study, sampleVolume):
    point = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Mine")
    point.CreateDefaultDisplayNodes()
    hidden = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Hidden")
    hidden.CreateDefaultDisplayNodes()
    hidden.GetDisplayNode().SetVisibility(False)
    slicer.util.setSliceViewerLayers(background=sampleVolume, fit=True)
    manager = slicer.app.layoutManager()
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalView)
    red = manager.sliceWidget("Red")
    before = (red.sliceLogic().GetSliceOffset(), red.mrmlSliceNode().GetFieldOfView())
    reader.open(study)
    assert not point.GetDisplayNode().GetVisibility()
    assert not red.isVisible()
    reader.answer()
    reader.ui.leaveButton.click()
    assert point.GetDisplayNode().GetVisibility()
    assert not hidden.GetDisplayNode().GetVisibility()
    assert manager.layout == slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalView
    assert red.isVisible()
    assert red.mrmlSliceCompositeNode().GetBackgroundVolumeID() == sampleVolume.GetID()
    assert (red.sliceLogic().GetSliceOffset(), red.mrmlSliceNode().GetFieldOfView()) == before
    assert nodesOfCases() == ["Hidden", "Mine", "Phantom CT"]


def test_while_reading_the_panel_holds_the_study_only(reader, study):
    others = [reader.hub.ui.setupSection, reader.hub.ui.casesSection, reader.hub.ui.openSynthButton]
    reader.open(study)
    assert not any(widget.isVisible() for widget in others)
    reader.ui.leaveButton.click()
    assert all(widget.isVisible() for widget in others)
    assert not reader.ui.readingPage.isVisible()
