"""Slicer's C++ modules as far as slicer-core has them: a name and the real logic; and the module manager."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import slicer
from PySide6.QtCore import QObject, Signal

# Module name -> class of its logic. ``slicer.modules.<lower case name>.logic()`` gives the instance.
LOGICS = {
    "Cameras": "vtkSlicerCamerasModuleLogic",
    "CropVolume": "vtkSlicerCropVolumeLogic",
    "Data": "vtkSlicerDataModuleLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Models": "vtkSlicerModelsLogic",
    "Plots": "vtkSlicerPlotsLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "Sequences": "vtkSlicerSequencesLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "Tables": "vtkSlicerTablesLogic",
    "Terminologies": "vtkSlicerTerminologiesModuleLogic",
    "Texts": "vtkSlicerTextsLogic",
    "Transforms": "vtkSlicerTransformLogic",
    "Units": "vtkSlicerUnitsLogic",
    "VolumeRendering": "vtkSlicerVolumeRenderingLogic",
    "Volumes": "vtkSlicerVolumesLogic",
}


class qSlicerModuleManager(QObject):
    """Names and wrappers of the loaded modules."""

    moduleLoaded = Signal(str)
    moduleAboutToBeUnloaded = Signal(str)
    moduleUnloaded = Signal(str)

    def module(self, name: str):
        """The module's wrapper, or None."""
        return getattr(slicer.modules, name.lower(), None)

    def modulesNames(self) -> tuple[str, ...]:
        """All names, in the order of loading."""
        return tuple(vars(slicer.moduleNames))

    def isLoaded(self, name: str) -> bool:
        """Is there such a module?"""
        return self.module(name) is not None


class qSlicerCoreModule:
    """A C++ module: its name, title and logic. It has no widget in the host."""

    def __init__(self, name: str, logic):
        self.name = self.title = name
        self._logic = logic

    def logic(self):
        """The VTK logic."""
        return self._logic

    def widgetRepresentation(self):
        """None: the host has the widgets of scripted modules only."""
        return


def shareFolder(module: str) -> Path:
    """Slicer's own data files (terminologies, presets of volume rendering), as trame-slicer ships them."""
    found = importlib.util.find_spec("trame_slicer")
    if found is None or not found.submodule_search_locations:
        raise RuntimeError(
            "expected the package trame-slicer, which carries Slicer's terminologies and presets, got none. "
            "Install the extra: pip install 'freetumor[desktop]'."
        )
    folder = Path(found.submodule_search_locations[0]) / "resources"
    return folder / "terminologies" if module == "Terminologies" else folder


def install(app) -> None:
    """Make every logic, give it scene, application logic and data files, and fill ``slicer.modules``."""
    colors = app.applicationLogic().GetColorLogic()
    app.applicationLogic().SetModuleLogic("Colors", colors)  # the volumes' logic asks for it by name
    _register("Colors", colors)
    for name, className in LOGICS.items():
        logic = getattr(slicer, className)()
        # The order matters: with the scene set first, logics look for their files and complain.
        if hasattr(logic, "SetModuleShareDirectory"):
            logic.SetModuleShareDirectory(str(shareFolder(name)))
        logic.SetMRMLApplicationLogic(app.applicationLogic())
        logic.SetMRMLScene(app.mrmlScene())
        app.applicationLogic().SetModuleLogic(name, logic)
        _register(name, logic)


def _register(name: str, logic) -> None:
    setattr(slicer.modules, name.lower(), qSlicerCoreModule(name, logic))
    setattr(slicer.moduleNames, name, name)
