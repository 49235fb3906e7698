"""Installed models that fit, offered in a combo box, with a line on what must be known of the chosen one."""

from freetumor.anatomy import organ as organRow
from freetumor.models import RESEARCH, installed, is_usable, models_folder, preferred, use_of
from slicer.i18n import tr as _

_NOTE_LENGTH = 120  # of the line below the combo box; all of it is the tool tip


class Shelf:
    """The installed models; read again only when one has come or gone, because sliders ask often."""

    def __init__(self) -> None:
        self._state, self._models, self._broken = None, [], {}

    def models(self, part: str, organ: str) -> list:
        """Models with a network `part` that was trained on `organ`, the user's first."""
        self._read()
        return [model for model in self._models if part in model.networks and organ in model.organs]

    def whyNot(self, name: str, organ: str) -> str:
        """Why the model `name` is not among those that fit."""
        self._read()
        for folder, error in self._broken.items():
            if folder.name == name:
                return _("The model {name} cannot be used: {error}").format(name=name, error=error)
        if any(model.name == name for model in self._models):
            return _("The model {name} does not fit {tumors}: choose another.").format(
                name=name, tumors=tumorsOf(organ)
            )
        return _(
            "The model {name} is not installed: import it in FreeTumor > Models, or choose another."
        ).format(name=name)

    def _read(self) -> None:
        folder = models_folder()
        state = folder, folder.stat().st_mtime_ns if folder.is_dir() else None
        if state != self._state:
            self._models, self._broken = installed()
            self._state = state


class ModelChoice:
    """A combo box of models: first "automatic", then those that fit.

    Args:
        combo, note: the combo box, and the label below it. part: "generator" or "segmenter".
        choose: called with the name that the user chose; empty for automatic.

    Attributes:
        used: the model that will be used; None without one. Of what was shown last.
    """

    def __init__(self, combo, note, part: str, choose) -> None:
        self._combo, self._note, self._part, self._choose = combo, note, part, choose
        self._shelf, self._names, self._missing, self._tip = Shelf(), [], "", combo.toolTip
        self.used = None
        combo.connect("currentIndexChanged(int)", self._onChosen)

    @property
    def missing(self) -> str:
        """Why no model can be used; empty if one can. Of what was shown last."""
        return self._missing

    def show(
        self,
        organ: str,
        name: str,
        none: str,
        fits=lambda model: True,
        first=preferred,
        remark=lambda model: "",
    ):
        """Offer what fits and show `name`; the model that will be used, or None.

        Args:
            name: of the chosen model; empty for automatic. none: what is said where none is installed.
            fits: whether a model that has the part for the organ is really usable.
            first: chooses the automatic one among those that fit. remark: what is said before its licence.
        """
        models = [model for model in self._shelf.models(self._part, organ) if fits(model)]
        used = first(models) if models else None
        names, texts = ["", *(model.name for model in models)], [model.name for model in models]
        automatic = _("none installed") if used is None else _("automatic: {name}").format(name=used.name)
        texts.insert(0, automatic)
        self._missing = "" if models else none
        if name:
            used = next((model for model in models if model.name == name), None)
            self._missing = "" if used is not None else self._shelf.whyNot(name, organ)
            if used is None:
                names.append(name)
                texts.append(_("{name} (cannot be used)").format(name=name))
        self._fill(names, texts, name)
        self._combo.enabled = len(names) > 1
        self._combo.toolTip = self._missing or self._tip
        asked = "" if used is None or is_usable(used) else _("You will be asked to accept its terms. ")
        text = self._missing if used is None else remark(used) + asked + conditions(used.facts)
        self._note.text = text if used is None else _shortened(text)
        self._note.toolTip = text
        self.used = used
        return used

    def offers(self, organ: str, fits=lambda model: True) -> list:
        """Names of the models that fit."""
        return [model.name for model in self._shelf.models(self._part, organ) if fits(model)]

    def _fill(self, names: list, texts: list, name: str) -> None:
        self._names = None  # what the combo box emits while it is filled is no choice
        if [self._combo.itemText(row) for row in range(self._combo.count)] != texts:
            self._combo.clear()
            self._combo.addItems(texts)
        self._combo.currentIndex = names.index(name)
        self._names = names

    def _onChosen(self, row: int) -> None:
        if self._names is not None and 0 <= row < len(self._names):
            self._choose(self._names[row])


def conditions(facts) -> str:
    """Licence and limits of a model by its facts."""
    return " ".join([licenceOf(facts), *facts.get("limits", ())])


def licenceOf(facts) -> str:
    """The licence of a model; one for research only is said in plain words."""
    text = _("Licence: {licence}.").format(licence=facts.get("licence") or _("not stated"))
    return _("FOR RESEARCH ONLY. {licence}").format(licence=text) if use_of(facts) == RESEARCH else text


def findsTumorsOf(organ: str):
    """A function that tells whether the segmenter of a model has a class for what grows in an organ."""
    lesion = organRow(organ).lesion_label
    return lambda model: lesion in model.network("segmenter").settings.get("classes", ())


def tumorsOf(organ: str) -> str:
    """What grows in an organ, such as liver tumors or COVID-19 lesions."""
    return f"{organRow(organ).title}s"


def _shortened(text: str) -> str:
    return text if len(text) <= _NOTE_LENGTH else text[:_NOTE_LENGTH].rsplit(" ", 1)[0] + " ..."
