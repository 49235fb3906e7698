"""Import of a label map that another tool made."""

from freetumor.anatomy import organ
from freetumor.errors import BadInput
from FreeTumorSlicerLib.widgets import enable, showNoDots, showPlaceholder
from slicer.i18n import tr as _

from FreeTumorSegmentLib.labels import importFile
from FreeTumorSegmentLib.openedcase import joinCase

OWN_IDS = "own ids"
_SHOWN_IDS = 12


class ImportPanel:
    """The section Import.

    Args:
        ui: the widgets of the form. attempt: see `attempts`.
        parameters: function that gives the parameter node.
    """

    def __init__(self, ui, attempt, parameters) -> None:
        self._ui, self._attempt, self._parameters = ui, attempt, parameters
        showPlaceholder(ui.labelFileEdit, _("label map (NIfTI, NRRD, MHA)"))
        ui.importButton.connect("clicked()", self.run)

    def update(self) -> None:
        """Enable what can be done."""
        p = self._parameters()
        own = p.convention == OWN_IDS
        self._ui.organValuesEdit.enabled = self._ui.lesionValuesEdit.enabled = own
        for name in ("organValuesEdit", "organValuesEditLabel", "lesionValuesEdit", "lesionValuesEditLabel"):
            getattr(self._ui, name).setVisible(own)
        showNoDots(self._ui.labelFileEdit)
        reason = _("Choose a CT first.") if p.ctVolume is None else _("Choose a label map file first.")
        enable(self._ui.importButton, p.ctVolume is not None and p.labelFile.is_file(), reason)

    def run(self) -> None:
        """Import the chosen file; it becomes the segmentation under review."""
        p = self._parameters()
        done, result = self._attempt(self._import, p)
        if not done:
            return
        node, ignored = result
        joinCase(node, p.ctVolume)
        p.segmentation = node
        text = _("Imported {file}.").format(file=p.labelFile.name)
        if ignored:
            ids = ", ".join(str(value) for value in ignored[:_SHOWN_IDS])
            ids += " ..." if len(ignored) > _SHOWN_IDS else ""
            text += " " + _("Ids without a meaning here were left out: {ids}.").format(ids=ids)
        self._attempt.say(text)

    @staticmethod
    def _import(p):
        own = p.convention == OWN_IDS
        organs, lesions = (_ids(p.organValues), _ids(p.lesionValues)) if own else ((), ())
        if own and not organs and not lesions:
            raise BadInput(
                _("ids of the organ or of its lesions"), _("none"), _("Fill them in."), kind="usage"
            )
        convention = "freetumor" if own else p.convention
        return importFile(
            p.labelFile, p.ctVolume, organ(p.organ), convention, organs, lesions, p.resampleLabels
        )


def _ids(text: str) -> tuple:
    """Whole numbers above 0, separated by blanks or commas; raises BadInput."""
    parts = text.replace(",", " ").split()
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise BadInput(_("ids above 0 such as 2 3"), repr(text), kind="usage")
    return tuple(int(part) for part in parts)
