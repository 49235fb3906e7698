"""Engines of PyTorch: as it is, under autocast, or compiled."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import torch
from torch import nn

from freetumor.models.model import Model
from freetumor.nets.backends import Engine, Log
from freetumor.nets.devices import is_out_of_memory
from freetumor.nets.weights import load_network


def plain(model: Model, part: str, device: str, log: Log) -> Engine:
    """Float32. On a GPU, PyTorch computes convolutions in TF32 where its settings say so (they do)."""
    return _engine(_placed(load_network(model, part), device), device)


def bf16(model: Model, part: str, device: str, log: Log) -> Engine:
    """Convolutions and products in bfloat16, the rest as autocast has it."""
    return _engine(_placed(load_network(model, part), device), device, torch.bfloat16)


def fp16(model: Model, part: str, device: str, log: Log) -> Engine:
    """Convolutions and products in float16, the rest as autocast has it."""
    return _engine(_placed(load_network(model, part), device), device, torch.float16)


def compiled(model: Model, part: str, device: str, log: Log) -> Engine:
    """Float32, compiled at the first call for each shape, which takes minutes for a large network."""
    network = _placed(load_network(model, part), device)
    log(f"compiling the {part} of {model.name}: a minute or more for each new patch size")
    # One graph for each shape: a graph for all of them is slower.
    fast, slow = _engine(torch.compile(network, dynamic=False), device), _engine(network, device)
    chosen = [fast]

    def run(*arrays: np.ndarray) -> np.ndarray:
        try:
            return chosen[0](*arrays)
        except RuntimeError as error:  # what the compiler raises is one
            if chosen[0] is slow or is_out_of_memory(error):
                raise
            log(f"compiling failed, PyTorch computes as it is: {str(error).splitlines()[0]}")
            chosen[0] = slow
            return slow(*arrays)

    return run


def _placed(network: nn.Module, device: str) -> nn.Module:
    # Channels last: what oneDNN and cuDNN compute in, so that nothing is reordered between layers.
    return network.to(device, memory_format=torch.channels_last_3d)


def _engine(network: nn.Module, device: str, dtype: torch.dtype | None = None) -> Engine:
    def run(*arrays: np.ndarray) -> np.ndarray:
        tensors = [torch.from_numpy(np.ascontiguousarray(a)).to(device) for a in arrays]
        tensors = [t.contiguous(memory_format=torch.channels_last_3d) if t.dim() == 5 else t for t in tensors]
        with torch.inference_mode(), torch.autocast(device, dtype) if dtype else nullcontext():
            made = network(*tensors)
        return made.float().cpu().numpy()

    return run
