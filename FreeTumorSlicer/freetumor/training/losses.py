"""The losses of the three stages as in the paper (arXiv 2502.18519), and what keeps the generator honest.

Every loss is a mean over the samples of a batch, each sample for itself: a batch in parts gives the gradient
of the whole one, and a sample counts the same whatever else is in its batch. All in float32.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn import functional

from freetumor.anatomy import Organ

UNKNOWN = 255  # a voxel that nobody labelled
NOTHING: Mapping[int, int] = MappingProxyType({})
SLACK = 0.1  # of the range of contrasts: the mean of a core still holds some of the border
ROUGH = 3.0
_CORE = 0.75  # share of tumor from which a voxel belongs to the lesion's core
_MAD = 1.4826
_SPACE = (2, 3, 4)


def channels_of(label: Tensor, classes: Sequence[int], parts: Mapping[int, int] = NOTHING) -> Tensor:
    """Label ids (N, 1, x, y, z) to output channels (N, x, y, z), int64; :data:`UNKNOWN` stays.

    Ids that are no class of the network are background to it (channel 0), or the class that they are a
    part of by `parts`: id of the part -> id of the class.
    """
    table = torch.zeros(UNKNOWN + 1, dtype=torch.int64, device=label.device)
    for channel, label_id in enumerate(classes):
        table[label_id] = channel
    for part, whole in parts.items():
        table[part] = table[whole]
    table[UNKNOWN] = UNKNOWN
    return table[label[:, 0].long()]


def as_background(logits: Tensor, classes: Tensor) -> Tensor:
    """Logits (N, C, x, y, z) of a network that takes some `classes`, bool (N, C), for background (channel 0).

    The probability of the background becomes the sum of theirs and its own. That is the marginal loss (Shi
    et al. 2021, arXiv 2007.03868): where nobody labelled an organ, what is not labelled is that organ or
    background, and no more than that is known.
    """
    own = torch.zeros_like(classes)
    own[:, 0] = True
    one, other = (mask.view(*mask.shape, 1, 1, 1) for mask in (classes | own, classes & ~own))
    together = logits.masked_fill(~one, -torch.inf).logsumexp(1, keepdim=True)
    return torch.cat([together, logits[:, 1:].masked_fill(other[:, 1:], -torch.inf)], 1)


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Mean over a sample's known voxels, then over samples; logits (N, C, x, y, z)."""
    known = target != UNKNOWN
    each = functional.cross_entropy(logits.float(), target, ignore_index=UNKNOWN, reduction="none")
    return (each.flatten(1).sum(1) / known.flatten(1).sum(1).clamp(min=1)).mean()


def dice(logits: Tensor, target: Tensor) -> Tensor:
    """1 - soft Dice, mean over the classes that a sample shows (but not the background), then over samples.

    A class that a sample does not show is left to the cross-entropy: its Dice is 0 whatever is predicted,
    up to the last false voxel.
    """
    known = (target != UNKNOWN)[:, None]
    shown = functional.one_hot(target.where(target != UNKNOWN, 0), logits.shape[1]).movedim(-1, 1)
    probability = logits.float().softmax(1) * known
    shown = shown.to(probability.dtype) * known
    common = (probability * shown).sum(_SPACE)
    sizes = probability.sum(_SPACE) + shown.sum(_SPACE)
    present = shown.sum(_SPACE) > 0
    present[:, 0] = False
    each = (1 - 2 * common / sizes.clamp(min=1e-6)) * present
    return (each.sum(1) / present.sum(1).clamp(min=1)).mean()


