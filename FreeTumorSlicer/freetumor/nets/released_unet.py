"""The U-Net of the authors' released checkpoints: their generator and their real / fake critic.

Pinned by names and shapes of the tensors and by its outputs; attributes here are named as the tensors are.
Four levels of two 3x3x3 convolutions, each with batch normalisation and ReLU; 2x max pooling downwards,
transposed 2x2x2 convolutions upwards, the skip after the upsampled tensor, a 1x1x1 convolution at the end.

``legacy`` is about two quirks of the published networks.

* Their batch normalisation uses the statistics of the batch at hand, also at inference, and never its
  running ones: what comes out for one patch depends on what else is in the batch. ``legacy=True`` does the
  same. ``legacy=False`` takes the statistics of each sample by itself. For a batch of one, both are the same.
* An abdominal generator has an output channel per organ, of which only the first was ever trained. The
  network gives all of them; whoever uses one takes channel 0 for every organ where ``legacy`` is true.

The critic's channels are not explained in the files: it can be loaded, but nothing here judges by it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_LEVELS = ((32, 64), (64, 128), (128, 256), (256, 512))  # channels of the two convolutions downwards


class BatchStatistics(nn.BatchNorm3d):
    """Batch normalisation by the input's own statistics; running ones are kept for their names only."""

    def __init__(self, channels: int, legacy: bool) -> None:
        super().__init__(channels)
        self.legacy = legacy

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (N, C, x, y, z) over batch and space, or over space where `legacy` is false."""
        if self.legacy or x.shape[0] == 1:
            # Not instance_norm: it would leave the channels-last layout, which is the fast one.
            return functional.batch_norm(x, None, None, self.weight, self.bias, training=True, eps=self.eps)
        return functional.instance_norm(x, weight=self.weight, bias=self.bias, eps=self.eps)


class _Step(nn.Module):
    def __init__(self, inputs: int, outputs: int, legacy: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(inputs, outputs, 3, padding=1)
        self.bn1 = BatchStatistics(outputs, legacy)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn1(self.conv1(x)))


class _Down(nn.Module):
    def __init__(self, inputs: int, first: int, second: int, legacy: bool) -> None:
        super().__init__()
        self.ops = nn.Sequential(_Step(inputs, first, legacy), _Step(first, second, legacy))

    def forward(self, x: Tensor) -> Tensor:
        return self.ops(x)


class _Up(nn.Module):
    def __init__(self, below: int, skip: int, legacy: bool) -> None:
        super().__init__()
        self.up_conv = nn.ConvTranspose3d(below, below, 2, stride=2)
        self.ops = nn.Sequential(_Step(below + skip, skip, legacy), _Step(skip, skip, legacy))

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        return self.ops(torch.cat([self.up_conv(x), skip], dim=1))


class _Out(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.final_conv = nn.Conv3d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.final_conv(x)


class ReleasedUNet(nn.Module):
    """See the module; `out_channels`: 3 for an abdominal checkpoint, 1 for a chest generator."""

    def __init__(self, out_channels: int, legacy: bool) -> None:
        super().__init__()
        (a, b), (c, d), (e, f), (g, h) = _LEVELS
        self.down_tr64 = _Down(1, a, b, legacy)
        self.down_tr128 = _Down(b, c, d, legacy)
        self.down_tr256 = _Down(d, e, f, legacy)
        self.down_tr512 = _Down(f, g, h, legacy)
        self.up_tr256 = _Up(h, f, legacy)
        self.up_tr128 = _Up(f, d, legacy)
        self.up_tr64 = _Up(d, b, legacy)
        self.out_tr = _Out(b, out_channels)

    def forward(self, image: Tensor) -> Tensor:
        """Image (N, 1, x, y, z), 0..1 -> logits (N, C, x, y, z); sizes are multiples of 8."""
        level1 = self.down_tr64(image)
        level2 = self.down_tr128(functional.max_pool3d(level1, 2))
        level3 = self.down_tr256(functional.max_pool3d(level2, 2))
        x = self.down_tr512(functional.max_pool3d(level3, 2))
        x = self.up_tr256(x, level3)
        x = self.up_tr128(x, level2)
        return self.out_tr(self.up_tr64(x, level1))


def released_unet(out_channels: int = 3, legacy: bool = True) -> nn.Module:
    """See :class:`ReleasedUNet`."""
    return ReleasedUNet(out_channels, legacy)
