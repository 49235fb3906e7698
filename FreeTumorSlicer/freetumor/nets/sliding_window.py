"""A segmenter over a volume of any size, by MONAI's sliding windows with Gaussian weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from freetumor.errors import FreeTumorError
from freetumor.nets.backends import Log, say
from freetumor.nets.devices import free_memory, is_out_of_memory


@dataclass(frozen=True, eq=False)
class Slid:
    """What the windows gave.

    Attributes:
        probabilities: float16, (class, k, j, i); they add up to 1.
        tile: of a window, (k, j, i). windows: how many were computed.
    """

    probabilities: np.ndarray
    tile: tuple[int, int, int]
    windows: int


def sliding(
    predict: Callable[[np.ndarray], np.ndarray],
    image: np.ndarray,
    classes: int,
    patch: Sequence[int],
    overlap: float = 0.2,
    *,
    multiple: int = 1,
    progress: Callable[[int, int], None] = lambda done, windows: None,
    log: Log = say,
) -> Slid:
    """Class probabilities of `image`: the softmax of each window's logits, averaged where windows overlap.

    Probabilities are kept in half precision: a volume of 7 classes takes 14 bytes a voxel, and a slab as
    thick as a window 32 more. Where the memory is not enough, all is done again with smaller windows.

    Args:
        predict: float32 (1, k, j, i) -> logits (`classes`, k, j, i), such as a ``Predictor``.
        image: float32, (1, k, j, i), scaled as the network wants it; beyond its border is 0.
        patch: of a window, (k, j, i); smaller where the image is. overlap: 0 to below 1.
        multiple: what each side of a window must be a multiple of.
        progress: called before each window with the windows done and all windows; may raise to stop.

    Raises:
        FreeTumorError: kind "out_of_memory": even the smallest window is too large.
    """
    tile = _tile([min(p, n) for p, n in zip(patch, image.shape[1:], strict=True)], multiple)
    while True:
        try:
            return _slid(predict, image, classes, tile, overlap, progress)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            smaller = _tile([n / 2 for n in tile], multiple)
            if smaller == tile:
                raise FreeTumorError(
                    f"the memory is not enough even for windows of {_by(tile)} voxels; close other programs "
                    "or segment a part of the CT.",
                    kind="out_of_memory",
                ) from error
        free_memory()
        log(f"the memory is not enough for windows of {_by(tile)} voxels; trying {_by(smaller)}")
        tile = smaller


def _slid(
    predict: Callable[[np.ndarray], np.ndarray],
    image: np.ndarray,
    classes: int,
    tile: tuple[int, int, int],
    overlap: float,
    progress: Callable[[int, int], None],
) -> Slid:
    import torch
    from monai.data.utils import compute_importance_map, dense_patch_slices

    # Everything here is in the networks' order (i, j, k): nothing is turned around window by window.
    image, tile = np.ascontiguousarray(image.transpose(0, 3, 2, 1)), tile[::-1]
    size = image.shape[1:]
    padded = tuple(max(n, t) for n, t in zip(size, tile, strict=True))
    if padded != size:
        image = np.pad(image, [(0, 0), *((0, p - n) for p, n in zip(padded, size, strict=True))])
    steps = [t if n == t else max(1, int(t * (1 - overlap))) for n, t in zip(padded, tile, strict=True)]
    windows = dense_patch_slices(padded, tile, steps)  # the first axis is the slowest
    sums = _Sums(classes, padded, compute_importance_map(tile, mode="gaussian", sigma_scale=0.125).numpy())
    for done, where in enumerate(windows):
        progress(done, len(windows))
        cut = np.ascontiguousarray(image[(slice(None), *where)])
        logits = np.asarray(predict(cut.transpose(0, 3, 2, 1))).transpose(0, 3, 2, 1)
        if len(logits) != classes:
            raise ValueError(f"{len(logits)} classes came, {classes} were expected")
        sums.add(torch.softmax(torch.from_numpy(logits), dim=0).numpy(), where)
    made = sums.means()[(slice(None), *(slice(0, n) for n in size))]
    return Slid(made.transpose(0, 3, 2, 1), tile[::-1], len(windows))


class _Sums:
    """Weighted means of windows that come in the order of their first axis.

    Sums are kept in float32 for a slab as thick as a window; what no later window reaches is divided and
    kept in half precision.
    """

    def __init__(self, classes: int, shape: tuple[int, ...], weights: np.ndarray) -> None:
        self._weights, self._first = weights, 0
        self._means = np.empty((classes, *shape), np.float16)
        self._sums = np.zeros((classes, weights.shape[0], *shape[1:]), np.float32)
        self._total = np.zeros(self._sums.shape[1:], np.float32)

    def add(self, probabilities: np.ndarray, where: tuple[slice, ...]) -> None:
        """Add those of a window: float32, (class, ...)."""
        self._go_to(where[0].start)
        for sums, share in zip(self._sums, probabilities, strict=True):
            sums[(slice(None), *where[1:])] += share * self._weights
        self._total[(slice(None), *where[1:])] += self._weights

    def means(self) -> np.ndarray:
        """The means: float16, (class, ...)."""
        self._go_to(self._means.shape[1])
        return self._means

    def _go_to(self, first: int) -> None:
        """Let the slab begin at `first`; what lies before is done."""
        done = first - self._first
        if not done:
            return
        for means, sums in zip(self._means, self._sums, strict=True):
            means[self._first : first] = sums[:done] / self._total[:done]
        for slab in (*self._sums, self._total):
            slab[:-done] = slab[done:]
            slab[-done:] = 0
        self._first = first


def _tile(sides: Sequence[float], multiple: int) -> tuple[int, int, int]:
    """The smallest tile that a network can take and that is not smaller than `sides`."""
    tile = [int(-(-n // multiple) * multiple) for n in sides]
    if multiple > 1 and set(tile) == {multiple}:
        tile[-1] *= 2  # a single voxel at the coarsest level has no statistics to be normalised by
    return tuple(tile)


def _by(tile: Sequence[int]) -> str:
    return "x".join(map(str, tile))
