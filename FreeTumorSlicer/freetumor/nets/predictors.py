"""A network of a model, ready to compute on numpy arrays in array order (channel, k, j, i)."""

from __future__ import annotations

import json
from collections import OrderedDict

import numpy as np

from freetumor.models import Model, check_weights
from freetumor.nets.architectures import architecture
from freetumor.nets.backends import (
    AUTOMATIC,
    PLAIN,
    Engine,
    Log,
    Unavailable,
    check_backend,
    make_engine,
    say,
)
from freetumor.nets.devices import Device, choose_device

_KEPT = 4  # a generator, a critic, a judge and a segmenter
_cache: OrderedDict[tuple, Predictor] = OrderedDict()


class Predictor:
    """Call it with arrays, get an array.

    Attributes:
        multiple: what each spatial size must be a multiple of.
        backend: what computes, a name of ``backends.BACKENDS``; PLAIN once another one had to give up.
        device: "cpu" or "cuda". log: gets a line when the backend has to be given up.
    """

    def __init__(
        self, model: Model, part: str, device: Device, engine: Engine, backend: str, log: Log
    ) -> None:
        self.multiple = architecture(model.network(part).architecture).multiple
        self.backend, self.device = backend, device.name
        self._model, self._part, self._engine = model, part, engine
        self.log = log

    def __call__(self, *inputs: np.ndarray) -> np.ndarray:
        """Run the network on one volume.

        Args:
            inputs: float32; volumes (C, k, j, i) on a working grid, or vectors (K,).

        Returns:
            float32, (C, k, j, i); a view of an array (C, i, j, k), which is what networks compute.

        Raises:
            ValueError: a spatial size is not a multiple of :attr:`multiple`.
        """
        arrays = [self._tensor(np.asarray(a, np.float32)) for a in inputs]
        try:
            made = self._engine(*arrays)
        except Unavailable as reason:
            _say_fallback(self.backend, reason, self.log)
            self._engine = make_engine(PLAIN, self._model, self._part, self.device, self.log)
            self.backend = PLAIN
            made = self._engine(*arrays)
        return made[0].transpose(0, 3, 2, 1)

    def _tensor(self, array: np.ndarray) -> np.ndarray:
        if array.ndim == 1:
            return array[None]
        if any(n % self.multiple for n in array.shape[1:]):
            raise ValueError(f"sizes {array.shape[1:]} are not multiples of {self.multiple}")
        return np.ascontiguousarray(array.transpose(0, 3, 2, 1))[None]


def predictor(
    model: Model,
    part: str,
    *,
    device: str = "auto",
    backend: str = "auto",
    log: Log = say,
) -> Predictor:
    """The network `part` of `model`, ready to compute; the last few are kept in memory.

    Args:
        part: of ``models.model.PARTS``.
        device: auto, cpu or cuda. backend: auto or a name of ``backends.BACKENDS``.
        log: gets a line for each thing the user should know: a conversion that takes a while, a backend
            that cannot be had so that plain PyTorch computes.

    Raises:
        BadInput: kind "usage" (no such device or backend), "no_gpu", "wrong_part", or what loading the
            weights raises: kind "corrupt_weights" where they are not those of the record.
    """
    check_backend(backend)
    place = choose_device(device)
    spec = model.network(part)
    settings = json.dumps(dict(spec.settings), sort_keys=True, default=list)
    weights = (str(model.weights), model.facts.get("sha256"))
    key = (*weights, part, spec.architecture, settings, place.name, backend)
    if key not in _cache:
        _cache[key] = _made(model, part, place, backend, log)
        while len(_cache) > _KEPT:
            _cache.popitem(last=False)
    _cache.move_to_end(key)
    _cache[key].log = log
    return _cache[key]


def forget() -> None:
    """Drop the networks that are kept in memory."""
    _cache.clear()


def _made(model: Model, part: str, place: Device, backend: str, log: Log) -> Predictor:
    check_weights(model)  # what is recorded in a provenance must be what computes
    names = AUTOMATIC[place.name] if backend == "auto" else (backend, PLAIN)
    for name in names[:-1]:
        try:
            engine = make_engine(name, model, part, place.name, log)
            return Predictor(model, part, place, engine, name, log)
        except Unavailable as reason:
            _say_fallback(name, reason, log)
    engine = make_engine(names[-1], model, part, place.name, log)
    return Predictor(model, part, place, engine, names[-1], log)


def _say_fallback(backend: str, reason: Unavailable, log: Log) -> None:
    log(f"backend {backend} is not used ({reason}); plain PyTorch computes instead")
