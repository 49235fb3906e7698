"""Networks for tests of those who use them: small ones, and ones that are watched or made to answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import freetumor.nets
import numpy as np
import pytest
from freetumor.models import NetworkSpec
from made_models import fill, made_model

# A working grid on which a small lesion has a patch of 32^3.
COARSE = {"spacing": [4, 4, 4], "patch": [32, 32, 32]}


def small_generators(folder: Path) -> dict[str, str]:
    """Folders of our generator for abdomen and chest, tiny, with random weights."""
    made = {}
    for group in ("abdomen", "chest"):
        spec = NetworkSpec("conditional-unet", {"features": [4, 8]})
        network = fill(freetumor.nets.build(spec))
        network.scale_hu.fill_(200.0)
        networks, name = {"generator": network}, f"ours-{group}"
        model = made_model(folder, group, {"generator": spec}, networks=networks, name=name, **COARSE)
        made[group] = str(model.folder)
    return made


class Counted:
    """Counts forward passes: `inputs` holds the inputs of each, from now to the end of the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.inputs: list[tuple[np.ndarray, ...]] = []
        real = freetumor.nets.predictor
        monkeypatch.setattr(freetumor.nets, "predictor", lambda *a, **k: _Watched(real(*a, **k), self.inputs))


class _Watched:
    def __init__(self, predict: Callable, inputs: list) -> None:
        self._predict, self._inputs = predict, inputs

    def __call__(self, *inputs: np.ndarray) -> np.ndarray:
        self._inputs.append(inputs)
        return self._predict(*inputs)

    def __getattr__(self, name: str) -> object:
        return getattr(self._predict, name)


class Answers:
    """In place of every network: one that answers the same logit everywhere."""

    multiple, device, backend = 8, "cpu", "made"

    def __init__(self, monkeypatch: pytest.MonkeyPatch, logit: float) -> None:
        self.inputs: list[tuple[np.ndarray, ...]] = []
        self._logit = logit
        monkeypatch.setattr(freetumor.nets, "predictor", lambda *a, **k: self)

    def __call__(self, *inputs: np.ndarray) -> np.ndarray:
        self.inputs.append(inputs)
        return np.full((1, *inputs[0].shape[1:]), self._logit, np.float32)
