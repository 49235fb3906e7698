"""Engine, model and judge: what the panel shows of them, and what is missing."""

from freetumor.quality.learned import first_judge, is_independent
from freetumor.synthesis.engines import ENGINES
from FreeTumorSlicerLib.modelchoice import ModelChoice, findsTumorsOf, tumorsOf
from FreeTumorSlicerLib.widgets import enable
from slicer.i18n import tr as _

_OF_NETWORKS = ("deviceComboBox", "backendComboBox")
_OF_JUDGE = ("judgeModelComboBox", "judgeThresholdSlider")


class Networks:
    """The widgets of the section Advanced that have to do with models.

    Args:
        ui: the widgets of the form. parameters: function that gives the parameter node.
    """

    def __init__(self, ui, parameters) -> None:
        self._ui = ui

        def choose(parameter: str):
            return lambda name: setattr(parameters(), parameter, name)

        self._models = ModelChoice(ui.modelComboBox, ui.modelNote, "generator", choose("model"))
        self._judges = ModelChoice(ui.judgeModelComboBox, ui.judgeNote, "segmenter", choose("judgeModel"))
        self._missing, self._used = "", []

    def show(self, p) -> None:
        """Show the parameters: the rows that count, and the models that fit."""
        learned = ENGINES[p.engine].generator is not None
        self._showRows(("modelComboBox",), self._ui.modelNote, learned)
        self._showRows(_OF_JUDGE, self._ui.judgeNote, p.askModel)
        self._showRows(_OF_NETWORKS, None, learned or p.askModel)
        for name in ("rim", "core"):
            follows = name in ENGINES[p.engine].style
            enable(
                getattr(self._ui, f"{name}ComboBox"), follows, _("The network of this engine decides that.")
            )
        self._missing, self._used = "", []
        self._showWhatThereIs(p)
        generator = self._showModels(p) if learned else None
        judge = self._showJudges(p, generator) if p.askModel else None
        self._used = [model for model in (generator, judge) if model is not None]

    def missing(self) -> str:
        """Why no tumor can be made or judged; empty if one can. Of what was shown last."""
        return self._missing

    def used(self) -> list:
        """The models that will run. Of what was shown last."""
        return self._used

    def _showWhatThereIs(self, p) -> None:
        """Whether there are learned weights for the organ: the choice of the engine depends on it."""
        names = self._models.offers(
            p.organ, lambda model: model.network("generator").architecture == ENGINES["learned"].generator
        )
        tumors = tumorsOf(p.organ)
        self._ui.engineNote.text = (
            _("Learned weights for {tumors}: {names} (engine learned).").format(
                tumors=tumors, names=", ".join(names)
            )
            if names
            else _("No learned weights for {tumors}: the procedural engine is the default.").format(
                tumors=tumors
            )
        )

    def _showModels(self, p):
        architecture = ENGINES[p.engine].generator
        generator = self._models.show(
            p.organ,
            p.model,
            _(
                "No model of the engine {engine} for {tumors} is installed: import one in FreeTumor > "
                "Models, or choose the engine procedural."
            ).format(engine=p.engine, tumors=tumorsOf(p.organ)),
            fits=lambda model: model.network("generator").architecture == architecture,
        )
        self._missing = self._models.missing
        return generator

    def _showJudges(self, p, generator):
        def remark(model) -> str:
            if is_independent(model, generator):
                return ""
            return _("NOT INDEPENDENT: the engine's model was trained to please it. ")

        judge = self._judges.show(
            p.organ,
            p.judgeModel,
            _(
                "No segmentation model for {tumors} is installed: import one in FreeTumor > Models, or do "
                "not ask one."
            ).format(tumors=tumorsOf(p.organ)),
            fits=findsTumorsOf(p.organ),
            first=lambda models: first_judge(models, generator),
            remark=remark,
        )
        self._missing = self._missing or self._judges.missing
        return judge

    def _showRows(self, names, note, shown: bool) -> None:
        for name in names:
            getattr(self._ui, name).setVisible(shown)
            getattr(self._ui, f"{name}Label").setVisible(shown)
        if note is not None:
            note.setVisible(shown)
