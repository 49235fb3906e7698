"""What is counted beside the rates: times, single cases, and what gave them away."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from freetumor.study.reads import Read, Reads
from freetumor.study.record import MAIN, PAIRS

THIRDS = ("first third", "second third", "last third")
CONFIDENCES = ("not sure", "rather sure", "certain")


def seconds(reads: Sequence[Read]) -> dict:
    """Median and quartiles of the response times."""
    if not reads:
        return {"median": None, "low_quartile": None, "high_quartile": None, "count": 0}
    low, middle, high = np.quantile([read.seconds for read in reads], [0.25, 0.5, 0.75])
    return {
        "median": float(middle),
        "low_quartile": float(low),
        "high_quartile": float(high),
        "count": len(reads),
    }


def times(reads: Reads) -> dict:
    """Response times of first reads: by truth and answer, and along the session with the accuracy."""
    first = reads.first_reads()
    groups = {
        "synthetic, called synthetic": [r for r in first if r.known.synthetic and r.right],
        "synthetic, called real": [r for r in first if r.known.synthetic and not r.right],
        "real, called real": [r for r in first if not r.known.synthetic and r.right],
        "real, called synthetic": [r for r in first if not r.known.synthetic and not r.right],
    }
    along: dict[str, list[Read]] = {name: [] for name in THIRDS}
    for reader in reads.readers:
        asked = max(reads.asked[reader][MAIN], 1)
        for read in reads.of(reader):
            if not read.repeat:
                along[THIRDS[min(3 * read.place // asked, 2)]].append(read)
    return {
        "all": seconds(first),
        "groups": {name: seconds(some) for name, some in groups.items()},
        "session": {
            name: seconds(some) | {"accuracy": float(np.mean([r.right for r in some])) if some else None}
            for name, some in along.items()
        },
    }


def cases(reads: Reads) -> list[dict]:
    """Each case of the main block: what it is, and how many readers called it synthetic."""
    found = []
    by_case: dict[str, list[Read]] = {}
    for read in reads.first_reads():
        by_case.setdefault(read.case, []).append(read)
    for name in reads.cases:
        own = by_case.get(name, [])
        if own:
            known = own[0].known
            found.append(
                {
                    "case": name,
                    "truth": "synthetic" if known.synthetic else "real",
                    "organ": known.organ,
                    "size_class": known.size_class,
                    "diameter_mm": known.diameter_mm,
                    "patient": known.patient,
                    "source": known.source,
                    "readers": len(own),
                    "called_synthetic": sum(bool(read.says_synthetic) for read in own),
                    "right": sum(read.right for read in own),
                    "mean_answer": float(np.mean([read.answer for read in own])),
                    "median_seconds": float(np.median([read.seconds for read in own])),
                }
            )
    return found


def clues(reads: Reads) -> list[dict]:
    """What readers wrote or marked, the recognised synthetic lesions first."""
    found = [
        {
            "reader": read.reader,
            "case": read.case,
            "block": read.block,
            "organ": read.known.organ,
            "truth": "pair" if read.block == PAIRS else "synthetic" if read.known.synthetic else "real",
            "answer": read.answer,
            "right": read.right,
            "comment": read.comment,
            "mark_mm": read.mark_mm,
        }
        for read in reads.rows
        if read.comment or read.mark_mm is not None
    ]
    rank = {"synthetic": 0, "pair": 1, "real": 2}
    return sorted(found, key=lambda clue: (rank[clue["truth"]], not clue["right"], clue["reader"]))


def by_confidence(reads: Reads) -> dict[str, dict]:
    """Forced choices: how often right, by how sure the reader was."""
    found = {}
    for level, name in enumerate(CONFIDENCES, start=1):
        own = [read.right for read in reads.rows if read.block == PAIRS and read.answer == level]
        found[name] = {"count": len(own), "right": int(sum(own))}
    return found
