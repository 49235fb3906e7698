"""Engine, model and judge: what the panel shows of them, and what is missing."""

from freetumor.quality.learned import is_independent
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
        self._missing = ""

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
        self._missing = ""
        generator = self._showModels(p) if learned else None
        if p.askModel:
            self._showJudges(p, generator)

    def missing(self) -> str:
        """Why no tumor can be made or judged; empty if one can. Of what was shown last."""
        return self._missing

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

    def _showJudges(self, p, generator) -> None:
        def first(models):
            return next((model for model in models if is_independent(model, generator)), models[0])

        def remark(model) -> str:
            if is_independent(model, generator):
                return ""
            return _("NOT INDEPENDENT: the engine's model was trained to please it. ")

        self._judges.show(
            p.organ,
            p.judgeModel,
            _(
                "No segmentation model for {tumors} is installed: import one in FreeTumor > Models, or do "
                "not ask one."
            ).format(tumors=tumorsOf(p.organ)),
            fits=findsTumorsOf(p.organ),
            first=first,
            remark=remark,
        )
        self._missing = self._missing or self._judges.missing

    def _showRows(self, names, note, shown: bool) -> None:
        for name in names:
            getattr(self._ui, name).setVisible(shown)
            getattr(self._ui, f"{name}Label").setVisible(shown)
        if note is not None:
            note.setVisible(shown)