def inside(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of values (N, 1, x, y, z) inside a mask (shares 0..1), of each sample: (N,); 0 without a mask."""
    return (values * mask).sum((1, *_SPACE)) / mask.sum((1, *_SPACE)).clamp(min=1e-6)


def of_lesion(logits: Tensor, channels: Tensor) -> Tensor:
    """Probability (N, 1, x, y, z) that a segmenter gives to one channel of each sample; channels (N,)."""
    probability = logits.float().softmax(1)
    return probability.gather(1, channels.view(-1, 1, 1, 1, 1).expand(-1, 1, *probability.shape[2:]))


def unlike_real(says: Tensor, mask: Tensor, *, logarithm: bool) -> Tensor:
    """What a generator pays for tumors that a classifier does not take for real, of each sample: (N,).

    Args:
        says: the classifier's logits (N, 1, x, y, z). mask: of the tumors.
        logarithm: the mean of -log p in place of the paper's 1 - p, whose gradient vanishes where the
            classifier is sure (the non-saturating loss of Goodfellow et al. 2014, arXiv 1406.2661).
    """
    if logarithm:
        return inside(functional.softplus(-says.float()), mask)
    return 1 - inside(says.sigmoid(), mask)


def composed(image: Tensor, residual_hu: Tensor, window: Sequence[float]) -> Tensor:
    """x' = x + residual in the window, 0..1; (N, 1, x, y, z)."""
    return (image + residual_hu / (window[1] - window[0])).clamp(0, 1)


def contrast_range(organ: Organ, level: float) -> tuple[float, float]:
    """Plausible lesion HU minus organ HU, by the organ table, where the organ is at `level` HU.

    The range of ``Contrast.keep`` at that enhancement, its size held within ``Contrast.limits``, with
    :data:`SLACK` at both ends.
    """
    row = organ.contrast
    ends = [(keep - 1) * (level - row.baseline) * organ.polarity for keep in row.keep]
    low, high = (min(max(size, row.limits[0]), row.limits[1]) for size in (min(ends), max(ends)))
    low, high = (1 - SLACK) * low, (1 + SLACK) * high
    return (low, high) if organ.polarity > 0 else (-high, -low)


def surroundings(
    image: Tensor, organ_mask: Tensor, mask: Tensor, window: Sequence[float]
) -> tuple[Tensor, Tensor]:
    """Median and spread in HU of the organ outside the mask, of each sample: (N,) each.

    The spread is 1.4826 times the median deviation from the median, the standard deviation of normal
    values: vessels in a lung are no texture of it. Of the whole patch where no organ is left.
    """
    low, high = window
    levels, spreads = [], []
    for x, organ, tumor in zip(image, organ_mask, mask, strict=True):
        around = (organ > 0.5) & (tumor == 0)
        values = x[around] if around.sum() > 1 else x.flatten()
        levels.append(values.median())
        spreads.append(_MAD * (values - levels[-1]).abs().median())
    return torch.stack(levels) * (high - low) + low, torch.stack(spreads) * (high - low)


def lesion(made: Tensor, mask: Tensor, window: Sequence[float]) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation in HU of the lesion's core, of each sample: (N,) each.

    Of the whole mask where there is no core: a lesion of a voxel or two is all border.
    """
    low, high = window
    core = mask * (mask >= _CORE)
    core = torch.where(core.sum((1, *_SPACE), keepdim=True) > 0, core, mask)
    mean = inside(made, core)
    spread = (inside((made - mean.view(-1, 1, 1, 1, 1)) ** 2, core) + 1e-8).sqrt()
    return mean * (high - low) + low, spread * (high - low)


def implausible(contrasts: Tensor, levels: Tensor, organs: Sequence[Organ]) -> Tensor:
    """How far the lesion's mean HU is from what its organ's tumors have, of each sample: (N,).

    In units of the least contrast of the organ's tumors; 0 in the range. Without it the generator may please
    the critics with an outline, or with a tumor of the wrong sign.
    """
    distances = []
    for value, level, organ in zip(contrasts, levels.tolist(), organs, strict=True):
        low, high = contrast_range(organ, level)
        # As HU the lesion has to be possible too, but never so that no contrast is left.
        low = max(low, min(organ.lesion_hu[0] - level, high))
        high = min(high, max(organ.lesion_hu[1] - level, low))
        miss = functional.relu(low - value) + functional.relu(value - high)
        distances.append(miss / organ.contrast.limits[0])
    return torch.stack(distances)


def rough(spreads: Tensor, around: Tensor, organs: Sequence[Organ]) -> Tensor:
    """How much more the lesion varies inside than a tumor of its organ could, of each sample: (N,).

    0 up to the variation of the organ around it and :data:`ROUGH` times the texture of its tumors; a mean
    within the range alone could hide the wildest values.
    """
    texture = spreads.new_tensor([organ.appearance.texture_hu for organ in organs])
    return functional.relu(spreads / (around + ROUGH * texture) - 1)


def alike(one: Tensor, other: Tensor, mask: Tensor, organs: Sequence[Organ]) -> Tensor:
    """How much two residuals for two noise fields are one, of each sample: (N,), 1 if equal.

    0 once their difference varies inside the mask as much as the texture of the organ's tumors does. It is
    taken over neighbours first, so that noise from voxel to voxel does not count as texture; a shift of the
    whole tumor does not count either, so that a flat blob is not diverse.
    """
    difference = functional.avg_pool3d(one - other, 3, stride=1, padding=1, count_include_pad=False)
    mean = inside(difference, mask).view(-1, 1, 1, 1, 1)
    spread = (inside((difference - mean) ** 2, mask) + 1e-6).sqrt()
    wanted = spread.new_tensor([organ.appearance.texture_hu for organ in organs])
    return functional.relu(1 - spread / wanted)
