"""The CSV file of a batch: one line, one synthesis."""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import freetumor
from freetumor.errors import BadInput
from freetumor.job import Job, parse_ids, parse_point
from freetumor.models import is_name
from freetumor.quality import THRESHOLD
from freetumor.request import Request
from freetumor.synthesis import Style

REQUIRED = ("ct", "organ", "out")
OPTIONAL = (
    "labels",
    "label_convention",
    "organ_value",
    "mask",
    "diameter",
    "size_class",
    "at",
    "count",
    "seed",
    "engine",
    "model",
    "device",
    "backend",
    "judge",
    "judge_model",
    "judge_threshold",
    "contrast",
    "rim",
    "core",
    "exophytic",
    "gate",
    "tries",
    "series",
    "resample_labels",
    "assume_hu",
)
_WORDS = {"": None, "yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


@dataclass(frozen=True)
class Row:
    """One line of the CSV file: its number in the file, its job, and a digest of what it asks."""

    line: int
    job: Job
    digest: str


def read_rows(path: str | Path) -> list[Row]:
    """Jobs of a CSV file with a header line; paths in it are relative to the file.

    Columns :data:`REQUIRED` must, :data:`OPTIONAL` may be there; they mean what the options of
    ``freetumor synthesize`` mean, several values in one field are separated by blanks.

    Raises:
        BadInput: the file is missing or no CSV, a column is unknown or missing, a value cannot be read,
            or two rows write the same case.
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            names = reader.fieldnames or []
            lines = [(reader.line_num, line) for line in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput("a CSV file (UTF-8)", f"{path}: {error}", kind="usage") from error
    wrong = [n for n in names if n not in REQUIRED + OPTIONAL] + [n for n in REQUIRED if n not in names]
    if wrong:
        raise BadInput(
            f"columns {', '.join(REQUIRED)} and perhaps {', '.join(OPTIONAL)}",
            f"unknown or missing: {', '.join(map(str, wrong))}",
            "Columns are separated by commas." if any(";" in str(n) for n in names) else "",
            kind="usage",
        )
    rows = [_row(number, line, path.parent) for number, line in lines]
    seen: dict[Path, int] = {}
    for row in rows:
        out = row.job.out.resolve()
        if out in seen:
            raise BadInput(
                "a case folder of its own for each row",
                f"{row.job.out} in lines {seen[out]} and {row.line}",
                kind="usage",
            )
        seen[out] = row.line
    return rows


def _row(number: int, line: dict, base: Path) -> Row:
    text = {k: v.strip() for k, v in line.items() if isinstance(v, str) and v.strip()}

    def path(name: str) -> Path | None:
        return base / text[name] if name in text else None

    def model(name: str) -> str | None:
        """A model's name, or the path of its folder."""
        said = text.get(name)
        return said if said is None or is_name(said) else str(base / said)

    def numeric(name: str, kind: type, default: float | None = None) -> float | None:
        try:
            return kind(text[name]) if name in text else default
        except ValueError as error:
            raise BadInput(f"a number in column {name}", repr(text[name]), kind="usage") from error

    def yes_or_no(name: str) -> bool | None:
        word = text.get(name, "").lower()
        if word not in _WORDS:
            raise BadInput(f"yes or no in column {name}", repr(word), kind="usage")
        return _WORDS[word]

    try:
        if None in line:
            hint = 'Put a value that holds commas in quotes: "-42.5,10,-130".'
            raise BadInput("a value for each column", "more values than that", hint, kind="usage")
        for name in REQUIRED:
            if name not in text:
                raise BadInput(f"a value in column {name}", "nothing", kind="usage")
        request = Request(
            diameter=numeric("diameter", float),
            size_class=text.get("size_class"),
            at=tuple(parse_point(p) for p in text.get("at", "").split()),
            count=numeric("count", int, 1),
            seed=numeric("seed", int, 0),
            engine=text.get("engine", "procedural"),
            model=model("model"),
            device=text.get("device", "auto"),
            backend=text.get("backend", "auto"),
            judges=tuple(text.get("judge", "model-free").split()),
            judge_model=model("judge_model"),
            judge_threshold=numeric("judge_threshold", float, THRESHOLD),
            style=Style(numeric("contrast", float), yes_or_no("rim"), yes_or_no("core")),
            exophytic=yes_or_no("exophytic"),
            gate=yes_or_no("gate") is not False,
            tries=numeric("tries", int, 3),
            assume_hu=yes_or_no("assume_hu") is True,
        )
        job = Job(
            ct=path("ct"),
            organ=text["organ"],
            out=path("out"),
            labels=path("labels"),
            label_convention=text.get("label_convention", "freetumor"),
            organ_values=parse_ids(text.get("organ_value", "")),
            mask=path("mask"),
            resample_labels=yes_or_no("resample_labels") is True,
            series=text.get("series"),
            request=request,
        )
    except BadInput as error:
        raise BadInput("a row that can be read", f"line {number}: {error}", kind="usage") from error
    asked = json.dumps([freetumor.__version__, text], sort_keys=True)
    return Row(number, job, hashlib.sha256(asked.encode()).hexdigest())
