"""Models for tests: reproducible random weights, and a segmenter that is a threshold."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from math import prod
from pathlib import Path

import numpy as np
import torch
from freetumor.anatomy import ORGANS
from freetumor.models import Model, NetworkSpec, save_model
from freetumor.nets import build, write_network_weights
from torch import nn

LIGHT = NetworkSpec("light-unet", {"classes": [0, 1, 2, 3, 4, 5, 6], "features": [4, 4, 8, 8, 8]})


def fill(network: nn.Module, prefix: str = "", seed: int = 0) -> nn.Module:
    """Give `network` weights that depend on the names of its tensors (after `prefix`) and `seed` only."""
    for key, value in network.named_parameters():
        rng = np.random.default_rng((zlib.crc32((prefix + key).encode()), seed))
        shape = tuple(value.shape)
        if len(shape) > 1:
            drawn = rng.standard_normal(shape) * np.sqrt(2 / prod(shape[1:]))
        else:
            drawn = 0.1 * rng.standard_normal(shape) + float(key.endswith("weight"))
        value.data.copy_(torch.from_numpy(np.asarray(drawn, np.float32)))
    return network


def made_model(
    folder: Path,
    group: str,
    parts: Mapping[str, NetworkSpec],
    seed: int = 0,
    networks: Mapping[str, nn.Module] | None = None,
    **record: object,
) -> Model:
    """A model in ``folder/NAME`` with random weights, or with those of `networks`.

    `record` replaces entries of ``model.json``; the rest comes from the organ table.
    """
    rows = [row for row in ORGANS.values() if row.group == group]
    full = {
        "name": f"made-{group}",
        "title": "made for tests",
        "networks": {
            part: {"architecture": spec.architecture, "settings": dict(spec.settings)}
            for part, spec in parts.items()
        },
        "group": group,
        "organs": [row.name for row in rows],
        "window": list(rows[0].window),
        "spacing": list(rows[0].working_spacing),
        "patch": list(rows[0].patch),
        "trained_against": [],
        "licence": "Apache-2.0",
        "training_data": "none: made for tests",
    } | record
    if networks is None:
        networks = {part: fill(build(spec), f"{part}.", seed) for part, spec in parts.items()}
    return save_model(folder, full, lambda path: write_network_weights(path, networks))


def threshold_segmenter(
    folder: Path,
    group: str,
    low_hu: float,
    high_hu: float,
    *,
    organ: str | None = None,
    organ_hu: tuple[float, float] | None = None,
    sharpness: float = 1.0,
    **record: object,
) -> Model:
    """A segmenter that calls a voxel lesion from `low_hu` to `high_hu`, organ elsewhere in `organ_hu`.

    `organ_hu` is the whole window by default, so that there is no background in it; ends beyond the
    window are never reached, because HU are clipped to it. At a limit two classes are equally probable:
    take limits between the values that matter. `sharpness`: logit per HU near the limits.
    """
    rows = [row for row in ORGANS.values() if row.group == group]
    row = ORGANS[organ] if organ else rows[0]
    window = tuple(record.get("window", row.window))
    low_organ, high_organ = organ_hu or (window[0] - 100.0, window[1] + 100.0)
    classes = [0, row.organ_label, row.lesion_label]
    # Two parabolas over x = (HU - low) / width, positive between their limits: background is 0, the organ
    # the first, the lesion the first plus the second.
    around = _parabola(low_organ, high_organ, window, sharpness)
    inside = _parabola(low_hu, high_hu, window, sharpness)
    rows_of_weights = np.stack([np.zeros(3), around, around + inside])
    spec = NetworkSpec("voxelwise", {"classes": classes})
    network = build(spec)
    with torch.no_grad():
        network.logits.weight.copy_(torch.from_numpy(rows_of_weights[:, :2, None, None, None]))
        network.logits.bias.copy_(torch.from_numpy(rows_of_weights[:, 2]))
    given = {"name": f"threshold-{group}"} | record
    return made_model(folder, group, {"segmenter": spec}, networks={"segmenter": network}, **given)


def _parabola(low: float, high: float, window: tuple[float, float], sharpness: float) -> np.ndarray:
    """(w1, w2, b) of ``k (x - a)(b - x)`` with slope `sharpness` per HU at its zeros `low` and `high`."""
    width = window[1] - window[0]
    a, b = (low - window[0]) / width, (high - window[0]) / width
    k = sharpness * width / (b - a)
    return np.array([k * (a + b), -k, -k * a * b])
