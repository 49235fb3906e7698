"""The table of lesions: fill it, jump to a lesion, show all in 3-D."""

import slicer
from FreeTumorSlicerLib.widgets import fillTable
from slicer.i18n import tr as _

_PROBABILITY = 5  # the column


class LesionPanel:
    """Fills ``ui.lesionTable``.

    Args:
        ui: the widgets of the module's form.
    """

    def __init__(self, ui) -> None:
        self._ui = ui
        self.lesions = []
        ui.lesionTable.connect("cellClicked(int,int)", self._onCellClicked)

    def show(self, lesions) -> None:
        """Fill the table with `lesions`."""
        self.lesions = list(lesions)
        fillTable(self._ui.lesionTable, [_cells(lesion) for lesion in self.lesions])
        told = any(lesion.probability is not None for lesion in self.lesions)
        self._ui.lesionTable.setColumnHidden(_PROBABILITY, not told)
        self._ui.lesionSummary.text = self._summary()

    def clear(self, reason: str) -> None:
        """Empty the table and say why."""
        self.show([])
        self._ui.lesionSummary.text = reason

    def jumpTo(self, row: int) -> None:
        """Center all slice views on the lesion in `row`, and put the crosshair there."""
        right, anterior, superior = self.lesions[row].centre_ras
        node = slicer.vtkMRMLSliceNode
        node.JumpAllSlices(slicer.mrmlScene, right, anterior, superior, node.CenteredJumpSlice)
        crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
        if crosshair is not None:
            crosshair.SetCrosshairRAS(right, anterior, superior)

    def _onCellClicked(self, row: int, _column: int) -> None:
        self.jumpTo(row)

    def _summary(self) -> str:
        if not self.lesions:
            return _("No lesion in this segmentation.")
        volume = sum(lesion.volume_mm3 for lesion in self.lesions) / 1000.0
        return _("Lesions: {count}, together {volume} ml.").format(
            count=len(self.lesions), volume=_milliliters(volume)
        )


def _cells(lesion) -> tuple:
    return (
        str(lesion.number),
        lesion.organ,
        _milliliters(lesion.volume_mm3 / 1000.0),
        f"{lesion.diameter_mm:.1f}",
        "-" if lesion.mean_hu is None else f"{lesion.mean_hu:.0f}",
        "-" if lesion.probability is None else f"{lesion.probability:.2f}",
    )


def _milliliters(volume: float) -> str:
    """Small lesions have a few hundredths of a milliliter: three digits that count."""
    return f"{volume:.3g}" if volume < 100 else f"{volume:.0f}"


def show3D(node, shown: bool) -> None:
    """Show or hide the surfaces of a segmentation; they are made when first shown."""
    if shown:
        node.CreateClosedSurfaceRepresentation()
    node.GetDisplayNode().SetVisibility3D(shown)
    if shown:
        slicer.util.resetThreeDViews()
