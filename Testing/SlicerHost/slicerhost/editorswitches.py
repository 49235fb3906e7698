"""The switches of qMRMLSegmentEditorWidget: properties with their setters, as in Slicer."""

from __future__ import annotations


class EditorSwitches:
    """Mixed into the editor, which has `_logic`, `_panel`, `_undoEnabled`, `_readOnly` and `_autoShow`."""

    @property
    def undoEnabled(self) -> bool:
        """Are states remembered?"""
        return self._undoEnabled

    @undoEnabled.setter
    def undoEnabled(self, enabled: bool) -> None:
        self._undoEnabled = bool(enabled)

    @property
    def maximumNumberOfUndoStates(self) -> int:
        """How many states are remembered."""
        return self._logic.GetMaximumNumberOfUndoStates()

    @maximumNumberOfUndoStates.setter
    def maximumNumberOfUndoStates(self, count: int) -> None:
        self.setMaximumNumberOfUndoStates(count)

    def setMaximumNumberOfUndoStates(self, count: int) -> None:
        """Remember so many states."""
        self._logic.SetMaximumNumberOfUndoStates(count)

    @property
    def readOnly(self) -> bool:
        """Is editing switched off?"""
        return self._readOnly

    @readOnly.setter
    def readOnly(self, readOnly: bool) -> None:
        self.setReadOnly(readOnly)

    def setReadOnly(self, readOnly: bool) -> None:
        """Switch editing off or on."""
        self._readOnly = bool(readOnly)
        self._panel.refresh()

    @property
    def autoShowSourceVolumeNode(self) -> bool:
        """Is the source volume shown when it is chosen?"""
        return self._autoShow

    @autoShowSourceVolumeNode.setter
    def autoShowSourceVolumeNode(self, shown: bool) -> None:
        self._autoShow = bool(shown)

    def setSegmentationNodeSelectorVisible(self, visible: bool) -> None:
        """Show or hide the list of segmentations."""
        self._panel.setSelectorVisible("segmentation", bool(visible))

    def setSourceVolumeNodeSelectorVisible(self, visible: bool) -> None:
        """Show or hide the list of volumes."""
        self._panel.setSelectorVisible("volume", bool(visible))

    segmentationNodeSelectorVisible = property(
        lambda self: self._panel.isSelectorVisible("segmentation"), setSegmentationNodeSelectorVisible
    )
    sourceVolumeNodeSelectorVisible = property(
        lambda self: self._panel.isSelectorVisible("volume"), setSourceVolumeNodeSelectorVisible
    )
    switchToSegmentationsButtonVisible = property(
        lambda self: False, lambda self, visible: None, doc="The host has no module Segmentations."
    )
