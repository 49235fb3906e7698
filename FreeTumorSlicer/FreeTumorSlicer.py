"""Module FreeTumor, the hub: set-up, cases, export, jobs, and the way to the other two modules."""

from pathlib import Path
from typing import Annotated

import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import Choice, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin


class FreeTumorSlicer(ScriptedLoadableModule):
    """What Slicer shows of the module before it is opened."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("FreeTumor")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Image Synthesis")]
        self.parent.dependencies = []
        self.parent.contributors = ["The FreeTumor for 3D Slicer developers"]
        self.parent.helpText = _(
            "Set-up, cases, export and jobs of FreeTumor: realistic synthetic tumors in real CTs, exact "
            "outside the tumor. Not for clinical use."
        )
        self.parent.acknowledgementText = _(
            "Implements the method of FreeTumor (Wu et al., arXiv 2502.18519). Sample CT: LIDC-IDRI-0001, "
            "The Cancer Imaging Archive, CC BY 3.0."
        )
        slicer.app.connect("startupCompleted()", _registerSampleData)


def _registerSampleData():
    if not hasattr(slicer.modules, "sampledata"):  # a Slicer that was built or started without that module
        return
    from FreeTumorSlicerLib.sampledata import registerSampleData

    registerSampleData()


@parameterNodeWrapper
class FreeTumorSlicerParameterNode:
    """All that the module remembers with the scene."""

    casesFolder: Path
    modelFile: Path
    modelGroup: Annotated[str, Choice(["abdomen", "chest"])] = "abdomen"
    exportFormat: Annotated[str, Choice(["nnunet", "msd"])] = "nnunet"
    exportFolder: Path
    jobFile: Path
    packFolder: Path
    trainingConfig: Path
    trainingStage: Annotated[str, Choice(["segmenter", "generator", "target"])] = "segmenter"
    trainingData: Path
    trainingOut: Path
    trainingChanges: str


class FreeTumorSlicerWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: connects the form with the panels of FreeTumorSlicerLib."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = self._parameters = self._connection = self._casesFolder = None

    def setup(self):
        """Make the widgets. Nothing is looked up, downloaded or tried yet."""
        ScriptedLoadableModuleWidget.setup(self)
        # Only now: when 3D Slicer starts it loads this file, and that must take no time.
        from FreeTumorSlicerLib.attempts import Attempt
        from FreeTumorSlicerLib.hubcases import CasesPanel
        from FreeTumorSlicerLib.hubjobs import JobsPanel
        from FreeTumorSlicerLib.modelspanel import ModelsPanel
        from FreeTumorSlicerLib.setuppanel import SetupPanel
        from FreeTumorSlicerLib.studypanel import StudyPanel
        from FreeTumorSlicerLib.trainingpanel import TrainingPanel

        widget = slicer.util.loadUI(self.resourcePath("UI/FreeTumorSlicer.ui"))
        self.layout.addWidget(widget)
        training = slicer.util.loadUI(self.resourcePath("UI/FreeTumorTraining.ui"))
        slicer.util.findChild(widget, "trainingSection").layout().addWidget(training)
        self.ui = slicer.util.childWidgetVariables(widget)
        widget.setMRMLScene(slicer.mrmlScene)
        self.logic = FreeTumorSlicerLogic()
        attempt = Attempt(self.ui.statusLabel)
        self.setupPanel = SetupPanel(self.ui, attempt)
        self.casesPanel = CasesPanel(self.ui, attempt, self._getParameters)
        self.jobsPanel = JobsPanel(self.ui, attempt, self._getParameters, self.casesPanel.syntheticCases)
        self.modelsPanel = ModelsPanel(self.ui, attempt, self._getParameters, self.jobsPanel)
        reading = self.resourcePath("UI/FreeTumorReading.ui")
        self.studyPanel = StudyPanel(self.ui, attempt, reading, self.parent)
        self.trainingPanel = TrainingPanel(self.ui, self._getParameters, self.modelsPanel)
        self.ui.refreshButton.connect("clicked()", self.jobsPanel.update)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self._onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self._onSceneChanged)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self._onSceneChanged)
        slicer.app.connect("lastWindowAboutToClose()", self.jobsPanel.cleanup)
        slicer.app.connect("lastWindowAboutToClose()", self.trainingPanel.cleanup)
        slicer.app.connect("lastWindowAboutToClose()", self.studyPanel.cleanup)
        self.initializeParameterNode()

    def enter(self):
        """The user comes to the module: a command may have brought models in the meantime."""
        self.initializeParameterNode()
        self.modelsPanel.refresh()

    def exit(self):
        """The user goes to another module: a study being read pauses, and nothing of its case stays."""
        self.studyPanel.reading.suspend()

    def showModels(self):
        """Open the section Models, for the other modules."""
        self.ui.modelsSection.collapsed = False

    def cleanup(self):
        """The module is unloaded: nothing is left running."""
        slicer.app.disconnect("lastWindowAboutToClose()", self.jobsPanel.cleanup)
        slicer.app.disconnect("lastWindowAboutToClose()", self.trainingPanel.cleanup)
        slicer.app.disconnect("lastWindowAboutToClose()", self.studyPanel.cleanup)
        self.studyPanel.cleanup()
        self._setParameters(None)
        self.jobsPanel.cleanup()
        self.trainingPanel.cleanup()
        self.modelsPanel.closeCard()
        self.removeObservers()

    def initializeParameterNode(self):
        """Connect the form with the parameter node of the scene."""
        self._setParameters(self.logic.getParameterNode())

    def _getParameters(self):
        return self._parameters

    def _setParameters(self, parameters):
        if self._parameters is not None:
            self._parameters.disconnectGui(self._connection)
            self.removeObserver(self._parameters, vtk.vtkCommand.ModifiedEvent, self._onParametersModified)
        self._parameters, self._casesFolder = parameters, None
        if parameters is not None:
            self._connection = parameters.connectGui(self.ui)
            # After the form shows them, whose observer has the priority 0.
            modified = vtk.vtkCommand.ModifiedEvent
            self.addObserver(parameters, modified, self._onParametersModified, priority=-1.0)
            self._onParametersModified()

    def _onSceneStartClose(self, _caller, _event):
        self.studyPanel.reading.leave()
        self._setParameters(None)
        self.jobsPanel.cleanup()

    def _onSceneChanged(self, _caller, _event):
        self.initializeParameterNode()

    def _onParametersModified(self, _caller=None, _event=None):
        if self._parameters is None:
            return
        if self._parameters.casesFolder != self._casesFolder:
            self._casesFolder = self._parameters.casesFolder
            self.casesPanel.refresh()
        self.casesPanel.update()
        self.jobsPanel.update()
        self.trainingPanel.update()


class FreeTumorSlicerLogic(ScriptedLoadableModuleLogic):
    """The parameter node; what the module does is in FreeTumorSlicerLib and in the core package."""

    def getParameterNode(self):
        """The typed parameter node of the scene."""
        return FreeTumorSlicerParameterNode(super().getParameterNode())


class FreeTumorSlicerTest(ScriptedLoadableModuleTest):
    """Self test: a job runs in a process of its own and says how it ended."""

    def runTest(self):
        """Run all tests."""
        self.setUp()
        self.test_aJobFileThatIsNoneIsRefusedInWords()

    def test_aJobFileThatIsNoneIsRefusedInWords(self):
        """An export without cases ends with an error of kind usage, and the runner is idle again."""
        import time

        from FreeTumorSlicerLib.jobs import JobRunner

        self.delayDisplay(_("Running a job"))
        ended = []
        runner = JobRunner()
        runner.start("export", {"format": "nnunet", "out": "out"}, onError=lambda *error: ended.append(error))
        start = time.monotonic()
        while not ended and time.monotonic() - start < 60:
            slicer.app.processEvents()
        self.assertEqual([kind for kind, _message in ended], ["usage"])
        self.assertFalse(runner.isRunning)
        self.delayDisplay(_("Test passed"))
