"""CTK's widgets in the host behave as in Slicer."""

from __future__ import annotations

import ctk
import pytest
import qt


def test_a_collapsible_button_hides_what_is_in_it_and_says_so(host):
    section = ctk.ctkCollapsibleButton()
    section.text = "Advanced"
    layout = qt.QVBoxLayout(section)
    shown, hidden = qt.QLabel("a"), qt.QLabel("b")
    layout.addWidget(shown)
    layout.addWidget(hidden)
    section.show()
    hidden.setVisible(False)
    heard = []
    section.connect("contentsCollapsed(bool)", heard.append)
    section.collapsed = True
    assert not shown.visible
    section.click()
    assert heard == [True, False]
    assert shown.visible
    assert not hidden.visible


def test_a_slider_widget_keeps_its_number_in_the_range_and_rounds_it():
    slider = ctk.ctkSliderWidget()
    heard = []
    slider.connect("valueChanged(double)", heard.append)
    slider.minimum, slider.maximum = -100.0, 100.0
    slider.decimals = 1
    slider.value = 12.345
    slider.value = 400
    assert heard == [12.3, 100.0]


def test_dragging_the_slider_gives_the_number_and_typing_moves_the_slider():
    slider = ctk.ctkSliderWidget()
    slider.setRange(0, 200)
    slider.slider().value = slider.slider().maximum // 2
    assert slider.value == pytest.approx(100, abs=0.1)
    slider.spinBox().value = 200
    assert slider.slider().value == slider.slider().maximum


def test_without_tracking_the_number_comes_when_the_slider_is_let_go():
    slider = ctk.ctkSliderWidget()
    slider.tracking = False
    said, last = [], []
    slider.connect("valueIsChanging(double)", said.append)
    slider.connect("valueChanged(double)", last.append)
    slider.slider().sliderDown = True
    slider.slider().value = slider.slider().maximum
    assert last == []
    assert said == [99.0]
    slider.slider().sliderDown = False
    assert last == [99.0]


def test_a_double_spin_box_steps():
    box = ctk.ctkDoubleSpinBox()
    box.singleStep = 0.5
    box.stepUp()
    assert box.value == 0.5


def test_a_path_line_tells_whether_the_path_is_what_it_wants(tmp_path):
    line = ctk.ctkPathLineEdit()
    line.filters = ctk.ctkPathLineEdit.Dirs
    heard, paths = [], []
    line.connect("validInputChanged(bool)", heard.append)
    line.connect("currentPathChanged(QString)", paths.append)
    line.currentPath = str(tmp_path)
    line.currentPath = str(tmp_path / "nothing")
    assert heard == [True, False]
    assert paths == [str(tmp_path), str(tmp_path / "nothing")]


def test_a_path_line_remembers_its_paths_under_its_key(host, tmp_path):
    line = ctk.ctkPathLineEdit()
    line.settingKey = "Cases"
    for name in ("a", "b", "a"):
        line.currentPath = str(tmp_path / name)
        line.addCurrentPathToHistory()
    other = ctk.ctkPathLineEdit()
    other.settingKey = "Cases"
    assert [other.comboBox().itemText(i) for i in range(other.comboBox().count)] == [
        str(tmp_path / "a"),
        str(tmp_path / "b"),
    ]
    assert other.currentPath == ""
