"""The networks of a stage while they run: behind Fabric or alone, trained, averaged or frozen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call


@dataclass(frozen=True)
class Networks:
    """What a stage calls.

    Attributes:
        trained: by part; behind Fabric, which exchanges gradients between processes.
        plain: the same networks alone.
        frozen: by part; never trained.
        autocast: context in which networks compute in the run's precision.
    """

    trained: Mapping[str, Callable[..., Tensor]]
    plain: Mapping[str, nn.Module]
    frozen: Mapping[str, nn.Module]
    autocast: Callable[[], AbstractContextManager]

    def __call__(self, part: str, *inputs: Tensor) -> Tensor:
        """The output of a network, float32."""
        with self.autocast():
            return self.trained[part](*inputs).float()

    def through(self, part: str, *inputs: Tensor) -> Tensor:
        """The output of a network that passes gradients to its inputs, but takes none itself; float32.

        A trained network may so judge another one's output: its weights learn from its own loss only. It
        computes as in use, with the statistics that it has learned, and does not change them.
        """
        network = self.frozen.get(part) or self.plain[part]
        constants = {name: p.detach() for name, p in network.named_parameters()}
        was_training = network.training
        network.eval()
        try:
            with self.autocast():
                return functional_call(network, constants, inputs).float()
        finally:
            network.train(was_training)


class Averages:
    """Exponential moving averages of networks, which change less from step to step than these."""

    def __init__(self, networks: Mapping[str, nn.Module], decay: float) -> None:
        self.decay = decay
        self.networks = {
            part: deepcopy(network).eval().requires_grad_(False) for part, network in networks.items()
        }

    @torch.no_grad()
    def update(self, networks: Mapping[str, nn.Module], step: int) -> None:
        """Take in the weights after `step` (from 1); in the first steps the average is a short one."""
        decay = min(self.decay, step / (10 + step))
        for part, network in networks.items():
            mine = self.networks[part]
            for average, now in zip(mine.parameters(), network.parameters(), strict=True):
                average.lerp_(now, 1 - decay)
            for average, now in zip(mine.buffers(), network.buffers(), strict=True):
                if average.is_floating_point():
                    average.lerp_(now, 1 - decay)
                else:
                    average.copy_(now)
