"""A scripted module in the shape of Slicer's template: what the tests of the host load."""

import enum
import pathlib
from typing import Annotated, Optional

import ctk
import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import (
    Choice,
    Default,
    Minimum,
    WithinRange,
    parameterNodeWrapper,
    parameterPack,
)
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin


class Engine(enum.Enum):
    """Shown by its labels."""

    PROCEDURAL = "procedural"
    DIFFUSION = "diffusion"

    def label(self):
        return _("Diffusion model") if self is Engine.DIFFUSION else _("Procedural")


@parameterPack
class Lesion:
    """A parameter pack."""

    diameter: Annotated[float, WithinRange(2.0, 120.0), Default(15.0)]
    count: Annotated[int, Minimum(1), Default(1)]


@parameterNodeWrapper
class HostProbeParameterNode:
    """One parameter of every kind."""

    ct: slicer.vtkMRMLScalarVolumeNode
    reference: Optional[slicer.vtkMRMLScalarVolumeNode]  # noqa: UP045 - Slicer refuses X | None
    engine: Engine
    device: Annotated[str, Choice(["auto", "cpu", "cuda"])] = "auto"
    contrast: Annotated[float, WithinRange(-100.0, 100.0)] = -40.0
    seed: Annotated[int, Minimum(0)] = 7
    preview: bool = True
    note: str
    folder: pathlib.Path
    lesion: Lesion
    weights: list[float]
    limit: Optional[int]  # noqa: UP045


class HostProbe(ScriptedLoadableModule):
    """The module's description."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("Host Probe")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Testing")]
        self.parent.dependencies = []
        self.parent.contributors = ["FreeTumor"]
        self.parent.helpText = _("Tests the host.")


class HostProbeWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The module's panel."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self._parameterNode = None
        self._guiTag = None
        self.applied = []

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/HostProbe.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = HostProbeLogic()
        self.extra = ctk.ctkCollapsibleButton()
        self.extra.text = _("More")
        form = qt.QFormLayout(self.extra)
        form.addRow(_("Nothing"), qt.QLabel(_("here")))
        self.layout.addWidget(self.extra)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.ui.applyButton.connect("clicked(bool)", self.onApply)
        self.timer = qt.QTimer()
        self.timer.setInterval(1000)
        self.timer.connect("timeout()", self.onTimer)
        self.shortcut = qt.QShortcut(qt.QKeySequence("Ctrl+Alt+P"), self.parent)
        self.shortcut.connect("activated()", self.onTimer)
        self.initializeParameterNode()

    def cleanup(self):
        self.timer.stop()
        self.setParameterNode(None)
        self.removeObservers()

    def enter(self):
        self.initializeParameterNode()

    def exit(self):
        self.setParameterNode(None)

    def onSceneStartClose(self, caller, event):
        self.setParameterNode(None)

    def onSceneEndClose(self, caller, event):
        self.initializeParameterNode()

    def initializeParameterNode(self):
        self.setParameterNode(self.logic.getParameterNode())

    def setParameterNode(self, parameterNode):
        if self._parameterNode:
            self._parameterNode.disconnectGui(self._guiTag)
            self.removeObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self.onChanged)
        self._parameterNode = parameterNode
        if parameterNode:
            self._guiTag = parameterNode.connectGui(self.ui)
            self.addObserver(parameterNode, vtk.vtkCommand.ModifiedEvent, self.onChanged)
            self.onChanged()

    def onChanged(self, caller=None, event=None):
        ready = self._parameterNode is not None and self._parameterNode.ct is not None
        self.ui.applyButton.enabled = ready
        self.ui.applyButton.toolTip = _("Compute") if ready else _("Choose a CT first")

    def onApply(self):
        self.applied.append(self._parameterNode.contrast)

    def onTimer(self):
        self.applied.append("timer")


class HostProbeLogic(ScriptedLoadableModuleLogic):
    """The module's logic."""

    def getParameterNode(self):
        return HostProbeParameterNode(super().getParameterNode())


class HostProbeTest(ScriptedLoadableModuleTest):
    """The module's self test."""

    def runTest(self):
        self.setUp()
        self.assertEqual(HostProbeLogic().getParameterNode().device, "auto")  # noqa: PT009
