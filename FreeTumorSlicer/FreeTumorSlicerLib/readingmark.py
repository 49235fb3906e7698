"""The place that gave a case away: one point, clicked in a slice."""

import slicer
from slicer.util import VTKObservationMixin

_COLOR, _SIZE = (0.3, 0.9, 1.0), 2.5  # a thin cross, which hides nothing


class ReadingMark(VTKObservationMixin):
    """Lets the reader place a point in one of the reading views.

    Args:
        views: ReadingViews. changed: called when the mark was placed, removed or given up.
    """

    def __init__(self, views, changed) -> None:
        VTKObservationMixin.__init__(self)
        self._views, self._changed = views, changed
        self._node = self.ras = self.side = None

    @property
    def isPlacing(self) -> bool:
        """Whether the next click in a slice sets the mark."""
        interaction = slicer.app.applicationLogic().GetInteractionNode()
        return (
            self._node is not None
            and self.ras is None
            and interaction.GetCurrentInteractionMode() == interaction.Place
        )

    def place(self) -> None:
        """The next click in a slice is the mark, in place of an earlier one."""
        self.remove()
        scene = slicer.mrmlScene
        self._node = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Mark")
        self._node.CreateDefaultDisplayNodes()
        display = self._node.GetDisplayNode()
        display.SetPropertiesLabelVisibility(False)
        display.SetPointLabelsVisibility(False)
        display.SetSelectedColor(*_COLOR)
        display.SetActiveColor(*_COLOR)
        display.SetGlyphType(display.Cross2D)
        display.SetGlyphScale(_SIZE)
        for node in (self._node, display):
            node.SetSaveWithScene(False)
            node.SetUndoEnabled(False)
        self.addObserver(self._node, self._node.PointPositionDefinedEvent, self._onPlaced)
        logic = slicer.app.applicationLogic()
        logic.GetSelectionNode().SetReferenceActivePlaceNodeClassName(self._node.GetClassName())
        logic.GetSelectionNode().SetActivePlaceNodeID(self._node.GetID())
        interaction = logic.GetInteractionNode()
        self.addObserver(interaction, interaction.InteractionModeChangedEvent, self._onMode)
        interaction.SetPlaceModePersistence(0)
        interaction.SetCurrentInteractionMode(interaction.Place)
        self._changed()

    def remove(self) -> None:
        """Take the mark away, or give up placing it."""
        wasThere = self._node is not None
        self.removeObservers()
        if self.isPlacing:
            interaction = slicer.app.applicationLogic().GetInteractionNode()
            interaction.SetCurrentInteractionMode(interaction.ViewTransform)
        node, self._node, self.ras, self.side = self._node, None, None, None
        if node is not None and slicer.mrmlScene.IsNodePresent(node):
            if node.GetDisplayNode() is not None:
                slicer.mrmlScene.RemoveNode(node.GetDisplayNode())
            slicer.mrmlScene.RemoveNode(node)
        if wasThere:
            self._changed()

    def setVisible(self, visible: bool) -> None:
        """Show the mark, or hide it in a pause."""
        if self._node is not None and self._node.GetDisplayNode() is not None:
            self._node.GetDisplayNode().SetVisibility(visible)

    def _onPlaced(self, _caller, _event) -> None:
        position = [0.0, 0.0, 0.0]
        self._node.GetNthControlPointPositionWorld(0, position)
        self._node.SetLocked(True)  # it shall not follow the mouse when the reader moves on
        self.ras, self.side = tuple(position), self._sideOfPointer()
        for viewID in self._views.viewIDs(self.side):
            self._node.GetDisplayNode().AddViewNodeID(viewID)
        self._changed()

    def _onMode(self, _caller, _event) -> None:
        self._changed()

    def _sideOfPointer(self) -> int:
        """Whose view was clicked: the point alone does not say it where two cases overlap."""
        crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
        node = crosshair.GetCursorPositionXYZ([0.0, 0.0, 0.0]) if crosshair is not None else None
        side = self._views.sideOf(node.GetID()) if node is not None else None
        return 0 if side is None else side
