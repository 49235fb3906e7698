"""Draws the icons of the extension and of its modules: an axial slice, and what the module does to it.

    python Resources/draw_icons.py

Drawn at four times the size and scaled down, so that edges are smooth. Icons of modules stay readable at
the 16 px of Slicer's module list: few shapes, strong contrast, one accent.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw

REPOSITORY = Path(__file__).resolve().parents[1]
SIZE, FINE = 128, 4
NIGHT, BODY, LUNG, HEART, BONE = "#16202e", "#8396ab", "#22303f", "#b4c1cf", "#ffffff"
TUMOR, OUTLINE = "#ff7a3d", "#39d98a"
TARGETS = {
    "Resources/FreeTumor.png": "hub",
    "FreeTumorSlicer/Resources/Icons/FreeTumorSlicer.png": "hub",
    "FreeTumorSynth/Resources/Icons/FreeTumorSynth.png": "synth",
    "FreeTumorSegment/Resources/Icons/FreeTumorSegment.png": "segment",
}


class Canvas:
    """Shapes in units of the finished icon, with y down."""

    def __init__(self) -> None:
        self.image = Image.new("RGBA", (SIZE * FINE, SIZE * FINE), (0, 0, 0, 0))
        self._draw = ImageDraw.Draw(self.image)

    def tile(self) -> None:
        """The dark square with round corners that every icon stands on."""
        self._draw.rounded_rectangle(self._box(4, 4, 124, 124), radius=26 * FINE, fill=NIGHT)

    def ellipse(self, x: float, y: float, rx: float, ry: float, color: str) -> None:
        """A filled ellipse around (x, y)."""
        self._draw.ellipse(self._box(x - rx, y - ry, x + rx, y + ry), fill=color)

    def ring(self, x: float, y: float, r: float, width: float, color: str, dashes: int = 0) -> None:
        """A circle line; with `dashes`, that many arcs."""
        box, thick = self._box(x - r, y - r, x + r, y + r), round(width * FINE)
        if not dashes:
            self._draw.ellipse(box, outline=color, width=thick)
        for number in range(dashes):
            start = 360 * number / dashes
            self._draw.arc(box, start, start + 230 / dashes, fill=color, width=thick)

    def bar(self, x: float, y: float, half_width: float, half_height: float, color: str) -> None:
        """A bar with round ends around (x, y)."""
        box = self._box(x - half_width, y - half_height, x + half_width, y + half_height)
        self._draw.rounded_rectangle(box, radius=min(half_width, half_height) * FINE, fill=color)

    def finished(self) -> Image.Image:
        """The icon at its size."""
        return self.image.resize((SIZE, SIZE), Image.Resampling.LANCZOS)

    @staticmethod
    def _box(left: float, top: float, right: float, bottom: float) -> tuple[int, int, int, int]:
        return tuple(round(v * FINE) for v in (left, top, right, bottom))


def draw(what: str) -> Image.Image:
    """The icon of the hub, of the synthesis or of the segmentation module."""
    canvas = Canvas()
    canvas.tile()
    canvas.ellipse(64, 65, 55, 43, BODY)
    canvas.ellipse(40, 64, 23, 32, LUNG)
    canvas.ellipse(88, 64, 23, 32, LUNG)
    canvas.bar(64, 62, 8, 36, BODY)
    canvas.ellipse(71, 50, 16, 17, HEART)
    canvas.ellipse(77, 84, 5, 5, HEART)
    canvas.ellipse(64, 90, 10, 9, BONE)
    canvas.bar(64, 99, 3, 8, BONE)
    if what == "hub":
        canvas.ellipse(37, 62, 12, 12, TUMOR)
    elif what == "synth":
        canvas.ellipse(37, 70, 12, 12, TUMOR)
        canvas.ellipse(29, 29, 25, 25, NIGHT)
        canvas.bar(29, 29, 17, 5.5, TUMOR)
        canvas.bar(29, 29, 5.5, 17, TUMOR)
    else:
        canvas.ellipse(37, 62, 10, 10, TUMOR)
        canvas.ring(37, 62, 20, 5.5, OUTLINE, dashes=4)
    return canvas.finished()


if __name__ == "__main__":
    for target, what in TARGETS.items():
        draw(what).save(REPOSITORY / target, optimize=True)
