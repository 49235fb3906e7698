"""``slicer.ScriptedLoadableModule``: the four base classes of a scripted module."""

from __future__ import annotations

import importlib
import sys
import types
import unittest
from pathlib import Path

import slicer
from PySide6 import QtGui, QtWidgets


class ScriptedLoadableModule:
    """Base class of a module's description."""

    def __init__(self, parent):
        super().__init__()
        self.parent, self.moduleName = parent, type(self).__name__
        icons = [self.resourcePath(f"Icons/{self.moduleName}{suffix}") for suffix in (".svg", ".png")]
        found = next((icon for icon in icons if Path(icon).is_file()), None)
        if found:
            parent.icon = QtGui.QIcon(found)
        slicer.selfTests[self.moduleName] = self.runTest

    def resourcePath(self, filename: str) -> str:
        """A file in the module's folder Resources."""
        return str(Path(self.parent.path).parent / "Resources" / filename)

    def getDefaultModuleDocumentationLink(self, docPage: str | None = None) -> str:
        """A sentence with a link, for the help text."""
        url = slicer.app.documentationBaseUrl + (docPage or self.moduleName)
        return f'<p>For more information see the <a href="{url}">online documentation</a>.</p>'

    def runTest(self, msec: int = 100, **kwargs) -> None:
        """Run the module's self test, class <ModuleName>Test."""
        module = importlib.import_module(self.__module__)
        case = getattr(module, f"{self.moduleName}Test", None)
        if case is None:
            raise AssertionError(f"expected a class {self.moduleName}Test in {module.__name__}, got none.")
        test = case()
        test.messageDelay = msec
        test.runTest(**kwargs)


class ScriptedLoadableModuleWidget:
    """Base class of a module's panel in Python."""

    def __init__(self, parent=None):
        super().__init__()
        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.developerMode = False
        made = parent is None
        if made:
            parent = slicer.qMRMLWidget()
            parent.setLayout(QtWidgets.QVBoxLayout())
            parent.setMRMLScene(slicer.mrmlScene)
        self.parent, self.layout = parent, parent.layout()
        if made:
            self.setup()
            self.parent.show()
        manager = slicer.app.moduleManager()
        manager.connect("moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded)

    def _onModuleAboutToBeUnloaded(self, moduleName: str) -> None:
        if moduleName == self.moduleName:
            self.cleanup()
            manager = slicer.app.moduleManager()
            manager.disconnect("moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded)

    def resourcePath(self, filename: str) -> str:
        """A file in the module's folder Resources."""
        return str(Path(slicer.util.modulePath(self.moduleName)).parent / "Resources" / filename)

    def setup(self) -> None:
        """Make the widgets."""

    def cleanup(self) -> None:
        """Let go of everything: the module is unloaded."""

    def onReload(self) -> None:
        """Load the module's file again."""
        slicer.util.reloadScriptedModule(self.moduleName)


class ScriptedLoadableModuleLogic:
    """Base class of a module's logic: it knows the module's parameter node."""

    def __init__(self, parent=None):
        super().__init__()
        self.moduleName = type(self).__name__.removesuffix("Logic")
        self.isSingletonParameterNode = True

    def getParameterNode(self):
        """The module's parameter node in the scene; made if there is none."""
        if self.isSingletonParameterNode:
            node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
            if node:
                node.SetAttribute("ModuleName", self.moduleName)  # closing the scene may have removed it
        else:
            node = next(iter(self.getAllParameterNodes()), None)
        return node or slicer.mrmlScene.AddNode(self.createParameterNode())

    def getAllParameterNodes(self) -> list:
        """All parameter nodes of the module in the scene."""
        nodes = slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode")
        return [node for node in nodes if node.GetAttribute("ModuleName") == self.moduleName]

    def createParameterNode(self):
        """A new parameter node, not yet in the scene."""
        node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
        node.UnRegister(None)
        if self.isSingletonParameterNode:
            node.SetSingletonTag(self.moduleName)
        node.SetModuleName(self.moduleName)
        node.SetAttribute("ModuleName", self.moduleName)
        node.SetName(slicer.mrmlScene.GenerateUniqueName(self.moduleName))
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    """Base class of a module's self test."""

    def __init__(self, methodName: str = "runTest"):
        super().__init__(methodName)
        self.messageDelay = 100

    def setUp(self) -> None:
        """Start from an empty scene."""
        slicer.mrmlScene.Clear(0)

    def runTest(self) -> None:
        """Run the tests of the subclass."""
        raise NotImplementedError(f"expected runTest in {type(self).__name__}, got none.")

    def delayDisplay(self, message: str, requestedDelay=None, msec=None) -> None:
        """Show a message for a moment; the host only lets events through."""
        slicer.app.processEvents()


def install() -> None:
    """Register ``slicer.ScriptedLoadableModule``."""
    if "slicer.ScriptedLoadableModule" in sys.modules:
        return
    module = types.ModuleType("slicer.ScriptedLoadableModule", __doc__)
    module.__all__ = [
        "ScriptedLoadableModule",
        "ScriptedLoadableModuleLogic",
        "ScriptedLoadableModuleTest",
        "ScriptedLoadableModuleWidget",
    ]
    for name in module.__all__:
        setattr(module, name, globals()[name])
    sys.modules["slicer.ScriptedLoadableModule"] = slicer.ScriptedLoadableModule = module
    slicer.selfTests = {}
