"""What helps where a study has few pairs, or too few to be made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from freetumor.study.matching import Pair

LEAST_PAIRS = 2
FEW_PAIRS = 10  # of an organ: with so few a covariate's AUC of 0.25 or 0.75 may still be chance
MORE = (
    "Make more synthetic lesions, of the sizes of the real ones and in the same scans or collections: "
    "several in each set ('freetumor synthesize --count N', column count of the batch table), as a study "
    "shows only one set of a scan; and several such sets with other seeds, of which the one most like the "
    "real lesions is shown. --per-patient says how many of a patient are shown."
)

_OTHER_SCANS = "make synthetic lesions in scans of the same collection"
_OTHER_PLACES = "more sets with other seeds, which have lesions at other places"
# What reasons have in common; how they are told together, and what helps. The first that fits counts.
_REASONS = (
    ("cut by the end of the scan", "", "scans that hold the whole lesion"),
    ("quality test", "", "more sets with other seeds"),
    ("smaller than", "", "larger lesions"),
    ("one version of a scan", "its scan is shown with another set of tumors", "several tumors in each set"),
    ("put beside it or over it", "a synthetic lesion was put beside it or over it", _OTHER_PLACES),
    ("of like diameter", "none of like diameter", "synthetic lesions of the sizes of the real ones"),
    ("of like slice thickness", "none of like slice thickness", _OTHER_SCANS),
    ("of like pixel size", "none of like pixel size", _OTHER_SCANS),
    ("of like noise", "none of like noise", _OTHER_SCANS),
    ("of like lesions in view", "none with as many lesions in view", "as many tumors in each set"),
    ("contrast phase", "none of like contrast phase", _OTHER_SCANS),
    ("of like air", "none with as much air around the body in view", _OTHER_PLACES),
    ("of like lung", "none with as much lung in view", _OTHER_PLACES),
    ("of like view", "none as near to the end of the scan", _OTHER_PLACES),
    ("left out so that", "", _OTHER_SCANS),
    ("matched to others", "those like it are matched to others", "more scans with real lesions, more sets"),
    ("no real", "", "scans with real lesions of that organ"),
    ("no synthetic", "", "synthetic lesions of that organ"),
    ("its patient shows", "its patient shows others already", "more patients, or --per-patient"),
)


def most_often(unmatched: Sequence[Mapping[str, str]], most: int = 3) -> str:
    """The most frequent reasons of {"what", "why"}, how often, and what helps; empty if there are none."""
    counts: dict[tuple[str, str], int] = {}
    for entry in unmatched:
        reason = _grouped(entry["why"])
        counts[reason] = counts.get(reason, 0) + 1
    often = sorted(counts.items(), key=lambda item: -item[1])[:most]
    return "; ".join(
        f"{why} ({count}{f'; helps: {helps}' if helps else ''})" for (why, helps), count in often
    )


def _grouped(why: str) -> tuple[str, str]:
    for mark, said, helps in _REASONS:
        if mark in why:
            return said or why, helps
    return why, ""


def few_pairs(pairs: Sequence[Pair], organs: Sequence[str]) -> list[str]:
    """A warning for each of `organs` with so few main pairs that their balance cannot be judged."""
    said = []
    for organ in organs:
        count = sum(pair.real.organ == organ for pair in pairs)
        if count < FEW_PAIRS:
            amount = "no pair" if not count else "only 1 pair" if count == 1 else f"only {count} pairs"
            said.append(
                f"{organ}: {amount} of a real and a synthetic lesion. With fewer than {FEW_PAIRS} it cannot "
                "be judged whether real and synthetic cases differ in more than the tumor: the table of "
                "balance says little. More CTs with real lesions help, and more tumors in each of them "
                "('freetumor synthesize --count N'; several sets with other seeds)."
            )
    return said
