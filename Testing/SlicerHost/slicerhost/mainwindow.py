"""The host's window: modules on the left, three slices and a 3-D view on the right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import slicer
from PySide6 import QtGui, QtWidgets
from PySide6.QtCore import Qt

from . import bodyview
from .ctwindows import WINDOWS
from .modulepanel import ModulePanel
from .navigation import Navigation
from .observing import Observations

_NODE = slicer.vtkMRMLLayoutNode
LAYOUTS = {
    "Four views": _NODE.SlicerLayoutFourUpView,
    "Slices below 3-D": _NODE.SlicerLayoutConventionalView,
    "Axial only": _NODE.SlicerLayoutOneUpRedSliceView,
    "3-D only": _NODE.SlicerLayoutOneUp3DView,
    "Side by side": _NODE.SlicerLayoutSideBySideView,
}
CT_FILES = "CT (*.nii *.nii.gz *.nrrd *.nhdr *.mha *.mhd *.dcm);;Scene (*.mrb *.mrml);;All files (*)"


class MainWindow(QtWidgets.QMainWindow):
    """Found by slicer.util.mainWindow(), so that slicer.util.selectModule and status messages work."""

    def __init__(self):
        super().__init__()
        self.setObjectName("qSlicerMainWindow")
        self.setWindowTitle("FreeTumor — not for clinical use")
        self._panel = ModulePanel()
        dock = QtWidgets.QDockWidget()
        dock.setFeatures(QtWidgets.QDockWidget.DockWidgetMovable)
        dock.setTitleBarWidget(QtWidgets.QWidget())
        dock.setWidget(self._panel)
        self.addDockWidget(Qt.LeftDockWidgetArea, dock)
        views = QtWidgets.QWidget()
        self.setCentralWidget(views)
        self._manager = slicer.app.layoutManager()
        self._manager.setViewport(views)
        self._navigation = Navigation(self._manager)
        self._probe = QtWidgets.QLabel()
        self.statusBar().addPermanentWidget(self._probe)
        self._navigation.probed.connect(self._probe.setText)
        self._fillToolBar()
        # Not a word about synthetic data: it would prime the readers of a study.
        self.statusBar().addWidget(QtWidgets.QLabel("For research. Not for clinical use."))
        self._darken3D()
        self._manager.layoutChanged.connect(self._darken3D)
        # Closing a scene resets the view nodes.
        self._observations = Observations(self)
        self._observations.add(slicer.mrmlScene, slicer.vtkMRMLScene.EndCloseEvent, self._darken3D)
        self.resize(1500, 940)

    def _darken3D(self, *_) -> None:
        """3-D views like the slices beside them: dark, without Slicer's box."""
        for index in range(self._manager.threeDViewCount):
            node = self._manager.threeDWidget(index).mrmlViewNode()
            node.SetBackgroundColor(0.05, 0.06, 0.08)
            node.SetBackgroundColor2(0.16, 0.18, 0.22)
            node.SetBoxVisible(0)
            node.SetAxisLabelsVisible(0)
            node.SetOrientationMarkerType(node.OrientationMarkerTypeCube)
            node.SetOrientationMarkerSize(node.OrientationMarkerSizeSmall)

    # --- tool bar ------------------------------------------------------------------------------------

    def _fillToolBar(self) -> None:
        bar = self.addToolBar("Tools")
        bar.setMovable(False)
        bar.setToolButtonStyle(Qt.ToolButtonTextBesideIcon)
        self._action(bar, "Open…", "Open a CT (NIfTI, NRRD, MHA) or a scene", self._onOpen, "Ctrl+O")
        self._action(bar, "Open DICOM…", "Open a folder with one CT series", self._onOpenFolder)
        self._action(bar, "Save scene…", "Save everything as one .mrb file", self._onSave, "Ctrl+S")
        bar.addSeparator()
        self._menu(bar, "Layout", LAYOUTS, lambda name: self._manager.setLayout(LAYOUTS[name]))
        self._menu(bar, "Window", WINDOWS, self.setWindow)
        self._level = self._action(
            bar, "Adjust window", "Drag in a slice with the left button: window and level", self._onAdjust
        )
        self._level.setCheckable(True)
        self._cross = self._action(
            bar, "Crosshair", "Show the point that was clicked in all slices", self._onCrosshair
        )
        self._cross.setCheckable(True)
        bar.addSeparator()
        self._body = self._action(bar, "CT in 3-D", "Show the CT itself in the 3-D view", self.setBodyVisible)
        self._body.setCheckable(True)
        self._action(bar, "Fit", "Fit all views to what they show", self.fitViews, "Ctrl+0")

    def _action(self, bar, text: str, tip: str, slot: Callable, key: str = "") -> QtGui.QAction:
        action = bar.addAction(text)
        action.setToolTip(f"{tip} ({key})" if key else tip)
        if key:
            action.setShortcut(QtGui.QKeySequence(key))
        action.triggered.connect(slot)
        return action

    def _menu(self, bar, text: str, names, chosen: Callable[[str], None]) -> None:
        button = QtWidgets.QToolButton()
        button.setText(text)
        button.setPopupMode(QtWidgets.QToolButton.InstantPopup)
        menu = QtWidgets.QMenu(button)
        for name in names:
            menu.addAction(name).triggered.connect(lambda *_, name=name: chosen(name))
        button.setMenu(menu)
        bar.addWidget(button)

    def _onOpen(self) -> None:
        file, _ = QtWidgets.QFileDialog.getOpenFileName(self, "Open", "", CT_FILES)
        if file:
            self._opened(file)

    def _onOpenFolder(self) -> None:
        folder = QtWidgets.QFileDialog.getExistingDirectory(self, "Open DICOM folder")
        if folder:
            self._opened(folder)

    def _opened(self, path: str) -> None:
        try:
            self.open(path)
        except (RuntimeError, ValueError, OSError) as error:
            slicer.util.errorDisplay(str(error))

    def _onSave(self) -> None:
        file, _ = QtWidgets.QFileDialog.getSaveFileName(self, "Save scene", "FreeTumor.mrb", "Scene (*.mrb)")
        if file and not slicer.util.saveScene(file):
            slicer.util.errorDisplay(f"The scene could not be written to {file}.")

    def _onAdjust(self, on: bool) -> None:
        node, kind = slicer.app.applicationLogic().GetInteractionNode(), slicer.vtkMRMLInteractionNode
        node.SetCurrentInteractionMode(kind.AdjustWindowLevel if on else kind.ViewTransform)

    def _onCrosshair(self, on: bool) -> None:
        kind = slicer.vtkMRMLCrosshairNode
        node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
        node.SetCrosshairMode(kind.ShowBasic if on else kind.NoCrosshair)

    # --- used by scripts and modules -----------------------------------------------------------------

    def moduleSelector(self) -> ModulePanel:
        """What slicer.util.selectModule asks."""
        return self._panel

    def addModule(self, module) -> None:
        """Offer a loaded module."""
        self._panel.addModule(module)

    def ct(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        """The CT in the first slice view that is shown, which is the axial one."""
        widgets = [self._manager.sliceWidget(name) for name in self._manager.sliceViewNames()]
        shown = next((widget for widget in widgets if widget.isVisible()), widgets[0])
        return shown.sliceLogic().GetBackgroundLayer().GetVolumeNode()

    def open(self, path: str) -> slicer.vtkMRMLScalarVolumeNode | None:
        """Open a CT or a scene and show it; the CT."""
        if Path(path).suffix.lower() in (".mrb", ".mrml"):
            slicer.util.loadScene(path)
            self.fitViews()
            return None
        node = self._loaded(path)
        display = node.GetDisplayNode()
        display.SetAutoWindowLevel(0)
        display.SetWindowLevel(*WINDOWS["Abdomen"])
        slicer.util.setSliceViewerLayers(background=node, fit=True)
        for name in self._manager.sliceViewNames():
            self._manager.sliceWidget(name).mrmlSliceCompositeNode().SetLinkedControl(True)
        self.fitViews()
        self._panel.reenter()
        return node

    @staticmethod
    def _loaded(path: str) -> slicer.vtkMRMLScalarVolumeNode:
        if not Path(path).is_dir():
            return slicer.util.loadVolume(path)
        from freetumor.volume import read_volume
        from FreeTumorSlicerLib.volumes import nodeFromVolume

        return nodeFromVolume(read_volume(Path(path)), Path(path).name)

    def setWindow(self, name: str) -> None:
        """Show the CT in one of the windows."""
        if self.ct() is not None:
            display = self.ct().GetDisplayNode()
            display.SetAutoWindowLevel(0)
            display.SetWindowLevel(*WINDOWS[name])

    def setBodyVisible(self, visible: bool) -> None:
        """Show the CT in 3-D, or not."""
        self._body.setChecked(bool(visible) and self.ct() is not None)
        if self.ct() is not None:
            bodyview.setVisible(self.ct(), bool(visible))
            self._manager.resetThreeDViews()

    def fitViews(self) -> None:
        """Fit all views to what they show."""
        self._manager.resetSliceViews()
        self._manager.resetThreeDViews()

    def closeEvent(self, event) -> None:
        """Leave the module and clean it up, so that no job stays behind."""
        from . import unloadModule

        self._panel.exitModule()
        slicer.app.lastWindowAboutToClose.emit()
        self._manager.setViewport(None)
        for name in list(self._panel.moduleNames()):
            unloadModule(name)
        event.accept()
