"""Where results are in the subject hierarchy."""

import slicer


def placeBeside(node, *others) -> None:
    """Put `others` under the study of `node`, where a user looks for them."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    parent = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node))
    if parent != hierarchy.GetInvalidItemID():
        for other in others:
            hierarchy.SetItemParent(hierarchy.GetItemByDataNode(other), parent)
