"""What the panel shows of the parameters beyond the widgets that are connected by name."""

import itertools

from freetumor.anatomy import organ as organRow
from freetumor.errors import FreeTumorError
from FreeTumorSlicerLib.volumes import geometryOfNode
from FreeTumorSlicerLib.widgets import showNoDots, showPlaceholder
from slicer.i18n import tr as _

from FreeTumorSynthLib.parameters import BY_DIAMETER, DRAW, LABEL_MAP, MODES, OWN_VALUES, SAMPLE
from FreeTumorSynthLib.request import cannotCompute


class Choices:
    """Shows organ, size and place as the parameters have them."""

    def __init__(self, ui) -> None:
        self._ui = ui
        showPlaceholder(ui.caseFolderLineEdit, _("folder of the cases"))
        showPlaceholder(ui.exportFolderLineEdit, _("folder of the data set"))
        self.forget()

    def forget(self) -> None:
        """Show everything anew next time: the scene was closed."""
        self._organ = self._grid = None

    def show(self, p) -> str:
        """Show the parameters; what is wrong with the CT's grid, or empty."""
        self._showOrgan(p)
        self._showMode(p)
        self._ui.countSpinBox.enabled = p.mode == SAMPLE
        self._ui.contrastSlider.enabled = p.ownContrast
        showNoDots(self._ui.caseFolderLineEdit, self._ui.exportFolderLineEdit)
        try:
            self._showPlace(p)
        except FreeTumorError as error:
            return str(error)
        return ""

    def showResult(self, result) -> None:
        """What the result is; there is no such section without one."""
        self._ui.resultButton.setVisible(result is not None)
        self._ui.verdictLabel.text = "" if result is None else result.words()

    def showEditor(self, p) -> None:
        """The editor is there while there is a drawing to see: it takes half of the panel."""
        node = p.drawnSegmentation
        drawn = (
            node is not None and node.GetDisplayNode() is not None and node.GetDisplayNode().GetVisibility()
        )
        self._ui.segmentEditor.setVisible(bool(p.mode == DRAW and drawn))

    def _showMode(self, p) -> None:
        """The tab of the mode, and the size where it is asked for."""
        sampled = p.mode != DRAW
        self._ui.modeTabs.currentIndex = MODES.index(p.mode)
        self._showRow("sizeComboBox", sampled)
        self._showRow("diameterSlider", sampled)
        self._ui.diameterSlider.enabled = p.size == BY_DIAMETER
        self.showEditor(p)

    def _showRow(self, name: str, shown: bool) -> None:
        """A widget of a form with its label."""
        getattr(self._ui, name).setVisible(shown)
        getattr(self._ui, f"{name}Label").setVisible(shown)

    def _showOrgan(self, p) -> None:
        fromMap = p.organSource == LABEL_MAP
        self._ui.organLabelMapWidget.setVisible(fromMap)
        self._ui.organSegmentSelector.setVisible(not fromMap)
        self._showRow("organValuesLineEdit", p.labelConvention == OWN_VALUES)
        self._ui.labelOrganButton.setVisible(not cannotCompute(p.organ))
        if self._organ is not None and self._organ != p.organ and not p.ownContrast:
            row = organRow(p.organ)
            p.contrast = float(round(row.polarity * sum(row.contrast.limits) / 2.0))
        self._organ = p.organ

    def _showPlace(self, p) -> None:
        """The sliders of the place span the CT, and no more."""
        node = p.inputVolume
        if node is None or node.GetImageData() is None or self._grid == (node.GetID(), node.GetMTime()):
            return
        self._grid = node.GetID(), node.GetMTime()
        geometry = geometryOfNode(node)
        ends = geometry.index_to_ras(list(itertools.product(*((0, n - 1) for n in geometry.shape))))
        for axis, name in enumerate(("right", "anterior", "superior")):
            low, high = float(ends[:, axis].min()), float(ends[:, axis].max())
            if not low <= getattr(p, name) <= high:
                setattr(p, name, round((low + high) / 2.0, 1))
            getattr(self._ui, f"{name}Slider").setRange(low, high)
