"""One stage of the training, from its configuration to a model's folder."""

from __future__ import annotations

import platform
from pathlib import Path

import torch

from freetumor.errors import BadInput, FreeTumorError
from freetumor.models import Model, accepted_for_now, check_consent, save_model
from freetumor.nets import multiple, write_network_weights
from freetumor.nets.weights import read_tensors
from freetumor.training.built_on import critic_of, engine_model, models_of, without_consent
from freetumor.training.config_file import to_dict
from freetumor.training.configuration import Config
from freetumor.training.feeding import feed_of
from freetumor.training.generator_stage import GeneratorStage
from freetumor.training.hardware import fabric_of, hardware
from freetumor.training.journal import BEST, MODEL, Journal, Voice
from freetumor.training.loop import End, Trainer
from freetumor.training.stages import SegmenterStage, Stage
from freetumor.training.terms import terms_of


def train(config: Config, voice: Voice, *, resume: bool = False) -> dict | None:
    """Train the stage of `config` and write its model; what happened, None for all but the first process.

    Raises:
        BadInput: configuration, data or a model that it builds on are not usable; or there is a run already;
            kind "consent": it would build on research weights whose terms were not accepted.
        TrainingFailed: see :mod:`freetumor.training.signatures`.
        FreeTumorError: kind "stopped": somebody asked for it.
        OutputError: the disk is full.
    """
    check_terms(config)
    with accepted_for_now():  # the samples' workers need not ask again
        return _train(config, models_of(config), voice, resume=resume)


def check_terms(config: Config) -> None:
    """Raise :class:`BadInput`, kind "consent", where a model that it builds on waits for consent."""
    for model in without_consent(config):
        check_consent(model)


def _train(config: Config, built_on: list[Model], voice: Voice, *, resume: bool) -> dict | None:
    stage, engine = stage_of(config), engine_model(config)
    fabric = fabric_of(config.loop, widths_of(config, stage))
    fabric.launch()
    journal = Journal(config.out, voice, writes=fabric.is_global_zero)
    journal.open(to_dict(config), resume=resume)
    fabric.barrier()
    with fabric.rank_zero_first():
        feed = feed_of(config, engine, lambda message, share: _prepare(journal, message, share))
    trainer = Trainer(fabric, stage, feed, config, journal)
    end = trainer.run(resume=resume)
    if end.stopped:
        said = f"stopped at step {end.step} of {config.loop.steps}, after a checkpoint; --resume goes on"
        raise FreeTumorError(said, kind="stopped")
    if not fabric.is_global_zero:
        return None
    folder = config.out / MODEL / config.model_name
    if end.step > end.first or not folder.is_dir():  # else it was finished before
        terms = terms_of(config, feed.facts, built_on)
        machine = hardware(fabric.device.type == "cuda")
        folder = _save(config, stage, trainer, {**feed.facts, **terms}, end, machine).folder
    return {
        "status": "done",
        "model": str(folder),
        "run": str(config.out),
        "step": end.step,
        "seconds": round(end.seconds, 1),
        "best": end.best,
    }


def stage_of(config: Config, *, untrained: bool = False) -> Stage:
    """The stage with fresh networks, which follow from the seed; `untrained`: its critic too.

    Raises:
        BadInput: kind "no_model": the critic is not there; or it does not fit.
    """
    torch.manual_seed(config.seed)
    if config.stage != "generator":
        return SegmenterStage(config)
    return GeneratorStage(config, None if untrained else critic_of(config))


def widths_of(config: Config, stage: Stage) -> set[int]:
    """Voxels along x on the levels of the networks that are trained.

    Raises:
        BadInput: kind "bad_config": the patch cannot be halved as often as a network does.
    """
    patch, widths = config.grid.patch, set()
    for part, spec in stage.specs.items():
        step = multiple(spec)
        if any(side % step for side in patch) or max(patch) == step > 1:
            raise BadInput(
                f"in the configuration grid.patch: multiples of {step} for the {part} ({spec.architecture}), "
                "more than that along one axis",
                " x ".join(map(str, patch)),
                kind="bad_config",
            )
        widths |= {patch[2] >> level for level in range(step.bit_length())}
    return widths


def _save(config: Config, stage: Stage, trainer: Trainer, facts: dict, end: End, machine: str) -> Model:
    """Write the model: the averaged weights, of the best validation where the stage keeps that."""
    networks = trainer.averages.networks
    best = stage.keeps_best and end.best is not None
    if best:
        for part, network in networks.items():
            network.load_state_dict(read_tensors(config.out / BEST, f"{part}."))
    step = end.best["step"] if best else end.step
    engine = engine_model(config)  # a segmenter is no independent judge of the tumors that it learned from
    made_by = [Path(engine).name] if engine else []
    record = {
        "name": config.model_name,
        "title": config.title or f"{config.stage} for {', '.join(config.organs)}",
        "networks": stage.specs,
        "group": config.group,
        "organs": list(config.organs),
        "window": list(config.grid.window),
        "spacing": list(config.grid.spacing),
        "patch": list(config.grid.patch),
        "trained_against": [*stage.trained_against, *made_by],
        "source": "trained with 'freetumor train'",
        "steps": f"{step} of {config.loop.steps}, "
        f"{config.loop.batch * config.loop.accumulate * trainer.fabric.world_size} patches each",
        "hardware": machine,
        "measured_seconds": [{"what": "training", "seconds": round(end.seconds, 1), "machine": machine}],
        **facts,
        "training": {"configuration": _public(config), "python": platform.python_version()},
    }
    parent = config.out / MODEL
    if parent.exists():  # of fewer steps: it stays, under another name
        parent.rename(_free(parent))
    return save_model(parent, record, lambda path: write_network_weights(path, networks, half=config.half))


def _public(config: Config) -> dict:
    """The configuration without the places of files on this computer."""
    content = to_dict(config)
    del content["out"]
    content["data"] = {key: content["data"][key] for key in ("folds", "fold", "split_seed")}
    for table, key in ((content, "critic"), (content["sampling"], "model"), (content["sampling"], "judge")):
        table[key] = Path(table[key]).name
    return content


def _free(folder: Path) -> Path:
    number = 1
    while (earlier := folder.with_name(f"{folder.name}-{number}")).exists():
        number += 1
    return earlier


def _prepare(journal: Journal, message: str, share: float) -> None:
    if journal.stops:
        raise FreeTumorError("stopped while the cases were prepared; --resume goes on", kind="stopped")
    journal.progress(message, share)
