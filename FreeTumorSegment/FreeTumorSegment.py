"""Module FreeTumor Segment: find lesions with a model, review and correct them, keep every version."""

from pathlib import Path

import slicer
import vtk
from freetumor.anatomy import organ
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin


class FreeTumorSegment(ScriptedLoadableModule):
    """What Slicer shows of the module before it is opened."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("FreeTumor Segment")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Image Synthesis")]
        self.parent.dependencies = ["FreeTumorSlicer"]
        self.parent.contributors = ["The FreeTumor for 3D Slicer developers"]
        self.parent.helpText = _(
            "Segments a CT with a model or imports label maps, lists lesions with their size and HU, and "
            "lets a reader correct, approve or flag them. The original label map is never changed. "
            "Not for clinical use."
        )
        self.parent.acknowledgementText = _(
            "Implements the review of pseudo-labels of FreeTumor (Wu et al., arXiv 2502.18519)."
        )


class FreeTumorSegmentWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: connects the form with the panels of FreeTumorSegmentLib."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = self._parameters = self._connection = None
        self._seen, self._busy = {}, False

    def setup(self):
        """Make the widgets."""
        ScriptedLoadableModuleWidget.setup(self)
        # Only now: when 3D Slicer starts it loads this file, and that must take no time.
        from FreeTumorSegmentLib.casepanel import CasePanel
        from FreeTumorSegmentLib.editorpanel import EditorPanel
        from FreeTumorSegmentLib.importpanel import ImportPanel
        from FreeTumorSegmentLib.lesionpanel import LesionPanel
        from FreeTumorSegmentLib.segmentpanel import SegmentPanel
        from FreeTumorSegmentLib.shortcuts import Shortcuts
        from FreeTumorSegmentLib.versionpanel import VersionPanel
        from FreeTumorSlicerLib.attempts import Attempt

        widget = slicer.util.loadUI(self.resourcePath("UI/FreeTumorSegment.ui"))
        self.layout.addWidget(widget)
        self.ui = slicer.util.childWidgetVariables(widget)
        widget.setMRMLScene(slicer.mrmlScene)
        self.logic = FreeTumorSegmentLogic()
        self._attempt = Attempt(self.ui.statusLabel)
        self.lesionPanel = LesionPanel(self.ui)
        self.segmentPanel = SegmentPanel(self.ui, self._getParameters, self._onSegmented)
        self.importPanel = ImportPanel(self.ui, self._attempt, self._getParameters)
        self.casePanel = CasePanel(self.ui, self._openCase)
        self.versionPanel = VersionPanel(
            self.ui, self._attempt, self._getParameters, self._mayLeave, self._onReviewed
        )
        self.editorPanel = EditorPanel(self.ui.correctionSection)
        self.ui.updateButton.connect("clicked()", self.updateLesions)
        self.shortcuts = Shortcuts(self.ui, self.parent)
        slicer.app.connect("lastWindowAboutToClose()", self.segmentPanel.cleanup)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self._onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.initializeParameterNode)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self._onSceneEndImport)
        self.initializeParameterNode()

    def enter(self):
        """The user comes to the module."""
        self.initializeParameterNode()
        self.shortcuts.enable(True)
        self.editorPanel.enter()

    def exit(self):
        """The user goes to another module: its keys and the editor's must not work there."""
        self.shortcuts.enable(False)
        self.editorPanel.exit()

    def cleanup(self):
        """The module is unloaded: nothing is left running."""
        slicer.app.disconnect("lastWindowAboutToClose()", self.segmentPanel.cleanup)
        self._setParameters(None)
        self.segmentPanel.cleanup()
        self.removeObservers()
        self.shortcuts.cleanup()
        self.editorPanel.cleanup()

    def initializeParameterNode(self, _caller=None, _event=None):
        """Connect the form with the parameter node of the scene."""
        from FreeTumorSegmentLib.openedcase import chooseCt

        self._setParameters(chooseCt(self.logic.getParameterNode()))

    def _setParameters(self, parameters):
        if self._parameters is not None:
            self._parameters.disconnectGui(self._connection)
            self.removeObserver(self._parameters, vtk.vtkCommand.ModifiedEvent, self._onParametersModified)
        self._parameters = parameters
        self._seen = {}
        if parameters is not None:
            self._connection = parameters.connectGui(self.ui)
            # After the form shows them, whose observer has the priority 0.
            modified = vtk.vtkCommand.ModifiedEvent
            self.addObserver(parameters, modified, self._onParametersModified, priority=-1.0)
            self._onParametersModified()

    def _getParameters(self):
        return self._parameters

    def _onSceneStartClose(self, _caller, _event):
        self._setParameters(None)
        self.segmentPanel.cleanup()
        self.editorPanel.setNodes(None, None)

    def _onSceneEndImport(self, _caller, _event):
        self.segmentPanel.settle()
        self.initializeParameterNode()

    def _onParametersModified(self, _caller=None, _event=None):
        """Follow what changed, whoever changed it: the user, a script, or a scene that was loaded."""
        p = self._parameters
        if p is None or self._busy:
            return
        self._busy = True
        try:
            if self._changed("ctVolume", "segmentation", "organ", "probabilityVolume"):
                self.editorPanel.setNodes(p.segmentation, p.ctVolume)
                self.updateLesions()
                self.versionPanel.update()
            if self._changed("casesFolder"):
                self._readCases()
            if self._changed("show3D", "segmentation"):
                self._show3D()
            self.versionPanel.updateButtons()
            self.segmentPanel.update()
            self.importPanel.update()
            self.casePanel.updateButtons()
        finally:
            self._busy = False

    def _changed(self, *names) -> bool:
        """Have these parameters other values than when this was last asked?"""
        values = [self._parameters.getValue(name) for name in names]
        values = [value.GetID() if isinstance(value, slicer.vtkMRMLNode) else value for value in values]
        changed = self._seen.get(names) != values
        self._seen[names] = values
        return changed

    def updateLesions(self):
        """Measure the lesions of the segmentation and list them."""
        from FreeTumorSegmentLib.labels import lesionsOf

        p = self._parameters
        if p.segmentation is None or p.ctVolume is None:
            self.lesionPanel.clear(_("Choose a CT and a segmentation, or import a label map."))
            return
        done, lesions = self._attempt(
            lesionsOf, p.segmentation, organ(p.organ), p.ctVolume, p.probabilityVolume
        )
        if done:
            self.lesionPanel.show(lesions)
        else:
            self.lesionPanel.clear(_("The lesions could not be measured; the reason is told below."))

    def _show3D(self):
        from FreeTumorSegmentLib.lesionpanel import show3D

        if self._parameters.segmentation is not None:
            show3D(self._parameters.segmentation, self._parameters.show3D)

    def _readCases(self):
        from FreeTumorSegmentLib.openedcase import caseOf

        p = self._parameters
        if (
            p.casesFolder == Path()
            or not self._attempt(self.casePanel.read, p.casesFolder, caseOf(p.segmentation))[0]
        ):
            self.casePanel.forget()

    def openCases(self, folder, name: str) -> bool:
        """Open case `name` of a folder of cases, for the hub; whether it is open then."""
        self.initializeParameterNode()
        self._parameters.casesFolder = Path(folder)
        return self.casePanel.open(name)

    def _openCase(self, case) -> bool:
        """Open a case from the list; False if it cannot be, or if the user wants to keep the open one."""
        from FreeTumorSegmentLib.openedcase import caseOf, closeCase, openCase

        p = self._parameters
        if not self._mayLeave():
            return False
        before = caseOf(p.segmentation)
        done, organName = self._attempt(lambda: case.organ or p.organ)
        done, nodes = self._attempt(openCase, case, organ(organName)) if done else (False, None)
        if not done:
            return False
        with slicer.util.NodeModify(p.parameterNode):
            p.organ, p.comment, p.probabilityVolume = organName, "", None
            p.ctVolume, p.segmentation = nodes
        if before and before != str(case.path):
            closeCase(before)
        slicer.util.setSliceViewerLayers(background=p.ctVolume, fit=True)
        if self.lesionPanel.lesions:
            self.lesionPanel.jumpTo(0)
        self._attempt.say(_("Opened {case}.").format(case=case.name))
        return True

    def _mayLeave(self) -> bool:
        """True if nothing is lost by replacing the segments, or if the user says so."""
        from FreeTumorSegmentLib.openedcase import isCorrected

        p = self._parameters
        if not isCorrected(p.segmentation, organ(p.organ), p.ctVolume):
            return True
        question = _("The corrections of this case are not saved as a version. Discard them?")
        return slicer.util.confirmYesNoDisplay(question, windowTitle=_("FreeTumor Segment"))

    def _onSegmented(self):
        if self.lesionPanel.lesions:
            self.lesionPanel.jumpTo(0)

    def _onReviewed(self, text):
        self.versionPanel.update()
        self.casePanel.updateMarks()
        self.updateLesions()
        self._attempt.say(text)


