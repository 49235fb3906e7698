"""The section Reader study of the hub: choose a study and a reader, then read."""

import qt
import slicer
from freetumor.errors import BadInput, FreeTumorError
from freetumor.study import read_study
from freetumor.study.answers import AnswerLog, reader_answers
from freetumor.study.key import default_key_path
from slicer.i18n import tr as _

from FreeTumorSlicerLib.messages import explain
from FreeTumorSlicerLib.readingpanel import ReadingPanel
from FreeTumorSlicerLib.widgets import enable, showPlaceholder

_FOLDER, _READER = "FreeTumor/ReaderStudy/Folder", "FreeTumor/ReaderStudy/Reader"


class StudyPanel:
    """The section Reader study.

    Args:
        ui: the widgets of the hub's form; of these only the section itself is used.
        attempt: see `attempts`. form: path of the section's own form. parent: the module's widget.
    """

    def __init__(self, ui, attempt, form, parent) -> None:
        self._section, self._attempt, self._study, self._others = ui.studySection, attempt, None, []
        widget = slicer.util.loadUI(form)
        ui.studySection.layout().addWidget(widget)
        self.ui = slicer.util.childWidgetVariables(widget)
        self.reading = ReadingPanel(self.ui, attempt, parent, self._onLeft)
        self.ui.readingPage.setVisible(False)
        showPlaceholder(self.ui.studyFolderEdit, _("folder of the study"))
        self.ui.studyFolderEdit.connect("currentPathChanged(QString)", self._onFolder)
        self.ui.readerCombo.connect("currentTextChanged(QString)", self._onReader)
        self.ui.startButton.connect("clicked()", self.start)
        ui.studySection.connect("contentsCollapsed(bool)", self._onCollapsed)
        # With the program's settings and not with the scene: a scene says nothing about a study.
        self.ui.studyFolderEdit.currentPath = qt.QSettings().value(_FOLDER, "") or ""
        self.refresh()

    def refresh(self) -> None:
        """Read the chosen folder again; not as long as the section is closed: it may be far away."""
        if self._section.collapsed:
            return
        folder, self._study = self.ui.studyFolderEdit.currentPath, None
        self.ui.readerCombo.blockSignals(True)
        self.ui.readerCombo.clear()
        problem = _("Choose the folder of a study.")
        if folder:
            try:
                self._study = read_study(folder)
                self.ui.readerCombo.addItems(list(self._study.readers))
                self.ui.readerCombo.setCurrentText(qt.QSettings().value(_READER, "") or "")
            except FreeTumorError as error:
                problem = explain(error.kind, str(error))
        self.ui.readerCombo.blockSignals(False)
        self.ui.readerCombo.enabled = self._study is not None
        if self._study is None:
            self.ui.studySummary.text = problem
            enable(self.ui.startButton, False, _("Choose the folder of a study first."))
        else:
            self._onReader()

    def start(self) -> None:
        """Go on reading where the chosen reader stopped."""
        reader = self.ui.readerCombo.currentText
        done, log = self._attempt(self._openLog, reader)
        if not done or log is None:
            return
        qt.QSettings().setValue(_FOLDER, self.ui.studyFolderEdit.currentPath)
        qt.QSettings().setValue(_READER, reader)
        self._attempt.say("")
        if log.torn:
            self._attempt.say(
                _("The program was ended during an answer: that case is shown again. Nothing else is lost.")
            )
        self.ui.startPage.setVisible(False)
        self.ui.readingPage.setVisible(True)
        self._hideOtherSections()
        self.reading.begin(log)

    def cleanup(self) -> None:
        """The module is unloaded."""
        self.reading.cleanup()

    def _openLog(self, reader: str):
        """The reader's answers; None if they are open elsewhere and the reader leaves it at that."""
        try:
            return AnswerLog(self._study, reader)
        except BadInput as error:
            if error.kind != "locked":
                raise
            question = _("{problem}\n\nTake over here?").format(problem=explain(error.kind, str(error)))
            if not slicer.util.confirmYesNoDisplay(question, windowTitle=_("Reader study")):
                return None
        return AnswerLog(self._study, reader, take_over=True)

    def _onFolder(self, _path) -> None:
        self.refresh()

    def _onCollapsed(self, isCollapsed) -> None:
        if not isCollapsed and self.reading.state is None:
            self.refresh()

    def _onReader(self, _text=None) -> None:
        """Say how far the reader is."""
        reader = self.ui.readerCombo.currentText
        try:
            answers = reader_answers(self._study, reader)
        except FreeTumorError as error:
            self.ui.studySummary.text = explain(error.kind, str(error))
            enable(self.ui.startButton, False, _("The answers of this reader cannot be read."))
            return
        answered, total = len({a["presentation"] for a in answers}), len(self._study.order(reader))
        lines = [
            _("{title}: {answered} of {total} answered.").format(
                title=self._study.title, answered=answered, total=total
            )
        ]
        if default_key_path(self._study.folder).exists():
            lines.append(
                _("The key lies beside the study: who set it up should keep it where readers cannot see it.")
            )
        self.ui.studySummary.text = "\n".join(lines)
        self.ui.startButton.text = _("Go on") if answered else _("Start")
        enable(self.ui.startButton, answered < total, _("This reader has answered all cases."))

    def _onLeft(self, text) -> None:
        self.ui.readingPage.setVisible(False)
        self.ui.startPage.setVisible(True)
        for widget in self._others:
            widget.setVisible(True)
        self._others = []
        self.refresh()
        if text is not None:  # None: the reason was told already
            self._attempt.say(text)

    def _hideOtherSections(self) -> None:
        """While reading, the panel holds nothing else but the status line."""
        kept = (self._section.name, "statusLabel")
        parts = [part for part in self._section.parent().children() if hasattr(part, "isHidden")]
        self._others = [part for part in parts if part.name not in kept and not part.isHidden()]
        for part in self._others:
            part.setVisible(False)
