"""Which button may be pressed, and why not: the tool tip of a disabled button says it."""

from slicer.i18n import tr as _

from FreeTumorSynthLib.live import cannotPreview
from FreeTumorSynthLib.request import cannotLabel, missingInput, missingTumor

BUTTONS = (
    "applyButton",
    "labelOrganButton",
    "drawButton",
    "placeButton",
    "crosshairButton",
    "acceptButton",
    "undoButton",
    "anotherButton",
    "blinkButton",
    "sideBySideButton",
    "differenceButton",
    "livePreviewCheckBox",
    "saveCaseButton",
    "exportButton",
)


def reasons(parameters, runner, result, saving, networks) -> dict:
    """Of every button why it cannot be pressed; empty where it can."""
    p = parameters
    if p is None:
        return dict.fromkeys(BUTTONS, _("There is no scene."))
    busy = _("A job is running; wait for it or cancel it.") if runner.isRunning else ""
    noCt = "" if p.inputVolume is not None else _("Choose a CT.")
    noResult = "" if result is not None else _("Synthesize a tumor first.")
    noInput = noResult or ("" if result.input is not None else _("The CT it was made from was removed."))
    settled = noResult or ("" if result.isPending else _("This result was accepted already."))
    ready = missingInput(p) or networks.missing() or missingTumor(p)
    stopping = _("It is being cancelled.") if runner.isCancelling else ""
    return {
        "applyButton": stopping if busy else ready,
        "labelOrganButton": busy or cannotLabel(p),
        "drawButton": noCt,
        "placeButton": noCt,
        "crosshairButton": noCt,
        "acceptButton": busy or settled,
        "undoButton": busy or settled,
        "anotherButton": busy or noResult or ready,
        "blinkButton": noInput,
        "sideBySideButton": noInput,
        "differenceButton": noInput,
        "livePreviewCheckBox": busy or cannotPreview(p),
        "saveCaseButton": busy or noInput or missingInput(p) or saving.missingFolder(),
        "exportButton": busy or saving.missingExport(),
    }


class Buttons:
    """Enables the buttons of the panel, and keeps their tool tips."""

    def __init__(self, ui) -> None:
        self._ui = ui
        self._tips = {name: getattr(ui, name).toolTip for name in BUTTONS}

    def show(self, parameters, runner, result, saving, networks) -> None:
        """Enable what can be pressed; the tool tip of the rest says why not."""
        for name, reason in reasons(parameters, runner, result, saving, networks).items():
            widget = getattr(self._ui, name)
            widget.enabled = not reason
            widget.toolTip = reason or self._tips[name]
        apply = self._ui.applyButton
        apply.text = _("Cancel") if runner.isRunning else _("Synthesize")
        if runner.isRunning and not runner.isCancelling:
            apply.toolTip = _("Stop the running job; nothing is changed then.")
