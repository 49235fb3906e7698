"""A scripted module in the host: loaded, entered, reloaded, unloaded - and nothing of it is left."""

from __future__ import annotations

import gc
import sys
import weakref
from collections import Counter
from pathlib import Path

import pytest
import qt
import slicer
import slicerhost
from slicerhost import failures

PROBE = Path(__file__).parent / "hostprobe" / "HostProbe.py"


def test_a_module_is_known_by_name_and_its_widget_is_found_as_in_slicer(probe):
    assert slicer.modules.hostprobe.title == "Host Probe"
    assert slicer.util.getModule("HostProbe") is slicer.modules.hostprobe
    assert slicer.util.getModuleWidget("HostProbe") is probe
    assert slicer.modules.HostProbeWidget is probe
    assert slicer.util.getModuleLogic("HostProbe") is probe.logic
    assert slicer.util.modulePath("HostProbe") == str(PROBE)
    assert slicer.modules.HostProbeInstance.parent is slicer.modules.hostprobe


def test_the_panel_follows_the_scene(probe, scene):
    assert not probe.ui.applyButton.enabled
    ct = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT")
    probe.ui.ctSelector.setCurrentNode(ct)
    assert probe._parameterNode.ct is ct
    probe.ui.contrastSlider.value = 20.0
    probe.ui.applyButton.click()
    assert probe.applied == [20.0]
    assert probe.ui.applyButton.toolTip == "Compute"
    scene.RemoveNode(ct)
    assert probe._parameterNode.ct is None


def test_closing_the_scene_brings_the_defaults_back(probe, scene):
    probe.ui.contrastSlider.value = 20.0
    probe._parameterNode.lesion.diameter = 50.0
    scene.Clear(0)
    assert probe.ui.contrastSlider.value == -40.0
    assert probe.ui.diameterBox.value == 15.0


def test_a_saved_scene_brings_the_panel_back(probe, scene, tmp_path):
    probe.ui.contrastSlider.value = 20.0
    probe.ui.diameterBox.value = 33.0
    probe.ui.noteEdit.text = "first reader"
    url = str(tmp_path / "scene.mrml")
    scene.SetURL(url)
    scene.Commit()
    scene.Clear(0)
    scene.SetURL(url)
    scene.Import()
    probe.enter()
    assert (probe.ui.contrastSlider.value, probe.ui.diameterBox.value) == (20.0, 33.0)
    assert probe.ui.noteEdit.text == "first reader"


def test_the_self_test_of_a_module_runs(probe):
    slicer.selfTests["HostProbe"]()


def test_reloading_makes_a_new_panel_from_the_file_and_cleans_the_old_one_up(probe):
    probe.onReload()
    again = slicer.modules.HostProbeWidget
    assert again is not probe
    assert probe._parameterNode is None
    again.ui.contrastSlider.value = 5.0
    assert again._parameterNode.contrast == 5.0
    assert probe.ui is not again.ui


def test_unloading_leaves_no_widget_no_observer_and_no_class(scene, host):
    widgets, parameters = len(host.allWidgets()), set(vars(slicer.modules))
    module = slicerhost.loadModule(PROBE)
    gone = [weakref.ref(x) for x in (module.widget, type(module.widget), module.widget.logic)]
    scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT")
    slicerhost.unloadModule("HostProbe")
    del module
    gc.collect()
    assert len(host.allWidgets()) == widgets
    assert set(vars(slicer.modules)) == parameters
    assert "HostProbe" not in sys.modules
    assert [x() for x in gone] == [None, None, None]


def _objects() -> Counter:
    gc.collect()
    return Counter(type(x).__qualname__ for x in gc.get_objects())


def test_loading_and_unloading_again_and_again_keeps_nothing(scene, host):
    def cycle():
        module = slicerhost.loadModule(PROBE)
        module.widgetRepresentation().enter()
        scene.Clear(0)
        module.widgetRepresentation().exit()
        slicerhost.unloadModule("HostProbe")
        host.processEvents()

    for _ in range(3):
        cycle()
    before = _objects()
    for _ in range(5):
        cycle()
    grown = {kind: count for kind, count in (_objects() - before).items() if count >= 5}
    # Weak references and small built-ins of PySide6's own tables come and go.
    assert not {
        k: n for k, n in grown.items() if k not in ("ReferenceType", "builtin_function_or_method", "set")
    }


def test_a_module_file_that_fails_is_not_half_loaded(scene, tmp_path):
    path = tmp_path / "Broken.py"
    path.write_text("import no_such_package\n", "utf-8")
    with pytest.raises(ModuleNotFoundError):
        slicerhost.loadModule(path)
    assert "Broken" not in sys.modules
    assert not hasattr(slicer.modules, "broken")


def test_a_panel_that_fails_does_not_keep_the_module_from_being_loaded_again(scene, monkeypatch):
    module = slicerhost.loadModule(PROBE)
    with monkeypatch.context() as patch:
        patch.setattr(slicer.util, "loadUI", lambda path: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            module.widgetRepresentation()
    slicerhost.unloadModule("HostProbe")
    assert slicerhost.loadModule(PROBE).widget.ui.applyButton.text == "Apply"
    slicerhost.unloadModule("HostProbe")


def test_a_module_cannot_be_loaded_twice(probe):
    with pytest.raises(RuntimeError, match="HostProbe"):
        slicerhost.loadModule(PROBE)


def test_a_misspelt_attribute_of_the_modules_description_is_refused(probe):
    with pytest.raises(AttributeError, match="contributers"):
        slicer.modules.hostprobe.contributers = ["me"]


def test_an_exception_in_a_slot_is_collected(probe):
    probe.ui.applyButton.connect("clicked()", lambda: 1 / 0)
    probe.ui.applyButton.setEnabled(True)
    probe.ui.applyButton.click()
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        failures.check()


def test_an_exception_in_an_observer_is_collected(scene):
    def broken(caller, event):
        raise KeyError("lesion")

    node = scene.AddNewNodeByClass("vtkMRMLTextNode")
    tag = node.AddObserver("ModifiedEvent", broken)
    node.Modified()
    node.RemoveObserver(tag)
    with pytest.raises(AssertionError, match="lesion"):
        failures.check()


def test_an_exception_in_a_timer_is_collected(host):
    timer = qt.QTimer()
    timer.singleShot = True
    timer.connect("timeout()", lambda: [][1])
    timer.start(0)
    while timer.active:
        host.processEvents()
    with pytest.raises(AssertionError, match="IndexError"):
        failures.check()


def test_what_qt_complains_about_is_collected():
    parent = qt.QWidget()
    qt.QVBoxLayout(parent)
    qt.QVBoxLayout(parent)
    with pytest.raises(AssertionError, match="QLayout"):
        failures.check()
