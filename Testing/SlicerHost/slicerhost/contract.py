"""What modules may use of Qt, CTK and qMRML in the host: nothing that Slicer does not have.

Qt's own classes come from the same headers in PySide6 and in PythonQt: all their properties, slots, signals
and public methods count. The host's own stand-ins have exactly what is listed here, checked against the
header named; everything else raises AttributeError. A module that needs more: check the header, build it in,
add it here.
"""

from __future__ import annotations

from functools import cache

from PySide6 import QtWidgets

from .contractlist import CONTRACTS, Contract

# ruff: noqa: SIM905 - long lists of names read better as text

WIDGETS = """
QWidget QLabel QPushButton QToolButton QCheckBox QComboBox QSpinBox QDoubleSpinBox QLineEdit QPlainTextEdit
QProgressBar QTableWidget QListWidget QGroupBox QTabWidget QRadioButton QButtonGroup QShortcut QTimer
QMessageBox QFileDialog QFormLayout QGridLayout QHBoxLayout QVBoxLayout QStackedWidget QScrollArea QSplitter
QFrame QDialog QDialogButtonBox QMainWindow QDockWidget QSlider QTextEdit QMenu QAction QSpacerItem
QAbstractItemView QHeaderView QTableWidgetItem QListWidgetItem QApplication QProgressDialog QLayout
QAbstractButton QStyle QToolBar QStatusBar
""".split()
VALUES = """
QBrush QByteArray QColor QCoreApplication QCursor QDateTime QDesktopServices QDir QEvent QEventLoop QFile
QFileInfo QFont QIcon QImage QIODevice QKeySequence QLocale QObject QPainter QPalette QPen QPixmap QPoint
QPointF QProcess QProcessEnvironment QRect QRectF QSettings QSize QSizePolicy Qt QUrl QVariantAnimation
QMouseEvent QKeyEvent QWheelEvent QStandardPaths QSysInfo
""".split()
QT_CLASSES = frozenset(WIDGETS) | frozenset(VALUES)
# What PythonQt gives to every object besides Qt's own: ctkAbstractPythonManager.cpp,
# PythonQtInstanceWrapper.cpp.
PYTHONQT = frozenset({"className", "name", "delete", "connect", "disconnect"})


def of(kind: type) -> Contract | None:
    """The contract of a stand-in; None for Qt's own classes and for subclasses that a module defines."""
    if kind.__module__.partition(".")[0] != "slicerhost":
        return None  # not in the cache: it would keep the classes of unloaded modules
    return _of(kind)


@cache
def _of(kind: type) -> Contract | None:
    return next((CONTRACTS[c.__name__] for c in kind.__mro__ if c.__name__ in CONTRACTS), None)


def names(kind: type) -> frozenset[str] | None:
    """All public names of a stand-in; None where Qt's own class is the contract."""
    contract = of(kind)
    return None if contract is None else _names(contract)


@cache
def _names(contract: Contract) -> frozenset[str]:
    return contract.names | PYTHONQT | {n for n in dir(getattr(QtWidgets, contract.base)) if n[0] != "_"}


def signals(kind: type, name: str) -> tuple[str, ...]:
    """The signatures of a stand-in's signal; none for Qt's own."""
    contract = of(kind)
    if contract is None:
        return ()
    return tuple(s for s in contract.signals if s.partition("(")[0] == name)


def refusal(kind: type, name: str) -> str:
    """The text of the AttributeError."""
    contract = of(kind)
    where = "" if contract is None else f" (checked against {contract.header})"
    return f"Attribute or property '{name}' does not exist on {kind.__name__}{where}."
