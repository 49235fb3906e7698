"""What is installed and what computes; looked up, installed and loaded only after a click."""

from slicer.i18n import tr as _

from FreeTumorSlicerLib import dependencies
from FreeTumorSlicerLib.widgets import fillTable


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
        from freetumor.synthesis.engines import ENGINES

        packages = dependencies.status()
        missing = _("not installed")
        fillTable(self._ui.packageTable, [(name, version or missing, use) for name, version, use in packages])
        self._ui.deviceLabel.text = deviceInWords()
        self._ui.enginesLabel.text = _(
            "Built in: {engines}. Learned generators and segmentation models come with later releases."
        ).format(engines=", ".join(ENGINES))
        absent = [name for name, version, _use in packages if version is None]
        if absent:
            self._attempt.say(_("Not installed: {names}.").format(names=", ".join(absent)))
        else:
            self._attempt.say(_("Everything is installed."))

    def install(self) -> None:
        """Install what is missing; 3D Slicer asks before it does."""
        try:
            done = dependencies.install(self._attempt.say)
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


def deviceInWords() -> str:
    """The GPU that PyTorch sees, tried with a tiny convolution, or why the CPU computes."""
    try:
        import torch
    except ImportError:
        return _("CPU. PyTorch is not installed; the built-in engine does not need it.")
    if not torch.cuda.is_available():
        return _("CPU. PyTorch {version} sees no GPU.").format(version=torch.__version__)
    name, memory = torch.cuda.get_device_name(0), torch.cuda.get_device_properties(0).total_memory / 1e9
    try:
        torch.nn.functional.conv3d(
            torch.ones(1, 1, 4, 4, 4).cuda(), torch.ones(1, 1, 3, 3, 3).cuda()
        ).sum().item()
    except RuntimeError as error:
        return _("CPU. The GPU {name} cannot be used by this PyTorch: {error}").format(name=name, error=error)
    return _("GPU {name}, {memory} GB.").format(name=name, memory=round(memory, 1))
