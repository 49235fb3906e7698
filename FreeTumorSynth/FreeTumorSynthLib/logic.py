"""What FreeTumor Synth does, without its panel: jobs in, nodes out."""

from itertools import chain

import slicer
from freetumor.anatomy import organ as organRow
from freetumor.organs import organ_labels
from freetumor.volume import Volume, read_volume
from FreeTumorSlicerLib.inputs import writeInPieces
from FreeTumorSlicerLib.jobs import JobRunner
from FreeTumorSlicerLib.volumes import segmentFromMask, volumeFromNode
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

from FreeTumorSynthLib.parameters import DRAW, SEGMENT, FreeTumorSynthParameterNode
from FreeTumorSynthLib.placing import jumpTo
from FreeTumorSynthLib.request import drawnMask, organVolume, requestOf
from FreeTumorSynthLib.results import LABELED_BY, Result, addResult
from FreeTumorSynthLib.view3d import organModel, showTumors

_CT, _LABELS, _MASK = "ct.nii", "labels.nii", "mask.nii"


class SynthLogic(ScriptedLoadableModuleLogic):
    """Starts jobs and turns their results into nodes.

    Args:
        runner: runs the jobs; replaced in tests.
    """

    def __init__(self, runner=None) -> None:
        super().__init__()
        self.runner = runner or JobRunner()

    def getParameterNode(self):
        """The module's parameters, typed."""
        return FreeTumorSynthParameterNode(super().getParameterNode())

    def synthesize(self, parameters, *, replace=None, onDone=None, **callbacks) -> None:
        """Put tumors into the CT of `parameters`, as a job.

        Args:
            replace: a result that the new one takes the place of, once it is there.
            onDone: called with the new :class:`Result`. callbacks: onProgress, onError, onLog of the runner.

        Raises:
            FreeTumorError: CT, organ or drawing cannot be used; nothing has begun then.
        """
        ct, job, inputs = self._prepared(parameters)
        labels = inputs[_LABELS]

        def done(result, folder) -> None:
            if ct.GetScene() is None:
                _tellItIsDropped(**callbacks)
                return
            shown = addResult(result, folder, job, ct)
            if replace is not None and replace.volume.GetScene() is not None:
                replace.remove()
            parameters.resultVolume = shown.volume
            self.show(shown, labels, job)
            if onDone is not None:
                onDone(shown)

        self._start("synthesize", {**job, **_files(inputs)}, inputs, onDone=done, **callbacks)

    def labelOrgan(self, parameters, *, onDone=None, **callbacks) -> None:
        """Compute the organ from the CT as a job; the new segment becomes the chosen organ."""
        ct, row = parameters.inputVolume, organRow(parameters.organ)
        inputs = {_CT: volumeFromNode(ct)}

        def done(result, folder) -> None:
            if ct.GetScene() is None:
                _tellItIsDropped(**callbacks)
                return
            mask = read_volume(folder / result["labels"]).array == result["value"]
            name = _("Organs of {ct}").format(ct=ct.GetName())
            node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
            node.SetAttribute(LABELED_BY, result["model"] or result["labeler"])
            node.CreateDefaultDisplayNodes()
            node.GetDisplayNode().SetVisibility2DFill(False)
            title = row.site.meaning
            parameters.organSegmentID = segmentFromMask(node, mask, ct, title, organRow=row, kind="organ")
            parameters.organSegmentation, parameters.organSource = node, SEGMENT
            if onDone is not None:
                onDone(node)

        job = {"organ": row.name, "ct": _CT}
        self._start("label-organs", job, inputs, onDone=done, **callbacks)

    def saveCase(self, parameters, result: Result, folder, *, onDone=None, **callbacks) -> None:
        """Write a result as a case folder: made again from its seed and written only if it is the same.

        Raises:
            FreeTumorError: the organ cannot be read any more; nothing has begun then.
        """
        job = {**result.job, "case": str(folder.resolve()), "expected": result.provenance}
        labels, _reading = organVolume(parameters, result.input)
        inputs = {_CT: volumeFromNode(result.input), _LABELS: labels}
        if result.provenance["lesions"][0]["mask"]["source"] == "drawn":
            inputs[_MASK] = result.tumorMask()
        saved = None if onDone is None else lambda done, _folder: onDone(done["case"])
        self._start("synthesize", {**job, **_files(inputs)}, inputs, onDone=saved, **callbacks)

    def exportCases(self, cases, form: str, out, *, onDone=None, **callbacks) -> None:
        """Write case folders as paired training data."""
        job = {"cases": [str(case.resolve()) for case in cases], "format": form, "out": str(out.resolve())}
        finished = None if onDone is None else lambda done, _folder: onDone(done)
        self._start("export", job, {}, onDone=finished, **callbacks)

    def show(self, result: Result, labels: Volume, job: dict) -> None:
        """The result in the slices and in 3-D, its organ see-through."""
        row = organRow(job["organ"])
        read = organ_labels(
            labels,
            row,
            convention=job.get("label_convention", "freetumor"),
            values=job.get("organ_values", ()),
        )
        name = _("{organ} of {ct} (see-through)").format(organ=row.site.meaning, ct=result.input.GetName())
        showTumors(result.segmentation)
        result.organModel = organModel(read, name)
        slicer.util.setSliceViewerLayers(background=result.volume)
        jumpTo(result.centre())
        slicer.util.resetThreeDViews()

    def _prepared(self, parameters) -> tuple:
        """(CT node, parameters of the job without files, inputs by file name)."""
        labels, reading = organVolume(parameters)
        inputs = {_CT: volumeFromNode(parameters.inputVolume), _LABELS: labels}
        if parameters.mode == DRAW:
            inputs[_MASK] = drawnMask(parameters)
        job = {"organ": parameters.organ, "request": requestOf(parameters)}
        return parameters.inputVolume, {**job, **reading}, inputs

    def _start(self, kind: str, job: dict, inputs: dict, **callbacks) -> None:
        def prepare(folder):
            return chain.from_iterable(
                writeInPieces(volume, folder / name) for name, volume in inputs.items()
            )

        self.runner.start(kind, job, prepare=prepare, **callbacks)


def _tellItIsDropped(onError=None, **_callbacks) -> None:
    if onError is not None:
        onError("ct_removed", _("the CT was removed while the job ran, and its result was dropped"))


def _files(inputs: dict) -> dict:
    """``{"ct": "ct.nii", ...}``."""
    return {name.partition(".")[0]: name for name in inputs}
