"""Engines make the residual. They are pluggable by name: one entry here adds one."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from types import MappingProxyType
from typing import Protocol

import numpy as np

from freetumor.errors import BadInput
from freetumor.synthesis.patch import Patch


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


class Engine(Protocol):
    """The generator G of the paper, whatever makes it.

    Attributes:
        name: as in :data:`ENGINES`. context_mm: surroundings of the lesion that it wants to see.
    """

    name: str
    context_mm: float

    def residual(self, patch: Patch, rng: np.random.Generator, style: Style) -> Residual:
        """The residual of one lesion, in HU, on the patch."""


# name -> "module:class", imported when asked for, so that no engine costs anything unused.
ENGINES = MappingProxyType({"procedural": "freetumor.synthesis.procedural:ProceduralEngine"})


def engine(name: str) -> Engine:
    """The engine of `name`; raises :class:`BadInput` naming the engines there are."""
    if name not in ENGINES:
        raise BadInput(f"an engine of {', '.join(ENGINES)}", repr(name), kind="usage")
    module, cls = ENGINES[name].split(":")
    return getattr(import_module(module), cls)()
