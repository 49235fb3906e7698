"""From a configuration to samples: cases read, divided, prepared, and the sets of patches of a stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from freetumor.errors import BadInput
from freetumor.training.augment import Augment
from freetumor.training.cache import Prepared, prepared
from freetumor.training.configuration import Config
from freetumor.training.contours import read_contours
from freetumor.training.fingerprints import fingerprints
from freetumor.training.patch_settings import NO_ENGINE, PatchSettings
from freetumor.training.patches import PatchSet
from freetumor.training.sources import Case, read_cases
from freetumor.training.splits import split_cases

ENDLESS = 2**40  # samples: more than any training sees
_VALIDATION_SEED = 1 << 20  # far from any seed that somebody takes
_NAMED = 12  # cases that a card names one by one

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Feed:
    """What a run learns from: samples by number, fixed ones to validate, what the card says of them."""

    train: Sequence[Mapping]
    validation: Sequence[Mapping]
    facts: Mapping


class Pairs:
    """Samples for a generator: ``fake``, a mask in a CT with noise fields, and ``real``, a real tumor.

    The noise is standard normal, float32, of the image's shape; it follows from seed and number, as the rest.
    `other` adds a second field, which is to give another tumor.
    """

    def __init__(self, masks: PatchSet, tumors: PatchSet, seed: int, *, other: bool) -> None:
        self._masks, self._tumors, self._seed, self._other = masks, tumors, seed, other

    def __len__(self) -> int:
        return len(self._masks)

    def __getitem__(self, n: int) -> dict[str, dict]:
        fake = dict(self._masks[n])
        rng = np.random.default_rng([self._seed, n, 1])
        for name in ("noise", "other_noise")[: 1 + self._other]:
            fake[name] = rng.standard_normal(fake["image"].shape, dtype=np.float32)
        return {"fake": fake, "real": self._tumors[n]}


def divided(config: Config) -> dict[str, list[Case]]:
    """The cases of the configuration's group by side, "train", "val" and "test".

    What tells scans apart is kept in the configuration's cache; without one nothing is written.

    Raises:
        BadInput: there is no source, or see :func:`read_cases` and :func:`split_cases`.
    """
    if not config.data.sources:
        hint = 'Such as: [[data.sources]] kind = "msd", path = "Task03_Liver".'
        raise BadInput("data.sources in the configuration", "none", hint, kind="bad_config")
    cases = [case for source in config.data.sources for case in read_cases(source, config.data.root)]
    cases = [case for case in cases if case.group == config.group]
    if not cases:
        raise BadInput(f"cases of the {config.group}", "none in data.sources", kind="no_cases")
    data = config.data
    return split_cases(
        cases,
        folds=data.folds,
        fold=data.fold,
        seed=data.split_seed,
        # Kept, or every start would read every CT before a training says its first word.
        identify=lambda case: fingerprints(case, data.cache),
    )


def feed_of(config: Config, model: str | None, progress: Progress) -> Feed:
    """The samples of the stage of `config`; `model`: folder of the engine's, where it needs one.

    Raises:
        BadInput: see :func:`divided`, :func:`prepared` and :class:`PatchSet`.
    """
    sides = divided(config)
    wanted = [*sides["train"], *sides["val"]]
    ready: dict[str, list[Prepared]] = {"train": [], "val": []}
    for number, case in enumerate(wanted):
        progress(f"preparing {case.name}", number / len(wanted))
        side = "train" if number < len(sides["train"]) else "val"
        ready[side].append(made_ready(config, case))
    return Feed(
        samples(config, ready["train"], model),
        validation(config, ready["val"]),
        facts(config, sides["train"]),
    )


def made_ready(config: Config, case: Case) -> Prepared:
    """A case on the working grid of the configuration, from its cache."""
    grid = config.grid
    return prepared(case, grid.spacing, grid.window, config.group, config.data.cache)


def samples(config: Config, cases: Sequence[Prepared], model: str | None) -> PatchSet | Pairs:
    """The endless samples that a stage learns from."""
    settings = patch_settings(config, model)
    if config.stage == "generator":
        return _pairs(config, cases, settings, config.seed, ENDLESS, other=True)
    return PatchSet(cases, settings, config.seed, ENDLESS)


def validation(config: Config, cases: Sequence[Prepared]) -> Sequence[Mapping]:
    """The same patches for every validation: real tumors, or organs where they are all that is learned, or
    masks for a generator; none without cases."""
    count, settings = (
        config.loop.validation_patches,
        replace(patch_settings(config, None), augment=None),
    )
    if not cases or not count:
        return ()
    if config.stage == "generator":
        return _pairs(config, cases, settings, _VALIDATION_SEED, count, other=False)
    # Real ones only: how well it finds what it was made of itself tells nothing.
    real = replace(settings, real=1.0, synthetic=0.0, tumor_free=0.5, small=None)
    organs = replace(real, real=0.0, tumor_free=1.0)
    with_tumors = _set_or_none(cases, real, count) if config.lesion_classes else None
    return with_tumors or _set_or_none(cases, organs, count) or ()


def _set_or_none(cases: Sequence[Prepared], settings: PatchSettings, count: int) -> PatchSet | None:
    """The validation's patches; None where the cases show no such thing."""
    try:
        return PatchSet(cases, settings, _VALIDATION_SEED, count)
    except BadInput as error:
        if error.kind != "no_cases":
            raise
        return None


def patch_settings(config: Config, model: str | None) -> PatchSettings:
    """What the patches of a stage show."""
    chosen = config.sampling
    return PatchSettings(
        patch=config.grid.patch,
        organs=config.organs,
        real=chosen.real,
        synthetic=0.0 if chosen.mode == "real" else chosen.synthetic,
        tumor_free=chosen.tumor_free,
        foreground=chosen.foreground,
        avoid_lesions=bool(config.lesion_classes),
        small=chosen.small,
        augment=Augment(**asdict(config.augment)),
        engine=chosen.engine,
        model=model,
        quality_test=chosen.quality_test,
        judge_model=chosen.judge or None,
        threshold=chosen.threshold,
        tries=chosen.tries,
    )


def facts(config: Config, cases: Sequence[Case]) -> dict:
    """What a card says of the training cases."""
    licences: dict[str, list[Case]] = {}
    for case in cases:
        licences.setdefault(case.licence or "not stated", []).append(case)
    data = [
        {"name": _named(some), "cases": len(some), "licence": licence} for licence, some in licences.items()
    ]
    made_here = [c.name for c in cases if c.contours and not read_contours(c.contours)[c.name].expert]
    return {
        "training_data": data,
        "licence": config.licence or "; ".join(sorted(licences)) or "not stated",
        "non_expert_contours": made_here,
    }


def _pairs(
    config: Config, cases: Sequence[Prepared], settings: PatchSettings, seed: int, count: int, *, other: bool
) -> Pairs:
    """Masks in every case with the organ, real tumors where they are labelled."""
    masks = replace(
        settings, real=0.0, synthetic=1.0, tumor_free=0.0, engine=NO_ENGINE, model=None, quality_test=False
    )
    tumors = replace(masks, real=1.0, synthetic=0.0)
    # A validation asks nothing of real tumors.
    real = PatchSet(cases, tumors if other else masks, seed, count)
    return Pairs(PatchSet(cases, masks, seed, count), real, seed, other=other)


def _named(cases: Sequence[Case]) -> str:
    names = [case.name for case in cases]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
