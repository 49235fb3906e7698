"""Waiting as an application waits: with its event loop turning."""

from __future__ import annotations

import time
from pathlib import Path


def turn(until, seconds: float = 60.0) -> None:
    """Turn the event loop, as the application does, until something holds."""
    import slicer

    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, "it did not happen in time"
        slicer.app.processEvents()
        time.sleep(0.005)


def alive(pid: int) -> bool:
    """Is there such a process that still does something?"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except FileNotFoundError:
        return False
