"""Networks that look at an image and say what each voxel is: segmenters, and our classifiers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.networks.nets import DynUNet, SwinUNETR
from monai.networks.utils import pixelshuffle, pixelunshuffle
from torch import Tensor, nn

_NORMS = {"batch": "batch", "instance": ("instance", {"affine": True})}


class LightUNet(DynUNet):
    """MONAI's ``DynUNet`` (nnU-Net's network) with five levels: the default where there is no GPU.

    Args:
        out_channels: logits per voxel.
        features: channels of the levels, finest first. Few on the finest level, which has 8 times the
            voxels of the next and costs accordingly.
        norm: "batch" normalises by what was learned in training, so that a voxel's logits depend on its
            neighbourhood only, not on the size of the patch around it, and costs nothing at inference;
            "instance" by each patch's own statistics (one size more than 16).
        fold: so many voxels a side become channels before the first level, and voxels again after the last
            one (sub-pixel convolution, Shi et al. 2016, arXiv 1609.05158). With 2, four levels see as far as
            five without, at a third of the cost.
    """

    def __init__(self, out_channels: int, features: Sequence[int], norm: str, fold: int) -> None:
        levels = len(features)
        super().__init__(
            spatial_dims=3,
            in_channels=fold**3,
            out_channels=out_channels * fold**3,
            kernel_size=[3] * levels,
            strides=[1] + [2] * (levels - 1),
            upsample_kernel_size=[2] * (levels - 1),
            filters=list(features),
            norm_name=_NORMS[norm],
        )
        # The same layers once more, nested: each would be in the weights file twice.
        del self.skip_layers
        self._fold = fold

    def forward(self, x: Tensor) -> Tensor:
        """Image (N, 1, x, y, z) -> logits (N, C, x, y, z); sizes are multiples of 16."""
        if self._fold > 1:
            x = pixelunshuffle(x, spatial_dims=3, scale_factor=self._fold)
        skips = [self.input_block(x)]
        for down in self.downsamples:
            skips.append(down(skips[-1]))
        x = self.bottleneck(skips[-1])
        for up in self.upsamples:
            x = up(x, skips.pop())
        x = self.output_block(x)
        return pixelshuffle(x, spatial_dims=3, scale_factor=self._fold) if self._fold > 1 else x


def light_unet(
    out_channels: int, features: Sequence[int] = (8, 32, 64, 128, 256), norm: str = "batch", fold: int = 1
) -> nn.Module:
    """See :class:`LightUNet`."""
    return LightUNet(out_channels, features, norm, fold)


class _DeepestNorm(nn.InstanceNorm3d):
    """Instance normalisation that takes a single voxel too: it is its own mean, so 0 is left of it."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x) if x.shape[2:].numel() == 1 else super().forward(x)


def swinunetr(out_channels: int, feature_size: int = 48, use_v2: bool = True) -> nn.Module:
    """MONAI's ``SwinUNETR``; the defaults are the paper's segmenter. Sizes are multiples of 32."""
    network = SwinUNETR(in_channels=1, out_channels=out_channels, feature_size=feature_size, use_v2=use_v2)
    # 32 voxels are one on the deepest level, which PyTorch would refuse to normalise.
    for name in ("norm1", "norm2"):
        setattr(network.encoder10.layer, name, _DeepestNorm(16 * feature_size))
    return network
