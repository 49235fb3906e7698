"""A process of its own for each thing that is measured: its time, its processor time and its peak memory.

The process imports, prepares and then waits: it computes only while it is told to, so that several of them
can take turns without disturbing each other. What runs in it is a generator function; each of its turns is
timed. It yields for the first time when everything is loaded, converted and warm, and then takes what to do
and yields what came out.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from freetumor.errors import FreeTumorError

Subject = Callable[..., Generator[Any, Any, None]]
_STOP_SECONDS = 1.0  # one that waits ends at once, one that computes is killed
# A waiting thread of OpenMP would otherwise spin on a processor that another process needs.
_ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


class WorkerFailed(FreeTumorError):
    """What was to be measured failed; the message says why."""


@dataclass(frozen=True)
class Turn:
    """What came out of one turn, and what it took.

    Attributes:
        value: what the subject yielded. seconds: on the wall. cpu_seconds: of all threads together.
        peak_bytes: most memory the process ever had, with torch and all; None where it cannot be told.
    """

    value: Any
    seconds: float
    cpu_seconds: float
    peak_bytes: int | None


class Worker:
    """A process that runs `subject` with `arguments`; both have to be importable there."""

    def __init__(self, subject: Subject, *arguments: object) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, subject, arguments), daemon=True)
        self._process.start()
        theirs.close()

    def turn(self, what: object = None) -> Turn:
        """One turn; the first one (with None) gets it ready.

        Raises:
            WorkerFailed: it failed, or the system ended it (which is what a lack of memory looks like).
        """
        try:
            self._connection.send(what)
            turn = self._connection.recv()
        except (EOFError, ConnectionError) as error:
            self._process.join(_STOP_SECONDS)
            raise WorkerFailed(
                f"its process ended (exit code {self._process.exitcode}); out of memory?", kind="worker_died"
            ) from error
        if isinstance(turn, str):
            raise WorkerFailed(turn, kind="worker_failed")
        return turn

    def close(self) -> None:
        """End the process; its memory is free then."""
        self._connection.close()
        self._process.join(_STOP_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


@contextmanager
def surroundings(threads: int, cache: Path) -> Iterator[None]:
    """Workers that start in here use `threads` threads, and keep what they convert in the folder `cache`."""
    wanted = _ENVIRONMENT | dict.fromkeys(_THREADS, str(threads)) | {"FREETUMOR_CACHE": str(cache)}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def peak_bytes() -> int | None:
    """Most resident memory that this process ever had; None where the system does not tell."""
    if sys.platform == "win32":
        return None
    status = Path("/proc/self/status")
    if status.is_file():
        # Not ru_maxrss: a new process inherits that of the one that started it.
        line = next(line for line in status.read_text("ascii").splitlines() if line.startswith("VmHWM:"))
        return 1024 * int(line.split()[1])
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def _end_with_parent() -> None:
    """A worker whose parent was killed must not compute on."""
    wait([multiprocessing.parent_process().sentinel])
    os._exit(1)


def _serve(connection: Connection, subject: Subject, arguments: tuple) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started it ends it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    running = subject(*arguments)
    try:
        while True:
            what = connection.recv()
            wall, cpu = time.perf_counter(), time.process_time()
            try:
                value = running.send(what)
            except Exception as error:  # noqa: BLE001  it is said where the table is made
                connection.send(f"{type(error).__name__}: {error}")
                return
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            connection.send(Turn(value, wall, cpu, peak_bytes()))
    except (EOFError, ConnectionError):
        return  # nobody listens any more
