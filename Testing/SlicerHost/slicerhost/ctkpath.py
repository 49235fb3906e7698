"""The CTK widget of a path."""

from __future__ import annotations

from pathlib import Path

from PySide6 import QtCore, QtWidgets
from PySide6.QtCore import Signal


class ctkPathLineEdit(QtWidgets.QWidget):
    """A line for a path, with a button that opens a file dialog."""

    currentPathChanged = Signal(str)
    validInputChanged = Signal(bool)
    # The values are those of QDir's filters.
    Dirs, Files, Drives, NoSymLinks, AllEntries = 0x001, 0x002, 0x004, 0x008, 0x007
    Readable, Writable, Executable, Modified, Hidden, System = 0x010, 0x020, 0x040, 0x080, 0x100, 0x200
    NoDotAndDotDot, NoDot, NoDotDot = 0x1000, 0x2000, 0x4000

    def __init__(self, parent: QtWidgets.QWidget | None = None):
        super().__init__(parent)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._combo = QtWidgets.QComboBox(self)
        self._combo.setEditable(True)
        self._combo.setSizePolicy(QtWidgets.QSizePolicy.Expanding, QtWidgets.QSizePolicy.Fixed)
        self._button = QtWidgets.QToolButton(self)
        self._button.setText("...")
        layout.addWidget(self._combo)
        layout.addWidget(self._button)
        self._filters, self._nameFilters, self._key, self._label, self._options = (
            self.AllEntries,
            [],
            "",
            "",
            0,
        )
        self._valid = False
        self._combo.editTextChanged.connect(self._edited)
        self._button.clicked.connect(self.browse)

    def _edited(self, path: str) -> None:
        valid = self._isValid(path)
        self.currentPathChanged.emit(path)
        if valid != self._valid:
            self._valid = valid
            self.validInputChanged.emit(valid)

    def _isValid(self, path: str) -> bool:
        if not path:
            return False
        if self._filters & self.Files and Path(path).is_file():
            return True
        if self._filters & self.Dirs and Path(path).is_dir():
            return True
        return bool(self._filters & self.Writable) and Path(path).parent.is_dir()

    def setCurrentPath(self, path: str) -> None:
        """The path that is shown."""
        self._combo.setEditText(path)

    currentPath = property(lambda self: self._combo.currentText, setCurrentPath)

    def setFilters(self, filters: int) -> None:
        """Files or folders, to read or to write."""
        self._filters = filters if isinstance(filters, int) else filters.value

    filters = property(lambda self: self._filters, setFilters)

    def setNameFilters(self, filters) -> None:
        """Like "Images (*.nii *.nii.gz)"."""
        self._nameFilters = list(filters)

    nameFilters = property(lambda self: tuple(self._nameFilters), setNameFilters)

    def setSettingKey(self, key: str) -> None:
        """Where the history is kept in the settings."""
        self._key = key
        self.retrieveHistory()

    settingKey = property(lambda self: self._key, setSettingKey)

    def setLabel(self, label: str) -> None:
        """Title of the file dialog."""
        self._label = label

    label = property(lambda self: self._label, setLabel)

    def setOptions(self, options) -> None:
        """Of the file dialog."""
        self._options = options

    options = property(lambda self: self._options, setOptions)

    def setShowBrowseButton(self, visible: bool) -> None:
        """The button that opens the file dialog."""
        self._button.setVisible(visible)

    showBrowseButton = property(lambda self: not self._button.isHidden(), setShowBrowseButton)

    def setShowHistoryButton(self, visible: bool) -> None:
        """The arrow that opens the history."""
        self._combo.setStyleSheet("" if visible else "QComboBox::drop-down { width: 0; }")

    showHistoryButton = property(lambda self: not self._combo.styleSheet, setShowHistoryButton)

    def comboBox(self) -> QtWidgets.QComboBox:
        """The combo box inside."""
        return self._combo

    def browse(self) -> None:
        """Open the file dialog."""
        dialog, names = QtWidgets.QFileDialog, ";;".join(self._nameFilters)
        if self._filters & self.Files:
            ask = dialog.getSaveFileName if self._filters & self.Writable else dialog.getOpenFileName
            path = ask(self, self._label, self.currentPath, names)[0]
        else:
            path = dialog.getExistingDirectory(self, self._label, self.currentPath)
        if path:
            self.setCurrentPath(path)

    def _historyKey(self) -> str:
        return f"ctkPathLineEdit/{self._key or self.objectName}"

    def retrieveHistory(self) -> None:
        """Read the paths that were kept."""
        shown = self.currentPath
        self._combo.blockSignals(True)
        self._combo.clear()
        history = QtCore.QSettings().value(self._historyKey(), [])
        self._combo.addItems([history] if isinstance(history, str) else list(history or []))
        self._combo.setEditText(shown)
        self._combo.blockSignals(False)

    def addCurrentPathToHistory(self) -> None:
        """Keep the path in the settings, newest first, five at most."""
        if not self.currentPath:
            return
        shown = [self._combo.itemText(i) for i in range(self._combo.count)]
        history = [self.currentPath, *(p for p in shown if p != self.currentPath)][:5]
        QtCore.QSettings().setValue(self._historyKey(), history)
        self.retrieveHistory()
