"""Models in the hub: what is installed, what can be had, and how it comes in and goes."""

from dataclasses import dataclass
from pathlib import Path

import slicer
from freetumor.anatomy import ORGANS
from freetumor.models import (
    RESEARCH,
    catalogue,
    installed,
    is_packaged,
    is_usable,
    models_folder,
    remove_model,
)
from freetumor.models.catalogue import Entry
from freetumor.models.model import CARD, MODEL, Model
from slicer.i18n import tr as _

from FreeTumorSlicerLib import consent
from FreeTumorSlicerLib.modelchoice import conditions, licenceOf
from FreeTumorSlicerLib.widgets import enable, fillTable, showNoDots, showPlaceholder

_WIDEST = (160, 80, 60)  # of the columns; the whole name is in the text below the table


@dataclass(frozen=True, eq=False)
class Row:
    """A row of the table: an installed `model`, a folder that is `broken`, or an `entry` of the catalogue."""

    name: str
    model: Model | None = None
    broken: Exception | None = None
    entry: Entry | None = None

    def cells(self) -> tuple:
        """Model, organs, size, state."""
        if self.broken is not None:
            return self.name, "-", "-", _("not usable")
        organs, size = (
            (self.model.organs, self.model.facts["bytes"])
            if self.model is not None
            else (self.entry.record["organs"], self.entry.record.get("bytes"))
        )
        return self.name, _organsInWords(organs), "-" if size is None else _megabytes(size), self._state()

    def words(self) -> str:
        """What is known of it, in a few lines."""
        if self.broken is not None:
            return f"{self.name}: {self.broken}"
        if self.model is not None:
            facts, organs, parts = self.model.facts, self.model.organs, self.model.networks
            more = [conditions(facts), _("It comes with FreeTumor.") if is_packaged(self.model) else ""]
        else:
            facts, organs, parts = self.entry.record, self.entry.record["organs"], self.entry.parts
            more = [licenceOf(facts), self.way()]
        title = _("{name}: {title}. Networks: {parts}. Organs: {organs}.").format(
            name=self.name,
            title=facts.get("title", self.name),
            parts=", ".join(parts),
            organs=", ".join(organs),
        )
        return " ".join(text for text in (title, *more) if text)

    def way(self) -> str:
        """How an entry of the catalogue is had."""
        if self.entry.kind == "download":
            return _("To have it, press Download.")
        return _("Not for download: {source}. Import {files} below.").format(
            source=self.entry.record["source"], files=_(" or ").join(self.entry.files)
        )

    def _state(self) -> str:
        if self.model is not None:
            if not is_usable(self.model):
                return _("terms not accepted")
            return _("for research only") if self.model.use == RESEARCH else _("installed")
        return _("to download") if self.entry.kind == "download" else _("to import")


