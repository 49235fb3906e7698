"""What engines with a generator have in common: its patch, its outputs kept, the way back to the CT."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from freetumor.models import Model
from freetumor.synthesis.compose import UNTOUCHED_BEYOND_MM
from freetumor.synthesis.engines import Log, Options, Residual, Style, check_style
from freetumor.synthesis.kept import Kept
from freetumor.synthesis.patch import Patch
from freetumor.synthesis.surroundings import Surroundings

REACH_MM = UNTOUCHED_BEYOND_MM - 0.5
_FADE_MM = 1.5  # over which the change ends: no step at the end of its reach
_CORE_MM, _CORE_SHARE = 1.0, 0.9  # the lesion's inside, without its border: where contrast is measured
_MOST_GAIN = 20.0  # a network that hardly changes anything is not blown up to a lesion
_LEAST_HU = 0.05


class NetworkEngine(ABC):
    """An engine that runs the generator of `model`; a subclass says how (:meth:`change`).

    The change is smooth and added to the CT, so that the scan's own noise and detail stay. It is kept for
    the last patch: another contrast only scales it.
    """

    name: str
    context_mm = 14.0

    def __init__(self, model: Model, options: Options, log: Log) -> None:
        self.model, self._options, self._log = model, options, log
        self._kept = Kept()
        self._last: _Made | None = None

    @abstractmethod
    def change(self, seen: Surroundings, near: Patch, rng: np.random.Generator) -> tuple[np.ndarray, dict]:
        """Change in HU on the box of `near`, (k, j, i), and what was drawn for it."""

    def held(self, change: np.ndarray, near: Patch, patch: Patch, style: Style) -> np.ndarray:
        """`change` (HU, on the box of `near`) within what a lesion of `patch` may be; here as it is."""
        return change

    def residual(self, patch: Patch, rng: np.random.Generator, style: Style) -> Residual:
        """See :class:`freetumor.synthesis.engines.Engine`.

        Raises:
            BadInput: kind "usage": a style that it cannot follow; kind "too_large"; or the weights or the
                backend are not usable.
        """
        check_style(self.name, style)
        last = self._last
        if last is None or last.patch is not patch or last.chance != rng.bit_generator.state:
            last = self._last = self._make(patch, rng)
        gain = 1.0 if style.contrast_hu is None else _gain(last, style.contrast_hu)
        hu = np.zeros(patch.box.shape, np.float32)
        hu[last.near.box.within(patch.box)] = self.held(gain * last.change, last.near, patch, style)
        return Residual(hu, {**last.parameters, "gain": round(gain, 4)})

    def _make(self, patch: Patch, rng: np.random.Generator) -> _Made:
        chance, predict = rng.bit_generator.state, self._predictor()
        seen = Surroundings.of(patch, self.model, predict.multiple)
        near = patch.within(REACH_MM)
        change, drawn = self.change(seen, near, rng)
        change = change * np.clip((REACH_MM - near.outside_mm) / _FADE_MM, 0.0, 1.0)
        change[near.beyond] = 0.0
        parameters = {
            "model": self.model.name,
            "weights_sha256": self.model.facts["sha256"],
            "device": predict.device,
            "backend": predict.backend,
            "patch_kji": list(seen.grid.shape),
            "spacing_kji_mm": list(self.model.spacing),
            "window_hu": list(self.model.window),
            **drawn,
        }
        return _Made(patch, chance, near, change, parameters)

    def forward(self, *inputs: np.ndarray, then: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """What `then` makes of the generator's output for `inputs`; the last few are kept."""
        return self._kept.get(inputs, lambda *given: then(self._predictor()(*given)))

    def _predictor(self) -> Callable:
        from freetumor.nets import predictor

        return predictor(
            self.model,
            "generator",
            device=self._options.device,
            backend=self._options.backend,
            log=self._log,
        )


@dataclass(frozen=True, eq=False)
class _Made:
    """A change on `near`, HU, and what it came from; `chance`: state of the generator before it was drawn."""

    patch: Patch
    chance: dict
    near: Patch
    change: np.ndarray
    parameters: dict


def _gain(made: _Made, contrast_hu: float) -> float:
    """Factor on the change that gives the lesion's inside the asked contrast to the organ around it."""
    patch, near, change = made.patch, made.near, made.change
    core = near.inside & (near.depth_mm > _CORE_MM) & (near.soft > _CORE_SHARE)
    core = core if core.any() else near.inside
    mean = float(change[core].mean())
    if abs(mean) < _LEAST_HU:
        return 1.0
    missing = patch.level + contrast_hu - float(near.hu[core].mean())
    return float(np.clip(missing / mean, -_MOST_GAIN, _MOST_GAIN))
