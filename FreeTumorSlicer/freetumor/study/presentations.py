"""Cases under neutral ids, what the key says of them, and what each reader is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from freetumor.study.division import Division
from freetumor.study.lesions import Lesion
from freetumor.study.matching import shown_ct
from freetumor.study.orders import Shown, main_order, same_patient_in_a_row, sides, spread
from freetumor.study.record import MAIN, PAIRS, TRAINING

_ID_BYTES = 8


@dataclass(frozen=True)
class Cases:
    """What is shown, by id.

    Attributes:
        lesions: those that are shown. keyed: the key of each, :class:`freetumor.study.KeyedCase`.
        extents: mm that circle and picture hold to each side: the larger extent of a matched pair, for both.
            With each lesion's own the radius would tell long lesions from round ones, and so the classes
            where synthetic lesions are rounder than real ones.
    """

    lesions: dict[str, Lesion]
    keyed: dict[str, dict]
    extents: dict[str, float]


@dataclass(frozen=True)
class Orders:
    """What each reader is shown.

    Attributes:
        blocks: reader, block, presentations, as in ``study.json``.
        repeats: reader, presentation, case: those that show a case again.
        in_a_row: how often a patient follows on itself, of the reader where it is most often.
    """

    blocks: dict[str, dict[str, list[dict]]]
    repeats: dict[str, dict[str, str]]
    in_a_row: int


def neutral_cases(division: Division, training: int, rng: np.random.Generator) -> Cases:
    """Give each lesion a random id; of an odd number of `training` cases the last has no partner."""
    pairs = division.pairs
    members = [
        (block, number, lesion, max(pair.real.extent_mm, pair.synthetic.extent_mm))
        for block, some in division.blocks.items()
        for number, pair in enumerate(some)
        for lesion in (pair.synthetic, shown_ct(pair.real, pairs))
    ]
    if training % 2:
        last = max(n for n, member in enumerate(members) if member[0] == TRAINING)
        members.pop(last - int(rng.integers(2)))
    ids = new_ids(len(members), rng)
    found = {
        (block, number, lesion.synthetic): case
        for case, (block, number, lesion, _) in zip(ids, members, strict=True)
    }
    keyed = {
        case: {
            "synthetic": lesion.synthetic,
            "organ": lesion.organ,
            "diameter_mm": lesion.diameter_mm,
            "size_class": lesion.size_class,
            "patient": lesion.patient_name,
            "source": f"{lesion.source}: {lesion.name}",
            "match": found.get((block, number, not lesion.synthetic)),
            "role": block,
        }
        for case, (block, number, lesion, _) in zip(ids, members, strict=True)
    }
    lesions = {case: lesion for case, (_, _, lesion, _) in zip(ids, members, strict=True)}
    extents = {case: extent for case, (*_, extent) in zip(ids, members, strict=True)}
    return Cases(lesions, keyed, extents)


def draw_orders(cases: Cases, readers: int, repeats: float, rng: np.random.Generator) -> Orders:
    """An order of its own for each reader; `repeats`: share of the main cases that come again."""
    drawn = Orders({}, {}, 0)
    in_a_row = []
    width = max(2, len(str(readers)))
    for number in range(1, readers + 1):
        reader = f"reader-{number:0{width}d}"
        shown = _shown(cases, repeats, rng)
        in_a_row.append(same_patient_in_a_row(shown[MAIN], _patients(cases)))
        ids = iter(new_ids(sum(map(len, shown.values())), rng))
        drawn.blocks[reader], drawn.repeats[reader] = {}, {}
        for block, ones in shown.items():
            listed = drawn.blocks[reader].setdefault(block, [])
            for one in ones:
                name = next(ids)
                listed.append({"id": name, "cases": [one.case] if isinstance(one, Shown) else list(one)})
                if isinstance(one, Shown) and one.again:
                    drawn.repeats[reader][name] = one.case
    return Orders(drawn.blocks, drawn.repeats, max(in_a_row))


def _shown(cases: Cases, repeats: float, rng: np.random.Generator) -> dict[str, list]:
    patients = _patients(cases)
    synthetic = {case: facts["synthetic"] for case, facts in cases.keyed.items()}
    by_role = {
        role: sorted(case for case, facts in cases.keyed.items() if facts["role"] == role)
        for role in (TRAINING, MAIN, PAIRS)
    }
    couples = [(cases.keyed[case]["match"], case) for case in by_role[PAIRS] if synthetic[case]]
    return {
        TRAINING: [Shown(case) for case in spread(by_role[TRAINING], patients, rng)],
        MAIN: main_order(by_role[MAIN], synthetic, patients, repeats, rng),
        PAIRS: sides(couples, patients, rng),
    }


def _patients(cases: Cases) -> Mapping[str, int]:
    return {case: lesion.patient for case, lesion in cases.lesions.items()}


def new_ids(count: int, rng: np.random.Generator) -> list[str]:
    """So many different hexadecimal ids of one length."""
    ids: dict[str, None] = {}
    while len(ids) < count:
        ids[rng.bytes(_ID_BYTES).hex()] = None
    return list(ids)
