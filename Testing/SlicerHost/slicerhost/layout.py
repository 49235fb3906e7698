"""``slicer.app.layoutManager()``: the views that the layout node asks for, and their arrangement."""

from __future__ import annotations

from xml.etree import ElementTree

import slicer
import vtk
from PySide6 import QtWidgets
from PySide6.QtCore import QObject, Qt, Signal

from .observing import Observations
from .sliceview import qMRMLSliceWidget
from .threedview import qMRMLThreeDWidget

DEFAULT_LAYOUT = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView


class qSlicerLayoutManager(QObject):
    """Slicer's own layout logic reads the layout's XML and makes the view nodes; this makes their widgets.

    The widgets are arranged once there is a viewport (`setViewport`); without one they draw into memory.
    """

    layoutChanged = Signal(int)

    def __init__(self, scene: slicer.vtkMRMLScene, applicationLogic: slicer.vtkSlicerApplicationLogic):
        super().__init__()
        self._scene, self._applicationLogic = scene, applicationLogic
        self._slices: dict[str, qMRMLSliceWidget] = {}
        self._threeDs: dict[str, qMRMLThreeDWidget] = {}
        self._viewport: QtWidgets.QWidget | None = None
        self._arranged: QtWidgets.QWidget | None = None
        self._paused = False
        self._shown = None
        self._observations = Observations(self)
        applicationLogic.SetSliceLogics(vtk.vtkCollection())
        applicationLogic.SetViewLogics(vtk.vtkCollection())
        self._layoutLogic = slicer.vtkMRMLLayoutLogic()
        self._layoutLogic.SetMRMLScene(scene)
        self._layoutNode().SetViewArrangement(DEFAULT_LAYOUT)
        self._observations.add(
            self._layoutLogic.GetLayoutNode(), vtk.vtkCommand.ModifiedEvent, self._onLayoutModified
        )
        self._observations.add(scene, slicer.vtkMRMLScene.EndCloseEvent, self._onSceneClosed)
        self._refresh()

    # --- the layout ------------------------------------------------------------------------------------

    @property
    def layout(self) -> int:
        """Number of the current layout, of vtkMRMLLayoutNode.SlicerLayout."""
        return self._layoutNode().GetViewArrangement()

    @layout.setter
    def layout(self, number: int) -> None:
        self.setLayout(number)

    def setLayout(self, number: int) -> None:
        """Arrange the views another way."""
        if not self._layoutNode().IsLayoutDescription(number):
            raise ValueError(f"setLayout: expected a layout that has a description, got {number}")
        self._layoutNode().SetViewArrangement(number)

    def layoutLogic(self) -> slicer.vtkMRMLLayoutLogic:
        """The logic; ``layoutLogic().GetLayoutNode()`` takes own layouts (AddLayoutDescription)."""
        return self._layoutLogic

    def _layoutNode(self) -> slicer.vtkMRMLLayoutNode:
        return self._layoutLogic.GetLayoutNode()

    def _onLayoutModified(self, _node, _data) -> None:
        self._refresh()

    def _onSceneClosed(self, _scene, _data) -> None:
        # Closing a scene resets the layout node to "none".
        if not self._layoutNode().IsLayoutDescription(self.layout):
            self._layoutNode().SetViewArrangement(DEFAULT_LAYOUT)
        self._refresh()

    def _refresh(self) -> None:
        description = self._layoutNode().GetCurrentLayoutDescription()
        nodes = self._viewNodes()
        state = (self.layout, description, tuple(node.GetID() for node in nodes))
        if not description or state == self._shown:
            return
        self._shown = state
        for node in nodes:
            self._widgetOf(node)
        self._arrange(description)
        self.layoutChanged.emit(self.layout)

    def _viewNodes(self) -> list[slicer.vtkMRMLAbstractViewNode]:
        nodes = self._layoutLogic.GetViewNodes()
        return [nodes.GetItemAsObject(index) for index in range(nodes.GetNumberOfItems())]

    def _widgetOf(self, node) -> QtWidgets.QWidget | None:
        tag = node.GetLayoutName()
        if node.IsA("vtkMRMLSliceNode"):
            if tag not in self._slices:
                self._slices[tag] = qMRMLSliceWidget(node, self._applicationLogic)
            widget = self._slices[tag]
        elif node.IsA("vtkMRMLViewNode"):
            if tag not in self._threeDs:
                self._threeDs[tag] = qMRMLThreeDWidget(node, self._applicationLogic)
            widget = self._threeDs[tag]
        else:
            return None  # tables and plots: our modules have none
        widget.setViewNode(node)
        return widget

    # --- arrangement in a window -----------------------------------------------------------------------

    def viewport(self) -> QtWidgets.QWidget | None:
        """The widget that holds the views."""
        return self._viewport

    def setViewport(self, widget: QtWidgets.QWidget | None) -> None:
        """Show the views in this widget, which must have no layout of its own; None: in no widget."""
        self._release()
        self._viewport = widget
        if widget is not None:
            box = QtWidgets.QVBoxLayout(widget)
            box.setContentsMargins(0, 0, 0, 0)
            self._arrange(self._layoutNode().GetCurrentLayoutDescription())

    def _release(self) -> None:
        for view in (*self._slices.values(), *self._threeDs.values()):
            view.setParent(None)
        if self._arranged is not None:
            self._arranged.setParent(None)
            self._arranged.deleteLater()
            self._arranged = None

    def _arrange(self, description: str) -> None:
        if self._viewport is None or not description:
            return
        self._release()
        self._arranged = self._built(ElementTree.fromstring(description))
        self._viewport.layout().addWidget(self._arranged)
        self._arranged.show()

    def _built(self, element: ElementTree.Element) -> QtWidgets.QWidget:
        if element.tag == "view":
            node = self._scene.GetSingletonNode(element.get("singletontag"), element.get("class"))
            widget = self._widgetOf(node) if node is not None else None
            return widget if widget is not None else QtWidgets.QWidget()
        items = element.findall("item")
        parts = [self._built(child) for item in items for child in item]
        if element.get("type") == "tab":
            tabs = QtWidgets.QTabWidget()
            for part in parts:
                tabs.addTab(part, part.windowTitle)
            return tabs
        splitter = QtWidgets.QSplitter(
            Qt.Vertical if element.get("type", "vertical") == "vertical" else Qt.Horizontal
        )
        splitter.setHandleWidth(3)
        splitter.setChildrenCollapsible(False)
        for part in parts:
            splitter.addWidget(part)
            part.show()
        splitter.setSizes([int(item.get("splitSize", 500)) for item in items])
        return splitter

    # --- the views -------------------------------------------------------------------------------------

    def sliceViewNames(self) -> tuple[str, ...]:
        """Names of the slice views: "Red", "Green", "Yellow" and those of the layouts used so far."""
        return tuple(self._slices)

    def sliceWidget(self, name: str) -> qMRMLSliceWidget | None:
        """The slice view of this name, or None."""
        return self._slices.get(name)

    def mrmlSliceLogics(self) -> vtk.vtkCollection:
        """The logics of all slice views."""
        return self._applicationLogic.GetSliceLogics()

    @property
    def threeDViewCount(self) -> int:
        """How many 3-D views there are."""
        return len(self._threeDs)

    def threeDWidget(self, index: int) -> qMRMLThreeDWidget | None:
        """The 3-D view in this place, or None."""
        widgets = list(self._threeDs.values())
        return widgets[index] if 0 <= index < len(widgets) else None

    @property
    def tableViewCount(self) -> int:
        """The host has no table views."""
        return 0

    @property
    def plotViewCount(self) -> int:
        """The host has no plot views."""
        return 0

    def resetSliceViews(self) -> None:
        """Fit every slice view to its volume."""
        for widget in self._slices.values():
            widget.sliceLogic().FitSliceToBackground()

    def resetThreeDViews(self) -> None:
        """Centre every 3-D view on what it shows."""
        for widget in self._threeDs.values():
            widget.threeDView().resetFocalPoint()
            widget.threeDView().resetCamera()

    def setRenderPaused(self, paused: bool) -> None:
        """Hold rendering back in all views, or let it go."""
        for widget in (*self._slices.values(), *self._threeDs.values()):
            widget.view().setRenderPaused(paused)
