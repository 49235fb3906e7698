"""Background jobs of the modules: start, follow, cancel; never a frozen window, never an orphan."""

import contextlib
import json
import logging
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import qt
import slicer
from freetumor.jobs import JOB, STOP
from slicer.i18n import tr as _

from FreeTumorSlicerLib.processes import killTree, pythonExecutable, startJobProcess

POLL_MS = 50
GRACE_S = 3.0  # from the stop file to the kill, where nothing else is said
_ERROR_LINES = 12
# How a process ends that the system killed: mostly because the memory was used up.
_KILLED = (-9, 137)


class JobRunner:
    """One job at a time, in a process of its own; callbacks come in the GUI thread.

    Args:
        python: interpreter; PythonSlicer if None.
        timer: class of the timer that polls; replaced in tests.
    """

    def __init__(self, python=None, timer=None) -> None:
        self._python = python
        self._timer = (timer or qt.QTimer)()
        self._timer.setInterval(POLL_MS)
        self._timer.connect("timeout()", self._tick)
        self._reset()

    def _reset(self) -> None:
        self._process = self._prepare = self._jobFile = None
        self._folder, self._temporary, self._offsets, self._last = None, False, {}, None
        self._callbacks, self._cancelledAt, self._busy, self._grace = {}, None, False, GRACE_S

    @property
    def isRunning(self) -> bool:
        """Whether a job is being prepared, runs or is being cancelled."""
        return self._busy

    @property
    def isCancelling(self) -> bool:
        """Whether the job was cancelled and has not ended yet."""
        return self._cancelledAt is not None

    @property
    def processId(self):
        """Process ID of the running job; None before it has started."""
        return None if self._process is None else self._process.pid

    def start(
        self,
        kind,
        parameters,
        folder=None,
        onProgress=None,
        onDone=None,
        onError=None,
        onLog=None,
        prepare=None,
        grace=GRACE_S,
    ) -> Path:
        """Start a job; its folder.

        Args:
            kind, parameters: as in ``freetumor/jobs.py``; paths are relative to the folder.
            folder: kept afterwards; None takes a temporary one that is removed after `onDone` or `onError`.
            onProgress: called with (message, share 0..1). onLog: with a line of text.
            onDone: called with (result, folder). onError: with (kind, message).
            prepare: called with the folder; an iterator that writes the job's inputs a piece at a time, so
                that the window does not freeze over a large volume.
            grace: seconds that it is given to stop by itself once it is cancelled.
        """
        if self._busy:
            raise RuntimeError(_("A job is running: wait for it or cancel it."))
        self._reset()
        self._busy, self._temporary, self._grace = True, folder is None, grace
        try:
            self._folder = Path(folder or tempfile.mkdtemp(prefix="freetumor-", dir=slicer.app.temporaryPath))
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / STOP).unlink(missing_ok=True)
            self._jobFile = self._folder / JOB
            job = json.dumps({"kind": kind, "parameters": parameters}, ensure_ascii=False, indent=1)
            self._jobFile.write_text(job, "utf-8")
            self._callbacks = {"progress": onProgress, "done": onDone, "error": onError, "log": onLog}
            self._prepare = iter(prepare(self._folder)) if prepare else iter(())
        except BaseException:
            self._forget()
            raise
        self._timer.start()
        return self._folder

    def cancel(self) -> None:
        """Ask the job to stop; if it has not within its grace, end it with all that it started."""
        if self._busy and self._cancelledAt is None:
            self._cancelledAt = time.monotonic()
            self._prepare = None
            (self._folder / STOP).touch()

    def cleanup(self, patience=0.0) -> None:
        """End the job and forget it, without any callback: for module clean-up and a closed scene.

        Args:
            patience: seconds that it is given to stop by itself; the window waits for it.
        """
        self._timer.stop()
        if self._process is not None and patience:
            (self._folder / STOP).touch()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)
        if self._process is not None:
            killTree(self._process)
        self._forget()

    def _tick(self) -> None:
        """One step of whatever is to be done next."""
        if not self._busy:
            self._timer.stop()
            return
        try:
            if self._process is None:
                self._step()
            else:
                self._follow()
        except Exception as error:  # whatever fails here, the module must be idle again
            logging.exception("FreeTumor job")
            if not self._busy:
                raise  # not of the job: a callback for errors failed itself
            if self._process is not None:
                killTree(self._process)
            self._finish("error", getattr(error, "kind", "crashed"), str(error))

    def _step(self) -> None:
        if self._cancelledAt is not None:
            self._finish("error", "stopped", _("Stopped before it began."))
            return
        started = time.monotonic()
        while time.monotonic() - started < POLL_MS / 1000.0:
            if next(self._prepare, self) is self:
                break
        else:
            return
        python = self._python or pythonExecutable()
        events, errors = self._folder / "events.jsonl", self._folder / "errors.txt"
        self._process = startJobProcess(python, self._jobFile, events, errors)

    def _follow(self) -> None:
        code = self._process.poll()  # before reading: what it wrote before its end is then all there
        self._read()
        if code is not None:
            self._ended(code)
        elif self._cancelledAt is not None and time.monotonic() - self._cancelledAt > self._grace:
            killTree(self._process)

    def _read(self) -> None:
        for line in self._newLines("events.jsonl"):
            try:
                event = json.loads(line)
                name = event["event"]
            except (ValueError, KeyError, TypeError):
                self._call("log", line)
                continue
            if name == "progress":
                self._call("progress", event["message"], event["share"])
            elif name in ("log", "warning"):
                self._call("log", event["message"])
            else:
                self._last = event
        for line in self._newLines("errors.txt"):
            self._call("log", line)

    def _newLines(self, name: str) -> list:
        """Whole lines that were written to a file since the last call."""
        with (self._folder / name).open("rb") as file:
            file.seek(self._offsets.get(name, 0))
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._offsets[name] = self._offsets.get(name, 0) + len(whole)
        return whole.decode("utf-8", errors="replace").splitlines()

    def _ended(self, code: int) -> None:
        last = self._last or {}
        if self._cancelledAt is not None:
            self._finish("error", "stopped", _("Stopped; nothing was changed."))
        elif last.get("event") == "done":
            self._finish("done", last["result"], self._folder)
        elif last.get("event") == "error":
            self._finish("error", last["kind"], last["message"])
        elif code in _KILLED:
            self._finish("error", "killed", _("The system ended the job without a word from it."))
        else:
            self._finish("error", "crashed", self._lastWords(code))

    def _lastWords(self, code: int) -> str:
        said = (self._folder / "errors.txt").read_text("utf-8", errors="replace").splitlines()
        text = "\n".join(said[-_ERROR_LINES:]) or _("It said nothing.")
        return _("The job ended with code {code}. {text}").format(code=code, text=text)

    def _finish(self, outcome: str, *results) -> None:
        """Idle first, then the callback: whatever it does, the next job can start."""
        callbacks, folder, temporary = self._callbacks, self._folder, self._temporary
        self._temporary = False
        self._forget()
        try:
            callback = callbacks.get(outcome)
            if callback is not None:
                callback(*results)
        except Exception as error:
            if outcome == "error" or callbacks.get("error") is None:
                raise
            logging.exception("FreeTumor result")
            callbacks["error"](getattr(error, "kind", "crashed"), str(error))
        finally:
            if temporary:
                shutil.rmtree(folder, ignore_errors=True)

    def _call(self, name: str, *arguments) -> None:
        if self._callbacks.get(name) is not None:
            self._callbacks[name](*arguments)

    def _forget(self) -> None:
        self._timer.stop()
        if self._process is not None:
            self._process.stdin.close()
        if self._temporary and self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._reset()
