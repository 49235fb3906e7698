"""Slicer's qMRML and qSlicer widgets: the classes that our modules use, over the real scene."""

from __future__ import annotations

from .mrmlwidget import qMRMLWidget, qSlicerWidget
from .nodecombobox import qMRMLNodeComboBox
from .segmenteditor import qMRMLSegmentEditorWidget
from .segmentselector import qMRMLSegmentSelectorWidget

WIDGETS = {
    widget.__name__: widget
    for widget in (
        qMRMLWidget,
        qSlicerWidget,
        qMRMLNodeComboBox,
        qMRMLSegmentSelectorWidget,
        qMRMLSegmentEditorWidget,
    )
}
"""Class name as in a .ui file -> class."""
