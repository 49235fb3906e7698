"""Slice views of their own for a reader study, and the user's own layout and nodes put aside meanwhile.

The views of the user keep what they show: when the study is left, everything is as it was.
"""

import slicer

LAYOUT, PAIR_LAYOUT = 70151, 70152  # numbers that no other module uses
FIELD_MM = 160.0  # of the smaller side of a view: the same for every case
_PLANES = (("Axial", "#F34A33"), ("Coronal", "#6EB04B"), ("Sagittal", "#EDD54C"))
_SIDES = ("", "Right")
_VIEW_GROUPS = (70151, 70152)  # what is done in the views of one case does not move those of the other


def viewNames(side: int = 0) -> list:
    """Names of the three views of the only or left case (0), or of the right one (1)."""
    return [f"FreeTumor{plane}{_SIDES[side]}" for plane, _color in _PLANES]


class ReadingViews:
    """Shows one case, or two side by side, in three planes each."""

    def __init__(self) -> None:
        self._layoutBefore, self._hidden, self._count = None, [], 0

    @property
    def isOpen(self) -> bool:
        """Whether the views are on the screen in place of the user's."""
        return self._layoutBefore is not None

    def open(self, count: int) -> None:
        """Put the user's views and nodes aside; show views for `count` cases (1 or 2), empty."""
        manager = slicer.app.layoutManager()
        if not self.isOpen:
            self._layoutBefore = manager.layout
            self._hidden = _hideAll()
        self._count = count
        node = manager.layoutLogic().GetLayoutNode()
        for number, sides in ((LAYOUT, 1), (PAIR_LAYOUT, 2)):
            if not node.IsLayoutDescription(number):
                node.AddLayoutDescription(number, _description(sides))
        manager.setLayout(LAYOUT if count == 1 else PAIR_LAYOUT)
        for side in range(count):
            for widget in self._widgets(side):
                widget.mrmlSliceNode().SetViewGroup(_VIEW_GROUPS[side])
        self.blank()

    def close(self) -> None:
        """Give the user's views and nodes back."""
        if not self.isOpen:
            return
        self.blank()
        slicer.app.layoutManager().setLayout(self._layoutBefore)
        self._layoutBefore = None
        for name in self._hidden:
            node = slicer.mrmlScene.GetNodeByID(name)
            if node is not None:
                node.SetVisibility(True)
        self._hidden = []

    def viewIDs(self, side: int) -> list:
        """IDs of the view nodes of a case, to show other things in them only."""
        return [widget.mrmlSliceNode().GetID() for widget in self._widgets(side)]

    def sideOf(self, viewID: str) -> int | None:
        """Which case a view shows."""
        return next((side for side in range(self._count) if viewID in self.viewIDs(side)), None)

    def blank(self) -> None:
        """Show no volume."""
        for side in range(self._count):
            self.show(side, None)

    def show(self, side: int, volumeNode) -> None:
        """Show a volume, or none."""
        for widget in self._widgets(side):
            composite = widget.mrmlSliceCompositeNode()
            composite.SetBackgroundVolumeID(volumeNode.GetID() if volumeNode is not None else None)
            composite.SetForegroundVolumeID(None)
            composite.SetLabelVolumeID(None)

    def jump(self, side: int, ras) -> None:
        """Centre the views of a case on a point, all as close as `FIELD_MM` says."""
        for widget in self._widgets(side):
            node = widget.mrmlSliceNode()
            widget.sliceLogic().FitSliceToBackground()  # sets the thickness of the slices, too
            width, height = node.GetDimensions()[:2]
            scale = FIELD_MM / max(1, min(width, height))
            node.SetFieldOfView(width * scale, height * scale, node.GetFieldOfView()[2])
            node.JumpSliceByCentering(*ras)
            widget.sliceLogic().SnapSliceOffsetToIJK()

    def scroll(self, plane: int, steps: int) -> None:
        """Move all slices of a plane (0 axial, 1 coronal, 2 sagittal) by slices of the CT."""
        for side in range(self._count):
            logic = self._widgets(side)[plane].sliceLogic()
            thickness = logic.GetLowestVolumeSliceSpacing()[2]
            bounds = [0.0] * 6
            logic.GetLowestVolumeSliceBounds(bounds)
            offset = logic.GetSliceOffset() + steps * thickness
            logic.SetSliceOffset(min(max(offset, bounds[4]), bounds[5]))

    def zoom(self, factor: float) -> None:
        """Show more (above 1) or less around the middle of all views."""
        for side in range(self._count):
            for widget in self._widgets(side):
                node = widget.mrmlSliceNode()
                x, y, z = node.GetFieldOfView()
                node.SetFieldOfView(x * factor, y * factor, z)

    def render(self) -> None:
        """Draw now: what is shown is on the screen when this returns."""
        for side in range(self._count):
            for widget in self._widgets(side):
                widget.sliceView().forceRender()

    @staticmethod
    def _widgets(side: int) -> list:
        manager = slicer.app.layoutManager()
        return [manager.sliceWidget(name) for name in viewNames(side)]


def _description(sides: int) -> str:
    """Axial large, coronal and sagittal beside it; for two cases below it, in two columns."""
    if sides == 1:
        axial, coronal, sagittal = (_view(0, plane) for plane in range(3))
        beside = f'<layout type="vertical" split="true">{_item(coronal)}{_item(sagittal)}</layout>'
        return f'<layout type="horizontal" split="true">{_item(axial, 600)}{_item(beside, 400)}</layout>'
    columns = ""
    for side in range(sides):
        axial, coronal, sagittal = (_view(side, plane) for plane in range(3))
        below = f'<layout type="horizontal" split="true">{_item(coronal)}{_item(sagittal)}</layout>'
        columns += _item(
            f'<layout type="vertical" split="true">{_item(axial, 600)}{_item(below, 400)}</layout>'
        )
    return f'<layout type="horizontal" split="true">{columns}</layout>'


def _item(content: str, size: int = 500) -> str:
    return f'<item splitSize="{size}">{content}</item>'


def _view(side: int, plane: int) -> str:
    name, color = _PLANES[plane]
    properties = {"orientation": name, "viewlabel": name[0], "viewcolor": color}
    inside = "".join(
        f'<property name="{key}" action="default">{value}</property>' for key, value in properties.items()
    )
    return f'<view class="vtkMRMLSliceNode" singletontag="{viewNames(side)[plane]}">{inside}</view>'


def _hideAll() -> list:
    """Hide what the user shows in slices besides volumes; IDs of the display nodes."""
    hidden = []
    for node in slicer.util.getNodesByClass("vtkMRMLDisplayNode"):
        isVolume = node.IsA("vtkMRMLVolumeDisplayNode") or node.IsA("vtkMRMLVolumeRenderingDisplayNode")
        if node.GetVisibility() and not isVolume and node.GetDisplayableNode() is not None:
            node.SetVisibility(False)
            hidden.append(node.GetID())
    return hidden
