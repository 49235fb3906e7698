"""Splits: training, validation and test cases, with no patient and no scan on two sides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from freetumor.errors import BadInput
from freetumor.training.fingerprints import fingerprints
from freetumor.training.sources import SIDES, Case

Identify = Callable[[Case], Iterable[str]]


def split_cases(
    cases: Sequence[Case],
    *,
    fractions: Mapping[str, float] | None = None,
    folds: int | None = None,
    fold: int = 0,
    seed: int = 0,
    identify: Identify = fingerprints,
) -> dict[str, list[Case]]:
    """Divide `cases` by patient and scan.

    A case whose source says its side stays there, and so does everything of its patient. The others are
    divided by `fractions` or `folds`; with neither they are for training.

    Args:
        fractions: share of the patients for each of "train", "val", "test"; they add up to 1.
        folds: so many parts; part `fold` validates, the others train.
        seed: of the division; the order of `cases` does not matter.
        identify: what tells scans apart, see :func:`freetumor.training.fingerprints.fingerprints`.

    Returns:
        ``{"train": [...], "val": [...], "test": [...]}``, each in the order of `cases`.

    Raises:
        BadInput: kind "usage"; or "leak": the sources put one patient or scan on two sides.
    """
    _check(fractions, folds, fold)
    groups = _groups(cases, identify)
    sides: dict[int, str] = {}
    free = []
    for group in groups:
        said = {cases[n].split for n in group} - {None}
        if len(said) > 1:
            raise _leak([cases[n] for n in group])
        if said:
            sides |= dict.fromkeys(group, said.pop())
        else:
            free.append(group)
    free.sort(key=lambda group: min((cases[n].name, str(cases[n].ct)) for n in group))
    order = np.random.default_rng(seed).permutation(len(free))
    for place, side in zip(order, _assigned(len(free), fractions, folds, fold), strict=True):
        sides |= dict.fromkeys(free[place], side)
    return {side: [case for n, case in enumerate(cases) if sides[n] == side] for side in SIDES}


def _check(fractions: Mapping[str, float] | None, folds: int | None, fold: int) -> None:
    if fractions is not None and folds is not None:
        raise BadInput("fractions or folds", "both", "Leave one out.", kind="usage")
    if fractions is not None and (
        not set(fractions) <= set(SIDES)
        or any(share < 0 for share in fractions.values())
        or abs(sum(fractions.values()) - 1.0) > 1e-6
    ):
        raise BadInput(
            f"fractions of {', '.join(SIDES)} that add up to 1", repr(dict(fractions)), kind="usage"
        )
    if folds is not None and not (folds >= 2 and 0 <= fold < folds):
        raise BadInput("at least 2 folds, and one of them", f"fold {fold} of {folds}", kind="usage")


def _groups(cases: Sequence[Case], identify: Identify) -> list[list[int]]:
    """Indices of cases that belong together: one patient, or one scan under several names."""
    leader = list(range(len(cases)))

    def find(n: int) -> int:
        while leader[n] != n:
            leader[n] = leader[leader[n]]
            n = leader[n]
        return n

    first: dict[tuple[str, str], int] = {}
    for n, case in enumerate(cases):
        for key in (("patient", case.patient), *(("scan", value) for value in identify(case))):
            leader[find(n)] = find(first.setdefault(key, n))
    groups: dict[int, list[int]] = {}
    for n in range(len(cases)):
        groups.setdefault(find(n), []).append(n)
    return list(groups.values())


def _assigned(count: int, fractions: Mapping[str, float] | None, folds: int | None, fold: int) -> list[str]:
    """The side of each of `count` groups in their random order."""
    if folds is not None:
        return ["val" if n % folds == fold else "train" for n in range(count)]
    shares = [(fractions or {"train": 1.0}).get(side, 0.0) * count for side in SIDES]
    sizes = [int(share) for share in shares]
    # What rounding leaves over goes to the largest remainders, to the first of equal ones.
    for n in sorted(range(len(SIDES)), key=lambda n: sizes[n] - shares[n])[: count - sum(sizes)]:
        sizes[n] += 1
    return [side for side, size in zip(SIDES, sizes, strict=True) for _ in range(size)]


def _leak(cases: list[Case]) -> BadInput:
    names = ", ".join(f"{case.name} ({case.split or 'not said'}; {case.ct})" for case in cases[:6])
    return BadInput(
        "each patient and each scan on one side",
        f"one patient or scan under several names, on several sides: {names}",
        "Correct the split in the source, or leave all but one out.",
        kind="leak",
    )