class FreeTumorSegmentLogic(ScriptedLoadableModuleLogic):
    """The parameter node; what the module does with nodes is in FreeTumorSegmentLib."""

    def getParameterNode(self):
        """The typed parameter node of the scene."""
        from FreeTumorSegmentLib.parameters import FreeTumorSegmentParameterNode

        return FreeTumorSegmentParameterNode(super().getParameterNode())


class FreeTumorSegmentTest(ScriptedLoadableModuleTest):
    """Self test: a made-up label map becomes segments, and its lesions are found where they are."""

    def runTest(self):
        """Run all tests."""
        self.setUp()
        self.test_lesionsOfALabelMapAreFound()

    def test_lesionsOfALabelMapAreFound(self):
        """A liver with one lesion, there and back."""
        import numpy as np
        from freetumor.volume import Geometry, Volume
        from FreeTumorSegmentLib.labels import labelsOf, lesionsOf, segmentationFromLabels
        from FreeTumorSlicerLib.volumes import nodeFromVolume

        self.delayDisplay(_("Making a liver with a lesion"))
        geometry = Geometry((20, 30, 40), np.diag([-1.0, -1.0, 2.0, 1.0]))
        labels = Volume(np.ones(geometry.shape, np.uint8), geometry)
        labels.array[8:12, 10:16, 20:26] = 2
        ctNode = nodeFromVolume(Volume(np.where(labels.array == 2, 40, 110).astype(np.int16), geometry), "CT")
        node = segmentationFromLabels(labels, organ("liver"), ctNode, "Labels")
        self.assertTrue((labelsOf(node, organ("liver"), ctNode).array == labels.array).all())
        (lesion,) = lesionsOf(node, organ("liver"), ctNode)
        self.assertEqual((lesion.voxels, round(lesion.mean_hu)), (4 * 6 * 6, 40))
        self.delayDisplay(_("Test passed"))
