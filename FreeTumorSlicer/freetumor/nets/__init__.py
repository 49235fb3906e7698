"""Networks: generator, classifier, segmenters, and the authors' released checkpoints.

Importing this package imports neither torch nor monai: its functions do, when they are called.

A function here must not have the name of a file of this folder: importing the file would replace the
function by the module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freetumor.models.model import Model
from freetumor.nets.architectures import ARCHITECTURES, Architecture, architecture, build, multiple

if TYPE_CHECKING:
    from torch.nn import Module

__all__ = [
    "ARCHITECTURES",
    "Architecture",
    "architecture",
    "build",
    "import_checkpoint",
    "load_network",
    "multiple",
    "predictor",
    "write_network_weights",
]


def load_network(model: Model, part: str) -> Module:
    """The network `part` of `model` with its weights, in evaluation mode, float32, on the CPU.

    Raises :class:`BadInput`: kind "wrong_part", "wrong_architecture" (tensors are missing, too many or of
    another shape), "no_weights" (no file) or "corrupt_weights" (cut short, a web page, something else).
    """
    from freetumor.nets import weights

    return weights.load_network(model, part)


def write_network_weights(path: Path | str, networks: Mapping[str, Module], half: bool = False) -> None:
    """Write networks by part as one safetensors file; tensors are named ``PART.KEY``.

    `half` stores floating point tensors as float16: half the size, rounded to three digits; they are
    computed with in float32 all the same. `path` appears only when it is complete.
    """
    from freetumor.nets import weights

    weights.write_network_weights(path, networks, half)


def import_checkpoint(
    path: Path | str, group: str, name: str | None = None, organ: str | None = None
) -> Model:
    """Turn one of the authors' released ``.pt`` files into a model of the user's store.

    Args:
        path: ``TGAN.pt``, a segmenter alone, or a leaderboard segmenter. It is opened without running
            anything that it may hold.
        group: label group that it was trained for, "abdomen" or "chest".
        name: of the model; None takes the file's name and the group.
        organ: of a segmenter of one organ (3 output channels); None takes the one in the file's name.

    Raises :class:`BadInput` that says what the file is instead: kind "no_weights", "corrupt_weights",
    "unsafe_checkpoint", "wrong_architecture" or "wrong_organ" (trained for the other group); kind "exists":
    a model of that name is installed; kind "usage": a group, name or organ that cannot be;
    "missing_dependency": PyTorch is too old to open such files safely.
    """
    from freetumor.nets import checkpoints

    return checkpoints.import_checkpoint(path, group, name, organ)


def predictor(model: Model, part: str, **options: Any) -> Callable:
    """A network of a model, ready to compute on numpy arrays; see ``predictors.predictor``."""
    from freetumor.nets import predictors

    return predictors.predictor(model, part, **options)
