"""Results on disk: a case folder, or paired training data of many cases."""

from pathlib import Path

from freetumor.cases.case import PROVENANCE
from slicer.i18n import tr as _


class Saving:
    """The section "Save and export" of the panel."""

    def __init__(self, panel) -> None:
        self._panel = panel

    def missingFolder(self) -> str:
        """Why no case can be saved; empty if it can."""
        return "" if isChosen(self._parameters.caseFolder) else _("Choose the folder of the cases.")

    def missingExport(self) -> str:
        """Why nothing can be exported; empty if it can."""
        if self.missingFolder():
            return self.missingFolder()
        if not self.cases():
            return _("Save a case first.")
        return "" if isChosen(self._parameters.exportFolder) else _("Choose the folder of the data set.")

    def cases(self) -> list:
        """All case folders in the folder of the cases."""
        folder = Path(self._parameters.caseFolder)
        return sorted(p.parent for p in folder.glob(f"*/{PROVENANCE}")) if folder.is_dir() else []

    def caseName(self) -> str:
        """The name that was typed, or one made of CT, organ and seed."""
        if self._parameters.caseName.strip():
            return self._parameters.caseName.strip()
        result = self._panel.result
        record = result.provenance
        ct = "".join(c if c.isalnum() or c in "-_" else "_" for c in result.input.GetName())
        return f"{ct}-{record['organ']}-{record['seed']}"

    def onSaveCase(self) -> None:
        """Write the shown result as a case folder."""
        folder = Path(self._parameters.caseFolder) / self.caseName()
        self._panel.run(
            self._panel.logic.saveCase,
            self._parameters,
            self._panel.result,
            folder,
            onDone=lambda case: self._panel.finished(_("Saved: {case}").format(case=case)),
        )

    def onExport(self) -> None:
        """Write all cases as a data set."""
        self._panel.run(
            self._panel.logic.exportCases,
            self.cases(),
            self._parameters.exportFormat,
            Path(self._parameters.exportFolder),
            onDone=lambda done: self._panel.finished(
                _("{count} cases in {folder}").format(count=done["cases"], folder=done["out"])
            ),
        )

    @property
    def _parameters(self):
        return self._panel.parameters


def isChosen(path) -> bool:
    """Whether a path parameter holds a path: an empty one reads as the current folder."""
    return str(path) not in ("", ".")
