"""Live preview: one lesion that follows sliders, recomposed from what has not changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from freetumor.masks import TumorMask, sample_mask
from freetumor.organs import OrganLabels
from freetumor.pipeline import JUDGE_CONTEXT_MM, LesionRandom
from freetumor.synthesis import Edit, Options, Patch, Style, compose
from freetumor.synthesis import engine as engine_of
from freetumor.volume import Volume


@dataclass(frozen=True, eq=False)
class LiveStep:
    """What a step shows: the lesion's mask, and the edit that is now in the CT."""

    mask: TumorMask
    edit: Edit


class LivePreview:
    """A lesion in a CT that is shown while it is being adjusted.

    The CT is edited in place, one lesion at a time; :meth:`reset` gives it back bit for bit. Mask and patch
    are kept while only the look changes; with the same settings and seed it shows the very lesion that
    :func:`freetumor.pipeline.synthesize` makes in its first try.

    Args:
        ct: the CT that is shown; edited in place.
        labels: the organ, on the CT's grid. engine: name of the engine. options: what it runs.
    """

    def __init__(
        self, ct: Volume, labels: OrganLabels, engine: str = "procedural", options: Options | None = None
    ) -> None:
        self._ct, self._labels = ct, labels
        self._engine = engine_of(engine, options or Options(), labels.organ)
        self._step: LiveStep | None = None
        self._key: tuple | None = None
        self._patch: Patch | None = None
        self._maps: dict = {}  # of the organ, which stays the same

    @property
    def step(self) -> LiveStep | None:
        """What is in the CT now; None if nothing is."""
        return self._step

    def update(
        self,
        *,
        diameter: float,
        at: Sequence[float] | None = None,
        contrast: float | None = None,
        seed: int = 0,
        rim: bool | None = None,
        core: bool | None = None,
        exophytic: bool | None = None,
    ) -> LiveStep:
        """Show a lesion of `diameter` mm at `at` (RAS mm; None: a random place by `seed`).

        Raises:
            BadInput: it does not fit there (the CT then shows no lesion), with the largest size that does.
        """
        self.reset()
        key = (diameter, None if at is None else tuple(at), seed, exophytic)
        if key != self._key:
            self._key = None
            mask = sample_mask(
                self._ct,
                self._labels,
                diameter,
                LesionRandom.of(seed, self._labels.organ).mask,
                at=None if at is None else tuple(float(c) for c in at),
                exophytic=exophytic,
                maps=self._maps,
            )
            context = max(self._engine.context_mm, JUDGE_CONTEXT_MM)
            self._patch = Patch.around(self._ct, self._labels, mask, context)
            self._key = key
        look = LesionRandom.of(seed, self._labels.organ).look
        residual = self._engine.residual(self._patch, look, Style(contrast, rim, core))
        edit = compose(self._ct, self._patch, residual.hu)
        edit.apply(self._ct)
        self._step = LiveStep(self._patch.mask, edit)
        return self._step

    def reset(self) -> None:
        """Take the lesion out of the CT again: the input, bit for bit."""
        if self._step is not None:
            self._step.edit.undo(self._ct)
            self._step = None
