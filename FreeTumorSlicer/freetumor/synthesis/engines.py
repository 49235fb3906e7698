"""Engines make the residual. They are pluggable by name: one entry here adds one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from types import MappingProxyType
from typing import Protocol

import numpy as np

from freetumor.anatomy import Organ
from freetumor.errors import BadInput
from freetumor.models import Model, check_consent, default_model, list_models, model_for, preferred
from freetumor.nets.backends import check_backend
from freetumor.nets.devices import DEVICES
from freetumor.synthesis.patch import Patch

Log = Callable[[str], None]
# Where nobody listens, a warning goes to standard error.
warn: Log = logging.getLogger("freetumor").warning


@dataclass(frozen=True)
class Residual:
    """What is to be added to a patch: `hu`, float32, (k, j, i); `parameters` for the provenance."""

    hu: np.ndarray
    parameters: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Style:
    """What a user may ask of a tumor's look; None leaves it to the engine.

    Attributes:
        contrast_hu: HU of the lesion minus HU of the organ around it.
        rim, core: with or without an enhancing rim, a necrotic core.
    """

    contrast_hu: float | None = None
    rim: bool | None = None
    core: bool | None = None


@dataclass(frozen=True)
class Options:
    """How a network is chosen and run.

    Attributes:
        model: its name or folder; None: the first installed one that fits.
        device: of :data:`DEVICES`. backend: "auto" or of :data:`freetumor.nets.backends.BACKENDS`.
    """

    model: str | None = None
    device: str = "auto"
    backend: str = "auto"

    def __post_init__(self) -> None:
        check_device(self.device)
        check_backend(self.backend)


def check_device(device: str) -> None:
    """Raise :class:`BadInput`, kind "usage", unless `device` is one of :data:`DEVICES`."""
    if device not in DEVICES:
        raise BadInput(f"a device of {', '.join(DEVICES)}", repr(device), kind="usage")


class Engine(Protocol):
    """The generator G of the paper, whatever makes it.

    Attributes:
        name: as in :data:`ENGINES`. context_mm: surroundings of the lesion that it wants to see.
        model: the model that it runs; None where it needs none.
    """

    name: str
    context_mm: float
    model: Model | None

    def residual(self, patch: Patch, rng: np.random.Generator, style: Style) -> Residual:
        """The residual of one lesion, in HU, on the patch."""


@dataclass(frozen=True)
class Entry:
    """A row of :data:`ENGINES`.

    Attributes:
        place: "module:class", imported when asked for, so that no engine costs anything unused.
        generator: architecture of the generator that it runs; None: it needs no model, and its class takes
            no arguments.
        style: fields of :class:`Style` that it can follow.
    """

    place: str
    generator: str | None = None
    style: tuple[str, ...] = ("contrast_hu",)


ENGINES = MappingProxyType(
    {
        "procedural": Entry(
            "freetumor.synthesis.procedural:ProceduralEngine", style=("contrast_hu", "rim", "core")
        ),
        "released": Entry("freetumor.synthesis.released:ReleasedEngine", "released-unet"),
        "learned": Entry("freetumor.synthesis.learned:LearnedEngine", "conditional-unet"),
    }
)


def engine(
    name: str,
    options: Options = Options(),
    organ: Organ | None = None,
    style: Style = Style(),
    log: Log = warn,
) -> Engine:
    """The engine `name` for tumors of `organ`; cheap, so that it also serves to check before any work.

    Args:
        options: what it runs. style: what will be asked of it. log: takes what the user should know.

    Raises:
        BadInput: kind "usage": no such engine, or an option or a style that it cannot follow; kind
            "no_model", "wrong_organ", "wrong_part" or "wrong_engine": the model is missing or not for it;
            kind "consent": its terms were not accepted.
    """
    if name not in ENGINES:
        raise BadInput(f"an engine of {', '.join(ENGINES)}", repr(name), kind="usage")
    entry = ENGINES[name]
    check_style(name, style)
    module, cls = entry.place.split(":")
    if entry.generator is None:
        if options.model is not None:
            able = " or ".join(n for n, e in ENGINES.items() if e.generator)
            raise BadInput(
                f"engine {able} with a model",
                f"model {options.model} for engine {name}",
                f"Engine {name} runs no model: leave it out.",
                kind="usage",
            )
        return getattr(import_module(module), cls)()
    if organ is None:
        raise ValueError(f"engine {name} must be told the organ")
    model = _generator(name, entry.generator, options.model, organ)
    return getattr(import_module(module), cls)(model, options, log)


def check_style(name: str, style: Style) -> None:
    """Raise :class:`BadInput`, kind "usage", where engine `name` cannot follow `style`."""
    asked = [part for part, value in vars(style).items() if value is not None]
    cannot = [part for part in asked if part not in ENGINES[name].style]
    if cannot:
        able = ", ".join(n for n, e in ENGINES.items() if set(cannot) <= set(e.style))
        raise BadInput(
            f"engine {able} with a choice of {' and '.join(cannot)}",
            f"engine {name}",
            f"Its network decides that: leave {' and '.join(cannot)} out, or use engine {able}.",
            kind="usage",
        )


def _generator(name: str, architecture: str, asked: str | None, organ: Organ) -> Model:
    """The model that engine `name` runs: the one that is `asked` for, or the first that fits."""
    if asked is not None:
        model = model_for("generator", organ.name, asked)
    else:
        fitting = [m for m in list_models("generator", organ.name) if _made_for(m, architecture)]
        # Where there is none of another engine either, the store says what to do.
        model = preferred(fitting) if fitting else default_model("generator", organ.name)
    if not _made_for(model, architecture):
        others = [n for n, e in ENGINES.items() if e.generator and _made_for(model, e.generator)]
        raise BadInput(
            f"a model with a generator of engine {name} for the {organ.name}",
            f"{model.name}, made for engine {' or '.join(others) or 'of another version'}",
            f"Use {' or '.join(f'--engine {n}' for n in (*others, 'procedural'))}.",
            kind="wrong_engine" if asked is not None else "no_model",
        )
    return check_consent(model)


def _made_for(model: Model, architecture: str) -> bool:
    return model.network("generator").architecture == architecture
