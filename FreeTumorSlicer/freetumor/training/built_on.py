"""The models that a stage learns from: the critic, the engine's generator, the judge. Needs no torch."""

from __future__ import annotations

from pathlib import Path

from freetumor.errors import BadInput
from freetumor.models import Model, find_model, is_usable, read_model
from freetumor.training.configuration import Config
from freetumor.training.journal import MODEL


def critic_of(config: Config) -> Model:
    """The model whose segmenter judges what a generator makes.

    Raises:
        BadInput: kind "no_model".
    """
    return _model(config, config.critic, "segmenter")


def engine_model(config: Config) -> str | None:
    """Folder of the generator that makes tumors online; None where none is needed.

    Raises:
        BadInput: kind "no_model".
    """
    if not _synthesizes(config) or config.sampling.engine != "learned":
        return None
    return str(_model(config, config.sampling.model, "generator").folder)


def models_of(config: Config) -> list[Model]:
    """All of them; raises as :func:`critic_of` does."""
    if config.stage == "generator":
        return [critic_of(config)]
    engine = engine_model(config)
    models = [] if engine is None else [read_model(Path(engine))]
    if config.sampling.judge and _synthesizes(config):
        models.append(find_model(config.sampling.judge))
    return models


def without_consent(config: Config) -> list[Model]:
    """Those whose terms are to be accepted first; what another stage of these runs made is not among them,
    as who trains it knows its data.

    Raises:
        BadInput: kind "no_model".
    """
    return [model for model in models_of(config) if not is_usable(model) and not _is_ours(model, config)]


def _is_ours(model: Model, config: Config) -> bool:
    """Whether a run beside that of `config` made it: it lies there in RUN/model."""
    folder = model.folder.resolve()
    return folder.parent.name == MODEL and folder.parent.parent.parent == config.out.resolve().parent


def _synthesizes(config: Config) -> bool:
    sampling = config.sampling
    return config.stage != "generator" and sampling.mode != "real" and sampling.synthetic > 0


def _model(config: Config, name: str, stage: str) -> Model:
    """The model `name`, or that of another stage of the same configuration."""
    if name:
        return find_model(name)
    made = f"{config.name}-{stage}"
    folder = config.out.parent / made / MODEL / made
    if folder.is_dir():
        return read_model(folder)
    try:
        return find_model(made)
    except BadInput as error:
        key = "critic" if stage == "segmenter" else "sampling.model"
        raise BadInput(
            f"the model {made}, at {folder} or installed",
            "none",
            f"Train it first (freetumor train {stage} with this file), or name another one ({key}).",
            kind="no_model",
        ) from error
