"""Answers joined with the key: who read which case, and what it was."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from freetumor.errors import BadInput
from freetumor.study.key import Key, KeyedCase
from freetumor.study.record import FIRST_POSITIVE, MAIN, PAIRS, TRAINING, Study


@dataclass(frozen=True)
class Read:
    """One answer that counts.

    Attributes:
        place: in the reader's block, from 0. answer: 1 to 6; for a pair 1 to 3, how sure.
        case: of a pair the synthetic one.
        says_synthetic: None for a pair. right: does it agree with the key?
        repeat: the case was shown before in this block.
        mark_mm: from the lesion's middle to where the reader marked; None without a mark.
    """

    reader: str
    presentation: str
    block: str
    place: int
    case: str
    known: KeyedCase
    answer: int
    says_synthetic: bool | None
    right: bool
    repeat: bool
    seconds: float
    window: float
    level: float
    window_changes: int
    comment: str
    mark_mm: float | None
    changes: int


@dataclass(frozen=True)
class Reads:
    """All reads of a study.

    Attributes:
        readers: those who gave an answer that counts, in the study's order. cases: ids of the main block.
        main: first reads of the main block, (readers, cases), 1 to 6, NaN where there is none.
        again: for each reader the (first, again) answers to the repeats.
        pairs: (readers, pairs), 1 where the synthetic one was found, 0 where not, NaN without answer.
        synthetic, patients: (cases,). rows: every read. asked: presentations of each reader, by block.
    """

    readers: tuple[str, ...]
    cases: tuple[str, ...]
    main: np.ndarray
    again: tuple[tuple[np.ndarray, np.ndarray], ...]
    pairs: np.ndarray
    synthetic: np.ndarray
    patients: np.ndarray
    organs: np.ndarray
    sizes: np.ndarray
    rows: tuple[Read, ...]
    asked: dict[str, dict[str, int]]

    def of(self, reader: str, block: str = MAIN) -> list[Read]:
        """Reads of one reader in a block, in the order in which they were shown."""
        own = [row for row in self.rows if row.reader == reader and row.block == block]
        return sorted(own, key=lambda row: row.place)

    def first_reads(self) -> list[Read]:
        """Reads of the main block without the repeats."""
        return [read for read in self.rows if read.block == MAIN and not read.repeat]


def join(study: Study, key: Key, answers: Iterable[dict]) -> Reads:
    """Join answers with the key. Training answers are left out; of a changed answer the last counts.

    Raises:
        BadInput: kind "other_study": an answer to something else than this study.
    """
    order = {
        reader: {
            shown.id: (block, place, shown.cases)
            for block, all_shown in study.orders[reader].items()
            for place, shown in enumerate(all_shown)
        }
        for reader in study.readers
    }
    last: dict[tuple[str, str], dict] = {}
    given: dict[tuple[str, str], int] = {}
    for answer in answers:
        at = answer["reader"], answer["presentation"]
        known = order.get(at[0], {}).get(at[1])
        if answer["study"] != study.id or known is None or known[2] != tuple(answer["cases"]):
            raise BadInput(
                f"answers to study {study.id}", f"presentation {at[1]} of {at[0]}, study {answer['study']}",
                "Move the file of answers away that is of another study.", kind="other_study",
            )  # fmt: skip
        last[at] = answer
        given[at] = given.get(at, 0) + 1
    rows = []
    for (reader, presentation), answer in last.items():
        block, place, shown = order[reader][presentation]
        if block != TRAINING:
            repeat = presentation in key.repeats.get(reader, {})
            rows.append(_read(study, key, answer, block, place, shown, repeat, given[reader, presentation]))
    readers = tuple(reader for reader in study.readers if any(row.reader == reader for row in rows))
    cases = tuple(name for name, known in key.cases.items() if known.role == MAIN)
    main, again = _main(rows, readers, cases)
    return Reads(
        readers=readers,
        cases=cases,
        main=main,
        again=again,
        pairs=_pairs(rows, readers, key),
        synthetic=np.array([key.cases[name].synthetic for name in cases], bool),
        patients=np.array([key.cases[name].patient for name in cases], object).astype(str),
        organs=np.array([key.cases[name].organ for name in cases], object).astype(str),
        sizes=np.array([key.cases[name].size_class for name in cases], object).astype(str),
        rows=tuple(rows),
        asked={reader: {b: len(shown) for b, shown in study.orders[reader].items()} for reader in readers},
    )


def _read(
    study: Study, key: Key, answer: dict, block: str, place: int, shown: tuple, repeat: bool, given: int
) -> Read:
    if block == PAIRS:
        chosen = shown[("left", "right").index(answer["answer"]["synthetic"])]
        case = next((name for name in shown if key.cases[name].synthetic), chosen)
        rating, says, right = answer["answer"]["confidence"], None, key.cases[chosen].synthetic
    else:
        case, rating = shown[0], answer["answer"]
        says = rating >= FIRST_POSITIVE
        right = says == key.cases[case].synthetic
    mark, mark_mm = answer["mark_ras_mm"], None
    if mark is not None:
        marked = answer.get("mark_case") or case
        middle = study.cases[marked if marked in study.cases else case].center_ras_mm
        mark_mm = float(np.linalg.norm(np.subtract(mark, middle)))
    return Read(
        reader=answer["reader"],
        presentation=answer["presentation"],
        block=block,
        place=place,
        case=case,
        known=key.cases[case],
        answer=rating,
        says_synthetic=says,
        right=right,
        repeat=repeat,
        seconds=float(answer["seconds"]),
        window=float(answer["window"]),
        level=float(answer["level"]),
        window_changes=len(answer["window_changes"]),
        comment=answer["comment"].strip(),
        mark_mm=mark_mm,
        changes=given - 1,
    )


def _main(rows: list[Read], readers: tuple[str, ...], cases: tuple[str, ...]) -> tuple[np.ndarray, tuple]:
    """First reads as a table, and the pairs of first and repeated ones."""
    column = {name: number for number, name in enumerate(cases)}
    table = np.full((len(readers), len(cases)), np.nan)
    again = []
    for number, reader in enumerate(readers):
        own = [row for row in rows if row.reader == reader and row.block == MAIN]
        for row in own:
            if not row.repeat:
                table[number, column[row.case]] = row.answer
        repeats = [row for row in own if row.repeat]
        first = np.array([table[number, column[row.case]] for row in repeats], float)
        again.append((first, np.array([row.answer for row in repeats], float)))
    return table, tuple(again)


def _pairs(rows: list[Read], readers: tuple[str, ...], key: Key) -> np.ndarray:
    """Was the synthetic one found; columns are the synthetic cases of the pairs."""
    synthetic = [name for name, known in key.cases.items() if known.role == PAIRS and known.synthetic]
    column = {name: number for number, name in enumerate(synthetic)}
    table = np.full((len(readers), len(synthetic)), np.nan)
    for row in rows:
        if row.block == PAIRS:
            table[readers.index(row.reader), column[row.case]] = float(row.right)
    return table
