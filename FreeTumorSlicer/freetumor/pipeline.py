"""The one transaction: CT + organ labels + mask -> CT with tumors, each past the quality test."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from freetumor.anatomy import SIZE_CLASSES, Organ
from freetumor.errors import BadInput, Rejected
from freetumor.masks import DoesNotFit, TumorMask, drawn_masks, sample_diameter, sample_mask
from freetumor.organs import OrganLabels
from freetumor.quality import Evidence, Judge, Verdict, quality_test
from freetumor.request import Request, engine_and_judges
from freetumor.synthesis.compose import Edit, compose
from freetumor.synthesis.engines import Engine, Log, warn
from freetumor.synthesis.patch import Patch
from freetumor.volume import Box, Volume
from freetumor.volume.checks import check_ct, check_same_grid

JUDGE_CONTEXT_MM = 14.0
_HU_SAMPLES = 20_000
_MINIMUM_PLAUSIBLE = 0.6  # share of the organ's voxels with plausible HU; less tells labels of another scan

Progress = Callable[[str, float], None]


@dataclass(frozen=True, eq=False)
class Lesion:
    """One synthetic tumor: its mask, its edit, what the quality test said, and the tries before it."""

    number: int
    mask: TumorMask
    edit: Edit
    parameters: dict
    verdict: Verdict
    measured: dict
    rejected: tuple[Verdict, ...] = ()


@dataclass(frozen=True, eq=False)
class Synthesis:
    """The result: the edited CT, its lesions, what was asked, and who made and judged it.

    `judges`: records of the judges, for the provenance.
    """

    ct: Volume
    labels: OrganLabels
    request: Request
    lesions: tuple[Lesion, ...]
    engine: Engine
    judges: tuple[dict, ...] = ()

    def undo(self) -> None:
        """Take all lesions out of :attr:`ct` again, in place: the input, bit for bit."""
        for lesion in reversed(self.lesions):
            lesion.edit.undo(self.ct)

    def redo(self) -> None:
        """Put all lesions back after :meth:`undo`, in place."""
        for lesion in self.lesions:
            lesion.edit.apply(self.ct)

    def original(self, box: Box) -> np.ndarray:
        """Stored values in `box` as they were before the first lesion: (k, j, i)."""
        stored = self.ct.array[box.slices].copy()
        # Backwards: what a later lesion was put upon already held the earlier ones.
        for lesion in reversed(self.lesions):
            common = box.common(lesion.edit.box)
            if common.size:
                stored[common.within(box)] = lesion.edit.before[common.within(lesion.edit.box)]
        return stored

    def instances(self) -> np.ndarray:
        """Lesion instances 1..N on the CT's grid: uint8 (uint16 above 255), (k, j, i)."""
        dtype = np.uint8 if len(self.lesions) < 256 else np.uint16
        out = np.zeros(self.ct.array.shape, dtype)
        for lesion in self.lesions:
            out[lesion.mask.box.slices][lesion.mask.inside] = lesion.number
        return out


def synthesize(
    ct: Volume,
    labels: OrganLabels,
    request: Request,
    *,
    mask: Volume | None = None,
    in_place: bool = False,
    progress: Progress = lambda message, share: None,
    log: Log = warn,
) -> Synthesis:
    """Put tumors into `ct`.

    Args:
        ct: the CT, any storage; only boxes around the lesions are touched.
        labels: the organ, on the CT's grid.
        request: sizes, places, seed, engine, quality test.
        mask: a drawn mask on the CT's grid instead of sampled lesions.
        in_place: edit `ct` itself (undone if anything fails) instead of a copy.
        progress: called with a message and the share done, 0..1.
        log: takes what the user should know: another backend than asked for, a judge that is not independent.

    Raises:
        BadInput: the CT, labels, mask or request are not usable; says why.
        Rejected: the quality test refused a lesion on every try (with ``gate``).
    """
    maker, judges = engine_and_judges(request, labels.organ, log)
    check_ct(ct, assume_hu=request.assume_hu)
    check_same_grid(ct, labels.labels, "the label map", hint="Add --resample-labels to resample it.")
    if not request.assume_hu:
        _check_organ_hu(ct, labels)
    drawn = None
    if mask is not None:
        if request.diameter is not None or request.size_class is not None or request.at:
            raise BadInput("a drawn mask or a size and place", "both", "Leave one out.", kind="usage")
        check_same_grid(ct, mask, "the tumor mask", hint="Draw it on this CT.")
        drawn = drawn_masks(mask, labels)
        if request.count not in (1, len(drawn)):
            raise BadInput(
                "as many lesions as the mask has", f"--count {request.count} for {len(drawn)}", kind="usage"
            )
        request = replace(request, count=len(drawn))
    result = ct if in_place else ct.copy()
    lesions: list[Lesion] = []
    try:
        for number in range(request.count):
            progress(f"lesion {number + 1} of {request.count}", number / request.count)
            lesion = _one_lesion(result, labels, request, maker, judges, number, drawn, lesions)
            lesion.edit.apply(result)
            lesions.append(lesion)
    except BaseException:
        for lesion in reversed(lesions):
            lesion.edit.undo(result)
        raise
    progress("done", 1.0)
    records = tuple({"name": name, **_record(judge)} for name, judge in judges.items())
    return Synthesis(result, labels, request, tuple(lesions), maker, records)


