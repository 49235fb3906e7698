"""The window for people without Slicer: modules on the left, slices that answer the mouse on the right."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import qt
import slicer
from freetumor import cli
from slicerhost import desktop, driving, failures, mainwindow, navigation


@pytest.fixture
def window(scene, host):
    made = desktop.newWindow()
    made.resize(1000, 700)
    made.show()
    slicer.util.selectModule("FreeTumorSlicer")
    host.processEvents()
    yield made
    made.close()
    made.deleteLater()
    qt.QCoreApplication.sendPostedEvents(None, qt.QEvent.DeferredDelete)
    failures.check()


@pytest.fixture
def ct(window, phantom, tmp_path):
    from freetumor.volume import write_volume

    file = tmp_path / "ct.nii.gz"
    write_volume(phantom.ct, file)
    return window.open(str(file))


def offsets() -> np.ndarray:
    manager = slicer.app.layoutManager()
    return np.array(
        [manager.sliceWidget(n).sliceLogic().GetSliceOffset() for n in ("Red", "Green", "Yellow")]
    )


def test_the_modules_can_be_chosen_by_button_and_by_script(window):
    panel = window.moduleSelector()
    assert panel.moduleNames() == ("FreeTumorSlicer", "FreeTumorSynth", "FreeTumorSegment")
    slicer.util.selectModule("FreeTumorSegment")
    assert panel.selectedModule() == "FreeTumorSegment"
    assert slicer.modules.freetumorsegment.widgetRepresentation().isEntered
    slicer.util.selectModule("FreeTumorSynth")
    assert not slicer.modules.freetumorsegment.widgetRepresentation().isEntered
    with pytest.raises(ValueError, match="FreeTumorSynth"):
        slicer.util.selectModule("Volumes")


def test_an_opened_ct_is_shown_in_the_abdominal_window_and_taken_up_by_the_module(window, ct):
    assert window.ct() is ct
    assert (ct.GetDisplayNode().GetWindow(), ct.GetDisplayNode().GetLevel()) == (400, 40)
    slicer.util.selectModule("FreeTumorSynth")
    window.setWindow("Lung")
    assert ct.GetDisplayNode().GetLevel() == -600


def test_a_click_in_one_slice_brings_the_others_there(window, ct):
    before = offsets()
    view = slicer.app.layoutManager().sliceWidget("Red").sliceView()
    target = view.convertXYZToRAS((view.mrmlSliceNode().GetDimensions()[0] * 0.6, 150, 0))
    driving.click(target)
    after = offsets()
    assert after[0] == pytest.approx(before[0], abs=0.01)
    # Sagittal slices count towards the left.
    np.testing.assert_allclose(after[1:], [target[1], -target[0]], atol=1.0)


def test_the_bar_says_on_which_side_of_the_patient_a_slice_lies(window, ct):
    navigation.jumpTo((-30.0, 0.0, 20.0))
    bar = slicer.app.layoutManager().sliceWidget("Yellow").findChildren(qt.QLabel)[-1]
    assert bar.text == "L 30.0 mm"


def test_a_click_with_an_effect_in_hand_does_not_move_the_slices(window, ct):
    slicer.app.applicationLogic().GetInteractionNode().SetCurrentInteractionMode(
        slicer.vtkMRMLInteractionNode.AdjustWindowLevel
    )
    before = offsets()
    view = slicer.app.layoutManager().sliceWidget("Red").sliceView()
    driving.click(view.convertXYZToRAS((80, 90, 0)))
    np.testing.assert_array_equal(offsets(), before)
    slicer.app.applicationLogic().GetInteractionNode().SetCurrentInteractionMode(
        slicer.vtkMRMLInteractionNode.ViewTransform
    )


def test_the_value_under_the_pointer_is_the_voxels(ct):
    values = slicer.util.arrayFromVolume(ct)
    k, j, i = (n // 2 for n in values.shape)
    import vtk

    matrix = vtk.vtkMatrix4x4()
    ct.GetIJKToRASMatrix(matrix)
    said = navigation.probe(ct, matrix.MultiplyPoint([i, j, k, 1])[:3])
    assert f"({i}, {j}, {k})" in said
    assert said.endswith(f"{values[k, j, i]} HU")


@pytest.mark.parametrize("name", list(mainwindow.LAYOUTS))
def test_every_layout_of_the_menu_shows_views(window, ct, host, name):
    manager = slicer.app.layoutManager()
    manager.setLayout(mainwindow.LAYOUTS[name])
    host.processEvents()
    views = [manager.sliceWidget(n) for n in manager.sliceViewNames()]
    views += [manager.threeDWidget(n) for n in range(manager.threeDViewCount)]
    assert any(view.isVisible() for view in views)


def test_the_ct_itself_appears_in_3d(window, ct):
    def picture() -> np.ndarray:
        desktop.settle(0.05)
        image = slicer.app.layoutManager().threeDWidget(0).threeDView().picture()
        return np.frombuffer(image.constBits(), np.uint8).astype(int)

    before = picture()
    window.setBodyVisible(True)
    assert (np.abs(picture() - before) > 30).mean() > 0.01


def test_the_command_says_what_is_wrong_with_the_ct_it_got(capsys, tmp_path):
    assert cli.run(["screenshot", str(tmp_path / "none.nii"), "--out", str(tmp_path / "a.png")]) == 2
    assert "none.nii" in capsys.readouterr().err


def test_the_command_says_what_to_do_where_the_window_is_not_installed(monkeypatch, tmp_path):
    from freetumor.commands import desktop as command
    from freetumor.errors import BadInput

    with pytest.raises(BadInput, match="Clone the repository"):
        command.load_host(tmp_path)
    monkeypatch.setitem(command.PACKAGES, "no_such_package", "slicer-core")
    with pytest.raises(BadInput, match=r"pip install -e '\.\[desktop\]'"):
        command.load_host()


# In a process of its own: what measures coverage may stand between a signal and its handler.
_WAITING = """
import sys
from PySide6 import QtCore
application = QtCore.QCoreApplication([])
from slicerhost import desktop
desktop.quitOnSignals(application)
QtCore.QTimer.singleShot(0, lambda: print("ready", flush=True))
sys.exit(application.exec())
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_in_the_terminal_or_a_kill_ends_the_window(number):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("COV")}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    command = [sys.executable, "-c", _WAITING]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            process.send_signal(number)
            assert process.wait(timeout=30) == 0
        finally:
            process.kill()
