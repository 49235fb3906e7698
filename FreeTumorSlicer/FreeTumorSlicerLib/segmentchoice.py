"""A segment as a parameter: the selector of segments has no connector of its own in parameter nodes."""

import slicer


class SegmentChoice:
    """A qMRMLSegmentSelectorWidget that shows two parameters.

    Args:
        selector: the widget. parameters: function that gives the parameter node, or None.
        node, segmentID: names of the parameters. isBusy: while it holds, changes are not the user's.
    """

    def __init__(self, selector, parameters, node: str, segmentID: str, isBusy=lambda: False) -> None:
        self._selector, self._parameters, self._isBusy = selector, parameters, isBusy
        self._node, self._segmentID, self._showing = node, segmentID, False
        selector.connect("currentNodeChanged(vtkMRMLNode*)", self._onChosen)
        selector.connect("currentSegmentChanged(QString)", self._onChosen)

    def show(self) -> None:
        """Show the parameters."""
        p, selector = self._parameters(), self._selector
        node, segmentID = getattr(p, self._node), getattr(p, self._segmentID)
        self._showing = True
        try:
            if selector.currentNode() is not node:
                selector.setCurrentNode(node)
            if segmentID and selector.currentSegmentID() != segmentID:
                selector.setCurrentSegmentID(segmentID)
        finally:
            self._showing = False

    def _onChosen(self, _chosen=None) -> None:
        p = self._parameters()
        if p is None or self._showing or self._isBusy() or isChanging(slicer.mrmlScene):
            return
        setattr(p, self._segmentID, self._selector.currentSegmentID())
        setattr(p, self._node, self._selector.currentNode())


def isChanging(scene) -> bool:
    """While a scene is read or closed, selectors lose nodes that are not there yet or any more."""
    return bool(scene.IsImporting() or scene.IsClosing())
