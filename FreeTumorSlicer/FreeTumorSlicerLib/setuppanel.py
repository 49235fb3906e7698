"""What is installed and what computes; looked up, installed and loaded only after a click."""

from slicer.i18n import tr as _

from FreeTumorSlicerLib import dependencies
from FreeTumorSlicerLib.widgets import fillTable

_WIDEST = (115, 90)  # of the columns for names and versions


class SetupPanel:
    """The section Set-up of the hub.

    Args:
        ui: the widgets of the form. attempt: see `attempts`.
    """

    def __init__(self, ui, attempt) -> None:
        self._ui, self._attempt = ui, attempt
        ui.checkButton.connect("clicked()", self.check)
        ui.installButton.connect("clicked()", self.install)
        ui.sampleButton.connect("clicked()", self.loadSample)

    def check(self) -> None:
        """Show what is there; changes nothing."""
        from freetumor.nets.devices import gpu
        from freetumor.synthesis.engines import ENGINES

        gpu.cache_clear()  # something may have been installed since
        absent = _("not installed")
        rows = [(name, version or absent, use) for name, version, use in dependencies.status()]
        fillTable(self._ui.packageTable, rows, widest=_WIDEST)
        self._ui.deviceLabel.text = gpu().words
        self._ui.enginesLabel.text = _("Built in: {builtIn}. With a model: {others}.").format(
            builtIn=", ".join(name for name, entry in ENGINES.items() if entry.generator is None),
            others=", ".join(name for name, entry in ENGINES.items() if entry.generator is not None),
        )
        missing = dependencies.missing(optional=self._ui.optionalCheck.checked)
        if missing:
            self._attempt.say(_("Not installed: {names}.").format(names=", ".join(missing)))
        else:
            self._attempt.say(_("Everything is installed."))

    def install(self) -> None:
        """Install what is missing; 3D Slicer asks before it does."""
        try:
            done = dependencies.install(self._attempt.say, optional=self._ui.optionalCheck.checked)
        except RuntimeError as error:  # declined, no network, or no extension PyTorch: said in words
            self._attempt.say(str(error))
            return
        self.check()
        if done:
            self._attempt.say(_("Everything is installed."))

    def loadSample(self) -> None:
        """Load the sample CT with its organ labels."""
        from FreeTumorSlicerLib.sampledata import loadSample

        done, nodes = self._attempt(loadSample)
        if done:
            self._attempt.say(_("Loaded {name}.").format(name=nodes[0].GetName()))
