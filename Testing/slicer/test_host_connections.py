"""Parameters and widgets follow each other, for exactly the pairs that Slicer connects."""

from __future__ import annotations

import gc
import weakref

import ctk
import pytest
import qt
import slicer
from probe_parameters import Engine, Parameters
from slicerhost import failures


@pytest.fixture
def node(scene):
    return scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")


@pytest.fixture
def parameters(node):
    return Parameters(node)


WIDGETS = [
    ("contrast", ctk.ctkSliderWidget, "value", 20.5, 33.5),
    ("contrast", ctk.ctkDoubleSpinBox, "value", 20.5, 33.5),
    ("contrast", qt.QDoubleSpinBox, "value", 20.5, 33.5),
    ("pairs", qt.QSpinBox, "value", 4, 6),
    ("pairs", qt.QSlider, "value", 4, 6),
    ("on", qt.QCheckBox, "checked", False, True),
    ("note", qt.QLineEdit, "text", "a", "b"),
    ("box.corner.x", qt.QDoubleSpinBox, "value", 1.5, 2.5),
    ("box.size", qt.QSpinBox, "value", 5, 6),
]


@pytest.mark.parametrize(("name", "widget", "member", "first", "second"), WIDGETS)
def test_widget_and_parameter_follow_each_other_until_disconnected(
    parameters, name, widget, member, first, second
):
    widget = widget()
    tag = parameters.connectParametersToGui({name: widget})
    assert getattr(widget, member) == parameters.getValue(name)
    parameters.setValue(name, first)
    assert getattr(widget, member) == first
    setattr(widget, member, second)
    assert parameters.getValue(name) == second
    parameters.disconnectGui(tag)
    setattr(widget, member, first)
    assert parameters.getValue(name) == second
    parameters.setValue(name, second)
    assert getattr(widget, member) == first


def test_combo_boxes_show_choices_and_the_labels_of_an_enumeration(parameters):
    device, engine = qt.QComboBox(), qt.QComboBox()
    parameters.connectParametersToGui({"device": device, "engine": engine})
    assert [engine.itemText(i) for i in range(engine.count)] == ["Procedural", "Diffusion"]
    assert engine.currentText == "Diffusion"
    device.setCurrentText("cpu")
    engine.currentIndex = 0
    assert (parameters.device, parameters.engine) == ("cpu", Engine.PROCEDURAL)


def test_a_node_selector_shows_the_node_and_only_its_class(scene, parameters):
    model = scene.AddNewNodeByClass("vtkMRMLModelNode")
    ct = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    selector = slicer.qMRMLNodeComboBox()
    selector.noneEnabled = True
    selector.setMRMLScene(scene)
    parameters.connectParametersToGui({"ct": selector})
    assert selector.currentNode() is None
    selector.setCurrentNode(ct)
    assert parameters.ct is ct
    assert model not in [selector.nodeFromIndex(i) for i in range(selector.nodeCount())]
    scene.RemoveNode(ct)
    assert parameters.ct is None
    assert selector.currentNode() is None


def test_limits_steps_and_decimals_of_the_annotations_reach_the_widget(parameters):
    slider = ctk.ctkSliderWidget()
    parameters.connectParametersToGui({"contrast": slider})
    assert (slider.minimum, slider.maximum, slider.decimals, slider.singleStep) == (-100, 100, 1, 0.5)


def test_a_refused_value_from_a_widget_is_an_error_that_somebody_sees(parameters):
    box = qt.QSpinBox()
    parameters.connectParametersToGui({"pairs": box})
    box.value = 3
    assert parameters.pairs == 2
    assert [f.summary for f in failures.collected() if "even number" in f.summary]
    failures.clear()


@pytest.mark.parametrize(
    ("name", "widget"),
    [
        ("contrast", qt.QSlider),
        ("pairs", ctk.ctkSliderWidget),
        ("note", qt.QPlainTextEdit),
        ("on", qt.QRadioButton),
        ("unbounded", qt.QSlider),
        ("note", qt.QComboBox),
        ("ct", qt.QComboBox),
        ("on", qt.QToolButton),
    ],
)
def test_a_pair_that_slicer_has_no_connector_for_is_refused(parameters, name, widget):
    with pytest.raises(RuntimeError, match="expected"):
        parameters.connectParametersToGui({name: widget()})


def test_a_name_that_is_no_parameter_is_refused(parameters):
    with pytest.raises(ValueError, match="contrst"):
        parameters.connectParametersToGui({"contrst": qt.QDoubleSpinBox()})


def test_a_wrapper_that_is_gone_leaves_no_observer_and_no_widget_behind(node):
    wrapper, box = Parameters(node), qt.QSpinBox()
    wrapper.connectParametersToGui({"pairs": box})
    gone = weakref.ref(wrapper)
    del wrapper
    gc.collect()
    assert gone() is None
    box.value = 8
    node.Modified()
    assert Parameters(node).pairs == 2
