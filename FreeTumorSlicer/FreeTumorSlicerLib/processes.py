"""Processes of their own group, and their end: the whole tree or nothing."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from freetumor.jobs import LEASH
from slicer.i18n import tr as _

WINDOWS = sys.platform == "win32"
SCRIPT = "Scripts/freetumor-job.py"


def pythonExecutable() -> str:
    """The Python of this application: PythonSlicer, or the running interpreter where there is no Slicer."""
    found = shutil.which("PythonSlicer")
    if found:
        return found
    if Path(sys.executable).name.lower().startswith("python"):
        return sys.executable
    raise RuntimeError(_("PythonSlicer was not found on the PATH; reinstall 3D Slicer."))


def scriptPath() -> Path:
    """The job script: beside this library, in the repository as in an installed extension."""
    return Path(__file__).resolve().parents[1] / SCRIPT


def startJobProcess(python: str, jobFile: Path, events: Path, errors: Path) -> subprocess.Popen:
    """Start `jobFile`; events and errors go to files. It ends when this application does, even by a crash."""
    with events.open("wb") as out, errors.open("wb") as err:
        process = subprocess.Popen(
            [python, str(scriptPath()), str(jobFile)],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=err,
            cwd=str(jobFile.parent),
            **_ownGroup(),
        )
    process.stdin.write(f"{LEASH}\n".encode())
    process.stdin.flush()
    return process


def killTree(process: subprocess.Popen) -> None:
    """End a process of :func:`startJobProcess` and everything that it started, at once; wait for it."""
    if WINDOWS:
        command = [shutil.which("taskkill") or "taskkill", "/F", "/T", "/PID", str(process.pid)]
        subprocess.run(command, check=False, capture_output=True)
    else:
        # PythonSlicer is a launcher: killing it alone would leave the work itself running.
        with contextlib.suppress(ProcessLookupError):  # all of it has ended by itself
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _ownGroup() -> dict:
    if WINDOWS:
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}
