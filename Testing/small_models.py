"""Models of a few bytes for tests of the store, made without torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from freetumor.models import Model, save_model
from safetensors.numpy import save_file


def record(name: str = "small", **changed: object) -> dict:
    """A record of a segmenter of the abdomen; a field that is changed to None is left out."""
    full = {
        "name": name,
        "title": "made for tests",
        "group": "abdomen",
        "organs": ["liver", "kidney"],
        "window": [-175, 250],
        "spacing": [1.5, 1.5, 1.5],
        "patch": [96, 96, 96],
        "licence": "CC0-1.0",
        "networks": {"segmenter": {"architecture": "voxelwise", "settings": {"classes": [0, 1, 2, 5, 6]}}},
    } | changed
    return {key: value for key, value in full.items() if value is not None}


def weights(parts: tuple[str, ...] = ("segmenter",), values: int = 6) -> Callable[[Path], None]:
    """Writes a safetensors file with one tensor for each part."""
    tensors = {f"{part}.logits.weight": np.arange(values, dtype=np.float32) for part in parts}
    return lambda path: save_file(tensors, path)


def small_model(folder: Path, name: str = "small", **changed: object) -> Model:
    """A model in ``folder/name``; see :func:`record`."""
    said = record(name, **changed)
    return save_model(folder, said, weights(tuple(said["networks"])))
