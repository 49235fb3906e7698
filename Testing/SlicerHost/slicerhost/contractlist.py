"""The contracts: what each stand-in has, by the header that it was checked against. See `contract`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Contract:
    """The public face of one stand-in, beyond the Qt class that it is derived from (`base`)."""

    header: str
    base: str
    properties: frozenset[str] = frozenset()
    methods: frozenset[str] = frozenset()
    signals: tuple[str, ...] = ()
    constants: frozenset[str] = frozenset()

    @property
    def names(self) -> frozenset[str]:
        """All names that are not Qt's own."""
        heard = {signal.partition("(")[0] for signal in self.signals}
        return self.properties | self.methods | self.constants | heard


def _contract(
    header: str, base: str, properties: str = "", methods: str = "", signals: str = "", constants: str = ""
) -> Contract:
    return Contract(
        header,
        base,
        frozenset(properties.split()),
        frozenset(methods.split()),
        tuple(signals.split()),
        frozenset(constants.split()),
    )


CONTRACTS = {
    "ctkCollapsibleButton": _contract(
        "CTK/Libs/Widgets/ctkCollapsibleButton.h, QAbstractButton",
        "QWidget",
        "collapsed collapsedHeight contentsFrameShape text checked checkable",
        "setCollapsed setCollapsedHeight setContentsFrameShape setText setChecked setCheckable click toggle "
        "collapsed",
        "contentsCollapsed(bool) toggled(bool) clicked(bool) clicked()",
    ),
    "ctkSliderWidget": _contract(
        "CTK/Libs/Widgets/ctkSliderWidget.h",
        "QWidget",
        "value minimum maximum singleStep pageStep decimals prefix suffix tracking spinBoxVisible",
        "setValue setMinimum setMaximum setRange setSingleStep setPageStep setDecimals setPrefix setSuffix "
        "setTracking setSpinBoxVisible spinBox slider reset",
        "valueChanged(double) valueIsChanging(double)",
    ),
    "ctkDoubleSpinBox": _contract(
        "CTK/Libs/Widgets/ctkDoubleSpinBox.h",
        "QWidget",
        "value minimum maximum singleStep decimals prefix suffix",
        "setValue setMinimum setMaximum setRange setSingleStep setDecimals setPrefix setSuffix stepUp "
        "stepDown spinBox",
        "valueChanged(double) decimalsChanged(int) editingFinished()",
    ),
    "ctkPathLineEdit": _contract(
        "CTK/Libs/Widgets/ctkPathLineEdit.h",
        "QWidget",
        "currentPath filters nameFilters settingKey label showBrowseButton showHistoryButton options",
        "setCurrentPath setFilters setNameFilters setSettingKey setLabel setShowBrowseButton "
        "setShowHistoryButton setOptions browse addCurrentPathToHistory retrieveHistory comboBox",
        "currentPathChanged(QString) validInputChanged(bool)",
        "Dirs Files Drives Readable Writable Executable AllEntries NoDotAndDotDot NoDot NoDotDot Hidden "
        "System Modified NoSymLinks",
    ),
    "qMRMLWidget": _contract(
        "Slicer/Libs/MRML/Widgets/qMRMLWidget.h",
        "QWidget",
        methods="mrmlScene setMRMLScene",
        signals="mrmlSceneChanged(vtkMRMLScene*)",
    ),
    "qSlicerWidget": _contract(
        "Slicer/Base/QTGUI/qSlicerWidget.h",
        "QWidget",
        methods="mrmlScene setMRMLScene",
        signals="mrmlSceneChanged(vtkMRMLScene*)",
    ),
    "qSlicerScriptedLoadableModuleWidget": _contract(
        "Slicer/Base/QTGUI/qSlicerScriptedLoadableModuleWidget.h, qSlicerAbstractModuleWidget.h",
        "QWidget",
        properties="isEntered",
        methods="self reload enter exit mrmlScene setMRMLScene",
        signals="mrmlSceneChanged(vtkMRMLScene*)",
    ),
    "qMRMLNodeComboBox": _contract(
        "Slicer/Libs/MRML/Widgets/qMRMLNodeComboBox.h",
        "QWidget",
        "currentNodeID nodeTypes showHidden showChildNodeTypes hideChildNodeTypes baseName noneEnabled "
        "addEnabled removeEnabled editEnabled renameEnabled selectNodeUponCreation noneDisplay",
        "mrmlScene setMRMLScene setNodeTypes setShowHidden setShowChildNodeTypes setHideChildNodeTypes "
        "addAttribute removeAttribute setBaseName setNoneEnabled setAddEnabled setRemoveEnabled "
        "setEditEnabled setRenameEnabled setSelectNodeUponCreation setNoneDisplay nodeCount nodeFromIndex "
        "currentNode setCurrentNode setCurrentNodeID setCurrentNodeIndex addNode removeCurrentNode "
        "renameCurrentNode nodes",
        "currentNodeChanged(vtkMRMLNode*) currentNodeIDChanged(QString) nodeActivated(vtkMRMLNode*) "
        "nodeAdded(vtkMRMLNode*) nodeAddedByUser(vtkMRMLNode*) nodeAboutToBeRemoved(vtkMRMLNode*) "
        "currentNodeRenamed(QString)",
    ),
    "qMRMLSegmentSelectorWidget": _contract(
        "Slicer/Modules/Loadable/Segmentations/Widgets/qMRMLSegmentSelectorWidget.h",
        "QWidget",
        "noneEnabled segmentationNodeSelectorVisible",
        "mrmlScene setMRMLScene currentNode currentNodeID currentSegmentID setCurrentNode setCurrentNodeID "
        "setCurrentSegmentID setNoneEnabled setSegmentationNodeSelectorVisible",
        "currentNodeChanged(vtkMRMLNode*) currentSegmentChanged(QString) mrmlSceneChanged(vtkMRMLScene*)",
    ),
    "qMRMLSegmentEditorWidget": _contract(
        "Slicer/Modules/Loadable/Segmentations/Widgets/qMRMLSegmentEditorWidget.h",
        "QWidget",
        "segmentationNodeSelectorVisible sourceVolumeNodeSelectorVisible autoShowSourceVolumeNode "
        "switchToSegmentationsButtonVisible undoEnabled maximumNumberOfUndoStates readOnly effectButtonStyle "
        "effectColumnCount unorderedEffectsVisible defaultTerminologyEntrySettingsKey "
        "defaultTerminologyEntry jumpToSelectedSegmentEnabled",
        "mrmlScene setMRMLScene mrmlSegmentEditorNode setMRMLSegmentEditorNode segmentationNode "
        "segmentationNodeID sourceVolumeNode sourceVolumeNodeID currentSegmentID activeEffect "
        "setActiveEffect effectByName availableEffectNames setEffectNameOrder effectNameOrder "
        "setUnorderedEffectsVisible effectCount effectByIndex setupViewObservations removeViewObservations "
        "interactionNode updateWidgetFromMRML setSegmentationNode setSegmentationNodeID setSourceVolumeNode "
        "setSourceVolumeNodeID setCurrentSegmentID setActiveEffectByName saveStateForUndo "
        "setSegmentationNodeSelectorVisible setSourceVolumeNodeSelectorVisible setAutoShowSourceVolumeNode "
        "setSwitchToSegmentationsButtonVisible setUndoEnabled setMaximumNumberOfUndoStates setReadOnly undo "
        "redo installKeyboardShortcuts uninstallKeyboardShortcuts turnOffLightboxes hideLabelLayer "
        "setEffectButtonStyle setEffectColumnCount updateEffectList showSourceVolumeInSliceViewers "
        "rotateSliceViewsToSegmentation setInteractionNode selectPreviousSegment selectNextSegment "
        "jumpSlices setJumpToSelectedSegmentEnabled setDefaultTerminologyEntry "
        "setDefaultTerminologyEntrySettingsKey toggleSourceVolumeIntensityMaskEnabled",
        "currentSegmentIDChanged(QString) sourceVolumeNodeChanged(vtkMRMLVolumeNode*) "
        "segmentationNodeChanged(vtkMRMLSegmentationNode*) mrmlSceneChanged(vtkMRMLScene*)",
    ),
    "ctkMessageBox": _contract("CTK/Libs/Widgets/ctkMessageBox.h", "QMessageBox"),
}
