"""Segmentation of the CT by a model, as a job in the background."""

from itertools import chain

import qt
import slicer
from freetumor.anatomy import organ
from FreeTumorSlicerLib import consent
from FreeTumorSlicerLib.inputs import writeInPieces
from FreeTumorSlicerLib.jobs import JobRunner
from FreeTumorSlicerLib.jobview import JobView
from FreeTumorSlicerLib.modelchoice import ModelChoice, findsTumorsOf, tumorsOf
from FreeTumorSlicerLib.segmentchoice import SegmentChoice
from FreeTumorSlicerLib.volumes import labelsFromSegmentation, volumeFromNode
from FreeTumorSlicerLib.widgets import enable
from slicer.i18n import tr as _

from FreeTumorSegmentLib.openedcase import caseOf
from FreeTumorSegmentLib.segmented import addSegmented

_CT, _LABELS = "ct.nii", "labels.nii"
HUB = "FreeTumorSlicer"


class SegmentPanel:
    """The section Segment.

    Args:
        ui: the widgets of the form. parameters: function that gives the parameter node.
        shown: called after a result is there. runner: runs the job; replaced in tests.
    """

    def __init__(self, ui, parameters, shown, runner=None) -> None:
        self._ui, self._parameters, self._shown = ui, parameters, shown
        self.runner = runner or JobRunner()
        self._job = JobView(ui.progressBar, ui.jobLabel, ui.logText, self.update)
        self._models = ModelChoice(
            ui.modelCombo, ui.modelNote, "segmenter", lambda name: setattr(parameters(), "model", name)
        )
        self._settling = qt.QTimer()
        self._settling.setSingleShot(True)
        self._settling.connect("timeout()", self.update)
        self._crop = SegmentChoice(
            ui.cropSelector,
            parameters,
            "cropSegmentation",
            "cropSegmentID",
            isBusy=lambda: self._settling.active,
        )
        ui.segmentButton.connect("clicked()", self.onSegment)
        ui.modelsButton.connect("clicked()", self.openModels)

    def update(self) -> None:
        """Show the parameters, and enable what can be done."""
        p, ui = self._parameters(), self._ui
        if p is None or self._settling.active:
            return
        self._crop.show()
        none = _(
            "No segmentation model for {tumors} is installed: import one in FreeTumor > Models. Or import a "
            "label map that was made elsewhere, below."
        ).format(tumors=tumorsOf(p.organ))
        used = self._models.show(p.organ, p.model, none, fits=findsTumorsOf(p.organ))
        there = used is not None or bool(p.model)
        for name in ("modelCombo", "modelComboLabel", "advancedSection"):
            getattr(ui, name).setVisible(there)
        ui.modelsButton.setVisible(used is None)
        running, stopping = self.runner.isRunning, self.runner.isCancelling
        ui.segmentButton.text = _("Cancel") if running else _("Segment")
        if running:
            enable(ui.segmentButton, not stopping, _("It is being cancelled."))
        else:
            reason = self._missing(p)
            enable(ui.segmentButton, not reason, reason)

    def _missing(self, p) -> str:
        if p.ctVolume is None:
            return _("Choose a CT first.")
        if self._models.missing:
            return self._models.missing
        node = p.cropSegmentation
        if node is not None and node.GetSegmentation().GetSegment(p.cropSegmentID) is None:
            return _("Choose the segment of the organ, or no segmentation to look near.")
        return ""

    def onSegment(self) -> None:
        """Segment, or cancel what runs."""
        if self.runner.isRunning:
            self.runner.cancel()
            self._job.say(_("Cancelling ..."))
            self.update()
        else:
            self._job.run(self._start, self._parameters())

    def openModels(self) -> None:
        """Go to the hub, where models are brought in."""
        module = getattr(slicer.modules, HUB.lower(), None)
        if module is None:
            self._job.say(
                _("The module FreeTumor is not loaded: enable it in the settings, section Modules.")
            )
            return
        module.widgetRepresentation().self().showModels()
        if slicer.util.mainWindow() is not None:
            slicer.util.selectModule(HUB)

    def settle(self) -> None:
        """A scene was read: show its parameters once the selectors have seen its nodes, and not before."""
        self._settling.start(0)

    def cleanup(self) -> None:
        """The scene is closed or the module unloaded: no job goes on."""
        wasRunning = self.runner.isRunning
        self._settling.stop()
        self.runner.cleanup()
        self._job.finished(_("The scene was closed; the job was stopped.") if wasRunning else "")

    def _start(self, p, **callbacks) -> None:
        consent.require([self._models.used])
        ct, row = p.ctVolume, organ(p.organ)
        inputs = {_CT: volumeFromNode(ct)}
        job = {"ct": _CT, "organ": row.name, "overlap": p.overlap, "device": p.device, "backend": p.backend}
        if p.model:
            job["model"] = p.model
        if p.cropSegmentation is not None:
            inputs[_LABELS] = labelsFromSegmentation(p.cropSegmentation, [p.cropSegmentID], ct)
            job |= {"labels": _LABELS, "organ_values": [1]}

        def prepare(folder):
            return chain.from_iterable(
                writeInPieces(volume, folder / name) for name, volume in inputs.items()
            )

        def done(result, folder) -> None:
            if ct.GetScene() is None:
                self._job.finished(_("The CT was removed while the job ran: its result was dropped."))
            else:
                self._show(result, folder, ct)

        self.runner.start("segment", job, prepare=prepare, onDone=done, **callbacks)

    def _show(self, result: dict, folder, ct) -> None:
        segmentation, probability = addSegmented(result, folder, ct)
        p, model = self._parameters(), result["facts"]["model"]
        with slicer.util.NodeModify(p.parameterNode):
            p.organ, p.ctVolume = result["organ"], ct
            p.segmentation, p.probabilityVolume = segmentation, probability
            if caseOf(segmentation) and not p.comment.strip():
                p.comment = _("Segmented by the model {model}").format(model=model)
        self._shown()
        self._job.finished(_("Segmented by {model}.").format(model=model))
