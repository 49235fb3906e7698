"""report.html: one self-contained page that shows and judges every synthetic tumor."""

from __future__ import annotations

import base64
import io
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from freetumor.anatomy import ORGANS
from freetumor.job import Outcome
from freetumor.report.page import render
from freetumor.report.preview import lesion_picture
from freetumor.synthesis.patch import Patch
from freetumor.synthesis.provenance import NOTICE, lesion_record

_WIDTH, _HEIGHT = 460, 170


@dataclass(frozen=True, eq=False)
class Section:
    """One organ of the report: what was said of it and, if it was done, the outcome."""

    organ: str
    said: str
    outcome: Outcome | None


def write_report(
    path: Path, sections: list[Section], exports: list[dict], attribution: str, seconds: float
) -> Path:
    """Write the page; pictures and plots are inside it. Returns `path`."""
    page = render(
        "report/report.html",
        notice=NOTICE,
        attribution=attribution,
        seconds=seconds,
        lesions=[view for section in sections if section.outcome for view in _views(section)],
        left_out=[(ORGANS[section.organ].title, section.said) for section in sections if not section.outcome],
        exports=exports,
    )
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        partial.write_text(page, "utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def _views(section: Section) -> list[dict]:
    synthesis = section.outcome.synthesis
    views = []
    for lesion in synthesis.lesions:
        picture = io.BytesIO()
        lesion_picture(synthesis, lesion).save(picture, "PNG")
        synthesis.undo()
        patch = Patch.around(synthesis.ct, synthesis.labels, lesion.mask, 14.0)
        synthesis.redo()
        after = synthesis.ct.hu(patch.box)
        views.append(
            {
                "title": synthesis.labels.organ.title,
                "record": lesion_record(lesion),
                "seconds": section.outcome.seconds,
                "picture": base64.b64encode(picture.getvalue()).decode(),
                "histogram": histogram(patch.hu[patch.inside], after[patch.inside], patch.hu[patch.shell]),
            }
        )
    return views


def histogram(before: np.ndarray, after: np.ndarray, organ: np.ndarray) -> dict:
    """HU histograms as SVG paths with their axis: ``{"paths", "ticks", "width", "height"}``.

    Each is scaled to its own maximum: what matters is where they lie, not how many voxels each has.
    """
    low, high = np.percentile(np.concatenate([before, after, organ]), [0.5, 99.5])
    pad = 0.06 * (high - low) + 1.0
    # About ten values a bin, or a small lesion would be all spikes.
    bins = int(np.clip(after.size / 10, 14, 60))
    edges = np.linspace(low - pad, high + pad, bins + 1)
    paths = {}
    for name, values in (("organ", organ), ("before", before), ("after", after)):
        counts = np.histogram(values, edges)[0].astype(float)
        counts /= max(counts.max(), 1.0)
        x = np.repeat(np.linspace(0, _WIDTH, bins + 1), 2)
        y = _HEIGHT - np.concatenate([[0], np.repeat(counts, 2), [0]]) * (_HEIGHT - 8)
        paths[name] = "M" + " L".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    step = _nice_step((edges[-1] - edges[0]) / 6.0)
    values = [int(v) for v in np.arange(np.ceil(edges[0] / step) * step, edges[-1], step)]
    ticks = [(float((v - edges[0]) / (edges[-1] - edges[0]) * _WIDTH), str(v)) for v in values]
    return {"paths": paths, "ticks": ticks, "width": _WIDTH, "height": _HEIGHT}


def _nice_step(raw: float) -> float:
    power = 10.0 ** np.floor(np.log10(max(raw, 1.0)))
    return float(power * next(m for m in (1, 2, 5, 10) if m * power >= raw))