class ModelsPanel:
    """The section Models of the hub.

    Args:
        ui: the widgets of the form. attempt: see `attempts`.
        parameters: function that gives the parameter node. jobs: the panel that runs jobs.
    """

    def __init__(self, ui, attempt, parameters, jobs) -> None:
        self._ui, self._attempt, self._parameters, self._jobs = ui, attempt, parameters, jobs
        self.rows, self._card = [], None
        jobs.watchers.append(self.update)
        showPlaceholder(ui.modelFileEdit, _("checkpoint (.pt) or model.json"))
        ui.modelTable.connect("itemSelectionChanged()", self.update)
        ui.importModelButton.connect("clicked()", self.importModel)
        ui.downloadButton.connect("clicked()", self.download)
        ui.removeModelButton.connect("clicked()", self.remove)
        ui.cardButton.connect("clicked()", self.showCard)
        ui.termsButton.connect("clicked()", self.acceptTerms)

    def refresh(self, name: str = "") -> None:
        """Look again what there is; select the model `name`."""
        done, rows = self._attempt(_rows)
        self.rows = rows if done else []
        table = self._ui.modelTable
        fillTable(table, [row.cells() for row in self.rows], widest=_WIDEST)
        names = [row.name for row in self.rows]
        table.setCurrentCell(names.index(name) if name in names else -1, 0)
        there = [row for row in self.rows if row.model is not None]
        self._ui.modelsLabel.text = (
            _("Models in {folder}.").format(folder=models_folder())
            if there
            else _(
                "No model is installed. The engine procedural needs none; the other engines, the learned "
                "judge and the segmentation do: import a file below."
            )
        )
        self.update()

    @property
    def selected(self):
        """The selected row; None without one."""
        row = self._ui.modelTable.currentRow()
        return self.rows[row] if 0 <= row < len(self.rows) else None

    def update(self) -> None:
        """Enable what can be done; the tool tips say why the rest cannot."""
        p, ui, row = self._parameters(), self._ui, self.selected
        if p is None:
            return
        showNoDots(ui.modelFileEdit)
        ui.modelLabel.text = "" if row is None else row.words()
        busy = _("A job is running: wait for it or stop it.") if self._jobs.isRunning else ""
        none = _("Select a model first.") if row is None else ""
        _unless(ui.downloadButton, none or self._cannotDownload(row) or busy)
        _unless(ui.removeModelButton, none or self._cannotRemove(row) or busy)
        broken = row is not None and row.broken is not None
        _unless(ui.cardButton, none or (_("It cannot be read.") if broken else ""))
        _unless(ui.termsButton, none or self._cannotAccept(row))
        known = _isChosen(p.modelFile) and (p.modelFile.name == MODEL or p.modelFile.is_dir())
        enable(ui.modelGroupCombo, not known, _("A model's folder says this itself."))
        missing = "" if _isChosen(p.modelFile) else _("Choose a file first.")
        _unless(ui.importModelButton, missing or busy)

    def importModel(self) -> None:
        """Bring the chosen file in."""
        p = self._parameters()
        given = {"file": str(p.modelFile.resolve())}
        if self._ui.modelGroupCombo.enabled:
            given["group"] = p.modelGroup
        self._jobs.start("import-model", given, onDone=self._onInstalled)

    def download(self) -> None:
        """Fetch the selected model."""
        self._jobs.start("download-model", {"model": self.selected.name}, onDone=self._onInstalled)

    def remove(self) -> None:
        """Remove the selected model from the disk, if the user says yes."""
        name = self.selected.name
        question = _("Remove the model {name} from the disk?").format(name=name)
        if not slicer.util.confirmYesNoDisplay(question, windowTitle=_("FreeTumor")):
            return
        done, _folder = self._attempt(remove_model, name)
        self.refresh()
        if done:
            self._attempt.say(_("Removed {name}.").format(name=name))

    def acceptTerms(self) -> None:
        """Ask for the consent that research weights need."""
        model = self.selected.model
        done, _nothing = self._attempt(consent.require, [model])
        self.refresh(model.name)
        if done:
            self._attempt.say(_("The terms of {name} are accepted.").format(name=model.name))

    def showCard(self) -> None:
        """Show the model's card in a window of its own."""
        done, text = self._attempt(_cardOf, self.selected)
        if done:
            self.closeCard()
            self._card = _CardWindow(self.selected.name, text)

    def closeCard(self) -> None:
        """Close the card, if one is open."""
        if self._card is not None:
            self._card.close()
            self._card = None

    def _onInstalled(self, result) -> None:
        self.refresh(result["model"])
        self._attempt.say(_("Installed {name}.").format(name=result["model"]))

    @staticmethod
    def _cannotDownload(row) -> str:
        if row.entry is None:
            return _("It is on the disk already.")
        return "" if row.entry.kind == "download" else row.way()

    @staticmethod
    def _cannotRemove(row) -> str:
        if row.entry is not None:
            return _("It is not installed.")
        packaged = row.model is not None and is_packaged(row.model)
        return _("It comes with FreeTumor.") if packaged else ""

    @staticmethod
    def _cannotAccept(row) -> str:
        if row.model is None:
            return _("It is not installed.")
        return _("It needs no consent, or has it.") if is_usable(row.model) else ""


class _CardWindow:
    """A model's card beside the main window, which stays usable."""

    def __init__(self, name: str, text: str) -> None:
        import qt

        self._dialog = qt.QDialog(slicer.util.mainWindow())
        self._dialog.setWindowTitle(_("Model {name}").format(name=name))
        self._dialog.resize(640, 560)
        self.page = qt.QTextEdit()
        self.page.readOnly = True
        self.page.setMarkdown(text)
        layout = qt.QVBoxLayout(self._dialog)
        layout.addWidget(self.page)
        self._dialog.show()

    def close(self) -> None:
        """Take the window away."""
        self._dialog.hide()
        self._dialog.deleteLater()


def _rows() -> list:
    models, broken = installed()
    names = {model.name for model in models}
    return [
        *(Row(model.name, model=model) for model in models),
        *(Row(folder.name, broken=error) for folder, error in broken.items()),
        *(Row(entry.name, entry=entry) for entry in catalogue() if entry.name not in names),
    ]


def _cardOf(row) -> str:
    if row.model is not None:
        return (row.model.folder / CARD).read_text("utf-8")
    record = row.entry.record
    facts = (f"* {name}: {_told(value)}" for name, value in record.items())
    return "\n".join([f"# {record.get('title', row.name)}", "", *facts])


def _organsInWords(organs) -> str:
    """The name of the group where it is all of its organs."""
    group = ORGANS[organs[0]].group
    whole = {row.name for row in ORGANS.values() if row.group == group}
    return group if set(organs) == whole else ", ".join(organs)


def _told(value) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _isChosen(path: Path) -> bool:
    return str(path) not in ("", ".") and path.exists()


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


def _unless(button, reason: str) -> None:
    enable(button, not reason, reason)
