"""What a segmenter says of each voxel: crop, working grid, sliding windows, and back to the CT's grid."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from freetumor.models.model import Model
from freetumor.volume import Box, Volume, WorkingGrid

OVERLAP = 0.2  # TotalSegmentator measured no loss above that with Gaussian weights
_SLAB = 16  # slices of the CT whose probabilities are held at once
_SHARES = (0.05, 0.8)  # of the time: sampled by, windows done by

Progress = Callable[[str, float], None]


@dataclass(frozen=True, eq=False)
class ClassProbabilities:
    """Probabilities of the classes of a segmenter in a `box` of a CT.

    Attributes:
        values: float16, (class, k, j, i) on `grid`; they add up to 1.
        classes: label id of each class. facts: for the record: model, sha256, device, windows, ...
    """

    values: np.ndarray
    classes: tuple[int, ...]
    grid: WorkingGrid
    box: Box
    facts: dict

    def slabs(self, progress: Progress) -> Iterator[Box]:
        """Boxes of a few slices that make up the box: what :meth:`on_ct` makes of one at a time is small."""
        for k in range(0, self.box.shape[0], _SLAB):
            progress("resampling", _SHARES[1] + (1 - _SHARES[1]) * k / self.box.shape[0])
            first = self.box.start[0] + k
            stop = min(first + _SLAB, self.box.stop[0])
            yield Box((first, *self.box.start[1:]), (stop, *self.box.stop[1:]))

    def on_ct(self, channel: int, part: Box) -> np.ndarray:
        """The probability of a class on the CT's own grid: float32, (k, j, i) of `part`."""
        return self.grid.back(self.values[channel], part)


def class_probabilities(
    ct: Volume,
    model: Model,
    box: Box,
    *,
    device: str,
    backend: str,
    overlap: float,
    progress: Progress,
    log: Callable[[str], None],
) -> ClassProbabilities:
    """Run the segmenter of `model`, whose record states its classes, over a `box` of `ct` (in HU).

    Raises:
        BadInput, FreeTumorError: what loading the model or the windows raise.
    """
    from freetumor.nets.predictors import predictor
    from freetumor.nets.sliding_window import sliding

    classes = tuple(model.network("segmenter").settings["classes"])
    progress("loading the model", 0.0)
    network = predictor(model, "segmenter", device=device, backend=backend, log=log)
    grid = WorkingGrid.covering(ct.geometry, box, model.spacing)
    low, high = model.window
    image = (np.clip(grid.sample(ct, pad=low), low, high) - low) / (high - low)

    def windows(done: int, total: int) -> None:
        share = _SHARES[0] + (_SHARES[1] - _SHARES[0]) * done / total
        progress(f"window {done + 1} of {total}", share)

    slid = sliding(
        network,
        image[None],
        len(classes),
        model.patch,
        overlap,
        multiple=network.multiple,
        progress=windows,
        log=log,
    )
    facts = {
        "model": model.name,
        "sha256": model.facts.get("sha256"),
        "device": network.device,
        "backend": network.backend,
        "spacing_mm": list(model.spacing),
        "tile": list(slid.tile),
        "overlap": overlap,
        "windows": slid.windows,
    }
    return ClassProbabilities(slid.probabilities, classes, grid, box, facts)
