"""One synthesis from files to a case folder: what the command, the batch and the demo all run."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from pathlib import Path

from freetumor.anatomy import organ
from freetumor.cases import Case, write_case
from freetumor.errors import BadInput
from freetumor.files import check_free
from freetumor.organs import OrganLabels, check_convention, label_organ, organ_labels
from freetumor.pipeline import Progress, Synthesis, synthesize
from freetumor.request import Request, engine_and_judges
from freetumor.synthesis.provenance import lesion_record
from freetumor.volume import Volume, check_ct, check_same_grid, on_grid, read_volume, resample_labels


@dataclass(frozen=True)
class Job:
    """Files in, case folder out; see the options of ``freetumor synthesize``."""

    ct: Path
    organ: str
    out: Path
    labels: Path | None = None
    label_convention: str = "freetumor"
    organ_values: tuple[int, ...] = ()
    mask: Path | None = None
    resample_labels: bool = False
    series: str | None = None
    request: Request = field(default_factory=Request)


@dataclass(frozen=True, eq=False)
class Outcome:
    """A written case with the synthesis in memory, the seconds each step took, and what is to be known."""

    case: Case
    synthesis: Synthesis
    seconds: dict[str, float]
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict:
        """For ``--json``."""
        return {
            "status": "done",
            "case": str(self.case.path),
            "organ": self.synthesis.labels.organ.name,
            "seed": self.synthesis.request.seed,
            "engine": self.synthesis.engine.name,
            "passed": all(lesion.verdict.passed for lesion in self.synthesis.lesions),
            "lesions": [lesion_record(lesion) for lesion in self.synthesis.lesions],
            "seconds": {step: round(s, 3) for step, s in self.seconds.items()},
            "warnings": list(self.warnings),
        }


def run(job: Job, progress: Progress = lambda message, share: None) -> Outcome:
    """Run `job`.

    Raises:
        BadInput, Rejected, OutputError: see their docstrings; nothing is left at ``job.out`` then.
    """
    clock = _Clock()
    _check_names(job)
    check_free(job.out)
    progress("reading", 0.0)
    ct = read_volume(job.ct, series=job.series)
    check_ct(ct, assume_hu=job.request.assume_hu)
    labels = read_labels(job, ct)
    mask = on_grid(read_volume(job.mask), ct.geometry) if job.mask else None
    clock.lap("read")
    progress("hashing", 0.3)
    hashes = {"ct": ct.fingerprint(), "labels": labels.labels.fingerprint()}
    if mask:
        hashes["mask"] = mask.fingerprint()
    clock.lap("hash")
    progress("synthesizing", 0.4)
    warnings: list[str] = []
    synthesis = synthesize(ct, labels, job.request, mask=mask, in_place=True, log=warnings.append)
    clock.lap("synthesize")
    progress("writing", 0.6)
    case = write_case(job.out, synthesis, hashes)
    clock.lap("write")
    progress("done", 1.0)
    return Outcome(case, synthesis, clock.laps, tuple(dict.fromkeys(warnings)))


def _check_names(job: Job) -> None:
    """Names that are not known, and models that are missing, are said before a large CT is read."""
    engine_and_judges(job.request, organ(job.organ), log=lambda _: None)
    check_convention(job.label_convention)


def read_labels(job: Job, ct: Volume) -> OrganLabels:
    """The organ's labels of `job` on the grid of `ct`: read, resampled if asked, or made."""
    row = organ(job.organ)
    if job.labels is None:
        return organ_labels(label_organ(ct, row), row)
    labels = on_grid(read_volume(job.labels), ct.geometry)
    if job.resample_labels and not ct.geometry.same_grid(labels.geometry):
        labels = resample_labels(labels, ct.geometry)
    check_same_grid(ct, labels, "the label map", hint="Add --resample-labels to resample it.")
    return organ_labels(labels, row, convention=job.label_convention, values=job.organ_values)


def parse_point(text: str) -> tuple[float, float, float]:
    """``"R,A,S"`` in mm to a point; raises :class:`BadInput`."""
    try:
        right, anterior, superior = (float(part) for part in text.split(","))
        if not all(map(math.isfinite, (right, anterior, superior))):
            raise ValueError(text)
    except ValueError as error:
        raise BadInput("a point R,A,S in mm such as -42.5,10,-130", repr(text), kind="usage") from error
    return right, anterior, superior


def parse_ids(text: str) -> tuple[int, ...]:
    """Label ids separated by blanks or commas; raises :class:`BadInput`."""
    parts = text.replace(",", " ").split()
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise BadInput("label ids above 0 such as 2 3", repr(text), kind="usage")
    return tuple(int(part) for part in parts)


class _Clock:
    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, step: str) -> None:
        now = time.perf_counter()
        self.laps[step] = now - self._last
        self._last = now
