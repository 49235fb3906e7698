"""``slicer.app.coreIOManager()``: Slicer's readers and writers on the real logics and storage nodes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import slicer
import vtk
from PySide6.QtCore import QObject, Signal

# Which reader takes a file, by the end of its name; the first that fits, so long ends come before short ones.
FILE_TYPES = (
    (".seg.nrrd", "SegmentationFile"),
    (".seg.nhdr", "SegmentationFile"),
    (".mrk.json", "MarkupsFile"),
    (".mrml", "SceneFile"),
    (".mrb", "SceneFile"),
    (".nii.gz", "VolumeFile"),
    (".nii", "VolumeFile"),
    (".nrrd", "VolumeFile"),
    (".nhdr", "VolumeFile"),
    (".mha", "VolumeFile"),
    (".mhd", "VolumeFile"),
    (".dcm", "VolumeFile"),
    (".fcsv", "MarkupsFile"),
    (".vtk", "ModelFile"),
    (".vtp", "ModelFile"),
    (".stl", "ModelFile"),
    (".obj", "ModelFile"),
    (".ply", "ModelFile"),
    (".tfm", "TransformFile"),
    (".h5", "TransformFile"),
    (".csv", "TableFile"),
    (".tsv", "TableFile"),
    (".txt", "TextFile"),
    (".json", "TextFile"),
)
# Bits of vtkSlicerVolumesLogic::LoadingOptions.
LABELMAP, CENTER, SINGLE_FILE = 1, 2, 4


def _logic(module: str):
    return getattr(slicer.modules, module).logic()


def _readVolume(scene, file: str, name: str, properties: dict):
    options = LABELMAP * bool(properties.get("labelmap")) | CENTER * bool(properties.get("center"))
    options |= SINGLE_FILE * bool(properties.get("singleFile"))
    node = _logic("volumes").AddArchetypeVolume(file, name, options)
    if node is not None and properties.get("show", True) and not properties.get("labelmap"):
        selection = slicer.app.applicationLogic().GetSelectionNode()
        selection.SetActiveVolumeID(node.GetID())
        slicer.app.applicationLogic().PropagateVolumeSelection()
    return node


READERS: dict[str, Callable] = {
    "VolumeFile": _readVolume,
    "SegmentationFile": lambda scene, file, name, properties: _logic(
        "segmentations"
    ).LoadSegmentationFromFile(file, True, name),
    "ModelFile": lambda scene, file, name, properties: _logic("models").AddModel(file),
    "MarkupsFile": lambda scene, file, name, properties: scene.GetNodeByID(
        _logic("markups").LoadMarkups(file, name) or ""
    ),
    "TransformFile": lambda scene, file, name, properties: _logic("transforms").AddTransform(file, scene),
    "TableFile": lambda scene, file, name, properties: _logic("tables").AddTable(file, name),
    "TextFile": lambda scene, file, name, properties: _logic("texts").AddText(file, name),
}


class qSlicerCoreIOManager(QObject):
    """Loads and saves nodes and scenes; a reader's failure goes into `messages`, as in Slicer."""

    newFileLoaded = Signal(object)
    fileSaved = Signal(object)

    def __init__(self, scene: slicer.vtkMRMLScene):
        super().__init__()
        self._scene = scene

    def fileType(self, fileName) -> str:
        """The reader that takes this file, "NoFile" where none does."""
        low = str(fileName).lower()
        return next((kind for end, kind in FILE_TYPES if low.endswith(end)), "NoFile")

    def loadNodes(
        self,
        fileType: str,
        properties: dict,
        loadedNodes: vtk.vtkCollection | None = None,
        userMessages: slicer.vtkMRMLMessageCollection | None = None,
    ) -> bool:
        """Load ``properties["fileName"]``; True if it went well."""
        file = str(properties["fileName"])
        if not Path(file).exists():
            return _refuse(userMessages, f"expected an existing file, got {file}")
        if fileType == "SceneFile":
            return self._loadScene(file, bool(properties.get("clear")), userMessages)
        if fileType not in READERS:
            return _refuse(userMessages, f"expected one of {', '.join(READERS)}, got {fileType} for {file}")
        name = properties.get("name") or _stem(file)
        node = READERS[fileType](self._scene, file, name, properties)
        if node is None:
            return _refuse(userMessages, f"{file} could not be read as {fileType}")
        if properties.get("name"):
            node.SetName(properties["name"])
        if loadedNodes is not None:
            loadedNodes.AddItem(node)
        self.newFileLoaded.emit(properties)
        return True

    def _loadScene(self, file: str, clear: bool, messages) -> bool:
        if file.lower().endswith(".mrb"):
            return bool(self._scene.ReadFromMRB(file, clear, messages))
        self._scene.SetURL(file)
        return bool(self._scene.Connect(messages) if clear else self._scene.Import(messages))

    def fileWriterFileType(self, node, preferredWriterDescription: str = "") -> str:
        """What `saveNodes` wants to hear for this node."""
        return node.GetClassName().removeprefix("vtkMRML").removesuffix("Node") + "File"

    def fileWriterExtensions(self, node) -> tuple[str, ...]:
        """The formats a node can be written in, such as "NRRD (.nrrd)"."""
        storage = node.CreateDefaultStorageNode()
        types = storage.GetSupportedWriteFileTypes()
        return tuple(types.GetValue(index) for index in range(types.GetNumberOfValues()))

    def extractKnownExtension(self, fileName, node) -> str:
        """The part of a file name that says the format, such as ".nii.gz"."""
        return node.CreateDefaultStorageNode().GetSupportedFileExtension(str(fileName), False, True)

    def saveNodes(self, fileType: str, properties: dict, userMessages=None) -> bool:
        """Write a node by its own storage node, or the scene; True if it went well."""
        file = str(properties["fileName"])
        if not Path(file).parent.is_dir():
            return _refuse(userMessages, f"expected an existing folder, got {Path(file).parent}")
        if fileType == "SceneFile":
            return self._saveScene(file, userMessages)
        node = self._scene.GetNodeByID(properties["nodeID"])
        storage = node.GetStorageNode()
        if storage is None or not storage.GetSupportedFileExtension(file, False, True):
            node.AddDefaultStorageNode(file)
            storage = node.GetStorageNode()
        return self._write(node, storage, file, bool(properties.get("useCompression", 1)), userMessages)

    def _saveScene(self, file: str, messages) -> bool:
        if file.lower().endswith(".mrb"):
            return bool(self._scene.WriteToMRB(file, None, messages))
        self._scene.SetRootDirectory(str(Path(file).parent))
        self._scene.SetURL(file)
        return bool(self._scene.Commit(file, messages))

    def exportNodes(
        self,
        nodeIDs: list[str],
        fileNames: list[str],
        properties: dict,
        hardenTransforms: bool = False,
        userMessages=None,
    ) -> bool:
        """Write copies through storage nodes of their own: the nodes keep theirs."""
        if hardenTransforms:
            raise NotImplementedError("the host exports in the node's own coordinates: harden a copy first.")
        done = True
        for nodeID, file in zip(nodeIDs, fileNames, strict=True):
            node = self._scene.GetNodeByID(nodeID)
            storage = node.CreateDefaultStorageNode()
            done &= self._write(
                node, storage, str(file), bool(properties.get("useCompression", 1)), userMessages
            )
        return done

    def _write(self, node, storage, file: str, compressed: bool, messages) -> bool:
        storage.SetFileName(file)
        storage.SetUseCompression(compressed)
        if not storage.WriteData(node):
            return _refuse(messages, f"{node.GetName()} could not be written to {file}")
        self.fileSaved.emit({"fileName": file, "nodeID": node.GetID()})
        return True


def _stem(file: str) -> str:
    name = Path(file).name
    end = next((end for end, _ in FILE_TYPES if name.lower().endswith(end)), Path(name).suffix)
    return name[: len(name) - len(end)] if end else name


def _refuse(messages, text: str) -> bool:
    if messages is not None:
        messages.AddMessage(vtk.vtkCommand.ErrorEvent, text)
    return False
