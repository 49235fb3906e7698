"""The versions of the open case: open, save, approve, flag."""

from freetumor.anatomy import organ
from FreeTumorSlicerLib.widgets import enable, fillTable
from slicer.i18n import tr as _

from FreeTumorSegmentLib.openedcase import isCorrected, pseudoLabelOf, saveVersion, shownVersion, showVersion


class VersionPanel:
    """The section Versions.

    Args:
        ui: the widgets of the form. attempt: see `attempts`.
        parameters: function that gives the parameter node.
        mayLeave: asks the user before corrections are replaced. changed: called after the segments or the
            reviews have changed.
    """

    def __init__(self, ui, attempt, parameters, mayLeave, changed) -> None:
        self._ui, self._attempt, self._parameters = ui, attempt, parameters
        self._mayLeave, self._changed = mayLeave, changed
        self.versions = []
        ui.openVersionButton.connect("clicked()", self.open)
        ui.saveVersionButton.connect("clicked()", self.save)
        ui.approveButton.connect("clicked()", self.approve)
        ui.flagButton.connect("clicked()", self.flag)

    def update(self) -> None:
        """List the versions of the case that the segmentation belongs to."""
        node = self._parameters().segmentation
        pseudoLabel = pseudoLabelOf(node)
        done, versions = (True, []) if pseudoLabel is None else self._attempt(pseudoLabel.versions)
        self.versions = versions if done else []
        fillTable(self._ui.versionTable, [_cells(version) for version in self.versions])
        for row, version in enumerate(self.versions):
            if version.number == shownVersion(node):
                self._ui.versionTable.setCurrentCell(row, 0)
        self.updateButtons()

    @property
    def selected(self):
        """The version in the current row; None without any."""
        row = self._ui.versionTable.currentRow()
        return self.versions[row] if 0 <= row < len(self.versions) else None

    def updateButtons(self) -> None:
        """Enable what can be done; the tool tips say why the rest cannot."""
        p = self._parameters()
        opened, author, comment = bool(self.versions), bool(p.author.strip()), bool(p.comment.strip())
        reason = _("Open a case first: versions belong to a case.")
        enable(self._ui.openVersionButton, opened, reason)
        if opened:
            reason = _("Fill in the author first.")
        enable(self._ui.saveVersionButton, opened and author, reason)
        enable(self._ui.approveButton, opened and author, reason)
        if opened and author:
            reason = _("Write a comment that says what is wrong first.")
        enable(self._ui.flagButton, opened and author and comment, reason)

    def open(self) -> None:
        """Show the selected version in place of the segments."""
        p, version = self._parameters(), self.selected
        if version is None or not self._mayLeave():
            return
        done, _none = self._attempt(showVersion, p.segmentation, version.number, organ(p.organ), p.ctVolume)
        if done:
            self._changed(_("Shows {version}.").format(version=version.name))

    def save(self) -> None:
        """Save the segments as the next version."""
        p = self._parameters()
        done, version = self._attempt(
            saveVersion, p.segmentation, organ(p.organ), p.ctVolume, p.author, p.comment
        )
        if done:
            p.comment = ""
            self._changed(_("Saved as {version}.").format(version=version.name))

    def approve(self) -> None:
        """Approve the selected version."""
        p = self._parameters()
        if isCorrected(p.segmentation, organ(p.organ), p.ctVolume):
            self._attempt.say(_("Save the corrections as a new version first, then approve that."))
            return
        self._review("approved", _("Approved {version}."))

    def flag(self) -> None:
        """Flag the selected version."""
        self._review("flagged", _("Flagged {version}."))

    def _review(self, status: str, said: str) -> None:
        p, version = self._parameters(), self.selected
        pseudoLabel = pseudoLabelOf(p.segmentation)
        if version is None or pseudoLabel is None:
            return

        def review():
            pseudoLabel.review(version.number, status, author=p.author, comment=p.comment)

        done, _none = self._attempt(review)
        if done:
            p.comment = ""
            self._changed(said.format(version=version.name))


def _cells(version) -> tuple:
    last = version.reviews[-1] if version.reviews else None
    status = (
        version.status
        if last is None
        else _("{status} by {author}").format(status=version.status, author=last.author)
    )
    comments = [version.comment] if last is None else [version.comment, last.comment]
    return (
        version.name,
        version.author,
        version.created.replace("T", " ")[:16],
        status,
        "; ".join(comment for comment in comments if comment),
    )
