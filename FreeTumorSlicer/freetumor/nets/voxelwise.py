"""What can be told from a voxel's HU alone: the baseline of every segmenter."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Voxelwise(nn.Module):
    """Logits from a voxel's own value x: ``w1 * x + w2 * x^2 + b`` per class.

    This is the posterior of classes whose HU are normally distributed: what can be told from HU alone, and
    so the baseline that any other segmenter has to beat.
    """

    def __init__(self, out_channels: int) -> None:
        super().__init__()
        self.logits = nn.Conv3d(2, out_channels, kernel_size=1)

    def forward(self, image: Tensor) -> Tensor:
        """Image (N, 1, x, y, z) -> logits (N, C, x, y, z)."""
        return self.logits(torch.cat([image, image * image], dim=1))


def voxelwise(out_channels: int) -> nn.Module:
    """See :class:`Voxelwise`."""
    return Voxelwise(out_channels)
