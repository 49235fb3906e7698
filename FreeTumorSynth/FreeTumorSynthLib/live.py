"""The tumor in the slices while its sliders move."""

import time

import qt
import slicer
from freetumor.errors import FreeTumorError
from freetumor.live import LivePreview
from freetumor.synthesis.engines import ENGINES
from FreeTumorSlicerLib.messages import explain
from FreeTumorSlicerLib.volumes import nodeFromVolume, volumeFromNode
from slicer.i18n import tr as _

from FreeTumorSynthLib.parameters import BY_DIAMETER, DRAW, LABEL_MAP, PLACE
from FreeTumorSynthLib.request import missingInput, organLabels, position, requestOf
from FreeTumorSynthLib.results import SYNTHETIC

_PAUSE_MS = 10  # slider moves within it make one step


def cannotPreview(parameters) -> str:
    """Why there is no live preview; empty if there is."""
    if missingInput(parameters):
        return missingInput(parameters)
    if ENGINES[parameters.engine].generator is not None:
        return _(
            "A network takes too long for each step of a slider: press Synthesize, or choose procedural."
        )
    if parameters.mode == DRAW:
        return _("A drawn tumor has no sliders: choose the tab Place or Sample.")
    if parameters.size != BY_DIAMETER:
        return _("Choose the size by diameter to drag it.")
    return ""


class LiveView:
    """A copy of the CT in the slices that shows the tumor of the present parameters."""

    def __init__(self) -> None:
        self._node = self._preview = self._input = None
        self.seconds = 0.0  # that the last step took

    @property
    def isOn(self) -> bool:
        """Whether it is shown."""
        return self._node is not None

    @property
    def node(self):
        """The volume with the preview; None while it is off."""
        return self._node

    def start(self, parameters) -> None:
        """Show the preview; raises :class:`FreeTumorError` where the CT or the organ are not usable."""
        self.stop()
        labels = organLabels(parameters)
        ct = volumeFromNode(parameters.inputVolume)
        name = _("SYNTHETIC preview of {ct}").format(ct=parameters.inputVolume.GetName())
        self._input = parameters.inputVolume
        self._node = nodeFromVolume(ct, name, like=self._input)
        self._node.SetAttribute(SYNTHETIC, "1")
        self._node.SetSaveWithScene(False)
        self._preview = LivePreview(volumeFromNode(self._node), labels, parameters.engine)
        slicer.util.setSliceViewerLayers(background=self._node)

    def update(self, parameters) -> str:
        """Show the present parameters; why there is no tumor to show, or empty."""
        started, request = time.perf_counter(), requestOf(parameters)
        said = ""
        try:
            self._preview.update(
                diameter=parameters.diameter,
                at=position(parameters) if parameters.mode == PLACE else None,
                contrast=request["style"]["contrast_hu"],
                seed=parameters.seed,
                rim=request["style"]["rim"],
                core=request["style"]["core"],
                exophytic=request["exophytic"],
            )
        except FreeTumorError as error:
            said = str(error)
        slicer.util.arrayFromVolumeModified(self._node)
        self.seconds = time.perf_counter() - started
        return said

    def centre(self):
        """Centre of the previewed tumor, RAS mm; None if there is none."""
        step = None if self._preview is None else self._preview.step
        return None if step is None else step.mask.centre_ras

    def stop(self) -> None:
        """Take the preview out of the scene and show the CT again."""
        node, ct = self._node, self._input
        self.forget()
        if node is not None and node.GetScene() is not None:
            if ct is not None and ct.GetScene() is not None:
                slicer.util.setSliceViewerLayers(background=ct)
            slicer.mrmlScene.RemoveNode(node)

    def forget(self) -> None:
        """Stop without touching nodes: the scene is being closed."""
        self._node = self._preview = self._input = None


class LiveControl:
    """Starts, follows and stops the preview as the parameters ask for it.

    Args:
        panel: has `parameters`, `logic`, ``say(text)`` and ``endComparison()``.
    """

    def __init__(self, panel) -> None:
        self._panel, self._key, self.view = panel, None, LiveView()
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE_MS)
        self._timer.connect("timeout()", self._step)

    def follow(self, parameters) -> None:
        """Show `parameters` soon, if they ask for a preview and one is possible."""
        if self._isWanted(parameters):
            self._timer.start()
        elif self.view.isOn:
            self.stop()

    def stop(self) -> None:
        """No preview any more."""
        self._timer.stop()
        self.view.stop()

    def forget(self) -> None:
        """Let go of all nodes: the scene is being closed."""
        self._timer.stop()
        self.view.forget()

    def _isWanted(self, p) -> bool:
        return (
            p is not None
            and p.livePreview
            and not self._panel.logic.runner.isRunning
            and not cannotPreview(p)
        )

    def _step(self) -> None:
        p = self._panel.parameters
        if not self._isWanted(p):
            return
        node = p.organLabelMap if p.organSource == LABEL_MAP else p.organSegmentation
        key = (p.inputVolume, p.organ, node, p.organSegmentID, p.labelConvention, p.organValues, p.engine)
        try:
            if not self.view.isOn or key != self._key:
                self._panel.endComparison()
                self.view.start(p)
                self._key = key
            said = self.view.update(p)
        except FreeTumorError as error:
            p.livePreview = False
            said = explain(error.kind, str(error))
        self._panel.say(said or _("Live preview."))
