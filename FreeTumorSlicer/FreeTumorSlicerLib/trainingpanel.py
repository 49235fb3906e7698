"""Training in the hub: a configuration becomes a run, as a job in the background, and is followed here."""

import itertools
from pathlib import Path

import qt
from freetumor.models import copy_model, installed, models_folder, read_model
from slicer.i18n import tr as _

from FreeTumorSlicerLib import consent
from FreeTumorSlicerLib.attempts import Attempt
from FreeTumorSlicerLib.jobs import JobRunner
from FreeTumorSlicerLib.messages import explain
from FreeTumorSlicerLib.trainingplan import JOBS, headOf, isChosen, missing, planOf, recipes, triedInWords
from FreeTumorSlicerLib.trainingview import TrainingView
from FreeTumorSlicerLib.widgets import enable, showNoDots, showPlaceholder

GRACE_S = 180.0  # from Stop to the kill: a step and a checkpoint of a large network on a slow disk
_PATIENCE_S = 5.0  # the same when the application is closed
_STEPS = 1000  # of the progress bar
_LOG_LINES = 2000


class TrainingPanel:
    """The section Training of the hub. A run goes on when the scene is closed: it is no part of it.

    Args:
        ui: the widgets of the form. parameters: function that gives the parameter node.
        models: the panel that lists the models. runner: replaced in tests.
    """

    def __init__(self, ui, parameters, models, runner=None) -> None:
        self._ui, self._parameters, self._models = ui, parameters, models
        self._planning, self._attempt = Attempt(ui.trainingPlanLabel), Attempt(ui.trainingStatusLabel)
        self.runner, self.view = runner or JobRunner(), TrainingView(ui)
        self._plan, self._following, self._lastLine, self._filling = None, None, "", False
        ui.trainingBar.setVisible(False)
        ui.trainingLogText.setMaximumBlockCount(_LOG_LINES)
        showPlaceholder(ui.trainingConfigEdit, _("configuration (.toml)"))
        showPlaceholder(ui.trainingDataEdit, _("folder of the data"))
        showPlaceholder(ui.trainingOutEdit, _("folder for the runs"))
        ui.recipeCombo.addItems([_("none: a file of your own"), *(file.stem for file in recipes())])
        for row, file in enumerate(recipes(), start=1):
            ui.recipeCombo.setItemData(row, headOf(file), qt.Qt.ToolTipRole)
        ui.recipeCombo.connect("currentIndexChanged(int)", self._onRecipe)
        ui.dryRunButton.connect("clicked()", self.dryRun)
        ui.trainButton.connect("clicked()", self.train)
        ui.resumeTrainingButton.connect("clicked()", lambda: self.train(resume=True))
        ui.stopTrainingButton.connect("clicked()", self.stop)

    def update(self) -> None:
        """Show what would be done, and enable what can be; the tool tips say why the rest cannot."""
        p, ui, running = self._parameters(), self._ui, self.runner.isRunning
        if p is None:
            return
        showNoDots(ui.trainingConfigEdit, ui.trainingDataEdit, ui.trainingOutEdit)
        self._showRecipe(p)
        reason = self._makePlan(p)
        run = None if self._plan is None else self._plan.run
        if not running:
            self.view.show(run)
        busy = _("A training is running: wait for it or stop it.") if running else ""
        begun = _("There is a run already: resume it, or choose another folder.") if run is not None else ""
        none = _("There is no run to go on with: start it first.") if run is None else ""
        for button, why in (
            (ui.dryRunButton, busy or reason),
            (ui.trainButton, busy or reason or begun),
            (ui.resumeTrainingButton, busy or reason or none),
            (ui.stopTrainingButton, "" if running else _("No training is running.")),
        ):
            enable(button, not why, why)
        stopping = self.runner.isCancelling
        ui.stopTrainingButton.text = _("End at once") if stopping else _("Stop")
        if stopping:
            ui.stopTrainingButton.toolTip = _("What was done since the last checkpoint is lost then.")

    def _makePlan(self, p) -> str:
        """Make the plan of the form and show it; why there is none."""
        self._plan, reason = None, missing(p)
        head = headOf(p.trainingConfig) if isChosen(p.trainingConfig) else ""
        self._ui.trainingPlanLabel.toolTip = head
        if reason:
            self._planning.say(" ".join([head.partition("\n")[0], reason]).strip())
            return reason
        done, self._plan = self._planning(planOf, p)
        if not done:
            return self._ui.trainingPlanLabel.text
        self._planning.say(self._plan.words())
        return ""

    def _showRecipe(self, p) -> None:
        """Which recipe the chosen file is."""
        self._filling = True  # what the combo box emits while it is set is no choice
        config = p.trainingConfig.resolve()
        self._ui.recipeCombo.currentIndex = recipes().index(config) + 1 if config in recipes() else 0
        self._filling = False

    def _onRecipe(self, row) -> None:
        if not self._filling and row > 0:
            self._parameters().trainingConfig = recipes()[row - 1]

    def dryRun(self) -> None:
        """Try the configuration; nothing is kept."""
        config = self._plan.config
        self._start(
            {**self._plan.job, "dry_run": True},
            None,
            lambda result: self._ended(triedInWords(result, config)),
        )

    def train(self, resume=False) -> None:
        """Start the run, or go on with it."""
        self._start({**self._plan.job, "resume": resume}, self._plan.folder, self._onTrained)

    def stop(self) -> None:
        """Ask the run to end at a checkpoint; asked again, end it at once."""
        if self.runner.isCancelling:
            self.runner.cleanup()
            self._ended(self._untilWhere())
            return
        self.runner.cancel()
        self._say(_("Stopping after this step ..."))
        self.update()

    def cleanup(self) -> None:
        """The module or the application goes: the run ends, at a checkpoint if it is quick."""
        self.runner.cleanup(patience=_PATIENCE_S)
        self.view.cleanup()

    def _start(self, job, folder, onDone) -> None:
        done, _nothing = self._attempt(lambda: consent.require(self._plan.waiting()))
        if not done:
            return
        self._following, self._lastLine = folder, ""
        self._ui.trainingLogText.setPlainText("")
        started, _folder = self._attempt(
            lambda: self.runner.start(
                "train",
                job,
                folder=None if folder is None else folder / JOBS,
                onProgress=self._onProgress,
                onDone=lambda result, _folder: onDone(result),
                onError=self._onError,
                onLog=self._onLog,
                grace=GRACE_S,
            )
        )
        if started:
            self._ui.trainingBar.setVisible(True)
            self._ui.trainingBar.value = 0
            self._say(_("Starting ..."))
        self.update()

    def _onProgress(self, message, share) -> None:
        self._ui.trainingBar.value = round(_STEPS * share)
        if self._following is not None:
            self.view.follow(self._following)
        if not self.runner.isCancelling:
            self._say(message, self.view.words() if self._following is not None else "", self._lastLine)

    def _onLog(self, text) -> None:
        self._lastLine = text
        self._ui.trainingLogText.appendPlainText(text)

    def _onTrained(self, result) -> None:
        self.view.follow(self._following, now=True)
        done, name = self._attempt(_installed, Path(result["model"]))
        if done:
            self._models.refresh(name)
            self._ended(_("Trained: {name}, now in the list of models.").format(name=name), self.view.words())
        else:
            self._ended(_("Trained, but not in the list of models:"), self._ui.trainingStatusLabel.text)

    def _onError(self, kind, message) -> None:
        self._onLog(message)
        self._ended(self._untilWhere() if kind == "stopped" else explain(kind, message))

    def _untilWhere(self) -> str:
        """Where a stopped run goes on."""
        if self._following is None:
            return _("Stopped.")
        self.view.follow(self._following, now=True)
        run = self.view.run
        if run is None or not run.checkpoint:
            return _("Stopped before the first checkpoint: nothing is kept of it.")
        return _("Stopped; Resume goes on at step {step} of {wanted}.").format(
            step=run.checkpoint, wanted=run.wanted
        )

    def _ended(self, *lines) -> None:
        """No training runs any more: say how it went."""
        self._following = None
        self._ui.trainingBar.setVisible(False)
        self.update()
        self._say(*lines)

    def _say(self, *lines) -> None:
        text = "\n".join(line for line in lines if line)
        self._ui.trainingStatusLabel.text = text
        self._ui.trainingStatusLabel.setVisible(bool(text))


def _installed(folder: Path) -> str:
    """Copy a trained model into the list of models, under a name that is free; its name there.

    Raises:
        FreeTumorError: it cannot be read, or not be written there.
    """
    model, there = read_model(folder), installed()[0]
    same = next((other for other in there if other.facts["sha256"] == model.facts["sha256"]), None)
    if same is not None:  # resumed, with nothing left to do
        return same.name
    taken = {other.name for other in there} | {place.name for place in models_folder().glob("*")}
    names = itertools.chain([model.name], (f"{model.name}-{number}" for number in itertools.count(2)))
    return copy_model(model, next(name for name in names if name not in taken)).name
