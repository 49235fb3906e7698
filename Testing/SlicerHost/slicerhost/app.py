"""``slicer.app`` and what hangs on it: the scene, its logics, the readers and writers, the layout manager.

`install` is called once, by `slicerhost.start`, after PySide6 has been given PythonQt's manners.
"""

from __future__ import annotations

import platform
import sys
import tempfile
import types
from pathlib import Path

import slicer
from PySide6 import QtCore, QtWidgets
from PySide6.QtCore import QSettings, Signal

from . import coremodules, hierarchy, vtkreports
from .coreio import qSlicerCoreIOManager
from .layout import qSlicerLayoutManager

ORGANIZATION, APPLICATION = "FreeTumor", "SlicerHost"


class qSlicerApplication(QtWidgets.QApplication):
    """The part of Slicer's application object that scripted modules use."""

    startupCompleted = Signal()
    lastWindowAboutToClose = Signal()

    documentationBaseUrl = "https://slicer.readthedocs.io/en/latest/"
    documentationVersion = "latest"
    majorVersion, minorVersion = 5, 11

    def __init__(self, arguments: list[str]):
        super().__init__(arguments)
        self._folder = tempfile.TemporaryDirectory(prefix="slicerhost-", ignore_cleanup_errors=True)
        self._scene = self._newScene()
        self._cache = self._newCache(self._scene, self._folder.name)
        self._logic = self._newLogic(self._scene)
        self._modules = coremodules.qSlicerModuleManager()
        self._io = qSlicerCoreIOManager(self._scene)
        self._layout: qSlicerLayoutManager | None = None
        self._hierarchy = hierarchy.HierarchyUpdater(self._scene)
        self._settings: QSettings | None = None
        self._attended = False

    @staticmethod
    def _newScene() -> slicer.vtkMRMLScene:
        scene = slicer.vtkMRMLScene()
        crosshair = slicer.vtkMRMLCrosshairNode()
        crosshair.SetCrosshairName("default")
        scene.AddNode(crosshair)
        return scene

    @staticmethod
    def _newCache(scene: slicer.vtkMRMLScene, folder: str) -> slicer.vtkDataIOManager:
        """What a scene needs to unpack an .mrb."""
        cache = slicer.vtkCacheManager()
        cache.SetRemoteCacheDirectory(str(Path(folder) / "cache"))
        cache.SetMRMLScene(scene)
        manager = slicer.vtkDataIOManager()
        manager.SetCacheManager(cache)
        scene.SetCacheManager(cache)
        scene.SetDataIOManager(manager)
        return manager

    @staticmethod
    def _newLogic(scene: slicer.vtkMRMLScene) -> slicer.vtkSlicerApplicationLogic:
        logic = slicer.vtkSlicerApplicationLogic()
        logic.SetMRMLScene(scene)
        logic.GetColorLogic().SetMRMLScene(scene)
        logic.GetColorLogic().AddDefaultColorNodes()
        for factory in (
            slicer.vtkMRMLThreeDViewDisplayableManagerFactory,
            slicer.vtkMRMLSliceViewDisplayableManagerFactory,
        ):
            factory.GetInstance().SetMRMLApplicationLogic(logic)
        # Radiological convention: the patient's right is on the left of the screen.
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
        return logic

    @property
    def temporaryPath(self) -> str:
        """A folder that is removed when the application ends."""
        return self._folder.name

    @property
    def slicerHome(self) -> str:
        """Where the MRML libraries are."""
        return str(Path(slicer.__file__).parent)

    @property
    def applicationVersion(self) -> str:
        """Version of the MRML libraries."""
        return f"{self.majorVersion}.{self.minorVersion}.0-host"

    @property
    def os(self) -> str:
        """Operating system in Slicer's words."""
        return {"Linux": "linux", "Darwin": "macosx", "Windows": "win"}[platform.system()]

    @property
    def arch(self) -> str:
        """Processor in Slicer's words."""
        return {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64"}.get(
            platform.machine(), platform.machine()
        )

    def mrmlScene(self) -> slicer.vtkMRMLScene:
        """The one scene."""
        return self._scene

    def applicationLogic(self) -> slicer.vtkSlicerApplicationLogic:
        """The logic that knows the selection, the colors and all modules' logics."""
        return self._logic

    def moduleManager(self) -> coremodules.qSlicerModuleManager:
        """The loaded modules."""
        return self._modules

    def coreIOManager(self) -> qSlicerCoreIOManager:
        """Readers and writers."""
        return self._io

    def ioManager(self) -> qSlicerCoreIOManager:
        """The same; Slicer's has dialogs besides."""
        return self._io

    def layoutManager(self) -> qSlicerLayoutManager:
        """The views. They are made when first asked for, so that a test of a logic stays cheap."""
        if self._layout is None:
            self._layout = qSlicerLayoutManager(self._scene, self._logic)
        return self._layout

    def settings(self) -> QSettings:
        """The user's settings; in tests a file in the temporary folder."""
        if self._settings is None:
            self._settings = QSettings()
        return self._settings

    def userSettings(self) -> QSettings:
        """The same."""
        return self.settings()

    def revisionUserSettings(self) -> QSettings:
        """The same: the host has one revision."""
        return self.settings()

    def testingEnabled(self) -> bool:
        """True where nobody sits in front of it: message boxes answer themselves."""
        return not self._attended

    def setAttended(self, attended: bool) -> None:
        """Somebody sits in front of the window now and can answer (only of the host)."""
        self._attended = bool(attended)

    def commandOptions(self) -> types.SimpleNamespace:
        """What Slicer would have been started with."""
        return types.SimpleNamespace(noMainWindow=slicer.util.mainWindow() is None, runPythonAndExit=False)

    def setRenderPaused(self, paused: bool) -> None:
        """Hold all rendering back, or let it go."""
        self.layoutManager().setRenderPaused(paused)

    def pauseRender(self) -> None:
        """Hold all rendering back until `resumeRender`."""
        self.setRenderPaused(True)

    def resumeRender(self) -> None:
        """Render again."""
        self.setRenderPaused(False)


