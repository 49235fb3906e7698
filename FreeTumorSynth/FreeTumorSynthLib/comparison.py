"""Before and after: blinking, side by side, and the difference in HU over the slices."""

import numpy as np
import qt
import slicer
from freetumor.volume import Box, Volume
from FreeTumorSlicerLib.volumes import nodeFromVolume, volumeFromNode
from slicer.i18n import tr as _

BLINK_MS = 600
_DIFFERENCE_WINDOW = 120.0
_OPACITY = 0.8
_SAME, _DARKER, _BRIGHTER = np.array(((0.90, 0.90, 0.90), (0.00, 0.35, 1.00), (1.00, 0.40, 0.00)))
_UNSEEN = 0.05  # of the range: so little change is not shown
_STEPS = 255  # odd: one color in the middle for no change
_BEFORE_VIEW, _AFTER_VIEW = "Red", "Yellow"


class Comparison:
    """Shows a result and its input in the slice views; one way at a time."""

    def __init__(self) -> None:
        self._timer = qt.QTimer()
        self._timer.setInterval(BLINK_MS)
        self._timer.connect("timeout()", self._blink)
        self._result = self._difference = self._restore = None
        self._showsInput = False

    def show(self, result) -> None:
        """The result in all slices."""
        self.stop()
        self._result = result
        slicer.util.setSliceViewerLayers(background=result.volume)

    def blink(self, result) -> None:
        """Result and input in turn."""
        self.show(result)
        if result.input is not None:
            self._timer.start()

    @property
    def showsInput(self) -> bool:
        """Whether the blink shows the input just now."""
        return self._showsInput

    def sideBySide(self, result) -> None:
        """Input on the left, result on the right, scrolled together."""
        self.show(result)
        manager = slicer.app.layoutManager()
        layout = manager.layout
        manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutSideBySideView)
        left, right = manager.sliceWidget(_BEFORE_VIEW), manager.sliceWidget(_AFTER_VIEW)
        nodes = [widget.mrmlSliceNode() for widget in (left, right)]
        composites = [widget.mrmlSliceCompositeNode() for widget in (left, right)]
        before = layout, nodes[1].GetOrientation(), [c.GetLinkedControl() for c in composites]
        nodes[1].SetOrientation(nodes[0].GetOrientation())
        for composite, node in zip(composites, (result.input, result.volume), strict=True):
            composite.SetLinkedControl(False)  # or the one would hand its volume to the other
            composite.SetBackgroundVolumeID(node.GetID() if node is not None else None)
        nodes[1].GetSliceToRAS().DeepCopy(nodes[0].GetSliceToRAS())
        nodes[1].UpdateMatrices()
        self._restore = (*before, nodes, composites)

    def difference(self, result) -> None:
        """The result with after minus before in HU as a colored layer, where anything changed."""
        self.show(result)
        self._difference = differenceNode(result)
        if self._difference is not None:
            slicer.util.setSliceViewerLayers(foreground=self._difference, foregroundOpacity=_OPACITY)

    def stop(self) -> None:
        """Back to the layout and layers from before the comparison."""
        self._timer.stop()
        self._showsInput = False
        if self._difference is not None:
            slicer.util.setSliceViewerLayers(foreground=None)
            slicer.mrmlScene.RemoveNode(self._difference.GetDisplayNode().GetColorNode())
            slicer.mrmlScene.RemoveNode(self._difference)
            self._difference = None
        if self._restore is not None:
            layout, orientation, links, nodes, composites = self._restore
            self._restore = None
            nodes[1].SetOrientation(orientation)
            for composite, link in zip(composites, links, strict=True):
                composite.SetLinkedControl(link)
            slicer.app.layoutManager().setLayout(layout)
        if self._result is not None and self._result.volume.GetScene() is not None:
            slicer.util.setSliceViewerLayers(background=self._result.volume)

    def forget(self) -> None:
        """Stop without touching nodes: the scene is being closed."""
        self._timer.stop()
        self._result = self._difference = self._restore = None
        self._showsInput = False

    def _blink(self) -> None:
        result = self._result
        if result is None or result.volume.GetScene() is None or result.input is None:
            self._timer.stop()
            return
        self._showsInput = not self._showsInput
        node = result.input if self._showsInput else result.volume
        slicer.util.setSliceViewerLayers(background=node)


def differenceNode(result):
    """A volume of after minus before in HU around what changed; None if nothing did or the input is gone."""
    if result.input is None:
        return None
    before, after = volumeFromNode(result.input), volumeFromNode(result.volume)
    changed = before.array != after.array
    box = Box.of(changed)
    if box.size == 0:
        return None
    change = (after.hu(box) - before.hu(box)).astype(np.float32)
    name = _("Difference in HU of {result}").format(result=result.volume.GetName())
    node = nodeFromVolume(Volume(change, after.geometry.cropped(box)), name)
    node.SetAttribute("FreeTumor.Synthetic", "1")
    display = node.GetDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevel(_DIFFERENCE_WINDOW, 0.0)
    display.SetAndObserveColorNodeID(_colorNode().GetID())
    node.SetSaveWithScene(False)
    return node


def _colorNode():
    """Darker is blue, brighter orange, hardly changed white, not changed see-through."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLColorTableNode", _("Difference in HU"))
    node.SetTypeToUser()
    node.SetNumberOfColors(_STEPS)
    for index, share in enumerate(np.linspace(-1.0, 1.0, _STEPS)):
        color = _SAME + abs(share) * ((_DARKER if share < 0 else _BRIGHTER) - _SAME)
        name = f"{share * _DIFFERENCE_WINDOW / 2:+.0f} HU"
        node.SetColor(index, name, *color.tolist(), float(abs(share) > _UNSEEN))
    node.SetHideFromEditors(True)
    node.SetSaveWithScene(False)
    return node
