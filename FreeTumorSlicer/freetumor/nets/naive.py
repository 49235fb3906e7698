"""What ``freetumor benchmark`` compares with: the naive schedule, and networks with made-up weights.

The naive schedule runs a network over a whole organ by sliding windows, in float32 and plain torch, as the
published program is described to do it: windows of 96 voxels, an overlap of 3/4, 4 windows at a time, the
mean where they overlap. Nothing else uses it.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from itertools import product
from math import prod

import numpy as np
import torch
from torch import nn

from freetumor.models.model import NetworkSpec
from freetumor.nets.architectures import build


def made_up(spec: NetworkSpec, seed: int) -> nn.Module:
    """The network of `spec` with weights that follow from their names and `seed` alone.

    They are drawn so that signals keep their strength through the layers, as in a network that is to be
    trained (He et al., arXiv 1502.01852).
    """
    with torch.random.fork_rng(devices=[]):  # building draws weights, too: it must not move other chance
        network = build(spec)
    for key, value in network.named_parameters():
        rng = np.random.default_rng((zlib.crc32(key.encode()), seed))
        drawn = rng.standard_normal(tuple(value.shape), dtype=np.float32)
        if value.dim() > 1:
            drawn *= np.sqrt(2 / prod(value.shape[1:]))
        else:
            drawn = 0.1 * drawn + float(key.endswith("weight"))
        value.data.copy_(torch.from_numpy(np.asarray(drawn)))
    return network


def window_starts(size: int, window: int, overlap: float) -> list[int]:
    """Where windows start along an axis of `size` voxels: evenly spaced, the last one ends with the axis."""
    step = max(1, int(window * (1 - overlap)))
    last = max(0, size - window)
    return [min(start, last) for start in range(0, last + step, step)]


def windows(shape: Sequence[int], window: Sequence[int], overlap: float) -> list[tuple[int, ...]]:
    """First voxels of all windows over an image of `shape`."""
    return list(product(*(window_starts(n, w, overlap) for n, w in zip(shape, window, strict=True))))


class NaiveSchedule:
    """A network over one image, window by window.

    Args:
        network: (N, 1, x, y, z) -> (N, C, x, y, z), in evaluation mode.
        image: (1, k, j, i), float32; padded with 0 where it is smaller than a window.
        window: voxels along (k, j, i). overlap: 0..1.

    Attributes:
        windows: first voxels, (k, j, i), of all windows.
        done: how many of them are done.
    """

    def __init__(
        self,
        network: nn.Module,
        image: np.ndarray,
        window: Sequence[int],
        overlap: float = 0.75,
    ) -> None:
        self._shape = image.shape[1:]
        missing = [max(0, w - n) for w, n in zip(window, self._shape, strict=True)]
        self._before = [n // 2 for n in missing]
        pad = [(0, 0), *((a, n - a) for a, n in zip(self._before, missing, strict=True))]
        self._image = np.pad(image, pad)
        self._network, self._window = network, tuple(window)
        self.windows = windows(self._image.shape[1:], window, overlap)
        self.done = 0
        self._sum: np.ndarray | None = None
        self._count = np.zeros(self._image.shape[1:], np.float32)

    def step(self, batch: int = 4) -> int:
        """Run the next `batch` of windows; how many they were, 0 at the end."""
        boxes = [
            tuple(slice(a, a + w) for a, w in zip(start, self._window, strict=True))
            for start in self.windows[self.done : self.done + batch]
        ]
        if not boxes:
            return 0
        images = np.stack([self._image[(slice(None), *box)] for box in boxes])
        with torch.inference_mode():
            x = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 1, 4, 3, 2)))
            logits = self._network(x).numpy().transpose(0, 1, 4, 3, 2)
        if self._sum is None:
            self._sum = np.zeros((logits.shape[1], *self._count.shape), np.float32)
        for box, made in zip(boxes, logits, strict=True):
            self._sum[(slice(None), *box)] += made
            self._count[box] += 1
        self.done += len(boxes)
        return len(boxes)

    def run(self, batch: int = 4) -> np.ndarray:
        """Run what is left; the mean of all windows, (C, k, j, i), float32."""
        while self.step(batch):
            pass
        part = tuple(slice(a, a + n) for a, n in zip(self._before, self._shape, strict=True))
        return (self._sum / self._count)[(slice(None), *part)]
