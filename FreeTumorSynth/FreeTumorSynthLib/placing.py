"""The tumor's place by a click: a markups point, or the crosshair."""

import slicer
from slicer.i18n import tr as _

POINT = "vtkMRMLMarkupsFiducialNode"


class PointPlacement:
    """One point that the user clicks and may drag; calls back with its place in RAS mm.

    Args:
        observe: ``addObserver`` of a VTKObservationMixin, so that the observer goes with the module.
        unobserve: its ``removeObserver``.
        onMoved: called with (right, anterior, superior).
    """

    def __init__(self, observe, unobserve, onMoved) -> None:
        self._observe, self._unobserve, self._onMoved = observe, unobserve, onMoved
        self._node, self._moving = None, False

    @property
    def _events(self) -> tuple:
        node = slicer.vtkMRMLMarkupsNode
        return node.PointPositionDefinedEvent, node.PointModifiedEvent

    def follow(self, node) -> None:
        """Follow the point `node`, and no other any more; None follows none."""
        if node is self._node:
            return
        for event in self._events if self._node is not None else ():
            self._unobserve(self._node, event, self._onPoint)
        self._node = node
        for event in self._events if node is not None else ():
            self._observe(node, event, self._onPoint)

    def start(self, node=None):
        """Let the user click the place in a view; the point node, made where there is none."""
        if node is None:
            node = slicer.mrmlScene.AddNewNodeByClass(POINT, _("Tumor position"))
            node.CreateDefaultDisplayNodes()
            node.GetDisplayNode().SetPointLabelsVisibility(False)
        node.RemoveAllControlPoints()
        self.follow(node)
        logic = slicer.app.applicationLogic()
        selection, interaction = logic.GetSelectionNode(), logic.GetInteractionNode()
        selection.SetReferenceActivePlaceNodeClassName(POINT)
        selection.SetActivePlaceNodeID(node.GetID())
        interaction.SetPlaceModePersistence(0)
        interaction.SetCurrentInteractionMode(slicer.vtkMRMLInteractionNode.Place)
        return node

    @staticmethod
    def stop() -> None:
        """Leave the placing mode, if it is on."""
        interaction = slicer.app.applicationLogic().GetInteractionNode()
        if interaction.GetCurrentInteractionMode() == slicer.vtkMRMLInteractionNode.Place:
            interaction.SetCurrentInteractionMode(slicer.vtkMRMLInteractionNode.ViewTransform)

    def moveTo(self, point) -> None:
        """Move the point where the sliders are; no call back."""
        if self._node is None or self._node.GetNumberOfControlPoints() == 0:
            return
        self._moving = True
        try:
            self._node.SetNthControlPointPositionWorld(0, *point)
        finally:
            self._moving = False

    def _onPoint(self, node, _event) -> None:
        if self._moving or node.GetNumberOfDefinedControlPoints() == 0:
            return
        self._onMoved(tuple(node.GetNthControlPointPositionWorld(0)))


def crosshairPosition():
    """Where the crosshair is, RAS mm; None if it is nowhere."""
    node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    return None if node is None else tuple(node.GetCrosshairRAS())


def jumpTo(point) -> None:
    """Center all slices at `point` (RAS mm)."""
    slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, *point, slicer.vtkMRMLSliceNode.CenteredJumpSlice)
