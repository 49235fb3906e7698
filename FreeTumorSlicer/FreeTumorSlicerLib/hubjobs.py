"""Jobs of the hub: export, models, and any job file; one at a time, followed in one place."""

from pathlib import Path

from freetumor.errors import FreeTumorError
from freetumor.job_packing import pack_job, read_job
from slicer.i18n import tr as _

from FreeTumorSlicerLib.jobs import JobRunner
from FreeTumorSlicerLib.messages import explain
from FreeTumorSlicerLib.widgets import enable, showNoDots, showPlaceholder

_STEPS = 1000  # of the progress bar
_LOG_LINES = 2000


class JobsPanel:
    """The sections Export, Training and Running job of the hub.

    Args:
        ui: the widgets of the form. attempt: see `attempts`.
        parameters: function that gives the parameter node.
        cases: function that gives the folders of the cases to export. runner: replaced in tests.

    Attributes:
        watchers: functions that are called when a job has begun or ended.
    """

    def __init__(self, ui, attempt, parameters, cases, runner=None) -> None:
        self._ui, self._attempt, self._parameters, self._cases = ui, attempt, parameters, cases
        self.runner, self._onFinished, self.watchers = runner or JobRunner(), None, []
        ui.progressBox.setVisible(False)  # until there is one
        ui.logText.setMaximumBlockCount(_LOG_LINES)
        showPlaceholder(ui.exportFolderEdit, _("folder of the data set"))
        showPlaceholder(ui.jobFileEdit, _("job.json"))
        showPlaceholder(ui.packFolderEdit, _("new folder for the job and its inputs"))
        ui.exportButton.connect("clicked()", self.export)
        ui.startJobButton.connect("clicked()", self.startJob)
        ui.saveJobButton.connect("clicked()", self.saveJob)
        ui.stopButton.connect("clicked()", self.stop)

    @property
    def isRunning(self) -> bool:
        """Whether a job is running."""
        return self.runner.isRunning

    def update(self) -> None:
        """Enable what can be done; the tool tips say why the rest cannot."""
        p, ui, running = self._parameters(), self._ui, self.runner.isRunning
        showNoDots(ui.exportFolderEdit, ui.jobFileEdit, ui.packFolderEdit)
        wait = _("A job is running: wait for it or stop it.")
        reasons = (
            (running, wait),
            (not self._cases(), _("Choose a folder with synthetic cases first.")),
            (_empty(p.exportFolder), _("Choose where to export to first.")),
        )
        _enableUnless(ui.exportButton, reasons)
        known = self._describeJob(p.jobFile)
        nothing = (not known, _("Choose a job file of a known kind first."))
        _enableUnless(ui.startJobButton, ((running, wait), nothing))
        _enableUnless(
            ui.saveJobButton, (nothing, (_empty(p.packFolder), _("Choose where to save it first.")))
        )
        enable(ui.stopButton, running and not self.runner.isCancelling, _("No job is running."))
        for watcher in self.watchers:
            watcher()

    def export(self) -> None:
        """Export the synthetic cases of the folder in the background."""
        p = self._parameters()
        self.start(
            "export",
            {
                "cases": [str(Path(case).resolve()) for case in self._cases()],
                "format": p.exportFormat,
                "out": str(p.exportFolder.resolve()),
            },
        )

    def startJob(self) -> None:
        """Run the chosen job file where it lies, as its paths are relative to its folder."""
        job = self._parameters().jobFile
        done, content = self._attempt(read_job, job)
        if done:
            self.start(content["kind"], content["parameters"], folder=job.resolve().parent)

    def saveJob(self) -> None:
        """Copy the chosen job with its inputs into a folder for another computer."""
        p = self._parameters()
        done, folder = self._attempt(pack_job, p.jobFile, p.packFolder)
        if done:
            self._attempt.say(
                _("Saved in {folder}; its README.txt tells how to run it.").format(folder=folder)
            )

    def stop(self) -> None:
        """Ask the running job to stop."""
        self.runner.cancel()
        self._ui.progressLabel.text = _("Stopping...")
        self.update()

    def cleanup(self) -> None:
        """End the running job: the module is unloaded, or the scene closed."""
        self.runner.cleanup()
        self._idle(_("No job is running."))

    def start(self, kind, parameters, folder=None, onDone=None) -> None:
        """Start a job; `onDone` is called with its result."""
        self._onFinished = onDone
        self._ui.progressBox.setVisible(True)
        self._ui.logText.clear()
        self._ui.progressBar.value = 0
        self._ui.progressLabel.text = _("Starting: {kind}").format(kind=kind)
        started, _folder = self._attempt(
            lambda: self.runner.start(
                kind,
                parameters,
                folder=folder,
                onProgress=self._onProgress,
                onDone=self._onDone,
                onError=self._onError,
                onLog=self._ui.logText.appendPlainText,
            )
        )
        if not started:
            self._ui.progressLabel.text = _("No job is running.")
        self.update()

    def _onProgress(self, message, share) -> None:
        self._ui.progressLabel.text = message
        self._ui.progressBar.value = round(_STEPS * share)

    def _onDone(self, result, _folder) -> None:
        self._ui.progressBar.value = _STEPS
        for name, value in result.items():
            self._ui.logText.appendPlainText(f"{name}: {value}")
        self._idle(_("Done."))
        if self._onFinished is not None:
            self._onFinished(result)

    def _onError(self, kind, message) -> None:
        self._ui.progressBar.value = 0
        self._ui.logText.appendPlainText(message)
        self._idle(explain(kind, message))

    def _idle(self, text) -> None:
        self._ui.progressLabel.text = text
        if self._parameters() is not None:
            self.update()

    def _describeJob(self, job) -> bool:
        """Say what the chosen job file is; whether it can be run."""
        if not job.is_file():
            self._ui.jobLabel.text = ""
            return False
        try:
            self._ui.jobLabel.text = _("Kind of job: {kind}").format(kind=read_job(job)["kind"])
        except FreeTumorError as error:
            self._ui.jobLabel.text = explain(error.kind, str(error))
            return False
        return True


def _empty(path) -> bool:
    return str(path) in ("", ".")


def _enableUnless(button, reasons) -> None:
    """Enable `button` unless one of the (applies, reason) does; the first that does is told."""
    reason = next((text for applies, text in reasons if applies), "")
    enable(button, not reason, reason)
