"""Many syntheses from one CSV file: killed at any moment, it goes on where it was."""

from __future__ import annotations

import json
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from pathlib import Path
from typing import BinaryIO

from freetumor.batch_rows import Row, read_rows
from freetumor.cases import read_case
from freetumor.errors import BadInput, FreeTumorError, Rejected
from freetumor.files import remove_partial
from freetumor.job import run
from freetumor.volume import read_volume


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
    request = {k: v for k, v in row.job.request.to_dict().items() if k not in own}
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


def _end_with_parent() -> None:
    """A worker whose parent was killed must not live on."""
    sentinel = multiprocessing.parent_process().sentinel

    def watch() -> None:
        wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
