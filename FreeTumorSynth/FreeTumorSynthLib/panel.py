"""The panel of FreeTumor Synth: what each button does, and when it may be pressed."""

import qt
import slicer
from FreeTumorSlicerLib import consent
from FreeTumorSlicerLib.jobview import JobView
from FreeTumorSlicerLib.segmentchoice import SegmentChoice, isChanging
from slicer.i18n import tr as _

from FreeTumorSynthLib.availability import Buttons
from FreeTumorSynthLib.choices import Choices
from FreeTumorSynthLib.comparison import Comparison
from FreeTumorSynthLib.defaults import chooseDefaults
from FreeTumorSynthLib.drawing import Drawing
from FreeTumorSynthLib.live import LiveControl
from FreeTumorSynthLib.networks import Networks
from FreeTumorSynthLib.parameters import DRAW, MODES, PLACE
from FreeTumorSynthLib.placing import PointPlacement, crosshairPosition
from FreeTumorSynthLib.request import position
from FreeTumorSynthLib.results import LABELED_BY, Result
from FreeTumorSynthLib.saving import Saving

_LAST_SEED = 999_999


class SynthPanel:
    """Between the widgets of the .ui file and the logic.

    Args:
        ui: the widgets by name. logic: :class:`FreeTumorSynthLib.logic.SynthLogic`.
        owner: the module widget, whose VTKObservationMixin holds the observers.
    """

    def __init__(self, ui, logic, owner) -> None:
        self.ui, self.logic, self.parameters = ui, logic, None
        self.buttons, self.choices = Buttons(ui), Choices(ui)
        self.networks = Networks(ui, lambda: self.parameters)
        self._job = JobView(ui.progressBar, ui.statusLabel, ui.logText, self.update)
        self.comparison, self.drawing = Comparison(), Drawing(ui.segmentEditor)
        self.preview = LiveControl(self)
        self.placement = PointPlacement(owner.addObserver, owner.removeObserver, self._onPointMoved)
        self.saving = Saving(self)
        self._owner, self._updating, self._painted = owner, False, None
        self._settling = qt.QTimer()
        self._settling.setSingleShot(True)
        self._settling.connect("timeout()", self.update)
        self._organ = SegmentChoice(
            ui.organSegmentSelector,
            lambda: self.parameters,
            "organSegmentation",
            "organSegmentID",
            isBusy=lambda: self._updating or self._settling.active,
        )
        self._connect()
        self.finished()

    def _connect(self) -> None:
        ui = self.ui
        for button, slot in (
            (ui.applyButton, self.onApply),
            (ui.labelOrganButton, self.onLabelOrgan),
            (ui.drawButton, self.onDraw),
            (ui.placeButton, self.onPlace),
            (ui.crosshairButton, self.onCrosshair),
            (ui.acceptButton, self.onAccept),
            (ui.undoButton, self.onUndo),
            (ui.anotherButton, self.onAnother),
            (ui.saveCaseButton, self.saving.onSaveCase),
            (ui.exportButton, self.saving.onExport),
        ):
            button.connect("clicked(bool)", lambda _checked=False, slot=slot: slot())
        for button, way in self._comparisons():
            button.connect("toggled(bool)", lambda on, b=button, w=way: self._onCompare(b, w, on))
        ui.modeTabs.connect("currentChanged(int)", self._onModeTab)

    def _comparisons(self) -> tuple:
        ui, ways = self.ui, self.comparison
        return (
            (ui.blinkButton, ways.blink),
            (ui.sideBySideButton, ways.sideBySide),
            (ui.differenceButton, ways.difference),
        )

    def update(self, _caller=None, _event=None) -> None:
        """Show the parameters: states, tool tips, and what is not connected by name."""
        p = self.parameters
        if p is None or self._updating or isChanging(slicer.mrmlScene):
            return
        self._updating = True
        try:
            wrong = self.choices.show(p)
            self._organ.show()
            self.networks.show(p)
            self._followDrawing(p.drawnSegmentation)
            self.placement.follow(p.placedPoint)
            self.placement.moveTo(position(p))
            self.choices.showResult(self.result)
        finally:
            self._updating = False
        if wrong:
            self.say(wrong)
        self.updateButtons()
        self.preview.follow(p)

    def updateButtons(self, _caller=None, _event=None) -> None:
        """Enable what can be pressed."""
        self.buttons.show(self.parameters, self.logic.runner, self.result, self.saving, self.networks)

    def _followDrawing(self, node) -> None:
        """Painting changes no parameter: the drawing itself is observed."""
        if node is self._painted:
            return
        # The node tells it after the whole change, its vtkSegmentation in the middle of it.
        event = slicer.vtkSegmentation.SourceRepresentationModified
        if self._painted is not None:
            self._owner.removeObserver(self._painted, event, self.updateButtons)
        self._painted = node
        if node is not None:
            self._owner.addObserver(node, event, self.updateButtons)

    # -- the organ and the tumor's place ---------------------------------------------------------------

    def onLabelOrgan(self) -> None:
        """Compute the organ from the CT."""
        said = _("Organ computed ({labeler}). Look at it before you use it.")

        def done(node) -> None:
            self.finished(said.format(labeler=node.GetAttribute(LABELED_BY)))

        self.run(self.logic.labelOrgan, self.parameters, onDone=done)

    def _onModeTab(self, index: int) -> None:
        if self.parameters is not None and not self._updating:
            self.parameters.mode = MODES[index]
            if MODES[index] != DRAW:
                self.drawing.pause()

    def onDraw(self) -> None:
        """Get the brush ready."""
        self.parameters.mode = DRAW
        self.drawing.start(self.parameters)
        self.choices.showEditor(self.parameters)
        self.ui.inputButton.collapsed = True  # makes room: Synthesize stays in sight below the editor

    def onPlace(self) -> None:
        """Let the user click the tumor's place."""
        self.parameters.mode = PLACE
        self.parameters.placedPoint = self.placement.start(self.parameters.placedPoint)

    def onCrosshair(self) -> None:
        """Take the crosshair's place."""
        self._onPointMoved(crosshairPosition())

    def _onPointMoved(self, point) -> None:
        p = self.parameters
        if p is None or point is None:
            return
        wasModifying = p.StartModify()  # one update for the three
        p.right, p.anterior, p.superior = (float(c) for c in point)
        p.mode = PLACE
        p.EndModify(wasModifying)

    # -- the job ---------------------------------------------------------------------------------------

    def onApply(self) -> None:
        """Synthesize, or cancel what runs."""
        if self.logic.runner.isRunning:
            self.logic.runner.cancel()
            self.say(_("Cancelling ..."))
            self.updateButtons()
        else:
            self._synthesize()

    def onAnother(self) -> None:
        """The same with the next seed; a result that was not accepted gives way to it."""
        self.parameters.seed = (self.parameters.seed + 1) % (_LAST_SEED + 1)
        self._synthesize(replace=self.result if self.result.isPending else None)

    def _synthesize(self, replace=None) -> None:
        self.parameters.livePreview = False
        self.preview.stop()
        self.drawing.pause()
        self.placement.stop()
        self.run(self._start, self.parameters, replace=replace, onDone=self._onSynthesized)

    def _start(self, *arguments, **options) -> None:
        consent.require(self.networks.used())
        self.logic.synthesize(*arguments, **options)

    def _onSynthesized(self, result) -> None:
        self.endComparison()
        self.drawing.hide(self.parameters)
        self.choices.showEditor(self.parameters)
        self.finished(_("Done."))
        self.ui.resultButton.collapsed = False

    def run(self, start, *arguments, **options) -> None:
        """Start a job of the logic and show how it goes."""
        self._job.run(start, *arguments, **options)

    def finished(self, text: str = "") -> None:
        """No job runs any more: say how it went."""
        self._job.finished(text)

    def say(self, text: str) -> None:
        """One line under the button."""
        self._job.say(text)

    # -- the result ------------------------------------------------------------------------------------

    @property
    def result(self):
        """The result that is shown; None if there is none."""
        return None if self.parameters is None else Result.of(self.parameters.resultVolume)

    def _onCompare(self, button, way, isOn: bool) -> None:
        if self._updating or self.result is None:
            return
        self.endComparison(keep=button if isOn else None)
        if isOn:
            self.parameters.livePreview = False
            way(self.result)

    def endComparison(self, keep=None) -> None:
        """Back to the plain slices; all buttons of the comparison but `keep` come up."""
        self._updating = True
        for button, _way in self._comparisons():
            if button is not keep:
                button.checked = False
        self._updating = False
        self.comparison.stop()

    def onAccept(self) -> None:
        """Keep the result."""
        self.result.accept()
        self.finished(_("Accepted: {name}.").format(name=self.result.volume.GetName()))

    def onUndo(self) -> None:
        """Take the result out of the scene; the CT is shown again."""
        self.endComparison()
        self.comparison.forget()
        ct = self.result.input
        self.result.remove()
        if ct is not None:
            slicer.util.setSliceViewerLayers(background=ct)
        if self.parameters.mode == DRAW and self.parameters.drawnSegmentation is not None:
            self.parameters.drawnSegmentation.GetDisplayNode().SetVisibility(True)
            self.choices.showEditor(self.parameters)
        self.finished(_("Undone."))

    def chooseDefaults(self) -> None:
        """The first CT and segmentation of the scene, where none is chosen."""
        chooseDefaults(self.parameters)

    def sceneImported(self) -> None:
        """A scene was read: show its parameters once the selectors have seen its nodes, and not before."""
        self._settling.start(0)

    def enter(self) -> None:
        """The user comes to the module."""
        if self.parameters.drawnSegmentation is not None and self.parameters.mode == DRAW:
            self.drawing.connect(self.parameters)
        self.update()

    def exit(self) -> None:
        """The user goes to another module; a running job goes on."""
        self.placement.stop()
        self.drawing.disconnect()
        self.parameters.livePreview = False

    def sceneClosing(self) -> None:
        """Everything in the scene goes: end the job, let go of all nodes."""
        wasRunning = self.logic.runner.isRunning
        self.logic.runner.cleanup()
        self._settling.stop()
        self.preview.forget()
        self.choices.forget()
        self.comparison.forget()
        self.drawing.disconnect()
        self.placement.follow(None)
        self._followDrawing(None)
        self.finished(_("The scene was closed; the job was stopped.") if wasRunning else "")

    def cleanup(self) -> None:
        """The module goes."""
        self.sceneClosing()
