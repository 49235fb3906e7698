"""Fixtures for the modules in the host: one application, and for each test a clean scene."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HUB, SYNTH, SEGMENT = ROOT / "FreeTumorSlicer", ROOT / "FreeTumorSynth", ROOT / "FreeTumorSegment"
PROBE = Path(__file__).parent / "hostprobe" / "HostProbe.py"
sys.path.insert(0, str(ROOT / "Testing" / "SlicerHost"))

import slicerhost  # noqa: E402 - the host is not an installed package
from slicerhost import failures  # noqa: E402
from slicerhost.util import messages as shown  # noqa: E402

slicerhost.start()  # here already: test files import slicer, qt and ctk at their top, as modules do
# Slicer puts all modules of an extension into one folder.
sys.path[:0] = [str(folder) for folder in (HUB, SYNTH, SEGMENT)]


@pytest.fixture(scope="session")
def host():
    """``slicer.app`` of the host."""
    import slicer

    return slicer.app


@pytest.fixture(autouse=True)
def nothing_fails_unseen():
    """Exceptions in slots and observers fail the test, as do Qt's complaints about misuse."""
    failures.install()
    failures.clear()
    yield
    failures.check()


@pytest.fixture
def scene(host):
    """An empty scene; emptied again afterwards."""
    import slicer

    slicer.mrmlScene.Clear(0)
    yield slicer.mrmlScene
    slicer.mrmlScene.Clear(0)
    host.processEvents()


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch) -> Path:
    """The folder of the user's models, empty: what this computer's user has installed is not looked at."""
    folder = tmp_path / "models of the user"
    monkeypatch.setenv("FREETUMOR_MODELS", str(folder))  # jobs inherit it
    return folder


@pytest.fixture
def messages(host):
    """What the user was shown: ``messages.texts()``; questions: ``messages.answer(False)``."""
    shown.clear()
    yield shown
    shown.clear()


def _loaded(path: Path):
    module = slicerhost.loadModule(path)
    try:
        panel = module.widgetRepresentation()
        panel.enter()
        yield panel.self()
        panel.exit()
    finally:
        slicerhost.unloadModule(module.name)


@pytest.fixture
def probe(scene):
    """The host's own small module: its widget object."""
    yield from _loaded(PROBE)


@pytest.fixture
def hub(scene):
    """Module FreeTumor: its widget object."""
    yield from _loaded(HUB / "FreeTumorSlicer.py")


@pytest.fixture
def synth(scene):
    """Module FreeTumor Synth: its widget object."""
    yield from _loaded(SYNTH / "FreeTumorSynth.py")


@pytest.fixture
def segment(scene):
    """Module FreeTumor Segment: its widget object."""
    yield from _loaded(SEGMENT / "FreeTumorSegment.py")


@pytest.fixture
def endless(monkeypatch, tmp_path):
    """Jobs that report once and then hang, with a child of their own."""
    from FreeTumorSlicerLib import processes

    script = tmp_path / "hangs.py"
    script.write_text(
        "import json, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)'])\n"
        "print(json.dumps({'event': 'log', 'message': str(child.pid)}), flush=True)\n"
        "time.sleep(300)\n"
    )
    monkeypatch.setattr(processes, "scriptPath", lambda: script)


@pytest.fixture
def sampleVolume(scene, phantom):
    """The phantom's CT as a node of the scene."""
    import slicer
    import vtk

    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Phantom CT")
    slicer.util.updateVolumeFromArray(node, phantom.ct.array)
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(phantom.ct.geometry.affine.ravel())
    node.SetIJKToRASMatrix(matrix)
    node.CreateDefaultDisplayNodes()
    return node


@pytest.fixture
def study(tmp_path) -> Path:
    """A small reader study: one training case, three others of which one comes twice, and a pair."""
    from made_studies import make_study

    return make_study(tmp_path / "study", main=3, training=1)


@pytest.fixture
def studyWindow(scene, host):
    """The host's window with the hub in it, which remembers no study."""
    import qt
    import slicer
    from slicerhost.mainwindow import MainWindow

    qt.QSettings().remove("FreeTumor/ReaderStudy")
    made = MainWindow()
    made.addModule(slicerhost.loadModule(HUB / "FreeTumorSlicer.py"))
    made.resize(800, 560)
    made.show()
    made.activateWindow()
    slicer.util.selectModule("FreeTumorSlicer")
    host.processEvents()
    yield made
    made.close()
    made.deleteLater()
    qt.QCoreApplication.sendPostedEvents(None, qt.QEvent.DeferredDelete)
    qt.QSettings().remove("FreeTumor/ReaderStudy")
    failures.check()


@pytest.fixture
def reader(studyWindow):
    """Somebody in front of that window."""
    import slicer
    from study_steps import Reader

    return Reader(studyWindow, slicer.util.getModuleWidget("FreeTumorSlicer"))
