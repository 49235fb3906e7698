"""From parameters to what the core is asked; and in words what is still missing."""

from freetumor.anatomy import Organ
from freetumor.anatomy import organ as organRow
from freetumor.errors import BadInput
from freetumor.job import parse_ids
from freetumor.labelers import labeler_for
from freetumor.organs import OrganLabels, organ_labels
from freetumor.quality import JUDGES
from freetumor.synthesis.engines import ENGINES
from freetumor.volume import Volume, on_grid
from FreeTumorSlicerLib.volumes import geometryOfNode, labelsFromSegmentation, volumeFromNode
from slicer.i18n import tr as _

from FreeTumorSynthLib.parameters import (
    ANY_SIZE,
    AUTO,
    BY_DIAMETER,
    DRAW,
    LABEL_MAP,
    OWN_VALUES,
    PLACE,
    SAMPLE,
    YES,
)
from FreeTumorSynthLib.results import earlierResults


def missingInput(parameters) -> str:
    """Why there is no CT and organ to work on; empty if there is."""
    if parameters.inputVolume is None:
        return _("Choose a CT.")
    if parameters.inputVolume.GetImageData() is None:
        return _("The chosen CT has no voxels.")
    if parameters.organSource == LABEL_MAP:
        return "" if parameters.organLabelMap is not None else _("Choose the label map that holds the organ.")
    node = parameters.organSegmentation
    if node is None:
        return _("Choose the segmentation that holds the organ.")
    if node.GetSegmentation().GetSegment(parameters.organSegmentID) is None:
        return _("Choose the segment of the organ.")
    return ""


def missingTumor(parameters) -> str:
    """Why there is no tumor to synthesize; empty if there is."""
    if parameters.mode != DRAW:
        return ""
    node = parameters.drawnSegmentation
    segment = None if node is None else node.GetSegmentation().GetSegment(parameters.drawnSegmentID)
    if segment is None:
        return _("Press 'Draw a tumor' and paint it in a slice, or choose the tab Place or Sample.")
    image = segment.GetRepresentation("Binary labelmap")
    if image is None or image.GetNumberOfPoints() == 0:
        return _("Paint the tumor in a slice.")
    return ""


def cannotLabel(parameters) -> str:
    """Why the organ cannot be computed from the CT; empty if it can."""
    if parameters.inputVolume is None:
        return _("Choose a CT.")
    return cannotCompute(parameters.organ)


def cannotCompute(organ: str) -> str:
    """Why no CT of this organ can be labelled here; empty if it can."""
    row = organRow(organ)
    try:
        labeler_for([row])
    except BadInput:
        return _("The {organ} cannot be computed here; its labels come from {tools}.").format(
            organ=row.site.meaning.lower(), tools=row.labelers
        )
    return ""


def position(parameters) -> tuple:
    """The chosen point, RAS mm."""
    return (parameters.right, parameters.anterior, parameters.superior)


def requestOf(parameters) -> dict:
    """Fields of :class:`freetumor.request.Request` as plain JSON."""
    style = {
        "contrast_hu": parameters.contrast if parameters.ownContrast else None,
        "rim": _answer(parameters.rim),
        "core": _answer(parameters.core),
    }
    follows = ENGINES[parameters.engine].style
    request = {
        "seed": parameters.seed,
        "engine": parameters.engine,
        "gate": not parameters.keepRejected,
        "exophytic": _answer(parameters.exophytic),
        "style": {name: value if name in follows else None for name, value in style.items()},
        **_networks(parameters),
    }
    if parameters.mode == DRAW:
        return request
    if parameters.size == BY_DIAMETER:
        request["diameter"] = parameters.diameter
    elif parameters.size != ANY_SIZE:
        request["size_class"] = parameters.size
    if parameters.mode == PLACE:
        request["at"] = [list(position(parameters))]
    if parameters.mode == SAMPLE:
        request["count"] = parameters.count
    return request


def _networks(parameters) -> dict:
    """What is asked of models, where the engine or the judge needs one."""
    request, learned = {}, ENGINES[parameters.engine].generator is not None
    if learned:
        request["model"] = parameters.model or None
    if parameters.askModel:
        request["judges"] = list(JUDGES)
        request["judge_model"] = parameters.judgeModel or None
        request["judge_threshold"] = parameters.judgeThreshold
    if learned or parameters.askModel:
        request |= {"device": parameters.device, "backend": parameters.backend}
    return request


def organVolume(parameters, ct=None) -> tuple:
    """(label map on the grid of `ct`, how to read it: ``organ_values`` or ``label_convention``).

    `ct` is the chosen CT if none is given.

    Tumors that were put into this CT before are in it as lesions: a new one keeps away from them, and a
    saved case holds them all.

    Raises:
        BadInput: the label map lies on another grid, or a transform is not linear.
    """
    ct = parameters.inputVolume if ct is None else ct
    labels, reading = _chosenOrgan(parameters, ct)
    row, earlier = organRow(parameters.organ), earlierResults(ct)
    earlier = [result for result in earlier if organRow(result.job["organ"]).group == row.group]
    if not earlier:
        return labels, reading
    whole = labels.like(_read(labels, row, reading).in_group_convention())
    for result in earlier:
        whole.array[result.tumorMask().array > 0] = organRow(result.job["organ"]).lesion_label
    return whole, {"label_convention": "freetumor"}


def _chosenOrgan(parameters, ct) -> tuple:
    if parameters.organSource != LABEL_MAP:
        labels = labelsFromSegmentation(parameters.organSegmentation, [parameters.organSegmentID], ct)
        return labels, {"organ_values": [1]}
    geometry = geometryOfNode(ct)
    labels = on_grid(volumeFromNode(parameters.organLabelMap), geometry)
    if not labels.geometry.same_grid(geometry):
        raise BadInput(
            _("a label map on the grid of the CT ({grid})").format(grid=geometry),
            f"{labels.geometry}",
            _("Import it as a segmentation and choose that: segments are resampled to the CT."),
            kind="grid_mismatch",
        )
    if parameters.labelConvention == OWN_VALUES:
        return labels, {"organ_values": list(parse_ids(parameters.organValues))}
    return labels, {"label_convention": parameters.labelConvention}


def organLabels(parameters) -> OrganLabels:
    """The organ as the core reads it, checked: present and not too small."""
    labels, reading = organVolume(parameters)
    return _read(labels, organRow(parameters.organ), reading)


def _read(labels: Volume, row: Organ, reading: dict) -> OrganLabels:
    return organ_labels(
        labels,
        row,
        convention=reading.get("label_convention", "freetumor"),
        values=reading.get("organ_values", ()),
    )


def drawnMask(parameters) -> Volume:
    """The drawn tumor on the CT's grid, 0 and 1."""
    return labelsFromSegmentation(
        parameters.drawnSegmentation, [parameters.drawnSegmentID], parameters.inputVolume
    )


def _answer(choice: str):
    return None if choice == AUTO else choice == YES
