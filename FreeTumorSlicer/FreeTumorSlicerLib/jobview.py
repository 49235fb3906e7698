"""A module's background job on its panel: progress bar, one line of text, and the log."""

from freetumor.errors import FreeTumorError
from slicer.i18n import tr as _

from FreeTumorSlicerLib.messages import explain


class JobView:
    """Shows how a job goes.

    Args:
        bar, label, log: a progress bar (0..100), a label and a text field.
        changed: called after a job has begun or ended.
    """

    def __init__(self, bar, label, log, changed) -> None:
        self._bar, self._label, self._log, self._changed = bar, label, log, changed
        bar.setVisible(False)
        label.setVisible(False)

    def run(self, start, *arguments, **options) -> None:
        """Call `start` with the callbacks of :class:`FreeTumorSlicerLib.jobs.JobRunner`."""
        self._log.setPlainText("")
        try:
            start(
                *arguments, onProgress=self._onProgress, onError=self._onError, onLog=self._onLog, **options
            )
        except FreeTumorError as error:
            self._onError(error.kind, str(error))
            return
        self._onProgress(_("starting"), 0.0)
        self._changed()

    def finished(self, text: str = "") -> None:
        """No job runs any more: say how it went."""
        self._bar.setVisible(False)
        self.say(text)
        self._changed()

    def say(self, text: str) -> None:
        """Write into the status line, which takes no room while there is nothing to say."""
        self._label.text = text
        self._label.setVisible(bool(text))

    def _onProgress(self, message: str, share: float) -> None:
        self._bar.setVisible(True)
        self._bar.value = round(100 * share)
        self.say(message)

    def _onLog(self, text: str) -> None:
        self._log.appendPlainText(text)

    def _onError(self, kind: str, message: str) -> None:
        self._onLog(message)
        self.finished(explain(kind, message))
