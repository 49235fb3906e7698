"""A model: named networks that belong together, with all that is known about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from freetumor.errors import BadInput
from freetumor.models.use import use_of

MODEL, WEIGHTS, CARD = "model.json", "weights.safetensors", "README.md"
PARTS = ("generator", "classifier", "segmenter")


@dataclass(frozen=True)
class NetworkSpec:
    """One network of a model: the name of its architecture (``freetumor.nets``) and its settings."""

    architecture: str
    settings: Mapping = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Model:
    """A folder ``NAME/`` with ``model.json`` (this record), ``weights.safetensors`` and ``README.md`` (card).

    Attributes:
        name: of the folder; what ``--model`` takes.
        networks: by part, of :data:`PARTS`; tensors in the weights file are named ``PART.KEY``.
        group: label group (abdomen, chest). organs: rows of the organ table that it was trained on.
        window: HU that are scaled to 0..1. spacing: working grid in mm, (k, j, i).
        patch: shape of the training patches on that grid, (k, j, i).
        trained_against: names of models whose segmenter a generator was trained to please (its own always
            counts), or whose tumors a segmenter was trained on: neither judges the other independently.
        facts: the rest of ``model.json`` (title, licence, use, training_data, metrics, source, sha256, ...).
    """

    name: str
    folder: Path
    networks: Mapping[str, NetworkSpec]
    group: str
    organs: tuple[str, ...]
    window: tuple[float, float]
    spacing: tuple[float, float, float]
    patch: tuple[int, int, int]
    trained_against: tuple[str, ...] = ()
    facts: Mapping = field(default_factory=dict)

    @property
    def weights(self) -> Path:
        """The file with the tensors."""
        return self.folder / WEIGHTS

    @property
    def use(self) -> str:
        """ "free", or "research": only after consent; see :mod:`freetumor.models.use`."""
        return use_of(self.facts)

    def network(self, part: str) -> NetworkSpec:
        """The network `part`; raises :class:`BadInput` naming the parts that the model has."""
        if part not in self.networks:
            raise BadInput(
                f"a model with a {part}",
                f"{self.name}, which has {', '.join(self.networks)}",
                kind="wrong_part",
            )
        return self.networks[part]
