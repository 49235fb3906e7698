"""What a reader does in a study, key by key, and everything that the program could tell about a case."""

from __future__ import annotations

import re
from pathlib import Path

import slicer
import vtk
from FreeTumorSlicerLib.readingviews import viewNames
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QProgressBar
from slicerhost.pointer import PointerEvent
from waiting import turn

KEYS = {"Enter": Qt.Key_Return, "Left": Qt.Key_Left, "Right": Qt.Key_Right, "Space": Qt.Key_Space}


class Reader:
    """Sits in front of the window and knows nothing but what is on it."""

    def __init__(self, window, hub):
        self.window, self.hub, self.panel, self.ui = window, hub, hub.studyPanel.reading, hub.studyPanel.ui

    def open(self, folder: Path, name: str = "reader-01") -> None:
        """Choose study and reader, and begin."""
        self.hub.ui.studySection.collapsed = False
        self.ui.studyFolderEdit.currentPath = str(folder)
        self.ui.readerCombo.setCurrentText(name)
        self.ui.startButton.click()
        self.wait()

    def wait(self) -> None:
        """Until the case is on the screen, or none is left."""
        turn(lambda: self.panel.state != "waiting")

    def press(self, *keys: str, modifier=Qt.NoModifier) -> None:
        """Press keys, as they are written on them."""
        for key in keys:
            code = KEYS.get(key) or getattr(Qt, f"Key_{key}")
            QTest.keyClick(QApplication.focusWidget() or self.window, code, modifier)
            slicer.app.processEvents()

    def answer(self, number: int = 4, side: str = "Left") -> None:
        """Rate the case, or choose one of a pair; wait for the next."""
        self.press(*([side, "2"] if self.panel.session.is_pair else [str(number)]), "Enter")
        self.wait()

    def click(self, ras, plane: int = 0, side: int = 0) -> None:
        """Move the mouse to a point of a slice and click."""
        view = sliceWidget(plane, side).sliceView()
        x, y = (round(value) for value in view.convertRASToXYZ(ras)[:2])
        for kind, button in (("move", Qt.NoButton), ("press", Qt.LeftButton), ("release", Qt.LeftButton)):
            view.deliver(PointerEvent(kind, button, x, y, Qt.NoModifier))


def sliceWidget(plane: int = 0, side: int = 0):
    """A slice widget of the reading views."""
    return slicer.app.layoutManager().sliceWidget(viewNames(side)[plane])


def shown(plane: int = 0, side: int = 0):
    """The volume node that a reading view shows."""
    composite = sliceWidget(plane, side).mrmlSliceCompositeNode()
    return slicer.mrmlScene.GetNodeByID(composite.GetBackgroundVolumeID() or "")


def nodes() -> list:
    """Every node of the scene."""
    collection = slicer.mrmlScene.GetNodes()
    return [collection.GetItemAsObject(index) for index in range(collection.GetNumberOfItems())]


def nodesOfCases() -> list[str]:
    """Names of the nodes that a study puts into the scene."""
    kinds = ("vtkMRMLScalarVolumeNode", "vtkMRMLModelNode", "vtkMRMLMarkupsNode", "vtkMRMLStorageNode")
    return sorted(
        node.GetName()
        for node in nodes()
        if any(node.IsA(kind) for kind in kinds) and not node.GetName().endswith("Volume Slice")
    )


def everything() -> str:
    """All that can be read in the scene, its hierarchy and the window, without what merely counts up."""
    lines = []
    for node in nodes():
        lines += [node.GetClassName(), node.GetID(), node.GetName() or "", node.GetDescription() or ""]
        lines += [f"{name}={node.GetAttribute(name)}" for name in node.GetAttributeNames()]
        if not node.IsA("vtkMRMLColorNode"):  # thousands of lines of Slicer's own tables
            lines.append(str(node))
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    found = vtk.vtkIdList()
    hierarchy.GetItemChildren(hierarchy.GetSceneItemID(), found, True)
    for index in range(found.GetNumberOfIds()):
        item = found.GetId(index)
        lines += [hierarchy.GetItemName(item), *hierarchy.GetItemAttributeNames(item)]
    for widget in QApplication.allWidgets():
        if widget.isVisible():
            if isinstance(widget, QProgressBar):
                continue
            for name in ("windowTitle", "text", "toolTip", "statusTip", "accessibleName", "objectName"):
                value = widget.property(name)
                lines.append(f"{type(widget).__name__} {name}: {value}" if value else "")
    return "\n".join(lines)


def withoutCounters(text: str) -> str:
    """Without addresses, times of change, numbers of nodes and of the case."""
    text = re.sub(r"0x[0-9a-f]+|\(?[0-9a-f]{12,16}\)?", "ADDRESS", text)
    text = re.sub(r"(?i)((modified|pipeline|update) ?(m?time|information)?|mtime|time) ?: ?\d+", "TIME", text)
    text = re.sub(r"(?i)(reference count|item|case|ids?\b)\D{0,3}\d+( of \d+)?", r"\1 N", text)
    return re.sub(r"(vtkMRML\w+?Node(?:FreeTumor\w+)?)\d+", r"\1", text)
