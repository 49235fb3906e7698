"""The result as plain data, as text and as a table on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby

_COLUMNS = ("", "seconds", "faster", "memory", "classes", "max diff.", "ready")
_LEGEND = (
    "seconds: median on the wall, warm. faster: than the naive schedule of this run. ~: extrapolated.",
    "memory: peak of the process in GiB, with Python, torch, CT and weights.",
    "classes: share of voxels to which the segmenter gives the class that it gives in plain float32; a whole "
    "CT is compared with the naive schedule's windows.",
    "max diff.: of the generator's output, -1..1, to plain float32.",
    "ready: seconds until the first result is there: imports, weights, compilation, first run.",
)


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        section: what was done. name: how.
        seconds: median on the wall; None: it could not be measured, `note` says why.
        cpu_seconds: of all threads. runs: that the median is of.
        extrapolated: from what the seconds were; empty: they were measured.
        faster: the naive schedule's seconds over these. peak_bytes: of the process.
        agreement: share of voxels with the class that plain float32 gives. difference: largest of the
            generator's output. ready_seconds: imports, weights, conversion and the first run.
        note: what else should be known.
    """

    section: str
    name: str
    seconds: float | None = None
    cpu_seconds: float | None = None
    runs: int = 0
    extrapolated: str = ""
    faster: float | None = None
    peak_bytes: int | None = None
    agreement: float | None = None
    difference: float | None = None
    ready_seconds: float | None = None
    note: str = ""

    def to_dict(self) -> dict:
        """For JSON."""
        return {k: float(f"{v:.5g}") if isinstance(v, float) else v for k, v in asdict(self).items()}

    def cells(self, about: bool) -> tuple[str, ...]:
        """In the order of the columns; `about`: it is compared with something extrapolated."""
        mark = "~" if self.extrapolated else ""
        about = "~" if self.extrapolated or about else ""
        return (
            self.name,
            _said(self.seconds, lambda s: f"{mark}{s:.3g}" if s < 100 else f"{mark}{s:.0f}"),
            _said(self.faster, lambda r: "1x" if r == 1 else f"{about}{r:.1f}x"),
            _said(self.peak_bytes, lambda b: f"{b / 2**30:.1f}"),
            # Rounded down: 100 % is said only where all is the same.
            _said(self.agreement, lambda a: f"{int(a * 1e5) / 1e3:.3f}%"),
            _said(self.difference, lambda d: f"{d:.1g}"),
            _said(self.ready_seconds, lambda s: f"{s:.0f}"),
        )


def lines(result: dict, rows: Sequence[Row]) -> list[str]:
    """The table as lines of plain text."""
    sections = list(_sections(rows))
    cells = [_COLUMNS, *(line for _, table, _ in sections for line in table)]
    widths = [max(len(row[n]) for row in cells) for n in range(len(_COLUMNS))]
    made = [*_head(result), ""]
    for title, table, notes in sections:
        made += [title, *(_line(row, widths) for row in (_COLUMNS, *table)), *notes, ""]
    return [*made, *_tail(result)]


def show(result: dict, rows: Sequence[Row]) -> None:
    """The table on a terminal."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False)
    console.print("\n".join(_head(result)), style="dim")
    for title, cells, notes in _sections(rows):
        table = Table(title=title, title_justify="left")
        for n, column in enumerate(_COLUMNS):
            table.add_column(column, justify="right" if n else "left", no_wrap=True)
        for line in cells:
            table.add_row(*line)
        console.print("", table, *notes, sep="\n")
    console.print("", *_tail(result), sep="\n")


def _sections(rows: Sequence[Row]) -> Iterator[tuple[str, list[tuple[str, ...]], list[str]]]:
    """Title, cells, and what is to be said below them."""
    for title, members in groupby(rows, key=lambda row: row.section):
        members = list(members)
        about = any(row.extrapolated for row in members if row.faster == 1)
        notes = []
        for row in members:
            said = [f"extrapolated {row.extrapolated}"] if row.extrapolated else []
            said += [row.note] if row.note else []
            notes += [f"  {row.name}: {'; '.join(said)}"] if said else []
        yield title, [row.cells(about) for row in members], notes


def _head(result: dict) -> list[str]:
    facts = result["machine"]
    versions = ", ".join(f"{name} {version or 'none'}" for name, version in facts["versions"].items())
    memory = facts["memory_available_gib"]
    return [
        f"{facts['cpu']}, {facts['processors']} processors, {facts['threads']} threads"
        + ("" if memory is None else f", {memory} GiB of memory free"),
        f"{facts['system']}; {versions}",
        f"load {facts['load_before']} before, {facts['load_after']} after; {result['seconds']:.0f} s in all",
    ]


def _tail(result: dict) -> list[str]:
    return [*result["notes"], *_LEGEND]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(text.rjust(width) for text, width in others)]).rstrip()


def _said(value: float | None, words: Callable[[float], str]) -> str:
    return "-" if value is None else words(value)
