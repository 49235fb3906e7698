"""Pictures of the modules at work on the real sample CT: ``python Testing/screenshots.py --out FOLDER``.

The modules are driven through their own widgets, as a user would, in the host's window.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # before Qt is imported
sys.path.insert(0, str(Path(__file__).resolve().parent / "SlicerHost"))

from slicerhost import desktop

JOB_SECONDS = 300
# A network small enough to learn something from two cases while one waits.
TRAINING = """# Liver tumors of the cases that FreeTumor Synth made.
name = "livers"
organs = ["liver"]
[grid]
spacing = [4.0, 4.0, 4.0]
patch = [32, 48, 48]
[[data.sources]]
kind = "cases"
path = "cases"
split = "train"
licence = "CC-BY-3.0"
[segmenter.settings]
features = [8, 16, 32]
[sampling]
real = 0.0
tumor_free = 0.0
engine = "cases"
[loop]
steps = 120
log_every = 2
epoch = 20
warmup = 0
learning_rate = 0.003
tensorboard = false
"""
TRAINED_STEPS = 80  # of them, before the picture is taken
CLOSE = 2.2  # how much closer than the whole CT the slices are shown


class Session:
    """The window with the sample CT; every step is a click or a choice in a module."""

    def __init__(self, out: Path, cases: Path) -> None:
        self._out, self._cases = out, cases
        self._window = desktop.newWindow()
        self._window.resize(*desktop.SIZE)
        self._window.show()

    def close(self) -> None:
        """Close the window; its modules clean up."""
        self._window.close()

    def synth(self) -> None:
        """FreeTumor Synth: one tumor in the liver, compared in two ways, kept as a case; one more case."""
        import slicer
        from FreeTumorSlicerLib.sampledata import loadSample

        widget = self._module("FreeTumorSynth")
        ct, labels = loadSample()
        self._window.moduleSelector().reenter()
        ui = widget.ui
        ui.inputVolumeSelector.setCurrentNode(ct)
        ui.organComboBox.currentText = "liver"
        ui.organSourceComboBox.currentText = "label map"
        ui.organLabelMapSelector.setCurrentNode(labels)
        ui.labelConventionComboBox.currentText = "totalsegmentator"
        ui.modeTabs.currentIndex = 2
        ui.sizeComboBox.currentText = "diameter"
        ui.diameterSlider.value = 25
        ui.seedSpinBox.value = 11
        ui.caseFolderLineEdit.currentPath = str(self._cases)
        self._synthesize(widget)
        self._fitAround(widget.panel.result.centre())
        self._turn3D()
        self._save("synth.png")
        ui.differenceButton.click()
        self._save("synth-difference.png")
        ui.differenceButton.click()
        ui.sideBySideButton.click()
        self._fitAround(widget.panel.result.centre())
        self._save("synth-side-by-side.png")
        ui.sideBySideButton.click()
        ui.acceptButton.click()
        self._run(widget.logic.runner, ui.saveCaseButton)
        ui.countSpinBox.value = 3
        ui.seedSpinBox.value = 12
        ui.diameterSlider.value = 14
        self._synthesize(widget)
        self._run(widget.logic.runner, ui.saveCaseButton)
        self._draw(widget)
        slicer.mrmlScene.Clear(0)

    def _draw(self, widget) -> None:
        """A tumor drawn with the brush, before it is synthesized."""
        import numpy as np
        import slicer
        from slicerhost import driving

        centre = np.array(widget.panel.result.provenance["lesions"][1]["got"]["centre_ras_mm"])
        widget.ui.undoButton.click()
        widget.ui.modeTabs.currentIndex = 0
        widget.ui.drawButton.click()
        effect = widget.ui.segmentEditor.activeEffect()
        effect.setParameter("BrushSphere", 1)
        effect.setParameter("BrushAbsoluteDiameter", 18)
        self._fitAround(centre)
        driving.drag([centre, centre + np.array([6.0, 0.0, 0.0])], "Red")
        slicer.app.processEvents()
        self._save("synth-draw.png")

    def segment(self) -> None:
        """FreeTumor Segment: a synthetic case with its lesions, in slices and in 3-D."""
        widget = self._module("FreeTumorSegment")
        ui = widget.ui
        ui.casesSection.collapsed = False
        ui.casesFolderEdit.currentPath = str(self._cases)
        ui.caseList.setCurrentRow(1)
        ui.show3DCheck.checked = True
        widget.lesionPanel.jumpTo(1)
        ui.lesionTable.selectRow(1)
        self._fitAround(widget.lesionPanel.lesions[1].centre_ras)
        self._turn3D()
        self._save("segment.png")

    def hub(self) -> None:
        """FreeTumor: what is installed, the cases; then the models."""
        ui = self._module("FreeTumorSlicer").ui
        ui.setupSection.collapsed = False
        ui.checkButton.click()
        ui.casesFolderEdit.currentPath = str(self._cases)
        self._save("hub.png")
        ui.setupSection.collapsed = True
        ui.modelsSection.collapsed = False
        ui.modelTable.setCurrentCell(0, 0)
        self._save("hub-models.png")

    def training(self) -> None:
        """Training in the hub: a small network learns the cases of before, looked at on the way."""
        Path("livers.toml").write_text(TRAINING, "utf-8")
        hub = self._module("FreeTumorSlicer")
        ui, panel = hub.ui, hub.trainingPanel
        for section in (ui.setupSection, ui.modelsSection, ui.casesSection):
            section.collapsed = True
        ui.trainingSection.collapsed = False
        ui.trainingConfigEdit.currentPath = "livers.toml"
        ui.trainingStageCombo.currentText = "target"
        ui.trainingOutEdit.currentPath = "runs"
        ui.trainButton.click()
        _wait(lambda: not panel.runner.isRunning or (panel.view.run and panel.view.run.step >= TRAINED_STEPS))
        if not panel.runner.isRunning:
            raise RuntimeError(f"the training ended: {ui.trainingStatusLabel.text}")
        self._save("hub-training.png")
        ui.stopTrainingButton.click()
        _wait(lambda: not panel.runner.isRunning)
        ui.trainingSection.collapsed = True

    def reading(self) -> None:
        """The reader study: one lesion, then two beside each other."""
        from made_studies import make_study

        cts = [_aroundLesion(case) for case in sorted(self._cases.iterdir())]
        study = make_study(Path("study"), main=2, training=0, repeats=0, cts=cts, title="Liver lesions")
        Path("study.key.json").unlink()  # who sets a study up keeps it elsewhere
        hub = self._module("FreeTumorSlicer")
        hub.ui.studySection.collapsed = False
        panel, ui = hub.studyPanel.reading, hub.studyPanel.ui
        ui.studyFolderEdit.currentPath = str(study)
        ui.startButton.click()
        ui.keysSection.collapsed = False
        for name in ("reading.png", None):
            _wait(lambda: panel.state == "reading")
            panel.pressNumber(5)
            if name:
                self._save(name)
            panel.pressEnter()
        _wait(lambda: panel.state == "reading")
        panel.chooseSide("left")
        panel.pressNumber(2)
        self._save("reading-pair.png")
        ui.leaveButton.click()

    def _module(self, name: str):
        import slicer

        slicer.util.selectModule(name)
        return slicer.util.getModuleWidget(name)

    def _synthesize(self, widget) -> None:
        self._run(widget.logic.runner, widget.ui.applyButton)
        if widget.panel.result is None:
            raise RuntimeError(f"no tumor was synthesized: {widget.ui.statusLabel.text}")

    def _run(self, runner, button) -> None:
        if not button.enabled:
            raise RuntimeError(f"the button {button.text!r} cannot be pressed: {button.toolTip}")
        button.click()
        _wait(lambda: not runner.isRunning)

    def _fitAround(self, ras) -> None:
        """Slices at a point, closer than the whole CT, with the outlines of the segments over them."""
        import slicer

        manager = slicer.app.layoutManager()
        self._window.fitViews()
        for name in manager.sliceViewNames():
            node = manager.sliceWidget(name).mrmlSliceNode()
            x, y, z = node.GetFieldOfView()
            node.SetFieldOfView(x / CLOSE, y / CLOSE, z)
            node.JumpSliceByCentering(*ras)
        desktop.settle()

    def _turn3D(self) -> None:
        """The body from the front, a little from the right and from above, as large as fits."""
        import slicer

        view = slicer.app.layoutManager().threeDWidget(0).threeDView()
        camera = view.cameraNode().GetCamera()
        camera.Azimuth(-25)
        camera.Elevation(15)
        camera.OrthogonalizeViewUp()
        camera.Zoom(0.9)
        desktop.settle()

    def _save(self, name: str) -> None:
        if not desktop.save(self._window, self._out / name):
            raise OSError(f"expected to write {self._out / name}; is the folder writable?")
        sys.stdout.write(f"{self._out / name}\n")


def _aroundLesion(case: Path):
    """The CT of a case around its first lesion, and where that is."""
    import json

    from freetumor.volume import Box, Volume, read_volume

    lesions = json.loads((case / "provenance.json").read_text("utf-8"))["lesions"]
    centre = lesions[0]["got"]["centre_ras_mm"]
    ct = read_volume(case / "ct.nii.gz")
    at = tuple(round(float(index)) for index in ct.geometry.ras_to_index(centre))
    around = Box(at, tuple(index + 1 for index in at)).grown(ct.geometry.margin(110.0), ct.array.shape)
    return Volume(ct.hu(around).round().astype("int16"), ct.geometry.cropped(around)), centre


def _wait(until: Callable[[], bool]) -> None:
    import slicer

    end = time.monotonic() + JOB_SECONDS
    while not until():
        if time.monotonic() > end:
            raise TimeoutError(f"the job was not over after {JOB_SECONDS} s")
        slicer.app.processEvents()
        time.sleep(0.01)


def main() -> int:
    """Make all pictures; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("Resources/Screenshots"), help="folder for the PNGs")
    out = parser.parse_args().out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="freetumor-") as scratch:
        os.chdir(scratch)  # so that path fields show no folder of this computer
        os.environ["FREETUMOR_MODELS"] = str(Path("models"))
        session = Session(out, Path("cases"))
        try:
            session.synth()
            session.segment()
            session.hub()
            session.training()
            session.reading()
        finally:
            session.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