def _record(judge: Judge) -> dict:
    return judge.record() if hasattr(judge, "record") else {}


def _one_lesion(
    ct: Volume,
    labels: OrganLabels,
    request: Request,
    maker: Engine,
    judges: Mapping[str, Judge],
    number: int,
    drawn: list[TumorMask] | None,
    before: list[Lesion],
) -> Lesion:
    rejected: list[Verdict] = []
    for attempt in range(request.tries):
        rng = LesionRandom.of(request.seed, labels.organ, number, attempt)
        mask = drawn[number] if drawn is not None else _sampled(ct, labels, request, number, rng, before)
        earlier = [lesion.mask for lesion in before]
        patch = Patch.around(ct, labels, mask, max(maker.context_mm, JUDGE_CONTEXT_MM), earlier)
        lesion = _make(patch, request, maker, judges, rng.look, number, rejected)
        if lesion.verdict.passed:
            return lesion
        rejected.append(lesion.verdict)
    if not request.gate:
        return lesion
    reasons = "; ".join(rejected[-1].reasons)
    raise Rejected(
        f"the quality test rejected lesion {number + 1} in {request.tries} tries: {reasons}. "
        "Another --seed may do better; --no-gate keeps it, with this verdict.",
        [v.to_dict() for v in rejected],
    )


def _sampled(
    ct: Volume,
    labels: OrganLabels,
    request: Request,
    number: int,
    rng: LesionRandom,
    before: list[Lesion],
) -> TumorMask:
    """A sampled mask. A size that was drawn, not asked for, gives way to one of its class that fits."""
    diameter = request.diameter or sample_diameter(labels.organ, request.size_class, rng.size)
    where = {
        "at": request.at[number] if request.at else None,
        "exophytic": request.exophytic,
        "taken": [lesion.mask for lesion in before],
    }
    try:
        return sample_mask(ct, labels, diameter, rng.mask, **where)
    except DoesNotFit as error:
        classes = [request.size_class] if request.size_class else list(SIZE_CLASSES)
        least = min(labels.organ.size_class(name)[0] for name in classes)
        if request.diameter is not None or error.largest_mm < least:
            raise
        return sample_mask(ct, labels, max(least, 0.95 * error.largest_mm), rng.mask, **where)


@dataclass(frozen=True, eq=False)
class LesionRandom:
    """Chance of one try at one lesion, one generator for each step: what one uses up moves no other."""

    size: np.random.Generator
    mask: np.random.Generator
    look: np.random.Generator

    @classmethod
    def of(cls, seed: int, organ: Organ, number: int = 0, attempt: int = 0) -> LesionRandom:
        """The generators of lesion `number` (from 0) of `organ`; the size is the same in every attempt."""
        # The organ's name is in it, or one seed would give all organs of a study the same shape.
        lesion = [seed, zlib.crc32(organ.name.encode()), number]
        size, mask, look = lesion, [*lesion, 1 + attempt, 0], [*lesion, 1 + attempt, 1]
        return cls(*(np.random.default_rng(entropy) for entropy in (size, mask, look)))


def _make(
    patch: Patch,
    request: Request,
    maker: Engine,
    judges: Mapping[str, Judge],
    rng: np.random.Generator,
    number: int,
    rejected: list[Verdict],
) -> Lesion:
    residual = maker.residual(patch, rng, request.style)
    edit = compose(patch.ct, patch, residual.hu)
    evidence = Evidence(patch, Volume(edit.after, patch.geometry, patch.ct.storage).hu())
    verdict = quality_test(evidence, judges)
    measured = {
        "lesion_hu": round(evidence.level, 2),
        "organ_hu": round(evidence.organ_level, 2),
        "contrast_hu": round(evidence.contrast, 2),
        "mean_change_hu": round(float(evidence.change[patch.inside].mean()), 2),
    }
    return Lesion(number + 1, patch.mask, edit, residual.parameters, verdict, measured, tuple(rejected))


def _check_organ_hu(ct: Volume, labels: OrganLabels) -> None:
    """The organ's median HU is one an organ of that name can have: catches wrong labels and wrong units."""
    step = [max(1, int(3.0 // s)) for s in ct.geometry.spacing]
    thinned = Volume(
        ct.array[tuple(slice(None, None, s) for s in step)], ct.geometry.strided(step), ct.storage
    )
    where = labels.strided(step)
    sample = thinned.array[where]
    sample = sample[:: max(1, sample.size // _HU_SAMPLES)]
    hu = sample * np.float64(ct.storage.slope) + ct.storage.intercept
    low, high = labels.organ.organ_hu
    share = float(((hu >= low) & (hu <= high)).mean())
    median = float(np.median(sample)) * ct.storage.slope + ct.storage.intercept
    if not low <= median <= high or share < _MINIMUM_PLAUSIBLE:
        raise BadInput(
            f"a {labels.organ.site.meaning.lower()} between {low:g} and {high:g} HU",
            f"a median of {median:.0f} HU under its label, {share:.0%} of it in that range",
            "Is this a CT in HU, and are these its labels? --assume-hu skips this check.",
            kind="implausible_labels",
        )
