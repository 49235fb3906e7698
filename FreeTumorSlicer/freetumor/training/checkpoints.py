"""Checkpoints: all that a run needs to go on exactly where it was, in files that hold nothing but numbers.

A checkpoint is the folder ``checkpoints/step-NNNNNNNN`` of a run, which appears whole. It holds
``weights.safetensors`` (``PART.KEY``), ``averaged.safetensors``, ``optimizers.safetensors``
(``PART.INDEX.KEY``) and ``state.json``.
There are no states of random numbers in it: what is drawn follows from the seed and the number of the step.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from freetumor.errors import BadInput
from freetumor.files import appearing, remove_partial, write_json
from freetumor.nets import write_network_weights
from freetumor.nets.weights import check_fit, read_tensors

_WEIGHTS, _AVERAGED, _OPTIMIZERS = "weights.safetensors", "averaged.safetensors", "optimizers.safetensors"
_STATE = "state.json"
_NAME = "step-{:08d}"


@dataclass
class Kept:
    """What a checkpoint holds: networks by part, their averages, their optimizers, and plain facts."""

    networks: Mapping[str, nn.Module]
    averaged: Mapping[str, nn.Module]
    optimizers: Mapping[str, Optimizer]
    facts: dict = field(default_factory=dict)


def write_checkpoint(folder: Path, step: int, kept: Kept, keep: int) -> Path:
    """Write the checkpoint of `step` below `folder`, and remove all but the last `keep`; its folder.

    Raises:
        OutputError: the disk is full; the earlier checkpoints are still there then.
    """
    place = folder / _NAME.format(step)
    if place.exists():  # a run that goes on stops at once
        return place
    with appearing(place) as partial:
        write_network_weights(partial / _WEIGHTS, kept.networks)
        write_network_weights(partial / _AVERAGED, kept.averaged)
        save_file(_flat(kept.optimizers), partial / _OPTIMIZERS)
        write_json(partial / _STATE, {**kept.facts, "step": step})
    for old in _folders(folder)[keep:]:
        # Renamed first: a removal that is cut off leaves nothing that looks like a checkpoint.
        going = old.with_name(f".{old.name}.going")
        shutil.rmtree(going, ignore_errors=True)
        old.rename(going)
        shutil.rmtree(going)
    return place


def load_checkpoint(folder: Path, kept: Kept, log: Callable[[str], None]) -> int:
    """Bring `kept` to the last checkpoint below `folder` that is whole; its step, 0 if there is none.

    Raises:
        BadInput: kind "wrong_architecture": the checkpoint is of other networks.
    """
    for place in _folders(folder):
        remove_partial(place)
        try:
            facts = json.loads((place / _STATE).read_text("utf-8"))
            weights, averaged, states = (
                read_tensors(place / name) for name in (_WEIGHTS, _AVERAGED, _OPTIMIZERS)
            )
        except (OSError, ValueError, BadInput) as error:
            log(f"the checkpoint {place} is damaged and left out: {error}")
            continue
        _load(kept.networks, weights, place)
        _load(kept.averaged, averaged, place)
        for part, optimizer in kept.optimizers.items():
            _load_optimizer(optimizer, _of(part, states))
        kept.facts.update(facts)
        return facts["step"]
    return 0


def _folders(folder: Path) -> list[Path]:
    """Checkpoints below `folder`, the last first."""
    return sorted(folder.glob(_NAME.format(0).replace("0" * 8, "[0-9]" * 8)), reverse=True)


def _load(networks: Mapping[str, nn.Module], tensors: Mapping[str, Tensor], place: Path) -> None:
    for part, network in networks.items():
        mine = _of(part, tensors)
        check_fit(mine, network, f"{part} of the run, for the checkpoint {place}")
        network.load_state_dict(mine)


def _of(part: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(f"{part}."): v for k, v in tensors.items() if k.startswith(f"{part}.")}


def _flat(optimizers: Mapping[str, Optimizer]) -> dict[str, Tensor]:
    return {
        f"{part}.{index}.{key}": value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for part, optimizer in optimizers.items()
        for index, state in optimizer.state_dict()["state"].items()
        for key, value in state.items()
    }


def _load_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    states: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, _, key = name.partition(".")
        parameter = parameters[int(index)]
        if tensor.shape == parameter.shape:
            # In the parameter's memory layout: another one would be computed in another order.
            tensor = torch.empty_like(parameter, dtype=tensor.dtype).copy_(tensor)
        states.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({"state": states, "param_groups": optimizer.state_dict()["param_groups"]})
