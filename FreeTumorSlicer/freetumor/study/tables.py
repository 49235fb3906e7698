"""The report's numbers as CSV, for any other program: a row per estimate, a row per read, a row per case."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

from freetumor.study.multireader import MEASURES
from freetumor.study.reads import Reads
from freetumor.study.record import PAIRS, POSITIVE

ESTIMATES, READS, CASES, BALANCE = "estimates.csv", "reads.csv", "cases.csv", "balance.csv"
_ESTIMATE = (
    *("scope", "name", "measure", "value", "low", "high", "level", "standard_error", "degrees_of_freedom"),
    *("readers", "cases", "reads", "positive_class"),
)
# A text that a spreadsheet would take for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_tables(folder: Path, result: dict, reads: Reads) -> None:
    """Write estimates.csv, reads.csv, cases.csv and balance.csv, the last two where there are such rows."""
    _write(folder / ESTIMATES, _ESTIMATE, _estimates(result))
    rows = list(_reads(reads))
    _write(folder / READS, tuple(rows[0]), (tuple(row.values()) for row in rows))
    if result["cases"]:
        names = tuple(result["cases"][0])
        _write(
            folder / CASES,
            (*names, "positive_class"),
            ((*(case[name] for name in names), POSITIVE) for case in result["cases"]),
        )
    if result["balance"]:
        names = tuple(result["balance"][0])
        _write(folder / BALANCE, names, (tuple(row[name] for name in names) for row in result["balance"]))


def _estimates(result: dict) -> Iterator[tuple]:
    for measure in MEASURES:
        yield _row("pooled", "all", measure, result["pooled"][measure])
    for title, scope in (("organs", "organ"), ("size_classes", "size class")):
        for name, part in result[title].items():
            for measure in MEASURES:
                yield _row(scope, name, measure, part[measure])
    for reader, one in result["readers"].items():
        for measure in MEASURES:
            yield _row("reader", reader, measure, one[measure])
        repeats = one["repeats"]
        for name in ("kappa", "weighted_kappa"):
            estimate = {"value": repeats[name], "low": None, "high": None, "count": repeats["count"]}
            yield _row("reader", reader, f"intra_reader_{name}", estimate)
        if result["forced_choice"]:
            yield _row("reader", reader, "forced_choice", one["forced_choice"])
    for name in ("fleiss_kappa", "krippendorff_alpha", "intra_reader_kappa"):
        yield _row("pooled", "all", name, result["agreement"][name])
    if result["forced_choice"]:
        yield _row("pooled", "all", "forced_choice", result["forced_choice"]["pooled"])
    readers = list(result["readers"])
    for number, row in enumerate(result["agreement"]["cohen_kappa"]):
        for other in range(number):
            estimate = {"value": row[other], "low": None, "high": None}
            yield _row("pair of readers", f"{readers[other]}, {readers[number]}", "cohen_kappa", estimate)


def _row(scope: str, name: str, measure: str, estimate: dict) -> tuple:
    return (
        *(scope, name, measure, estimate["value"], estimate["low"], estimate["high"], estimate.get("level")),
        *(estimate.get("error"), estimate.get("freedom"), estimate.get("readers")),
        *(estimate.get("cases"), estimate.get("reads", estimate.get("count")), POSITIVE),
    )


def _reads(reads: Reads) -> Iterator[dict]:
    for read in sorted(reads.rows, key=lambda r: (r.reader, r.block, r.place)):
        pair = read.block == PAIRS
        yield {
            "reader": read.reader,
            "block": read.block,
            "place": read.place + 1,
            "presentation": read.presentation,
            "case": read.case,
            "repeat": int(read.repeat),
            "truth": "pair" if pair else "synthetic" if read.known.synthetic else "real",
            "answer": None if pair else read.answer,
            "confidence": read.answer if pair else None,
            "called_synthetic": None if pair else int(bool(read.says_synthetic)),
            "right": int(read.right),
            "organ": read.known.organ,
            "size_class": read.known.size_class,
            "diameter_mm": read.known.diameter_mm,
            "patient": read.known.patient,
            "source": read.known.source,
            "seconds": read.seconds,
            "window": read.window,
            "level": read.level,
            "window_changes": read.window_changes,
            "mark_mm": read.mark_mm,
            "comment": read.comment,
            "changed_answers": read.changes,
            "positive_class": POSITIVE,
        }


def _write(path: Path, names: tuple, rows: Iterable[tuple]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows([_cell(value) for value in row] for row in rows)


def _cell(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return f"{value:.6g}" if isinstance(value, float) else value
