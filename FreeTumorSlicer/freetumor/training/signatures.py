"""Signatures of a training that has failed: seen early, named, with what to try.

The numbers are those that a stage tells of each step, as means over a window of steps. A rule looks at them
by their names only, so that it holds for every stage that tells them.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from freetumor.errors import FreeTumorError
from freetumor.quality.model_free import MAX_LEAKAGE, MIN_CHANGE_HU

# A classifier that is this sure of everything has no gradient left for the generator.
_SURE, _SAME = 0.97, 0.02
# The judge of single tumors allows MAX_LEAKAGE; a mean beyond several times that is no accident.
_LEAKAGE = 5 * MAX_LEAKAGE


class TrainingFailed(FreeTumorError):
    """The run was given up; says what was seen and what to try. ``kind`` is the signature's."""


@dataclass(frozen=True)
class Signature:
    """One way to fail.

    Attributes:
        needs: names of the numbers that it looks at. shows: whether they show it.
        seen: what was seen, a format of the numbers. advice: what to try.
        fatal: False where the run may still come round: it is said, and goes on.
    """

    kind: str
    title: str
    needs: tuple[str, ...]
    shows: Callable[..., bool]
    seen: str
    advice: str
    fatal: bool = True


SIGNATURES = (
    Signature(
        "ghost_tumor",
        "ghost tumors",
        ("change_hu",),
        lambda change: change < MIN_CHANGE_HU,
        "inside the masks the CT changes by {change_hu:.1f} HU only",
        "Raise losses.plausible, or train the critic on more tumors: it must not find a tumor where none is.",
    ),
    Signature(
        "wrong_contrast",
        "contrast of the wrong sign",
        ("contrast_signed_hu",),
        lambda contrast: contrast < 0,
        "tumors differ from their organ by {contrast_signed_hu:.0f} HU to the wrong side",
        "Raise losses.plausible; check that the labels of critic and data mean the same organ.",
    ),
    Signature(
        "leakage",
        "leakage",
        ("leakage",),
        lambda leakage: leakage > _LEAKAGE,
        "{leakage:.0%} of the change lies outside organ and mask",
        "Check the organ labels (grid, sides); the generator conditional-unet changes nothing there.",
    ),
    Signature(
        "classifier_collapse",
        "classifier collapse",
        ("p_real_of_fake", "p_real_of_real"),
        lambda fake, real: (
            abs(fake - real) < _SAME and (min(fake, real) > _SURE or max(fake, real) < 1 - _SURE)
        ),
        "the classifier says the same of every tumor: real with {p_real_of_real:.1%} of the real and "
        "{p_real_of_fake:.1%} of the synthetic ones",
        "Lower loop.learning_rate, or give it more real tumors (data.sources).",
    ),
    Signature(
        "classifier_wins",
        "generator left behind",
        ("p_real_of_fake", "p_real_of_real"),
        lambda fake, real: fake < 1 - _SURE and real > _SURE,
        "the classifier tells all tumors apart: real with {p_real_of_real:.1%} of the real and "
        "{p_real_of_fake:.1%} of the synthetic ones, and gives the generator nothing to learn",
        'Set losses.adversarial = "logarithm", raise losses.real, or make the classifier smaller '
        "(classifier.settings.features).",
        fatal=False,
    ),
)


class Watcher:
    """Looks at every step; :meth:`see` gives what to say, and raises where a run is to be given up."""

    def __init__(self, after: int, window: int, abort: bool) -> None:
        self._after, self._window, self._abort = after, window, abort
        self._seen: deque[Mapping[str, float]] = deque(maxlen=window)
        self._said: set[str] = set()

    def see(self, step: int, numbers: Mapping[str, float]) -> list[str]:
        """Warnings for this step, each once.

        Raises:
            TrainingFailed: a number is not finite, or a signature shows and the watcher aborts.
        """
        wild = [name for name, number in numbers.items() if not math.isfinite(number)]
        if wild:
            raise TrainingFailed(
                f"stopped at step {step}: {', '.join(wild)} is not a finite number. Try a lower "
                "loop.learning_rate, a smaller loop.clip or loop.precision float32 from the last checkpoint.",
                kind="not_finite",
            )
        self._seen.append(numbers)
        if step < self._after or len(self._seen) < self._window:
            return []
        return [self._tell(step, signature) for signature in SIGNATURES if self._shows(signature)]

    def state(self) -> list:
        """For a checkpoint."""
        return [[dict(numbers) for numbers in self._seen], sorted(self._said)]

    def load(self, state: list) -> None:
        """Go on from a checkpoint."""
        self._seen = deque(state[0], maxlen=self._window)
        self._said = set(state[1])

    def _mean(self, name: str) -> float:
        return sum(numbers[name] for numbers in self._seen) / len(self._seen)

    def _shows(self, signature: Signature) -> bool:
        if signature.kind in self._said or not set(signature.needs) <= set(self._seen[-1]):
            return False
        return signature.shows(*map(self._mean, signature.needs))

    def _tell(self, step: int, signature: Signature) -> str:
        self._said.add(signature.kind)
        seen = signature.seen.format(**{name: self._mean(name) for name in signature.needs})
        told = (
            f"{signature.title} at step {step}: {seen} (mean of {len(self._seen)} steps). {signature.advice}"
        )
        if self._abort and signature.fatal:
            raise TrainingFailed(
                f"stopped: {told} --set watch.abort=false only warns; the last checkpoint can be resumed.",
                kind=signature.kind,
            )
        return told
