"""The table of network architectures. Adding one is adding a row and a function that builds it.

Networks take and return tensors (batch, channel, x, y, z) with x towards Right, y towards Anterior and z
towards Superior, at the model's spacing. The image channel is the CT in the model's window, scaled to 0..1.

* segmenters: (N, 1, ...) -> logits (N, C, ...). ``settings["classes"]`` lists the label id of each of the C
  channels.
* classifiers: (N, 1, ...) -> one logit per voxel (N, 1, ...); its sigmoid is the probability of *real*.
  The released critics, "released-unet", have other channels, which their files do not explain.
* generator "released-unet": (N, 1, ...) -> logits of the difference (N, ``out_channels``, ...).
* generator "conditional-unet": (N, 4, ...) image, organ mask, soft tumor mask, noise; and (N, K) one-hot
  over the rows of the organ table -> residual in HU (N, 1, ...), exactly 0 where the soft mask is 0.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

from freetumor.errors import BadInput
from freetumor.models.model import NetworkSpec

if TYPE_CHECKING:
    from torch.nn import Module


@dataclass(frozen=True)
class Architecture:
    """One row.

    Attributes:
        parts: what networks of this kind can be in a model. builder: "module:function" that takes the
            settings as keywords. multiple: each spatial size of the input has to be a multiple of it.
        title: for people.
    """

    title: str
    parts: tuple[str, ...]
    builder: str
    multiple: int


_SEEING = ("segmenter", "classifier")

ARCHITECTURES = MappingProxyType(
    {
        "conditional-unet": Architecture(
            "conditioned U-Net", ("generator",), "freetumor.nets.generator:conditional_unet", 8
        ),
        "light-unet": Architecture(
            "light U-Net (MONAI)", _SEEING, "freetumor.nets.segmenters:light_unet", 16
        ),
        "released-unet": Architecture(
            "U-Net of the released checkpoints",
            ("generator", "classifier"),
            "freetumor.nets.released_unet:released_unet",
            8,
        ),
        "swinunetr": Architecture("SwinUNETR (MONAI)", _SEEING, "freetumor.nets.segmenters:swinunetr", 32),
        "voxelwise": Architecture(
            "regression on each voxel's HU", _SEEING, "freetumor.nets.voxelwise:voxelwise", 1
        ),
    }
)


def architecture(name: str) -> Architecture:
    """The row `name`; raises :class:`BadInput` naming the rows there are."""
    if name not in ARCHITECTURES:
        raise BadInput(
            f"an architecture of {', '.join(ARCHITECTURES)}",
            repr(name),
            "The model may need a newer version of FreeTumor.",
            kind="wrong_architecture",
        )
    return ARCHITECTURES[name]


def multiple(spec: NetworkSpec) -> int:
    """What each spatial size of the network's input has to be a multiple of."""
    return architecture(spec.architecture).multiple


def build(spec: NetworkSpec) -> Module:
    """The network of `spec` with fresh weights, in evaluation mode, float32, on the CPU.

    Raises :class:`BadInput`, kind "wrong_architecture": unknown architecture, or settings that it has not;
    kind "missing_dependency": torch or monai is not installed.
    """
    row = architecture(spec.architecture)
    module, function = row.builder.split(":")
    try:
        builder = getattr(import_module(module), function)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == "freetumor":
            raise
        raise BadInput(
            f"the Python package {error.name}, which {row.title} needs",
            "none installed",
            "Install it with: pip install 'freetumor[learned]' (in Slicer: module FreeTumor, Set-up).",
            kind="missing_dependency",
        ) from error
    settings = _with_channels(spec)
    try:
        inspect.signature(builder).bind(**settings)
    except TypeError as error:
        raise BadInput(
            f"settings {', '.join(inspect.signature(builder).parameters)} for {spec.architecture}",
            ", ".join(settings) or "none",
            kind="wrong_architecture",
        ) from error
    return builder(**settings).float().eval()


def _with_channels(spec: NetworkSpec) -> dict:
    """The settings with ``out_channels`` in place of the label ids of the channels."""
    settings = dict(spec.settings)
    classes = settings.pop("classes", None)
    if classes is not None and settings.setdefault("out_channels", len(classes)) != len(classes):
        raise BadInput(
            f"one label id for each of {settings['out_channels']} output channels",
            f"classes {list(classes)}",
            kind="wrong_architecture",
        )
    return settings
