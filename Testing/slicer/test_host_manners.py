"""Qt in the host has the manners of PythonQt: what Slicer takes is taken, what it refuses is refused."""

from __future__ import annotations

import gc

import ctk
import pytest
import qt


def test_properties_are_attributes_and_setters_stay_methods():
    box = qt.QDoubleSpinBox()
    box.maximum = 500.0
    box.setValue(12.5)
    box.suffix = " mm"
    assert (box.value, box.maximum, box.text) == (12.5, 500.0, "12.50 mm")


def test_a_property_is_not_a_method_to_call():
    with pytest.raises(TypeError):
        qt.QLabel("a").text()


@pytest.mark.parametrize(
    ("make", "name"),
    [(qt.QPushButton, "enable"), (qt.QLabel, "txt"), (qt.QTimer, "intervall"), (ctk.ctkSliderWidget, "step")],
)
def test_a_misspelt_attribute_can_be_neither_set_nor_read(make, name):
    widget = make()
    with pytest.raises(AttributeError, match=name):
        setattr(widget, name, 1)
    with pytest.raises(AttributeError, match=name):
        getattr(widget, name)


def test_a_method_or_a_signal_cannot_be_overwritten():
    with pytest.raises(AttributeError, match="clicked"):
        qt.QPushButton().clicked = print


@pytest.mark.parametrize(
    ("widget", "name", "value"),
    [(qt.QLabel, "text", 5), (qt.QPushButton, "enabled", "no"), (qt.QSpinBox, "value", "3")],
)
def test_a_value_of_the_wrong_type_is_refused(widget, name, value):
    with pytest.raises(ValueError, match=name):
        setattr(widget(), name, value)


def test_a_read_only_property_cannot_be_set():
    with pytest.raises(AttributeError, match="not writable"):
        qt.QComboBox().count = 3


def test_widgets_have_their_object_name_as_name_too():
    label = qt.QLabel()
    label.name = "lesions"
    assert label.objectName == "lesions"
    assert label.className() == "QLabel"


def test_static_methods_stay_reachable_where_a_property_has_their_name(host):
    fired = []
    qt.QTimer.singleShot(0, lambda: fired.append(1))
    timer = qt.QTimer()
    timer.singleShot = True
    host.processEvents()
    assert fired == [1]
    assert timer.singleShot is True


def test_a_slot_gets_no_more_arguments_than_it_takes():
    got = []
    box = qt.QSpinBox()
    box.connect("valueChanged(int)", lambda: got.append("none"))
    box.connect("valueChanged(int)", lambda value: got.append(value))
    box.connect("valueChanged(int)", lambda *values: got.append(values))
    box.value = 7
    assert got == ["none", 7, (7,)]


@pytest.mark.parametrize("signal", ["clicked(int)", "clickd()", "clicked", "toggled()", "not a signal("])
def test_a_signal_that_the_widget_does_not_have_is_refused(signal):
    with pytest.raises(ValueError, match="expected a signal"):
        qt.QPushButton().connect(signal, print)


@pytest.mark.parametrize("signal", ["valueChanged(int)", "sliderMoved(double)"])
def test_a_signal_that_ctk_does_not_have_is_refused(signal):
    with pytest.raises(ValueError, match="expected a signal"):
        ctk.ctkSliderWidget().connect(signal, print)


def test_disconnecting_ends_one_connection_and_tells_whether_there_was_one():
    got = []
    button = qt.QPushButton()

    def first():
        got.append("first")

    def second():
        got.append("second")

    button.connect("clicked()", first)
    button.connect("clicked()", second)
    assert button.disconnect("clicked()", first)
    assert not button.disconnect("clicked()", first)
    button.click()
    assert got == ["second"]


def test_a_connection_lasts_as_long_as_the_widget_and_not_as_long_as_its_name_in_python():
    got = []
    parent = qt.QWidget()
    layout = qt.QVBoxLayout(parent)
    button = qt.QPushButton("Apply")
    button.name = "apply"
    layout.addWidget(button)
    button.connect("clicked()", lambda: got.append(1))
    del button
    gc.collect()
    parent.findChild(qt.QPushButton, "apply").click()
    assert got == [1]


def test_a_timer_of_an_object_that_is_gone_goes_with_it():
    class Owner:
        alive = 0

        def __init__(self):
            Owner.alive += 1
            self.timer = qt.QTimer()
            self.timer.connect("timeout()", self.tick)
            self.timer.start(1)

        def tick(self):
            """Nothing."""

        def __del__(self):
            Owner.alive -= 1

    owner = Owner()
    del owner
    gc.collect()
    assert Owner.alive == 0


def test_a_class_that_slicer_may_not_have_is_refused():
    with pytest.raises(AttributeError, match="QWebEngineView"):
        qt.QWebEngineView  # noqa: B018


def test_a_module_may_give_attributes_to_its_own_widget_classes():
    class Pane(qt.QWidget):
        def __init__(self):
            super().__init__()
            self.lesions = [1, 2]

    assert Pane().lesions == [1, 2]
