"""Whole-volume segmentation from files to files: what ``freetumor segment`` and the job "segment" run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from freetumor.anatomy import Organ, organ
from freetumor.models import model_for
from freetumor.models.model import Model
from freetumor.organs import OrganLabels, check_convention, organ_labels
from freetumor.segmentation.lesions import find_lesions
from freetumor.segmentation.whole_volume import OVERLAP, SMALLEST_MM3, Segmented, segment_volume
from freetumor.volume import (
    Volume,
    check_ct,
    check_output,
    check_same_grid,
    on_grid,
    read_volume,
    write_volume,
)

if TYPE_CHECKING:
    from freetumor.jobs import Context

Progress = Callable[[str, float], None]
_READ, _WRITE = 0.1, 0.95  # shares of the work: reading until, writing from


def segment_file(
    ct: Path,
    organ_name: str,
    out: Path,
    *,
    model: str | None = None,
    labels: Path | None = None,
    label_convention: str = "freetumor",
    organ_values: Sequence[int] = (),
    probabilities: Path | None = None,
    device: str = "auto",
    backend: str = "auto",
    overlap: float = OVERLAP,
    smallest_mm3: float = SMALLEST_MM3,
    series: str | None = None,
    assume_hu: bool = False,
    progress: Progress = lambda message, share: None,
    log: Callable[[str], None] | None = None,
) -> dict:
    """Segment the organ `organ_name` and its lesions in the CT `ct` and write the label map `out`.

    Args:
        ct: CT file or folder of DICOM files. series: its SeriesInstanceUID, where there are several.
        out, probabilities: label map and lesion probability to write; they must not exist yet.
        model: name or folder of a model; the default for the organ if None.
        labels: label map of the organ on the CT's grid, read by `label_convention` or `organ_values`: only
            what is around the organ is segmented.
        device: auto, cpu or cuda. backend: auto or a name of ``freetumor.nets.backends``.
        overlap: of windows, 0 to below 1. smallest_mm3: lesions below it are left out.
        progress: message and share done; may raise to stop. log: gets lines such as a fallback.

    Returns:
        For ``--json``: ``{"status": "done", "organ", "out", "probabilities", "model", "lesions": [...],
        "facts": {...}}``, each lesion with the fields of :class:`freetumor.segmentation.Lesion`.

    Raises:
        BadInput: see :func:`segment_volume`; also for files and names. Nothing is written then.
        OutputError: the disk is full.
    """
    row = organ(organ_name)
    check_convention(label_convention)
    for path in (out, probabilities):
        if path is not None:
            check_output(path)
    chosen = model_for("segmenter", row.name, model)
    progress("reading", 0.0)
    volume = read_volume(ct, series=series)
    check_ct(volume, assume_hu=assume_hu)
    read = _organ_labels(labels, volume, row, label_convention, organ_values)
    made, lesions = _segmented(
        volume,
        row,
        chosen,
        labels=read,
        device=device,
        backend=backend,
        overlap=overlap,
        smallest_mm3=smallest_mm3,
        progress=progress,
        log=log,
    )
    progress("writing", _WRITE)
    write_volume(made.labels, out)
    if probabilities is not None:
        try:
            write_volume(made.probability, probabilities)
        except BaseException:
            Path(out).unlink(missing_ok=True)  # both or none
            raise
    return {
        "status": "done",
        "organ": row.name,
        "out": str(out),
        "probabilities": str(probabilities) if probabilities is not None else None,
        "model": chosen.name,
        "lesions": lesions,
        "facts": made.facts,
    }


def segment_in_folder(context: Context) -> dict:
    """The job "segment".

    Parameters of the job: ``ct`` (file), ``organ``; optional ``model``, ``labels`` (file) with
    ``label_convention`` or ``organ_values``, ``device``, ``backend``, ``overlap``, ``smallest_mm3``,
    ``assume_hu``.

    Returns:
        ``{"labels": "labels-segmented.nii", "probability": "probability.nii", "organ", "model", "lesions":
        [...], "facts": {...}}``. A stop takes effect between two windows.
    """
    given = context.parameters
    context.required("ct")
    row = organ(str(context.required("organ")))
    chosen = model_for("segmenter", row.name, given.get("model"))
    context.progress("reading", 0.0)
    volume = read_volume(context.path("ct"))
    check_ct(volume, assume_hu=bool(given.get("assume_hu")))
    read = _organ_labels(
        context.path("labels"),
        volume,
        row,
        str(given.get("label_convention") or "freetumor"),
        tuple(given.get("organ_values") or ()),
    )
    made, lesions = _segmented(
        volume,
        row,
        chosen,
        labels=read,
        device=str(given.get("device") or "auto"),
        backend=str(given.get("backend") or "auto"),
        overlap=float(given.get("overlap", OVERLAP)),
        smallest_mm3=float(given.get("smallest_mm3", SMALLEST_MM3)),
        progress=context.progress,
        log=lambda message: context.emit("log", message=message),
    )
    context.progress("writing", _WRITE)
    names = {"labels": "labels-segmented.nii", "probability": "probability.nii"}
    write_volume(made.labels, context.folder / names["labels"])
    write_volume(made.probability, context.folder / names["probability"])
    return {**names, "organ": row.name, "model": chosen.name, "lesions": lesions, "facts": made.facts}


def _organ_labels(
    path: Path | None, ct: Volume, row: Organ, convention: str, values: Sequence[int]
) -> OrganLabels | None:
    if path is None:
        return None
    labels = on_grid(read_volume(path), ct.geometry)
    check_same_grid(ct, labels, "the label map", hint="Resample it to the CT first.")
    return organ_labels(labels, row, convention=convention, values=values)


def _segmented(
    ct: Volume, row: Organ, model: Model, *, progress: Progress, **options: object
) -> tuple[Segmented, list[dict]]:
    def partly(message: str, share: float) -> None:
        progress(message, _READ + (_WRITE - _READ) * share)

    made = segment_volume(ct, row, model, progress=partly, **options)
    found = find_lesions(made.labels, row, ct=ct, probability=made.probability)
    return made, [asdict(lesion) for lesion in found]
