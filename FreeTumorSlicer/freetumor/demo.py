"""The demo: one tumor in each organ of a real CT, quality test, paired export and a report."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from PIL import Image

from freetumor.anatomy import ORGANS
from freetumor.errors import BadInput, Rejected
from freetumor.export import FORMATS, export
from freetumor.files import check_free, os_errors
from freetumor.job import Job, Outcome, run
from freetumor.pipeline import Progress, Request
from freetumor.report.html import Section, write_report
from freetumor.report.preview import lesion_picture, stacked
from freetumor.sample_data import ATTRIBUTION, fetch_sample

# Diameters in mm that show each lesion well; all within the middle half of real tumors' sizes.
DIAMETERS = {"liver": 15.0, "pancreas": 20.0, "kidney": 28.0, "lung": 18.0, "covid": 36.0}
# Kinds of BadInput that leave out an organ rather than end the demo.
_LEFT_OUT = (
    "organ_absent",
    "organ_too_small",
    "does_not_fit",
    "size_below_grid",
    "implausible_labels",
    "wrong_convention",
)


@dataclass(frozen=True, eq=False)
class _Try:
    organ: str
    said: str
    outcome: Outcome | None


def run_demo(
    ct: Path | None, labels: Path | None, convention: str, out: Path | None, seed: int, progress: Progress
) -> dict:
    """Run the demo on the sample CT, or on `ct` with `labels`.

    Organs that the user's own scan does not hold, or where the lesion does not fit, are left out and named.
    Without `out` the first free of demo-output, demo-output-2, ... is taken.

    Raises:
        BadInput: a CT without labels, `out` exists, or not one organ could be done.
    """
    if (ct is None) != (labels is None):
        raise BadInput("both --ct and --labels, or neither", "one of them", kind="usage")
    out = _free(Path("demo-output")) if out is None else out
    check_free(out)
    try:
        return _run(ct, labels, convention, out, seed, progress)
    except BaseException:
        shutil.rmtree(out, ignore_errors=True)
        raise


def _run(
    ct: Path | None, labels: Path | None, convention: str, out: Path, seed: int, progress: Progress
) -> dict:
    started = time.perf_counter()
    attribution = ""
    if ct is None:
        progress("fetching the sample CT (35 MB, once)", 0.0)
        sample = fetch_sample()
        ct, labels, attribution = sample.ct, sample.labels, ATTRIBUTION
    tries = []
    for number, name in enumerate(ORGANS):
        progress(f"{ORGANS[name].title}", (number + 0.2) / (len(ORGANS) + 1))
        request = Request(diameter=DIAMETERS.get(name), seed=seed)
        job = Job(ct, name, out / "cases" / name, labels, convention, request=request)
        tries.append(_try(job))
    outcomes = [t.outcome for t in tries if t.outcome is not None]
    if not outcomes:
        raise BadInput(
            "a CT with at least one organ that a tumor fits into",
            "; ".join(f"{t.organ}: {t.said}" for t in tries),
            kind="organ_absent",
        )
    progress("exporting pairs and writing the report", len(ORGANS) / (len(ORGANS) + 1))
    exported = _export(outcomes, out)
    sections = [Section(t.organ, t.said, t.outcome) for t in tries]
    total = time.perf_counter() - started
    with os_errors(out):
        report = write_report(out / "report.html", sections, exported, attribution, total)
        overview(outcomes).save(out / "overview.png")
    return {
        "status": "done",
        "report": str(report.resolve()),
        "organs": [
            {"organ": t.organ, "said": t.said, "done": t.outcome is not None}
            | ({} if t.outcome is None else t.outcome.to_dict())
            for t in tries
        ],
        "exports": exported,
        "seconds": round(total, 2),
    }


def overview(outcomes: list[Outcome]) -> Image.Image:
    """The axial slice through the first lesion of each outcome, one below the other."""
    synthesized = [outcome.synthesis for outcome in outcomes]
    return stacked([lesion_picture(s, s.lesions[0], planes=("axial",)) for s in synthesized])


def _free(folder: Path) -> Path:
    """`folder`, or the first of folder-2, folder-3, ... that does not exist."""
    names = (folder if n == 1 else folder.with_name(f"{folder.name}-{n}") for n in count(1))
    return next(name for name in names if not name.exists())


def _try(job: Job) -> _Try:
    try:
        outcome = run(job)
    except (BadInput, Rejected) as error:
        if isinstance(error, BadInput) and error.kind not in _LEFT_OUT:
            raise
        return _Try(job.organ, f"left out: {error}", None)
    lesion = outcome.synthesis.lesions[0]
    said = (
        f"asked {lesion.mask.asked_mm:.1f} mm, got {lesion.mask.diameter_mm:.1f} mm, "
        f"{lesion.measured['contrast_hu']:+.0f} HU, quality test passed"
    )
    return _Try(job.organ, said, outcome)


def _export(outcomes: list[Outcome], out: Path) -> list[dict]:
    groups: dict[str, list[Path]] = {}
    for outcome in outcomes:
        groups.setdefault(outcome.synthesis.labels.organ.group, []).append(outcome.case.path)
    return [
        export(paths, form, out / "export" / form / group)
        for form in FORMATS
        for group, paths in groups.items()
    ]
