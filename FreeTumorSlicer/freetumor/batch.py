"""Many syntheses from one CSV file: killed at any moment, it goes on where it was."""

from __future__ import annotations

import csv
import hashlib
import json
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import BinaryIO

import freetumor
from freetumor.cases import read_case, remove_partial
from freetumor.errors import BadInput, FreeTumorError, Rejected
from freetumor.job import Job, parse_ids, parse_point, run
from freetumor.pipeline import Request
from freetumor.synthesis import Style
from freetumor.volume import read_volume

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


def run_batch(path: str | Path, workers: int, report: Callable[[Row, dict], None]) -> dict:
    """Run all rows of a CSV file, at most `workers` at a time.

    Finished cases are kept, cases known to be rejected are not tried again, all else is run. What
    happened goes line by line to ``<name>.results.jsonl`` beside the CSV file.

    Args:
        report: called with each row and its result when it is known.

    Returns:
        ``{"status", "done", "kept", "rejected", "failed": counts, "results": file}``.
    """
    path = Path(path)
    if workers < 1:
        raise BadInput("at least 1 worker", str(workers), kind="usage")
    rows = read_rows(path)
    log = path.with_name(f"{path.stem}.results.jsonl")
    logged = _logged(log)
    counts = {"done": 0, "kept": 0, "rejected": 0, "failed": 0}
    with log.open("a+b") as file:
        _end_line(file)
        for row, result, fresh in _results(rows, workers, logged):
            counts[result["status"]] += 1
            if fresh:
                line = {"line": row.line, "digest": row.digest, "out": str(row.job.out), **result}
                file.write(json.dumps(line).encode() + b"\n")
                file.flush()
            report(row, result)
    status = "done" if not counts["failed"] + counts["rejected"] else "incomplete"
    return {"status": status, **counts, "results": str(log)}


def _results(rows: list[Row], workers: int, logged: dict[str, dict]) -> Iterator[tuple[Row, dict, bool]]:
    todo = []
    for row in rows:
        known = _known(row, logged.get(row.digest, {}))
        if known:
            yield row, known, False
        else:
            remove_partial(row.job.out)
            todo.append(row)
    if workers == 1:
        for row in todo:
            yield row, run_row(row), True
        return
    # Spawned, not forked: ITK's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, max(1, len(todo))), context, initializer=_end_with_parent) as pool:
        futures = {pool.submit(run_row, row): row for row in todo}
        for future in as_completed(futures):
            try:
                yield futures[future], future.result(), True
            except BrokenProcessPool as error:
                raise FreeTumorError(
                    "a worker process ended without a word; the memory may not hold that many at a time. "
                    "Run the command again, perhaps with fewer --workers: it goes on where it was.",
                    kind="worker_lost",
                ) from error


def run_row(row: Row) -> dict:
    """Run one row; errors on purpose become a result, so that one bad row does not stop the others."""
    try:
        outcome = run(row.job)
    except Rejected as error:
        return {"status": "rejected", "message": str(error), "verdicts": error.verdicts}
    except FreeTumorError as error:
        return {
            "status": "failed",
            "kind": error.kind,
            "message": str(error),
            "exit_code": error.exit_code,
        }
    except (OSError, MemoryError) as error:
        message = " ".join(str(error).split()) or "out of memory"
        return {"status": "failed", "kind": "system", "message": message, "exit_code": 1}
    return {
        "status": "done",
        "passed": all(lesion.verdict.passed for lesion in outcome.synthesis.lesions),
        "seconds": round(sum(outcome.seconds.values()), 3),
    }


def _known(row: Row, logged: dict) -> dict | None:
    """The result of a row that need not be run; `logged` is what the log says of it."""
    if not row.job.out.exists():
        return logged if logged.get("status") == "rejected" else None
    try:
        if _holds(row, logged.get("status") == "done"):
            return {"status": "kept"}
        message = f"{row.job.out} holds a case made with other settings: move it away or change 'out'"
    except BadInput as error:
        message = str(error)
    return {"status": "failed", "kind": "exists", "exit_code": 2, "message": message}


def _holds(row: Row, logged: bool) -> bool:
    """Whether the case folder of `row` holds what it asks for.

    A case that the log does not know (a kill came just before it was written down) must also come from
    the row's CT.
    """
    record = read_case(row.job.out).provenance
    own = {"seed", "engine"} | ({"count"} if row.job.mask else set())  # a drawn mask brings its own count
    request = {k: v for k, v in asdict(row.job.request).items() if k not in own}
    asked = json.loads(json.dumps([row.job.organ, row.job.request.seed, row.job.request.engine, request]))
    held = {k: v for k, v in record.get("request", {}).items() if k not in own}
    if asked != [record.get("organ"), record.get("seed"), record.get("engine"), held]:
        return False
    return logged or record["input"]["ct_sha256"] == read_volume(row.job.ct).fingerprint()


def _logged(log: Path) -> dict[str, dict]:
    """The last result of each row in the log, by the row's digest."""
    found = {}
    for line in log.read_bytes().splitlines() if log.exists() else ():
        try:
            result = json.loads(line)
        except ValueError:
            continue  # a line cut off by a kill: that row is simply run again
        found[result["digest"]] = {k: v for k, v in result.items() if k not in ("line", "digest", "out")}
    return found


def _end_line(file: BinaryIO) -> None:
    """End a line that a kill cut off, so that the next one is not lost with it."""
    if file.seek(0, os.SEEK_END):
        file.seek(-1, os.SEEK_END)
        if file.read(1) != b"\n":
            file.write(b"\n")


def _row(number: int, line: dict, base: Path) -> Row:
    text = {k: v.strip() for k, v in line.items() if isinstance(v, str) and v.strip()}

    def path(name: str) -> Path | None:
        return base / text[name] if name in text else None

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


def _end_with_parent() -> None:
    """A worker whose parent was killed must not live on."""
    sentinel = multiprocessing.parent_process().sentinel

    def watch() -> None:
        wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
