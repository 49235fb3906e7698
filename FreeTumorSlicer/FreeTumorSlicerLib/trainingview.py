"""A run on the panel: its numbers as text, its curves, and its newest picture."""

import shutil
import tempfile
import time
from pathlib import Path

import qt
import slicer
from freetumor.training.following import SCORE, Run, read_run
from slicer.i18n import tr as _

_LEAST, _MOST, _HEIGHT = 240, 420, 130  # width of curves and picture, and height of the curves: pixels
_LEAST_S = 1.0  # between two looks into a run that is going on


class TrainingView:
    """Shows the run of a folder.

    Args:
        ui: the widgets of the form.
    """

    def __init__(self, ui) -> None:
        self._ui, self._shown, self._looked, self._dialog = ui, None, 0.0, None
        self._scratch = Path(tempfile.mkdtemp(prefix="freetumor-curves-", dir=slicer.app.temporaryPath))
        self.run = None
        ui.enlargePictureButton.connect("clicked()", self.enlarge)
        self.show(None)

    def follow(self, folder: Path, now=False) -> None:
        """Look again what a run has written; not more than once a second, unless it must be `now`."""
        if now or time.monotonic() - self._looked >= _LEAST_S:
            self._looked = time.monotonic()
            self.show(read_run(folder))

    def show(self, run: Run | None) -> None:
        """Show a run, or that there is none."""
        self.run = run
        state = None if run is None else (run.folder, run.step, len(run.validations), run.picture)
        if state == self._shown and run is not None:
            return
        self._shown, ui = state, self._ui
        file = None if run is None else self._drawn(run)
        ui.trainingCurvesLabel.setVisible(file is not None)
        if file is not None:
            ui.trainingCurvesLabel.setPixmap(qt.QPixmap(str(file)))
        numbers = {} if run is None or not run.steps else run.steps[run.step]["losses"]
        told = "\n".join(f"{name} {value:.4g}" for name, value in numbers.items())
        ui.trainingStatusLabel.toolTip = told
        picture = None if run is None else run.picture
        ui.trainingPictureLabel.setVisible(picture is not None)
        ui.enlargePictureButton.setVisible(picture is not None)
        if picture is not None:
            pixmap = qt.QPixmap(str(picture))
            if pixmap.width() > self._width():
                pixmap = pixmap.scaledToWidth(self._width(), qt.Qt.SmoothTransformation)
            ui.trainingPictureLabel.setPixmap(pixmap)

    def _drawn(self, run: Run) -> Path | None:
        """The curves as a file; None where there are none yet, or nothing that draws them."""
        curves = run.curves()
        try:
            from freetumor.training.curves import write_curves
        except ImportError:  # Pillow, which a training needs: the run was made on another computer
            return None
        if not curves:
            return None
        write_curves(self._scratch / "curves.png", curves, run.wanted, (self._width(), _HEIGHT))
        return self._scratch / "curves.png"

    def _width(self) -> int:
        """What the panel has room for, now."""
        return max(_LEAST, min(_MOST, self._ui.trainingPlanLabel.width))

    def words(self) -> str:
        """How the last validation went; the losses are in what the run says itself."""
        scores = [] if self.run is None else self.run.curves().get(SCORE, [])
        if not scores:
            return ""
        return _("validation {last:.3g} (best {best:.3g})").format(
            last=scores[-1][1], best=max(score for _step, score in scores)
        )

    def enlarge(self) -> None:
        """Show the picture in its own size in a window."""
        if self.run is None or self.run.picture is None:
            return
        self.close()
        self._dialog = qt.QDialog(slicer.util.mainWindow())
        self._dialog.setWindowTitle(
            _("{name}, step {step}").format(name=self.run.name, step=int(self.run.picture.stem[-8:]))
        )
        label = qt.QLabel()
        label.setPixmap(qt.QPixmap(str(self.run.picture)))
        layout = qt.QVBoxLayout(self._dialog)
        layout.addWidget(label)
        self._dialog.show()

    def close(self) -> None:
        """Take the window away."""
        if self._dialog is not None:
            self._dialog.hide()
            self._dialog.deleteLater()
            self._dialog = None

    def cleanup(self) -> None:
        """The module goes."""
        self.close()
        shutil.rmtree(self._scratch, ignore_errors=True)
