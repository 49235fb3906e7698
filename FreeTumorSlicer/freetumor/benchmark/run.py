"""The benchmark from start to end: the machine, the models, both races, the result."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from freetumor.benchmark import subjects
from freetumor.benchmark.cases import Case
from freetumor.benchmark.entrants import Progress, Stage
from freetumor.benchmark.machine import load, machine, processors
from freetumor.benchmark.table import Row
from freetumor.benchmark.tumor_race import tumor_race
from freetumor.benchmark.volume_race import volume_race
from freetumor.benchmark.worker import surroundings
from freetumor.errors import FreeTumorError

BACKENDS = ("torch", "torch-bf16", "openvino", "openvino-bf16")
SLOW_BACKENDS = ("compile",)  # takes minutes to get ready


def run_benchmark(
    case: Case | None = None,
    *,
    full: bool = False,
    count: int | None = None,
    progress: Progress = lambda message, share: None,
) -> tuple[dict, list[Row]]:
    """Measure; takes minutes.

    Args:
        case: what to measure on. full: also what takes long, and less extrapolation.
        count: threads; None: as many as there are processors.
        progress: called with a message and the share done, 0..1.

    Returns:
        Plain data (machine, rows, notes), and the rows once more.

    Raises:
        FreeTumorError: not even the models can be made, for want of torch or of room on the disk.
    """
    case, count = case or Case(), count or processors()
    start, facts = time.perf_counter(), machine(count)
    backends = BACKENDS + (SLOW_BACKENDS if full else ())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="freetumor-benchmark-")))
        stack.enter_context(surroundings(count, folder / "cache"))
        stage = Stage(case, folder, full, backends, progress, stack)
        progress("networks with random weights", 0.0)
        maker = stage.entrant("", "", subjects.models)
        if not maker.prepare():
            raise FreeTumorError(f"the benchmark's models cannot be made: {maker.failed}", kind="benchmark")
        maker.close()
        race = tumor_race(stage)
        rows = race.rows + volume_race(stage, race)
    facts["load_after"] = load()
    result = {
        "status": "done",
        "full": full,
        "machine": facts,
        "seconds": round(time.perf_counter() - start, 1),
        "rows": [row.to_dict() for row in rows],
        "notes": race.notes,
    }
    return result, rows
