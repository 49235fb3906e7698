"""What a network made of its last few inputs, so that the same input is not computed twice."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np

_MOST = 4  # a patch of 64^3 takes 1 MB


class Kept:
    """Outputs by the content of the inputs; the oldest goes first."""

    def __init__(self) -> None:
        self._outputs: dict[bytes, np.ndarray] = {}

    def get(self, inputs: tuple[np.ndarray, ...], make: Callable[..., np.ndarray]) -> np.ndarray:
        """``make(*inputs)``, or what it gave before; not to be changed."""
        digest = hashlib.blake2b(digest_size=16)
        for array in inputs:
            digest.update(repr((array.shape, array.dtype.str)).encode())
            digest.update(np.ascontiguousarray(array))
        key = digest.digest()
        if key not in self._outputs:
            if len(self._outputs) >= _MOST:
                del self._outputs[next(iter(self._outputs))]
            self._outputs[key] = make(*inputs)
        return self._outputs[key]
