"""A reader study over several days, programs and accidents: no answer is lost."""

from __future__ import annotations

import os

import pytest
import qt
from freetumor.study.answers import AnswerLog, read_answers
from study_steps import nodesOfCases, shown


def test_reading_goes_on_another_day_where_it_stopped(reader, study):
    reader.open(study)
    for _ in range(3):
        reader.answer()
    waiting = reader.panel.session.presentation
    reader.ui.leaveButton.click()
    assert reader.ui.studySummary.text.startswith("Made study: 3 of 6 answered.")
    assert reader.ui.startButton.text == "Go on"
    reader.ui.startButton.click()
    reader.wait()
    assert reader.panel.session.presentation == waiting
    assert reader.ui.placeLabel.text == "Case 3 of 4"
    reader.ui.leaveButton.click()
    reader.ui.readerCombo.setCurrentText("reader-02")
    assert reader.ui.startButton.text == "Start"


def test_study_and_reader_are_remembered_by_the_program_and_not_by_the_scene(reader, study, scene):
    reader.open(study, "reader-02")
    reader.ui.leaveButton.click()
    scene.Clear(0)
    assert reader.ui.studyFolderEdit.currentPath == str(study)
    assert qt.QSettings().value("FreeTumor/ReaderStudy/Reader") == "reader-02"


def test_a_remembered_study_is_not_looked_at_before_its_section_is_opened(remembered, hub):
    """It may lie on a network folder that is away: opening the module must not wait for it."""
    ui = hub.studyPanel.ui
    assert ui.studyFolderEdit.currentPath == str(remembered)
    assert not ui.studySummary.text
    hub.ui.studySection.collapsed = False
    assert ui.studySummary.text.startswith("Made study: 0 of")


@pytest.fixture
def remembered(study):
    qt.QSettings().setValue("FreeTumor/ReaderStudy/Folder", str(study))
    yield study
    qt.QSettings().remove("FreeTumor/ReaderStudy")


def test_a_reader_who_reads_elsewhere_is_asked_before_it_is_taken_over(reader, study, messages):
    with AnswerLog(study, "reader-01") as elsewhere:
        messages.answer(False, True)
        reader.open(study)
        assert reader.panel.state is None
        assert f"process {os.getpid()}" in messages.texts()[0]
        reader.open(study)
        assert reader.panel.state == "reading"
        assert elsewhere.unanswered()
    reader.answer()
    assert len(read_answers(study)) == 1


def test_an_answer_that_cannot_be_kept_is_told_and_can_be_given_again(reader, study, monkeypatch):
    from freetumor.study import answers

    reader.open(study)
    with monkeypatch.context() as broken:
        broken.setattr(answers, "_append", _noSpace)
        reader.press("5", "Enter")
    assert "disk is full" in reader.hub.ui.statusLabel.text
    assert reader.panel.form.given == 5
    assert shown() is not None
    reader.press("Enter")
    assert len(read_answers(study)) == 1
    assert reader.hub.ui.statusLabel.isHidden()


def _noSpace(*_):
    raise OSError(28, "No space left on device")


def test_a_case_that_cannot_be_opened_is_told_and_the_study_can_be_gone_on_with(reader, study):
    reader.open(study)
    reader.answer()
    block, following = reader.panel.session.log.unanswered()[1]
    file = study / "cases" / f"{following.cases[0]}.nii.gz"
    content = file.read_bytes()
    file.write_bytes(content[:100])
    reader.answer()
    assert reader.panel.state is None
    assert block == "main"
    assert file.name in reader.hub.ui.statusLabel.text
    assert nodesOfCases() == []
    file.write_bytes(content)
    reader.ui.startButton.click()
    reader.wait()
    assert reader.panel.session.presentation == following


def test_closing_the_scene_or_the_window_frees_the_reader(reader, study, studyWindow, scene):
    reader.open(study)
    scene.Clear(0)
    assert reader.panel.state is None
    reader.open(study)
    assert reader.panel.state == "reading"
    studyWindow.close()
    with AnswerLog(study, "reader-01"):
        pass


def test_a_folder_that_holds_no_study_is_told_in_words(reader, tmp_path):
    reader.hub.ui.studySection.collapsed = False
    assert reader.ui.studyFolderEdit.currentPath == ""
    assert reader.ui.studyFolderEdit.comboBox().lineEdit().placeholderText
    assert reader.ui.studySummary.text == "Choose the folder of a study."
    reader.ui.studyFolderEdit.currentPath = str(tmp_path)
    assert "study.json" in reader.ui.studySummary.text
    assert not reader.ui.startButton.enabled


def test_a_key_that_lies_beside_the_study_is_mentioned(reader, study):
    reader.hub.ui.studySection.collapsed = False
    reader.ui.studyFolderEdit.currentPath = str(study)
    assert "key lies beside" in reader.ui.studySummary.text
    study.with_name("study.key.json").unlink()
    reader.hub.studyPanel.refresh()
    assert "key" not in reader.ui.studySummary.text
