"""The job "synthesize": a CT of a job folder in, small crops with the tumors out.

A viewer pastes the crops into its own copy of the CT, so that a large volume travels one way only.
"""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from freetumor.anatomy import organ
from freetumor.cases import write_case
from freetumor.errors import BadInput
from freetumor.files import check_free
from freetumor.organs import organ_labels
from freetumor.pipeline import Lesion, Synthesis, synthesize
from freetumor.request import Request, engine_and_judges
from freetumor.synthesis.engines import Style, check_device
from freetumor.synthesis.provenance import lesion_record, provenance
from freetumor.volume import Volume, read_volume, write_volume

if TYPE_CHECKING:
    from freetumor.jobs import Context


def synthesize_in_folder(context: Context) -> dict:
    """Run the job.

    Parameters of the job: ``ct``, ``labels`` (files), ``organ``, ``label_convention`` or ``organ_values``,
    ``mask`` (file, drawn tumors), ``request`` (fields of :class:`Request`), ``device``; ``case`` (folder to
    write as a case), ``expected`` (provenance that must come out again, or nothing is written).

    Returns:
        ``{"synthetic": True, "organ", "provenance", "case", "lesions": [...]}``, of each lesion ``{"number",
        "box": {"start", "stop"}, "after", "mask", "record"}``: `after` names a ``.nii`` file of the stored
        values in the box, `mask` one of 0 and 1.
    """
    given = context.parameters
    for name in ("ct", "labels", "organ"):
        context.required(name)
    row, request = organ(str(given["organ"])), request_from(given.get("request") or {})
    request = _on_device(request, str(given.get("device") or "auto"), context)
    engine_and_judges(request, row, log=lambda _: None)  # what is missing is said before any work
    if given.get("case"):
        check_free(context.path("case"))
    context.progress("reading", 0.0)
    ct, labels = read_volume(context.path("ct")), read_volume(context.path("labels"))
    mask = read_volume(context.path("mask")) if given.get("mask") else None
    read = organ_labels(
        labels,
        row,
        convention=str(given.get("label_convention") or "freetumor"),
        values=tuple(given.get("organ_values") or ()),
    )
    context.progress("hashing", 0.1)
    inputs = {"ct": ct, "labels": labels, "mask": mask}
    hashes = {name: volume.fingerprint() for name, volume in inputs.items() if volume is not None}
    result = synthesize(
        ct,
        read,
        request,
        mask=mask,
        in_place=True,
        progress=lambda message, share: context.progress(message, 0.25 + 0.6 * share),
        log=lambda message: context.emit("warning", message=message),
    )
    record = _plain(provenance(result, hashes))
    _check_expected(record, given.get("expected"))
    context.progress("writing", 0.9)
    if given.get("case"):
        write_case(context.path("case"), result, hashes)
    return {
        "synthetic": True,
        "organ": row.name,
        "provenance": record,
        "case": str(context.path("case")) if given.get("case") else None,
        "lesions": [_crops(context, result, lesion) for lesion in result.lesions],
    }


def request_from(given: dict) -> Request:
    """A :class:`Request` from plain JSON; raises :class:`BadInput` for an unknown field."""
    known, style = {f.name for f in fields(Request)}, dict(given.get("style") or {})
    unknown = sorted(set(given) - known) + sorted(set(style) - {f.name for f in fields(Style)})
    if unknown:
        raise BadInput(f"fields of {', '.join(sorted(known))}", ", ".join(unknown), kind="usage")
    made = {**given, "style": Style(**style), "at": tuple(tuple(p) for p in given.get("at") or ())}
    if "judges" in made:
        made["judges"] = tuple(made["judges"])
    return Request(**made)


def _crops(context: Context, result: Synthesis, lesion: Lesion) -> dict:
    box, number = lesion.edit.box, lesion.number
    geometry = result.ct.geometry.cropped(box)
    after, mask = f"lesion-{number}-after.nii", f"lesion-{number}-mask.nii"
    write_volume(Volume(lesion.edit.after, geometry, result.ct.storage), context.folder / after)
    inside = lesion.mask.on(box).astype("u1")
    write_volume(Volume(inside, geometry), context.folder / mask)
    return {
        "number": number,
        "box": {"start": list(box.start), "stop": list(box.stop)},
        "after": after,
        "mask": mask,
        "record": _plain(lesion_record(lesion)),
    }


def _on_device(request: Request, device: str, context: Context) -> Request:
    """The request on the device of the job, unless it names one itself."""
    check_device(device)
    if device == "cuda" and not request.runs_network:
        context.emit("warning", message=f"engine {request.engine} computes on the CPU; the GPU is not used")
        return request
    return request if device == "auto" or request.device != "auto" else replace(request, device=device)


def _check_expected(record: dict, expected: dict | None) -> None:
    """A case is saved only of what the user saw: the same inputs, the same lesions."""
    if expected is None:
        return
    for part, what in (("input", "the CT and the organ"), ("lesions", "the tumors")):
        if record[part] != expected.get(part):
            raise BadInput(
                f"{what} that were shown",
                f"others: {part} changed since the synthesis",
                "Synthesize again, then save.",
                kind="input_changed",
            )


def _plain(record: dict) -> dict:
    """As it comes back from a JSON file: lists for tuples, numbers for NumPy's."""
    return json.loads(json.dumps(record, default=lambda value: value.tolist()))