def _keepSettingsIn(folder: Path | None) -> None:
    """Settings as one INI file: in `folder` (tests), or the user's own (None)."""
    QtCore.QCoreApplication.setOrganizationName(ORGANIZATION)
    QtCore.QCoreApplication.setApplicationName(APPLICATION)
    QSettings.setDefaultFormat(QSettings.IniFormat)
    if folder is not None:
        QSettings.setPath(QSettings.IniFormat, QSettings.UserScope, str(folder))


def install(userSettings: bool = False) -> qSlicerApplication:
    """Make ``slicer.app``, ``slicer.mrmlScene`` and ``slicer.modules``; the same application on every call.

    `userSettings`: keep settings where the user keeps them, instead of in the temporary folder.
    """
    from . import qmrml

    app = QtWidgets.QApplication.instance()
    if isinstance(app, qSlicerApplication):
        return app
    if app is not None:
        raise RuntimeError(
            f"expected no Qt application, got a {type(app).__name__}: "
            "call slicerhost.start() before other Qt code."
        )
    vtkreports.toPythonLogging()
    app = qSlicerApplication([sys.argv[0]])
    _keepSettingsIn(None if userSettings else Path(app.temporaryPath))
    slicer.app, slicer.mrmlScene = app, app.mrmlScene()
    slicer.modules = types.ModuleType("slicer.modules")
    slicer.moduleNames = types.SimpleNamespace()
    for name, widget in qmrml.WIDGETS.items():
        setattr(slicer, name, widget)
    slicer.qSlicerLayoutManager, slicer.qSlicerCoreIOManager = qSlicerLayoutManager, qSlicerCoreIOManager
    slicer.qSlicerApplication = qSlicerApplication
    coremodules.install(app)
    return app
