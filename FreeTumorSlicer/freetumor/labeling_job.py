"""Organ labels from files to files: what ``freetumor label-organs`` and the job "label-organs" run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from freetumor.anatomy import Organ
from freetumor.errors import BadInput
from freetumor.files import write_json
from freetumor.labelers import Labeler, Options, labeler_for, rows_of
from freetumor.synthesis.provenance import software
from freetumor.volume import Volume, check_ct, check_output, read_volume, write_volume
from freetumor.volume.reading import suffix_of

if TYPE_CHECKING:
    from freetumor.jobs import Context

SCHEMA = 1
NOTICE = "PSEUDO-LABELS: organs labelled by a computer, checked by nobody. Not for clinical use."
_READ, _WRITE = 0.1, 0.95  # shares of the work: reading until, writing from


def label_file(
    ct: Path,
    organs: Sequence[str],
    out: Path,
    *,
    labeler: str | None = None,
    options: Options | None = None,
    series: str | None = None,
    assume_hu: bool = False,
) -> dict:
    """Label `organs` in the CT `ct` and write the label map `out`, with ``NAME.provenance.json`` beside it.

    Args:
        ct: CT file or folder of DICOM files. series: its SeriesInstanceUID, where there are several.
        organs: names of the organ table, of one group.
        labeler: of :data:`freetumor.labelers.LABELERS`; None: the first that can label them here.

    Returns:
        For ``--json``: ``{"status": "done", "out", "labeler", "model", "organs": [{"organ", "label", "ml"}],
        "warnings": [...]}``.

    Raises:
        BadInput: see :func:`labeler_for` and the labelers; "organ_absent": nothing was found. Nothing is
            written then.
        OutputError: the disk is full.
    """
    options = options or Options()
    rows = rows_of(organs)
    chosen = labeler_for(rows, labeler, options)
    check_output(out)
    return label(ct, rows, out, chosen, options, series=series, assume_hu=assume_hu)


def label_in_folder(context: Context) -> dict:
    """The job "label-organs": CT in, label map out, in the job's folder.

    Parameters: ct, organ or organs, and perhaps labeler, model, fast, device, backend, out, assume_hu.
    """
    given = context.parameters
    organs = given.get("organs") or [context.required("organ")]
    context.required("ct")
    name = str(given.get("out") or "labels.nii")
    options = Options(
        model=given.get("model"),
        fast=given.get("fast"),
        device=str(given.get("device") or "auto"),
        backend=str(given.get("backend") or "auto"),
        progress=context.progress,
        log=lambda message: context.emit("log", message=message),
    )
    rows = rows_of([str(organ) for organ in organs])
    chosen = labeler_for(rows, given.get("labeler"), options)
    ct, out, assume_hu = context.path("ct"), context.folder / name, bool(given.get("assume_hu"))
    made = label(ct, rows, out, chosen, options, assume_hu=assume_hu)
    told = {key: made[key] for key in ("labeler", "model", "organs")}
    return {"labels": name, "organ": rows[0].name, "value": rows[0].organ_label, **told}


def label(
    path: Path,
    rows: Sequence[Organ],
    out: Path,
    labeler: Labeler,
    options: Options,
    *,
    series: str | None = None,
    assume_hu: bool = False,
) -> dict:
    """Read a CT, label `rows` in it, write labels and provenance; as :func:`label_file`, `out` unchecked."""
    progress, warnings = options.progress, []

    def partly(message: str, share: float) -> None:
        progress(message, _READ + (_WRITE - _READ) * share)

    def log(message: str) -> None:
        warnings.append(message)
        options.log(message)

    progress("reading", 0.0)
    ct = read_volume(path, series=series)
    check_ct(ct, assume_hu=assume_hu)
    made = labeler.label(ct, rows, replace(options, progress=partly, log=log))
    found = [{"organ": r.name, "label": r.organ_label, "ml": round(_ml(made.labels, r), 1)} for r in rows]
    absent = [entry["organ"] for entry in found if not entry["ml"]]
    if len(absent) == len(found):
        raise BadInput(
            f"a CT that shows {', '.join(absent)}",
            f"one where {labeler.name} finds none of it",
            "Check that the scan shows it; or take another labeler.",
            kind="organ_absent",
        )
    if absent:
        log(f"not found: {', '.join(absent)}")
    progress("writing", _WRITE)
    record = record_of(out)
    # Before the labels, so that there are none without it.
    write_json(record, _provenance(ct, rows, found, made.record))
    try:
        write_volume(made.labels, out)
    except BaseException:
        record.unlink(missing_ok=True)
        raise
    return {
        "status": "done",
        "out": str(out),
        "labeler": labeler.name,
        "model": made.record.get("model"),
        "organs": found,
        "warnings": list(dict.fromkeys(warnings)),
    }


def record_of(out: Path) -> Path:
    """The file with the provenance of a label map."""
    return out.with_name(f"{out.name.removesuffix(suffix_of(out))}.provenance.json")


def _provenance(ct: Volume, rows: Sequence[Organ], found: Sequence[Mapping], labeler: Mapping) -> dict:
    return {
        "schema": SCHEMA,
        "notice": NOTICE,
        "software": software(),
        "input": {
            "ct_sha256": ct.fingerprint(),
            "shape_kji": list(ct.array.shape),
            "spacing_kji_mm": [round(s, 6) for s in ct.geometry.spacing],
        },
        "group": rows[0].group,
        "organs": list(found),
        "labeler": dict(labeler),
    }


def _ml(labels: Volume, organ: Organ) -> float:
    both = (organ.organ_label, organ.lesion_label)
    inside = sum(np.count_nonzero(plane == value) for plane in labels.array for value in both)
    return inside * labels.geometry.voxel_volume / 1000.0
