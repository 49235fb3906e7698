"""What runs a network: PyTorch as it is, in lower precision or compiled, or OpenVINO. A table of them.

"auto" takes the first of :data:`AUTOMATIC` that can be had: the fastest whose results agree with those of
plain PyTorch in float32 (class of the largest logit equal in at least 99.9 % of the voxels). Measured with
random weights, OpenVINO in float32 does (99.98 % and more); bfloat16 does not (96.5 to 99.7 %), so it is
there on request, and so is float16, which was not measured. What cannot be had here is said, and plain
PyTorch computes instead.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING

from freetumor.errors import BadInput

if TYPE_CHECKING:
    import numpy as np

    from freetumor.models.model import Model

# Tensors (1, channel, x, y, z) or (1, n), float32, in; one such tensor out.
Engine = Callable[..., "np.ndarray"]
Log = Callable[[str], None]
PLAIN = "torch"
say: Log = logging.getLogger("freetumor").warning
_SLOWER = 3.0  # emulated bfloat16 takes 20 times as long as float32 and more


class Unavailable(Exception):
    """A backend cannot be had here after all; the reason is its text."""


@dataclass(frozen=True)
class Backend:
    """One row.

    Attributes:
        title: for people. devices: what it computes on.
        maker: "module:function"; called with (model, part, device, log), gives an :data:`Engine`. It may
            raise :class:`Unavailable`, and so may the engine when it is called.
        refusal: why it cannot be had on this machine, or None.
    """

    title: str
    devices: tuple[str, ...]
    maker: str
    refusal: Callable[[], str | None] = lambda: None


def make_engine(name: str, model: Model, part: str, device: str, log: Log) -> Engine:
    """The engine of backend `name`.

    Raises:
        Unavailable: it cannot be had; the reason.
        BadInput: kind "missing_dependency": not even plain PyTorch can be had; or the weights are not usable.
    """
    row = BACKENDS[name]
    if device not in row.devices:
        raise Unavailable(f"it computes on the {' or '.join(row.devices)}, not on the {device}")
    module, function = row.maker.split(":")
    try:
        reason = row.refusal()
        maker = getattr(import_module(module), function)
    except ImportError as error:
        if name != PLAIN:
            raise Unavailable(str(error)) from error
        raise BadInput(
            f"the Python package {error.name}, which networks need",
            "none that can be imported",
            "Install it with: pip install 'freetumor[learned]' (in Slicer: module FreeTumor, Set-up).",
            kind="missing_dependency",
        ) from error
    if reason:
        raise Unavailable(reason)
    return maker(model, part, device, log)


def check_backend(name: str) -> None:
    """Raise :class:`BadInput` naming the backends there are, unless `name` is one or "auto"."""
    if name != "auto" and name not in BACKENDS:
        raise BadInput(f"a backend of auto, {', '.join(BACKENDS)}", repr(name), kind="usage")


def _openvino_refusal() -> str | None:
    if find_spec("openvino") is None:
        return "the package openvino is not installed (pip install 'freetumor[fast]')"
    return None


def _openvino_bf16_refusal() -> str | None:
    missing = _openvino_refusal()
    if missing:
        return missing
    import openvino

    if "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        return "this CPU has no bfloat16 of its own"
    return None


@lru_cache(maxsize=1)
def _bf16_refusal() -> str | None:
    """Emulated bfloat16 is a hundred times slower than float32: asked, and tried with a tiny convolution."""
    import torch

    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return "this CPU has no bfloat16 of its own"
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        image, kernel = torch.rand(1, 16, 24, 24, 24, dtype=dtype), torch.rand(16, 16, 3, 3, 3, dtype=dtype)
        laps = []
        for _ in range(4):
            start = time.perf_counter()
            torch.nn.functional.conv3d(image, kernel)
            laps.append(time.perf_counter() - start)
        seconds[dtype] = min(laps[1:])
    if seconds[torch.bfloat16] > _SLOWER * seconds[torch.float32]:
        return "bfloat16 is slower than float32 on this CPU"
    return None


def _compiler_refusal() -> str | None:
    names = (os.environ.get("CXX"), "c++", "g++", "clang++", "cl")
    if not any(shutil.which(name) for name in names if name):
        return "no C++ compiler was found"
    return None


_TORCH = "freetumor.nets.torch_engines"
_OPENVINO = "freetumor.nets.openvino_engine"

BACKENDS = MappingProxyType(
    {
        PLAIN: Backend("PyTorch, float32", ("cpu", "cuda"), f"{_TORCH}:plain"),
        "torch-bf16": Backend("PyTorch, bfloat16", ("cpu",), f"{_TORCH}:bf16", _bf16_refusal),
        "torch-fp16": Backend("PyTorch, float16", ("cuda",), f"{_TORCH}:fp16"),
        "compile": Backend(
            "PyTorch, compiled, float32", ("cpu", "cuda"), f"{_TORCH}:compiled", _compiler_refusal
        ),
        "openvino": Backend("OpenVINO, float32", ("cpu",), f"{_OPENVINO}:float32", _openvino_refusal),
        "openvino-bf16": Backend(
            "OpenVINO, bfloat16", ("cpu",), f"{_OPENVINO}:bfloat16", _openvino_bf16_refusal
        ),
    }
)
AUTOMATIC = MappingProxyType({"cpu": ("openvino", PLAIN), "cuda": (PLAIN,)})
