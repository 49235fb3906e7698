"""In which order a reader sees the cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

# A case comes again so many presentations later, at least, as a share of all; it is not to be remembered.
_GAP_SHARE = 0.25
_LEAST_GAP = 3
_DRAWS = 100  # orders of pairs, of which the best is taken


@dataclass(frozen=True)
class Shown:
    """A case in an order; `again`: it was shown before."""

    case: str
    again: bool = False


def spread(cases: Sequence[str], patients: Mapping[str, int], rng: np.random.Generator) -> list[str]:
    """`cases` in random order, no two of one patient in a row where that is possible."""
    left: dict[int, list[str]] = {}
    for n in rng.permutation(len(cases)):
        left.setdefault(patients[cases[n]], []).append(cases[n])
    order: list[str] = []
    while left:
        last = patients[order[-1]] if order else None
        rest = sum(map(len, left.values()))
        most = max(left, key=lambda patient: len(left[patient]))
        if most != last and 2 * len(left[most]) > rest:
            # Its cases would be left over in a row at the end.
            patient = most
        else:
            free = [p for p in left if p != last] or list(left)
            # Each case left is as likely to come next as any other.
            weights = np.array([len(left[p]) for p in free], float)
            patient = free[int(rng.choice(len(free), p=weights / weights.sum()))]
        order.append(left[patient].pop())
        if not left[patient]:
            del left[patient]
    return order


def main_order(
    cases: Sequence[str],
    synthetic: Mapping[str, bool],
    patients: Mapping[str, int],
    repeats: float,
    rng: np.random.Generator,
) -> list[Shown]:
    """All cases once, and a share of them again, as many of each class.

    Args:
        repeats: share of the cases that come again, 0..0.5.
    """
    order = [Shown(case) for case in spread(cases, patients, rng)]
    gap = max(_LEAST_GAP, round(_GAP_SHARE * len(order)))
    # Early ones only, so that there is room after them; the classes in turn.
    early = [shown.case for shown in order[: max(1, len(order) - gap)]]
    early = [early[n] for n in rng.permutation(len(early))]
    by_class = [
        [case for case in early if synthetic[case] == kind] for kind in rng.permutation([False, True])
    ]
    for turn in range(round(repeats * len(cases))):
        some = by_class[turn % 2] or by_class[1 - turn % 2]
        if some:
            _show_again(order, some, gap, patients, rng)
    return order


def _show_again(
    order: list[Shown], some: list[str], gap: int, patients: Mapping[str, int], rng: np.random.Generator
) -> None:
    """Take the first of `some` that fits in between other patients late enough, and show it again there."""
    names = [shown.case for shown in order]
    choices = []
    for case in some:
        start = names.index(case) + 1
        late = range(min(start + gap, len(order)), len(order) + 1)
        calm = [place for place in late if not _beside(order, place, patients[case], patients)]
        choices.append((not calm, calm or list(late), case))
        if calm:
            break
    _, places, case = min(choices, key=lambda choice: choice[0])
    some.remove(case)
    order.insert(int(rng.choice(places)), Shown(case, again=True))


def _beside(order: Sequence[Shown], place: int, patient: int, patients: Mapping[str, int]) -> bool:
    neighbours = order[max(0, place - 1) : place + 1]
    return any(patients[shown.case] == patient for shown in neighbours)


def sides(
    pairs: Sequence[tuple[str, str]], patients: Mapping[str, int], rng: np.random.Generator
) -> list[tuple[str, str]]:
    """(real, synthetic) pairs in random order as (left, right), the synthetic one on each side as often."""
    turned = rng.permutation(np.arange(len(pairs)) % 2 == 0)
    if len(pairs) % 2 and rng.random() < 0.5:
        turned = ~turned
    shown = [pair[::-1] if turn else pair for pair, turn in zip(pairs, turned, strict=True)]
    orders = [[shown[n] for n in rng.permutation(len(shown))] for _ in range(_DRAWS)]
    return min(orders, key=lambda order: _same_in_a_row(order, patients))


def _same_in_a_row(order: Sequence[tuple[str, ...]], patients: Mapping[str, int]) -> int:
    seen = [{patients[case] for case in cases} for cases in order]
    return sum(bool(a & b) for a, b in pairwise(seen))


def same_patient_in_a_row(order: Sequence[Shown], patients: Mapping[str, int]) -> int:
    """How often a patient follows on itself."""
    return _same_in_a_row([(shown.case,) for shown in order], patients)
