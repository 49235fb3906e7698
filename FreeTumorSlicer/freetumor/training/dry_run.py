"""A training tried out: data lists read, one case prepared, one step taken, and all of it thrown away."""

from __future__ import annotations

import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from freetumor.errors import BadInput
from freetumor.models import accepted_for_now
from freetumor.training.built_on import engine_model, models_of
from freetumor.training.cache import Prepared
from freetumor.training.config_file import to_dict
from freetumor.training.configuration import Config
from freetumor.training.feeding import Feed, divided, facts, made_ready, samples
from freetumor.training.hardware import fabric_of
from freetumor.training.journal import Journal, Voice
from freetumor.training.loop import Trainer
from freetumor.training.sources import Case
from freetumor.training.terms import terms_of
from freetumor.training.train import check_terms, stage_of, widths_of

_TRIED = 5  # cases, for one that shows what the stage learns from
Made = TypeVar("Made")


def dry_run(config: Config, voice: Voice) -> dict:
    """Do one step as a training would; what there is and what it took. Nothing that it writes stays.

    Where a model that the stage builds on is not there yet, the step goes without it, and a note says so.

    Raises:
        BadInput: as :func:`freetumor.training.train.train`.
    """
    sides = divided(replace(config, data=replace(config.data, cache=None)))
    notes: list[str] = []
    stage = _or_without(notes, lambda: stage_of(config), lambda: stage_of(config, untrained=True))
    engine = _or_without(notes, lambda: engine_model(config), lambda: None)
    built_on = _or_without(notes, lambda: models_of(config), list)
    _or_without(notes, lambda: check_terms(config), lambda: None)
    learned = config.sampling.engine == "learned" and engine is None
    with accepted_for_now(), tempfile.TemporaryDirectory(prefix="freetumor-dry-run-") as folder:
        once = replace(
            config,
            out=Path(folder) / "run",
            data=replace(config.data, cache=Path(folder) / "cache"),
            sampling=replace(config.sampling, engine="procedural") if learned else config.sampling,
            loop=replace(
                config.loop, steps=1, accumulate=1, workers=0, tensorboard=False, validation_patches=0
            ),
        )
        scan, seen, seconds = _first_usable(once, sides["train"] or sides["val"], engine, voice)
        voice.progress("one step", 0.6)
        fabric = fabric_of(once.loop, widths_of(once, stage))
        fabric.launch()
        journal = Journal(once.out, Voice(voice.log), writes=True)
        journal.open(to_dict(once), resume=False)
        feed = Feed(seen, (), facts(config, sides["train"]))
        trainer = Trainer(fabric, stage, feed, once, journal)
        end = trainer.run()
    return {
        "status": "done",
        "stage": config.stage,
        "model": config.model_name,
        "cases": {side: len(cases) for side, cases in sides.items()},
        "case": {"name": scan.case.name, "shape": list(scan.record["shape"]), "seconds": round(seconds, 2)},
        "parameters": {part: sum(p.numel() for p in n.parameters()) for part, n in stage.trained.items()},
        "losses": trainer.last,
        "step_seconds": round(end.seconds, 2),
        "memory_bytes": _peak_memory(),
        "licence": feed.facts["licence"],
        "use": terms_of(config, feed.facts, built_on)["use"],
        "notes": list(dict.fromkeys(notes)),
    }


def _first_usable(
    config: Config, cases: Sequence[Case], engine: str | None, voice: Voice
) -> tuple[Prepared, Sequence, float]:
    """A case that shows what the stage learns from, its samples, and the seconds that it took to prepare."""
    likely = sorted(cases, key=lambda case: (not case.lesions_known, case.labels is None))[:_TRIED]
    for case in likely:
        voice.progress(f"preparing {case.name}", 0.2)
        started = time.perf_counter()
        scan = made_ready(config, case)
        seconds = time.perf_counter() - started
        try:
            return scan, samples(config, [scan], engine), seconds
        except BadInput as error:
            if error.kind != "no_cases" or case is likely[-1]:
                raise
    raise BadInput("cases to train on", "none", kind="no_cases")


def _or_without(notes: list[str], make: Callable[[], Made], otherwise: Callable[[], Made]) -> Made:
    """What `make` gives; without the model that it needs, what `otherwise` does, and a note."""
    try:
        return make()
    except BadInput as error:
        if error.kind != "no_model":
            raise
        notes.append(f"{error} This step went without it.")
        return otherwise()


def _peak_memory() -> int | None:
    """Bytes; None where the system does not say it."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if platform.system() == "Darwin" else 1024 * peak
