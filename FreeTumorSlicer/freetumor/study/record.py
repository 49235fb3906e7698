"""What readers' programs know of a study: ``study.json``. Nothing in it tells real from synthetic.

The folder holds ``study.json``, ``cases/ID.nii.gz`` (the CTs) and ``answers/READER.jsonl``.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from freetumor.anatomy import ORGANS
from freetumor.errors import BadInput

STUDY, CASES, ANSWERS = "study.json", "cases", "answers"
FORMAT = 1
POSITIVE = "synthetic"
# The order in which a reader sees them. Answers of the training block never enter the statistics.
BLOCKS = TRAINING, MAIN, PAIRS = ("training", "main", "pairs")
SCALE = (
    "certainly real",
    "probably real",
    "perhaps real",
    "perhaps synthetic",
    "probably synthetic",
    "certainly synthetic",
)
# Answers from here on (1 to 6) mean "synthetic".
FIRST_POSITIVE = 4
_ID = re.compile(r"[0-9a-f]{4,64}")
_READER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class StudyCase:
    """A CT with the lesion to be judged.

    Attributes:
        id: random, hexadecimal.
        file: the CT, absolute or relative to where the study folder was named from.
        center_ras_mm: where the lesion is. `radius_mm`: of the cue around it, in coarse steps;
            the same for a matched pair.
        presets: (name, window, level), HU.
    """

    id: str
    organ: str
    file: Path
    center_ras_mm: tuple[float, float, float]
    radius_mm: float
    presets: tuple[tuple[str, float, float], ...]


@dataclass(frozen=True)
class Presentation:
    """One question to a reader: a case to rate, or two of which one is synthetic (left, right).

    A case that comes again later is another presentation with another id.
    """

    id: str
    cases: tuple[str, ...]


@dataclass(frozen=True)
class Study:
    """A reader study as its readers know it.

    Attributes:
        scale: the texts of answers 1 to 6. `positive`: the class that "positive" means, always "synthetic".
        cases: by id. `orders`: block → presentations, by reader.
        time_limit_s: per presentation; None: no limit.
        key_sha256: of the key file, which is kept apart.
    """

    folder: Path
    id: str
    title: str
    created: str
    organs: tuple[str, ...]
    scale: tuple[str, ...]
    readers: tuple[str, ...]
    cases: dict[str, StudyCase]
    orders: dict[str, dict[str, tuple[Presentation, ...]]]
    time_limit_s: float | None
    key_sha256: str
    positive: str = POSITIVE

    def order(self, reader: str) -> list[tuple[str, Presentation]]:
        """(block, presentation) in the order in which `reader` sees them.

        Raises:
            BadInput: kind "unknown_reader".
        """
        if reader not in self.orders:
            raise BadInput(
                f"a reader of this study ({', '.join(self.readers)})", repr(reader), kind="unknown_reader"
            )
        return [(block, shown) for block in BLOCKS for shown in self.orders[reader][block]]


def read_study(folder: str | Path) -> Study:
    """Read and check a study folder; the CTs themselves are not opened.

    Raises:
        BadInput: kind "not_a_study": no study there, or a damaged one; "newer_format".
    """
    folder = Path(folder)
    path = folder / STUDY
    if not path.is_file():
        raise BadInput(
            f"a study folder with {STUDY}",
            f"{folder}, which has none" if folder.is_dir() else f"{folder}, which does not exist",
            "Make one with 'freetumor study new'.",
            kind="not_a_study",
        )
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(record, dict):
        raise _damaged(path, "not an object")
    if record.get("format") != FORMAT:
        raise BadInput(
            f"a study of format {FORMAT}", f"format {record.get('format')!r} in {path}",
            "Update FreeTumor.", kind="newer_format",
        )  # fmt: skip
    try:
        return _study(folder, record)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        said = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise _damaged(path, said) from error


def _study(folder: Path, record: dict) -> Study:
    cases = {name: _case(folder, name, one) for name, one in record["cases"].items()}
    readers = tuple(record["readers"])
    _must(readers and len(set(readers)) == len(readers), "readers: none, or one twice")
    for reader in readers:
        # A reader's name becomes a file name.
        _must(isinstance(reader, str) and _READER.fullmatch(reader), f"reader {reader!r} is no plain name")
    orders = {reader: _order(record["orders"][reader], reader, cases) for reader in readers}
    limit = record["time_limit_s"]
    _must(limit is None or (_is_number(limit) and limit > 0), f"time_limit_s {limit!r}")
    _must(record["positive"] == POSITIVE, f"positive {record['positive']!r} in place of {POSITIVE!r}")
    scale = tuple(record["scale"])
    _must(len(scale) == len(SCALE) and all(isinstance(text, str) for text in scale), "scale: six texts")
    for name in ("id", "key_sha256"):
        _must(isinstance(record[name], str) and _ID.fullmatch(record[name]), f"{name} {record[name]!r}")
    return Study(
        folder=folder,
        id=record["id"],
        title=str(record["title"]),
        created=str(record["created"]),
        organs=tuple(record["organs"]),
        scale=scale,
        readers=readers,
        cases=cases,
        orders=orders,
        time_limit_s=None if limit is None else float(limit),
        key_sha256=record["key_sha256"],
    )


def _case(folder: Path, name: str, one: dict) -> StudyCase:
    _must(_ID.fullmatch(name), f"case {name!r} is no id")
    file = folder / one["file"]
    # A study may come from anywhere: it must not make a reader's program open other files.
    _must(one["file"] == f"{CASES}/{name}.nii.gz", f"case {name}: file {one['file']!r}")
    _must(file.is_file(), f"{one['file']} is missing")
    _must(one["organ"] in ORGANS, f"case {name}: organ {one['organ']!r}")
    center, radius = tuple(one["center_ras_mm"]), one["radius_mm"]
    _must(len(center) == 3 and all(map(_is_number, center)), f"case {name}: center_ras_mm {center}")
    _must(_is_number(radius) and radius > 0, f"case {name}: radius_mm {radius!r}")
    presets = tuple((str(n), float(window), float(level)) for n, window, level in one["presets"])
    _must(presets, f"case {name}: no presets")
    return StudyCase(name, one["organ"], file, tuple(map(float, center)), float(radius), presets)


def _order(order: dict, reader: str, cases: dict[str, StudyCase]) -> dict[str, tuple[Presentation, ...]]:
    made = {
        block: tuple(Presentation(shown["id"], tuple(shown["cases"])) for shown in order[block])
        for block in BLOCKS
    }
    ids = [shown.id for block in BLOCKS for shown in made[block]]
    _must(len(set(ids)) == len(ids), f"{reader}: a presentation's id comes twice")
    for block, shown_ones in made.items():
        for shown in shown_ones:
            _must(isinstance(shown.id, str) and _ID.fullmatch(shown.id), f"{reader}: {shown.id!r} is no id")
            _must(len(shown.cases) == (2 if block == PAIRS else 1), f"{reader}, {shown.id}: number of cases")
            _must(all(case in cases for case in shown.cases), f"{reader}, {shown.id}: no such case")
    return made


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e6


def _must(holds: object, said: str) -> None:
    if not holds:
        raise ValueError(said)


def _damaged(path: Path, said: str) -> BadInput:
    return BadInput(
        "a study as 'freetumor study new' wrote it", f"{path}: {said}",
        "Get the folder again from who made the study.", kind="not_a_study",
    )  # fmt: skip
