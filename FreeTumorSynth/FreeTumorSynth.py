"""FreeTumor Synth: draw, place or sample a tumor, synthesize it, look at it, keep it or not."""

import sys
from pathlib import Path

import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

# The shared library lies beside this file in an installed extension, in the next folder in the repository.
_HERE = Path(__file__).resolve().parent
for _folder in (_HERE, _HERE.parent / "FreeTumorSlicer"):
    if (_folder / "FreeTumorSlicerLib").is_dir() and str(_folder) not in sys.path:
        sys.path.append(str(_folder))

from FreeTumorSlicerLib.messages import explain  # noqa: E402
from FreeTumorSynthLib.logic import SynthLogic as FreeTumorSynthLogic  # noqa: E402
from FreeTumorSynthLib.panel import SynthPanel  # noqa: E402
from FreeTumorSynthLib.parameters import FreeTumorSynthParameterNode  # noqa: E402

__all__ = ["FreeTumorSynth", "FreeTumorSynthLogic", "FreeTumorSynthParameterNode", "FreeTumorSynthWidget"]


class FreeTumorSynth(ScriptedLoadableModule):
    """Description of the module."""

    def __init__(self, parent) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("FreeTumor Synth")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Image Synthesis")]
        parent.dependencies = ["FreeTumorSlicer"]
        parent.contributors = ["FreeTumor contributors"]
        parent.helpText = _(
            "Draw a tumor, click its place or ask for a size in mm; the module synthesizes it in the CT, "
            "shows it in the slices and in 3-D, and tells whether it passed the quality test. "
            "Not for clinical use."
        )
        parent.acknowledgementText = _("After FreeTumor (arXiv 2502.18519); see the README of the extension.")


class FreeTumorSynthWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Life cycle of the panel; what its buttons do is in FreeTumorSynthLib.panel."""

    def __init__(self, parent=None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = self.panel = self._parameterNode = self._parameterNodeGuiTag = None

    def setup(self) -> None:
        """Load the panel and connect it; nothing else happens before a button is pressed."""
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/FreeTumorSynth.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = FreeTumorSynthLogic()
        self.panel = SynthPanel(self.ui, self.logic, self)
        scene = slicer.vtkMRMLScene
        self.addObserver(slicer.mrmlScene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, scene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(slicer.mrmlScene, scene.EndImportEvent, self.onSceneEndImport)
        self.initializeParameterNode()

    def cleanup(self) -> None:
        """The module goes: its job, timers and observers go with it."""
        self.panel.cleanup()
        self.setParameterNode(None)
        self.removeObservers()

    def enter(self) -> None:
        """The user comes to the module."""
        self.initializeParameterNode()
        self.panel.enter()

    def exit(self) -> None:
        """The user goes to another module; a running job goes on."""
        self.panel.exit()

    def onSceneStartClose(self, _caller, _event) -> None:
        """The scene is being closed: its job ends, nothing is left behind."""
        self.panel.sceneClosing()
        self.setParameterNode(None)

    def onSceneEndClose(self, _caller, _event) -> None:
        """The scene is empty now."""
        self.initializeParameterNode()

    def onSceneEndImport(self, _caller, _event) -> None:
        """A scene was loaded: the panel shows its parameters."""
        self.initializeParameterNode()
        self.panel.sceneImported()

    def initializeParameterNode(self) -> None:
        """Show the parameters of the scene, and the first CT and organ where none is chosen."""
        self.setParameterNode(self.logic.getParameterNode())
        self.panel.chooseDefaults()

    def setParameterNode(self, parameterNode) -> None:
        """Connect the panel with another parameter node; None with none."""
        if self._parameterNode is not None:
            self._parameterNode.disconnectGui(self._parameterNodeGuiTag)
            self.removeObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self.panel.update)
        self._parameterNode = parameterNode
        self.panel.parameters = parameterNode
        if parameterNode is not None:
            self._parameterNodeGuiTag = parameterNode.connectGui(self.ui)
            # After the form shows them, whose observer has the priority 0.
            modified = vtk.vtkCommand.ModifiedEvent
            self.addObserver(parameterNode, modified, self.panel.update, priority=-1.0)
            self.panel.update()


class FreeTumorSynthTest(ScriptedLoadableModuleTest):
    """Self test of the module, as Slicer's menu "Reload and Test" runs it."""

    def setUp(self) -> None:
        """Start from an empty scene."""
        slicer.mrmlScene.Clear(0)

    def runTest(self) -> None:
        """All tests."""
        self.setUp()
        self.test_aTumorIsSampledInABall()

    def test_aTumorIsSampledInABall(self) -> None:
        """A tumor of 20 mm in a ball of liver, from the parameters to the node with its segment."""
        from FreeTumorSynthLib.selftest import ballOfLiver

        self.delayDisplay(_("Synthesizing a tumor in a ball of liver"))
        logic = FreeTumorSynthLogic()
        parameters = logic.getParameterNode()
        ballOfLiver(parameters)
        said = []
        logic.synthesize(
            parameters, onDone=said.append, onError=lambda kind, message: said.append(explain(kind, message))
        )
        while logic.runner.isRunning:
            slicer.app.processEvents(qt.QEventLoop.AllEvents, 50)
        assert getattr(said[0], "volume", None) is parameters.resultVolume, said
        assert len(said[0].segmentIDs) == 1
        self.delayDisplay(_("Test passed"))
