"""Designer's files: what Slicer's widgets have is applied, anything else in the file is an error."""

from __future__ import annotations

import ctk
import pytest
import qt
import slicer

FILE = """<?xml version="1.0" encoding="UTF-8"?>
<ui version="4.0"><class>T</class>
 <widget class="qMRMLWidget" name="T"><layout class="QVBoxLayout" name="v">
  <item><widget class="{widget}" name="tested">{properties}</widget></item>
  <item><widget class="QCheckBox" name="box"/></item>
  <item><layout class="QHBoxLayout" name="row">
   <item><spacer name="gap">
    <property name="orientation"><enum>Qt::Horizontal</enum></property>
   </spacer></item>
   <item><widget class="QPushButton" name="apply">
    <property name="text"><string>Go</string></property>
   </widget></item>
  </layout></item>
 </layout></widget>
 <connections>{connections}</connections></ui>"""
CONNECTION = (
    "<connection><sender>{}</sender><signal>{}</signal><receiver>{}</receiver><slot>{}</slot></connection>"
)


@pytest.fixture
def load(tmp_path):
    def load(widget="ctkSliderWidget", properties="", connections=""):
        path = tmp_path / "t.ui"
        path.write_text(FILE.format(widget=widget, properties=properties, connections=connections), "utf-8")
        root = slicer.util.loadUI(str(path))
        return slicer.util.childWidgetVariables(root), root

    return load


def test_properties_of_slicers_own_widgets_are_applied(load):
    ui, _root = load(
        properties='<property name="maximum"><double>250.0</double></property>'
        '<property name="value"><double>120.0</double></property>'
        '<property name="suffix"><string> mm</string></property>'
        '<property name="toolTip"><string>Diameter</string></property>'
        '<property name="SlicerParameterName" stdset="0"><string>diameter</string></property>'
    )
    assert type(ui.tested) is ctk.ctkSliderWidget
    assert (ui.tested.value, ui.tested.suffix, ui.tested.toolTip) == (120.0, " mm", "Diameter")
    assert ui.tested.property("SlicerParameterName") == "diameter"


def test_flags_and_lists_are_understood(load):
    ui, _root = load(
        "ctkPathLineEdit",
        '<property name="filters"><set>ctkPathLineEdit::Files|ctkPathLineEdit::Writable</set></property>'
        '<property name="nameFilters"><stringlist><string>NIfTI (*.nii)</string></stringlist></property>',
    )
    assert ui.tested.filters == ctk.ctkPathLineEdit.Files | ctk.ctkPathLineEdit.Writable
    assert ui.tested.nameFilters == ("NIfTI (*.nii)",)


def test_connections_work(load):
    ui, _root = load(connections=CONNECTION.format("box", "toggled(bool)", "apply", "setDisabled(bool)"))
    ui.box.checked = True
    assert not ui.apply.enabled


@pytest.mark.parametrize(
    ("widget", "properties", "word"),
    [
        ("ctkRangeWidget", "", "ctkRangeWidget"),
        ("QCalendarWidget", "", "QCalendarWidget"),
        ("ctkSliderWidget", '<property name="stepsize"><double>1</double></property>', "stepsize"),
        (
            "ctkPathLineEdit",
            '<property name="filters"><set>ctkPathLineEdit::Folders</set></property>',
            "Folders",
        ),
    ],
)
def test_a_widget_or_a_property_that_the_host_does_not_have_is_refused(load, widget, properties, word):
    with pytest.raises(RuntimeError, match=word):
        load(widget, properties)


@pytest.mark.parametrize(
    "connection",
    [
        ("box", "togled(bool)", "apply", "setDisabled(bool)"),
        ("box", "toggled(bool)", "apply", "setDisabld(bool)"),
        ("box", "toggled(bool)", "aply", "setDisabled(bool)"),
    ],
)
def test_a_connection_that_qt_could_not_make_is_refused(load, connection):
    with pytest.raises((RuntimeError, ValueError, AttributeError)):
        load(connections=CONNECTION.format(*connection))


def test_children_are_not_attributes_of_the_root_as_in_slicer(load):
    _ui, root = load()
    with pytest.raises(AttributeError):
        root.tested  # noqa: B018
    assert root.findChild(qt.QPushButton, "apply").text == "Go"


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    with pytest.raises(RuntimeError, match="not found"):
        slicer.util.loadUI(str(tmp_path / "nothing.ui"))
