"""Our generator: a U-Net that is told the CT, the organ, the tumor's mask and a noise field.

What the released generator does not see, this one does: one network for all organs, a look that follows
the organ's enhancement and the tumor's size, and another tumor for another noise field.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import gcd

import torch
from torch import Tensor, nn
from torch.nn import functional

from freetumor.anatomy import ORGANS

_CHANNELS = 4  # image, organ, soft mask, noise
_OCTANTS = 2  # a side: the noise's means over 8 octants are the style of the whole tumor
_STYLE = _OCTANTS**3
_MEASURES = 2  # the organ's level, the tumor's size
_GROUPS = 4


class _Styled(nn.Module):
    """3x3x3 convolution and group normalisation, then scale and shift from the style; per sample."""

    def __init__(self, inputs: int, outputs: int, style: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(inputs, outputs, 3, padding=1, bias=False)
        self.norm = nn.GroupNorm(gcd(_GROUPS, outputs), outputs)
        self.style = nn.Linear(style, 2 * outputs)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        scale, shift = self.style(style)[..., None, None, None].chunk(2, dim=1)
        x = self.norm(self.conv(x))
        # Not x * (1 + scale): after a group normalisation that crashes OpenVINO's CPU plugin (2025.0 to
        # 2026.4) where a network is compiled for fixed sizes.
        return functional.leaky_relu(x + x * scale + shift, 0.1)


class _Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, style: int) -> None:
        super().__init__()
        self.first = _Styled(inputs, outputs, style)
        self.second = _Styled(outputs, outputs, style)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        return self.second(self.first(x, style), style)


class ConditionalUNet(nn.Module):
    """Residual in HU from CT, organ, soft tumor mask and noise.

    Args:
        features: channels of the levels, finest first; decides size and speed.
        scale_hu: of each row of the one-hot `organ`, the largest change in HU.
        style: width of the vector that scales and shifts the features of every layer.

    No statistics cross samples: one sample alone gives what it gives in a batch.
    """

    def __init__(self, features: Sequence[int], scale_hu: Sequence[float], style: int) -> None:
        super().__init__()
        rows = len(scale_hu)
        self.register_buffer("scale_hu", torch.tensor(scale_hu, dtype=torch.float32))
        self.style = nn.Sequential(
            nn.Linear(rows + _STYLE + _MEASURES, style), nn.LeakyReLU(0.1), nn.Linear(style, style)
        )
        # Each level sees the noise at its own scale, besides what comes from the level above.
        ins = [_CHANNELS, *(f + 1 for f in features[:-1])]
        self.down = nn.ModuleList(_Block(i, f, style) for i, f in zip(ins, features, strict=True))
        pairs = list(pairwise(features))[::-1]
        self.narrow = nn.ModuleList(nn.Conv3d(coarse, fine, 1) for fine, coarse in pairs)
        self.up = nn.ModuleList(_Block(2 * fine, fine, style) for fine, _ in pairs)
        self.out = nn.Conv3d(features[0], 1, 1)

    def forward(self, x: Tensor, organ: Tensor) -> Tensor:
        """Residual (N, 1, x, y, z) in HU; exactly 0 where the soft mask is 0.

        Args:
            x: (N, 4, x, y, z): image in 0..1, organ mask 0 or 1, soft tumor mask 0..1, noise (independent,
                standard normal per voxel).
            organ: (N, K) one-hot.
        """
        soft, noise = x[:, 2:3].clamp(0, 1), x[:, 3:4]
        style = self.style(torch.cat([organ, *_measures(x)], dim=1))
        skips = []
        for level, block in enumerate(self.down):
            if level:
                # The mean of 8 standard normals, times sqrt(8), is standard normal again.
                noise = functional.avg_pool3d(noise, 2) * 8**0.5
                x = torch.cat([functional.max_pool3d(x, 2), noise], dim=1)
            x = block(x, style)
            skips.append(x)
        skips.pop()
        for narrow, block in zip(self.narrow, self.up, strict=True):
            # Interpolated, not a transposed convolution: that one leaves a chequerboard in the texture.
            x = functional.interpolate(narrow(x), scale_factor=2, mode="nearest")
            x = block(torch.cat([x, skips.pop()], dim=1), style)
        scale = (organ * self.scale_hu).sum(dim=1)[:, None, None, None, None]
        return soft * scale * torch.tanh(self.out(x))


def _measures(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What the normalised features cannot tell, per sample: noise of the octants, organ's level, size.

    (N, 8) standard normal; (N, 1) mean of the image over the organ, 0..1; (N, 1) log volume, about 0..1.
    """
    image, organ, soft, noise = x.split(1, dim=1)
    octants = functional.adaptive_avg_pool3d(noise, _OCTANTS).flatten(1)
    voxels = noise.shape[2] * noise.shape[3] * noise.shape[4]
    space = (2, 3, 4)
    level = (image * organ).sum(space) / organ.sum(space).clamp(min=1.0)
    size = torch.log1p(soft.sum(space)) / 10.0
    return octants * (voxels / _STYLE) ** 0.5, level, size


def conditional_unet(
    features: Sequence[int] = (16, 32, 64, 128),
    organs: Sequence[str] = tuple(ORGANS),
    scale_hu: Sequence[float] | None = None,
    style: int = 32,
) -> nn.Module:
    """See :class:`ConditionalUNet`.

    `organs` are the rows of the one-hot. `scale_hu` is by default twice the largest contrast of each row in
    the organ table: room for texture, rim and core.
    """
    if scale_hu is None:
        scale_hu = [2.0 * ORGANS[name].contrast.limits[1] for name in organs]
    return ConditionalUNet(features, scale_hu, style)
