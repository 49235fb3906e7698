"""Which lesions a study shows, and in which block: matched, balanced, the organs in turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from freetumor.errors import BadInput
from freetumor.study.advice import LEAST_PAIRS, MORE, most_often
from freetumor.study.balance import balanced
from freetumor.study.lesions import Found, spoken
from freetumor.study.matching import Pair, match
from freetumor.study.record import MAIN, PAIRS, TRAINING


@dataclass(frozen=True)
class Division:
    """Pairs by block, and all lesions that are not shown: {"what", "why"}."""

    blocks: dict[str, list[Pair]]
    unmatched: list[dict]

    @property
    def pairs(self) -> list[Pair]:
        """Those of all blocks."""
        return [pair for some in self.blocks.values() for pair in some]


def divided(
    found: Found,
    *,
    cases: int | None,
    training: int,
    pairs: int,
    per_patient: int,
    rng: np.random.Generator,
) -> Division:
    """Match lesions and divide the pairs into blocks.

    Args:
        cases: of the main block, at most. training: cases. pairs: of the forced choice.

    Raises:
        BadInput: kind "too_few": fewer than 2 pairs are left for the main block; says what kept lesions
            from matching.
    """
    matched = match(found, per_patient, rng)
    kept, dropped = balanced(matched.pairs)
    unmatched = found.left_out + matched.unmatched
    for pair, covariate in dropped:
        unmatched += _said(pair, f"left out so that real and synthetic cases do not differ in {covariate}")
    kept = _organs_in_turn(kept, rng)
    aside = {PAIRS: pairs, TRAINING: -(-training // 2)}
    most = len(kept) - sum(aside.values())
    if most < LEAST_PAIRS:
        raise _too_few(len(kept), sum(aside.values()), unmatched)
    counts = {MAIN: most if cases is None else min(most, cases // 2), **aside}
    blocks, start = {}, 0
    for block, count in counts.items():
        blocks[block] = kept[start : start + count]
        start += count
    for pair in kept[start:]:
        unmatched += _said(pair, "matched, but more than the cases asked for")
    return Division(blocks, unmatched)


def _said(pair: Pair, why: str) -> list[dict]:
    return [{"what": spoken(lesion), "why": why} for lesion in (pair.real, pair.synthetic)]


def _organs_in_turn(pairs: Sequence[Pair], rng: np.random.Generator) -> list[Pair]:
    """Pairs in random order, so that any first few of them hold all organs alike."""
    by_organ: dict[str, list[Pair]] = {}
    for n in rng.permutation(len(pairs)):
        by_organ.setdefault(pairs[n].real.organ, []).append(pairs[n])
    turns = [
        (place / len(some), organ, pair)
        for organ, some in by_organ.items()
        for place, pair in enumerate(some)
    ]
    return [pair for _, _, pair in sorted(turns, key=lambda turn: turn[:2])]


def _too_few(count: int, aside: int, unmatched: Sequence[dict]) -> BadInput:
    wanted = f"at least {LEAST_PAIRS + aside} pairs of a real and a synthetic lesion that are alike"
    if aside:
        wanted += f" ({aside} of them for training and forced choice)"
    return BadInput(
        wanted,
        f"{count}. Most often: {most_often(unmatched) or 'no lesion was found'}",
        MORE,
        kind="too_few",
    )
