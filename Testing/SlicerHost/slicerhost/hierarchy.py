"""Subject hierarchy: Slicer's Qt plugins put every data node into it; they are not in slicer-core."""

from __future__ import annotations

import slicer
import vtk

# What Slicer's subject hierarchy plugins claim (Volumes, Segmentations, Models, Markups, Transforms, ...).
CLAIMED = (
    "vtkMRMLVolumeNode",
    "vtkMRMLSegmentationNode",
    "vtkMRMLModelNode",
    "vtkMRMLMarkupsNode",
    "vtkMRMLTransformNode",
    "vtkMRMLTableNode",
    "vtkMRMLTextNode",
    "vtkMRMLSequenceNode",
)


class HierarchyUpdater:
    """Adds a node's item when the node comes and takes it away when the node goes."""

    def __init__(self, scene: slicer.vtkMRMLScene):
        self._scene = scene
        events = slicer.vtkMRMLScene
        scene.AddObserver(events.NodeAddedEvent, self._onAdded)
        scene.AddObserver(events.NodeAboutToBeRemovedEvent, self._onGoes)
        scene.AddObserver(events.EndBatchProcessEvent, lambda *_: self.addAll())

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onAdded(self, _scene, _event, node) -> None:
        if not self._scene.IsBatchProcessing():
            self._add(node)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onGoes(self, _scene, _event, node) -> None:
        if self._scene.IsClosing() or not self._claims(node):
            return
        tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self._scene)
        item = tree.GetItemByDataNode(node) if tree is not None else 0
        if item:
            tree.RemoveItem(item, False, False)

    @staticmethod
    def _claims(node) -> bool:
        return node is not None and not node.GetHideFromEditors() and any(node.IsA(name) for name in CLAIMED)

    def addAll(self) -> None:
        """After a scene was read: items for nodes that the file had none for."""
        if not self._scene.IsClosing():
            for index in range(self._scene.GetNumberOfNodes()):
                self._add(self._scene.GetNthNode(index))

    def _add(self, node) -> None:
        if not self._claims(node):
            return
        tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self._scene)
        if tree is not None and not tree.GetItemByDataNode(node):
            tree.CreateItem(tree.GetSceneItemID(), node)
