"""One program per reader: a lock file, as a system's own locks often do not work on network folders."""

from __future__ import annotations

import json
import os
import secrets
import socket
import time
from datetime import UTC, datetime
from pathlib import Path

from freetumor.errors import BadInput
from freetumor.files import os_errors

_NEW_S = 1.0  # so long another program may take to write into a lock file that it has just made


class Lock:
    """Holds `path` from the construction to `release`.

    The file is made with O_EXCL, which is atomic on network folders too, and says who holds it. That of a
    program that has died on this computer is replaced; on another computer nobody here can know that.

    Args:
        path: of the lock file. what: that it is for, in words. take_over: whoever holds it is known to be
            gone, or is to lose it.

    Raises:
        BadInput: kind "locked": another program holds it; or the folder cannot be written.
    """

    def __init__(self, path: Path, what: str, *, take_over: bool = False) -> None:
        self.path, self._what = path, what
        self._mark = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
            "token": secrets.token_hex(8),
        }
        with os_errors(path):
            while not self._made():
                holder = _holder(path)
                if holder is None:  # it has gone meanwhile
                    continue
                if not take_over and not _is_dead(holder):
                    raise self._refusal(holder)
                _remove(path, holder)
                take_over = False  # who is faster now is a living program

    @property
    def is_held(self) -> bool:
        """Whether it is still ours: another program may have been told to take it over."""
        return _holder(self.path) == self._mark

    def check(self) -> None:
        """Raise BadInput, kind "locked", if another program took it over."""
        with os_errors(self.path):
            holder = _holder(self.path)
            if holder is None and self._made():  # somebody removed it, and nobody took it
                return
        if holder != self._mark:
            raise self._refusal(holder or {})

    def release(self) -> None:
        """Give it back; nothing happens to one that another program took over."""
        if self.is_held:
            self.path.unlink(missing_ok=True)

    def _made(self) -> bool:
        try:
            file = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            return False
        except PermissionError:
            # Windows answers so while another program is removing the file.
            if os.name == "nt" and self.path.exists():
                return False
            raise
        try:
            os.write(file, json.dumps(self._mark).encode())
            os.fsync(file)
        finally:
            os.close(file)
        return True

    def _refusal(self, holder: dict) -> BadInput:
        who = "another program"
        if "pid" in holder:
            host, since = holder.get("host"), holder.get("since")
            who = f"a program on the computer {host} (process {holder['pid']}, since {since})"
        return BadInput(
            f"nobody else at {self._what}",
            who,
            f"Close it there. If it is not running any more, take over, or remove {self.path}.",
            kind="locked",
        )


def _holder(path: Path) -> dict | None:
    """What the lock file says; {} if it says nothing; None if there is none."""
    end = time.monotonic() + _NEW_S
    while True:
        try:
            return dict(json.loads(path.read_text("utf-8")))
        except FileNotFoundError:
            return None
        except (TypeError, ValueError, PermissionError):
            if time.monotonic() > end:
                return {}
            time.sleep(0.05)


def _remove(path: Path, holder: dict) -> None:
    """Remove the lock of `holder`, and not the one that a faster program put in its place."""
    aside = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        path.rename(aside)
    except FileNotFoundError:
        return
    if _holder(aside) != holder and not path.exists():
        aside.rename(path)
    else:
        aside.unlink()


def _is_dead(holder: dict) -> bool:
    """Is it known that the program which made the lock is gone?"""
    if holder.get("host") != socket.gethostname() or not isinstance(holder.get("pid"), int):
        return False
    pid = holder["pid"]
    return pid > 0 and not (_runs_on_windows(pid) if os.name == "nt" else _runs(pid))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _runs_on_windows(pid: int) -> bool:
    import ctypes

    # os.kill would end the process there. SYNCHRONIZE; ERROR_INVALID_PARAMETER: no such process.
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    handle = kernel.OpenProcess(0x00100000, False, pid)
    if not handle:
        return ctypes.get_last_error() != 87
    try:
        return kernel.WaitForSingleObject(handle, 0) != 0  # 0: it has ended
    finally:
        kernel.CloseHandle(handle)
