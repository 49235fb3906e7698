"""What qMRMLSegmentEditorWidget shows: selectors, segments, effects with their options, undo and redo."""

from __future__ import annotations

import slicer
from PySide6 import QtGui, QtWidgets
from PySide6.QtCore import Qt

from .nodecombobox import qMRMLNodeComboBox

_COLUMNS = ("", "", "Segment")


class EditorPanel(QtWidgets.QWidget):
    """The widgets; what they do is in the editor."""

    def __init__(self, editor):
        super().__init__()
        self._editor = editor
        self._filling = False
        self._ids: list[str] = []
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._selectors = QtWidgets.QFormLayout()
        self._segmentation = self._selector("Segmentation:", "vtkMRMLSegmentationNode")
        self._volume = self._selector("Source volume:", "vtkMRMLScalarVolumeNode")
        layout.addLayout(self._selectors)
        layout.addLayout(self._segmentButtons())
        self._table = self._newTable()
        layout.addWidget(self._table)
        layout.addLayout(self._effectButtons())
        self._options = _Options(editor)
        layout.addWidget(self._options)
        self._segmentation.currentNodeChanged.connect(self._onSegmentationChosen)
        self._volume.currentNodeChanged.connect(self._onVolumeChosen)

    def _selector(self, label: str, kind: str) -> qMRMLNodeComboBox:
        box = qMRMLNodeComboBox()
        box.setNodeTypes([kind])
        box.setNoneEnabled(True)
        box.addEnabled = kind == "vtkMRMLSegmentationNode"
        box.removeEnabled = False
        self._selectors.addRow(label, box)
        return box

    def _segmentButtons(self) -> QtWidgets.QHBoxLayout:
        row = QtWidgets.QHBoxLayout()
        self._add, self._remove = QtWidgets.QPushButton("Add"), QtWidgets.QPushButton("Remove")
        self._show3D = QtWidgets.QPushButton("Show 3D")
        self._show3D.setCheckable(True)
        self._add.clicked.connect(self._onAdd)
        self._remove.clicked.connect(self._onRemove)
        self._show3D.clicked.connect(self._onShow3D)
        for button in (self._add, self._remove, self._show3D):
            row.addWidget(button)
        return row

    def _newTable(self) -> QtWidgets.QTableWidget:
        table = QtWidgets.QTableWidget(0, len(_COLUMNS))
        table.setHorizontalHeaderLabels(_COLUMNS)
        table.horizontalHeader().setStretchLastSection(True)
        table.verticalHeader().hide()
        table.horizontalHeader().hide()
        table.setColumnWidth(0, 28)
        table.setColumnWidth(1, 28)
        table.setMinimumHeight(96)
        table.setMaximumHeight(160)
        table.setSelectionBehavior(QtWidgets.QAbstractItemView.SelectRows)
        table.setSelectionMode(QtWidgets.QAbstractItemView.SingleSelection)
        table.itemSelectionChanged.connect(self._onRowChosen)
        table.itemChanged.connect(self._onItemChanged)
        return table

    def _effectButtons(self) -> QtWidgets.QGridLayout:
        grid = QtWidgets.QGridLayout()
        self._effects: dict[str, QtWidgets.QToolButton] = {}
        for place, name in enumerate(self._editor.availableEffectNames()):
            button = QtWidgets.QToolButton()
            button.setText(name)
            button.setCheckable(True)
            button.setSizePolicy(QtWidgets.QSizePolicy.Expanding, QtWidgets.QSizePolicy.Fixed)
            button.clicked.connect(self._effectChooser(name))
            self._effects[name] = button
            grid.addWidget(button, place // 4, place % 4)
        self._undo, self._redo = QtWidgets.QToolButton(), QtWidgets.QToolButton()
        for place, (button, text, action) in enumerate(
            ((self._undo, "Undo", self._editor.undo), (self._redo, "Redo", self._editor.redo)),
            start=len(self._effects),
        ):
            button.setText(text)
            button.setSizePolicy(QtWidgets.QSizePolicy.Expanding, QtWidgets.QSizePolicy.Fixed)
            button.clicked.connect(action)
            grid.addWidget(button, place // 4, place % 4)
        return grid

    def _effectChooser(self, name: str):
        return lambda checked=False: self._editor.setActiveEffectByName(name if checked else "")

    # --- from the editor -------------------------------------------------------------------------------

    def setScene(self, scene) -> None:
        """Offer this scene's nodes."""
        self._segmentation.setMRMLScene(scene)
        self._volume.setMRMLScene(scene)

    def setSelectorVisible(self, which: str, visible: bool) -> None:
        """Show or hide a selector with its label: "segmentation" or "volume"."""
        self._selectors.setRowVisible(
            {"segmentation": self._segmentation, "volume": self._volume}[which], visible
        )

    def isSelectorVisible(self, which: str) -> bool:
        """Is a selector shown?"""
        return not {"segmentation": self._segmentation, "volume": self._volume}[which].isHidden()

    def refresh(self) -> None:
        """Show the editor's state."""
        if self._filling:
            return
        self._filling = True
        editor = self._editor
        node = editor.segmentationNode()
        self._segmentation.setCurrentNode(node)
        self._volume.setCurrentNode(editor.sourceVolumeNode())
        self._fillTable(node)
        ready = node is not None and editor.sourceVolumeNode() is not None and not editor.readOnly
        active = editor.activeEffect()
        for name, button in self._effects.items():
            button.setEnabled(ready and bool(self._ids))
            button.setChecked(active is not None and active.name == name)
        self._add.setEnabled(node is not None and not editor.readOnly)
        self._remove.setEnabled(bool(editor.currentSegmentID()) and not editor.readOnly)
        self._show3D.setEnabled(node is not None)
        self._show3D.setChecked(editor.editorLogic().ContainsClosedSurfaceRepresentation())
        self._options.show_(active)
        self.refreshUndo()
        self._filling = False

    def refreshUndo(self) -> None:
        """Undo and redo are offered where there is something to undo."""
        logic = self._editor.editorLogic()
        self._undo.setEnabled(logic.CanUndo())
        self._redo.setEnabled(logic.CanRedo())

    def _fillTable(self, node) -> None:
        self._ids = list(node.GetSegmentation().GetSegmentIDs()) if node is not None else []
        self._table.setRowCount(len(self._ids))
        for row, segmentID in enumerate(self._ids):
            segment = node.GetSegmentation().GetSegment(segmentID)
            display = node.GetDisplayNode()
            visible = QtWidgets.QTableWidgetItem()
            visible.setFlags(Qt.ItemIsUserCheckable | Qt.ItemIsEnabled | Qt.ItemIsSelectable)
            shown = display is None or display.GetSegmentVisibility(segmentID)
            visible.setCheckState(Qt.Checked if shown else Qt.Unchecked)
            color = QtWidgets.QTableWidgetItem()
            color.setFlags(Qt.ItemIsEnabled | Qt.ItemIsSelectable)
            color.setBackground(QtGui.QColor.fromRgbF(*segment.GetColor()))
            name = QtWidgets.QTableWidgetItem(segment.GetName())
            for column, item in enumerate((visible, color, name)):
                self._table.setItem(row, column, item)
        if self._editor.currentSegmentID() in self._ids:
            self._table.selectRow(self._ids.index(self._editor.currentSegmentID()))

    # --- from the user ---------------------------------------------------------------------------------

    def _onSegmentationChosen(self, node) -> None:
        if not self._filling and self._editor.mrmlSegmentEditorNode() is not None:
            self._editor.setSegmentationNode(node)

    def _onVolumeChosen(self, node) -> None:
        if not self._filling and self._editor.mrmlSegmentEditorNode() is not None:
            self._editor.setSourceVolumeNode(node)

    def _onRowChosen(self) -> None:
        row = self._table.currentRow()
        if not self._filling and 0 <= row < len(self._ids):
            self._editor.setCurrentSegmentID(self._ids[row])

    def _onItemChanged(self, item) -> None:
        if self._filling:
            return
        node, segmentID = self._editor.segmentationNode(), self._ids[item.row()]
        if item.column() == 0:
            node.GetDisplayNode().SetSegmentVisibility(segmentID, item.checkState() == Qt.Checked)
        else:
            node.GetSegmentation().GetSegment(segmentID).SetName(item.text())

    def _onAdd(self) -> None:
        segmentID = self._editor.editorLogic().AddEmptySegment()
        if segmentID:
            self._editor.setCurrentSegmentID(segmentID)

    def _onRemove(self) -> None:
        self._editor.saveStateForUndo()
        self._editor.editorLogic().RemoveSelectedSegment()

    def _onShow3D(self, shown: bool) -> None:
        self._editor.editorLogic().ToggleSegmentationSurfaceRepresentation(shown)
        if shown and slicer.util.mainWindow() is not None:
            slicer.util.resetThreeDViews()


class _Options(QtWidgets.QStackedWidget):
    """The options of the active effect: brush size and shape, threshold, islands."""

    def __init__(self, editor):
        super().__init__()
        self._editor = editor
        self._filling = False
        self._pages = {"": self.addWidget(QtWidgets.QWidget())}
        self._brush = QtWidgets.QDoubleSpinBox()
        self._sphere = QtWidgets.QCheckBox("Sphere brush")
        self._low, self._high = QtWidgets.QDoubleSpinBox(), QtWidgets.QDoubleSpinBox()
        self._operation = QtWidgets.QComboBox()
        self._size = QtWidgets.QSpinBox()
        self._buildBrush()
        self._buildThreshold()
        self._buildIslands()
        self.setSizePolicy(QtWidgets.QSizePolicy.Preferred, QtWidgets.QSizePolicy.Maximum)

    def _page(self, *names: str) -> QtWidgets.QFormLayout:
        page = QtWidgets.QWidget()
        form = QtWidgets.QFormLayout(page)
        form.setContentsMargins(0, 4, 0, 4)
        index = self.addWidget(page)
        self._pages.update(dict.fromkeys(names, index))
        return form

    def _buildBrush(self) -> None:
        self._brush.setRange(0.5, 200.0)
        self._brush.setSuffix(" mm")
        form = self._page("Paint", "Erase")
        form.addRow("Diameter:", self._brush)
        form.addRow("", self._sphere)
        self._brush.valueChanged.connect(lambda value: self._set("BrushAbsoluteDiameter", value))
        self._sphere.toggled.connect(lambda on: self._set("BrushSphere", int(on)))

    def _buildThreshold(self) -> None:
        form = self._page("Threshold")
        for label, box, name in (
            ("From:", self._low, "MinimumThreshold"),
            ("To:", self._high, "MaximumThreshold"),
        ):
            box.setRange(-32768, 32767)
            form.addRow(label, box)
            box.valueChanged.connect(lambda value, name=name: self._set(name, value))
        form.addRow("", self._applyButton())

    def _buildIslands(self) -> None:
        form = self._page("Islands")
        for key, text in (
            ("KEEP_LARGEST_ISLAND", "Keep largest island"),
            ("REMOVE_SMALL_ISLANDS", "Remove small islands"),
            ("SPLIT_ISLANDS_TO_SEGMENTS", "Split islands to segments"),
            ("KEEP_SELECTED_ISLAND", "Keep the island that is clicked"),
            ("REMOVE_SELECTED_ISLAND", "Remove the island that is clicked"),
        ):
            self._operation.addItem(text, key)
        self._size.setRange(1, 10_000_000)
        self._size.setSuffix(" voxels")
        form.addRow("Operation:", self._operation)
        form.addRow("Minimum size:", self._size)
        form.addRow("", self._applyButton())
        self._operation.currentIndexChanged.connect(
            lambda index: self._set("Operation", self._operation.itemData(index))
        )
        self._size.valueChanged.connect(lambda value: self._set("MinimumSize", value))

    def _applyButton(self) -> QtWidgets.QPushButton:
        button = QtWidgets.QPushButton("Apply")
        button.clicked.connect(lambda: self._editor.activeEffect().onApply())
        return button

    def _set(self, name: str, value) -> None:
        effect = self._editor.activeEffect()
        if not self._filling and effect is not None:
            effect.setParameter(name, value)

    def show_(self, effect) -> None:
        """Show an effect's options and values."""
        self._filling = True
        self.setCurrentIndex(self._pages.get(effect.name if effect is not None else "", 0))
        if effect is not None and effect.name in ("Paint", "Erase"):
            self._brush.setValue(effect.doubleParameter("BrushAbsoluteDiameter"))
            self._sphere.setChecked(bool(effect.integerParameter("BrushSphere")))
        elif effect is not None and effect.name == "Threshold":
            self._low.setValue(effect.doubleParameter("MinimumThreshold"))
            self._high.setValue(effect.doubleParameter("MaximumThreshold"))
        elif effect is not None and effect.name == "Islands":
            self._operation.setCurrentIndex(self._operation.findData(effect.parameter("Operation")))
            self._size.setValue(effect.integerParameter("MinimumSize"))
        self._filling = False
