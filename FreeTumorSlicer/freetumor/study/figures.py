"""The report's figures: inside the page, and as PDF and PNG on white for a manuscript."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from freetumor.study import plots
from freetumor.study.reads import Reads

_PNG_DPI = 300
_FONTS = ["DejaVu Sans"]


@dataclass(frozen=True)
class Figure:
    """A drawn figure: `svg` in base64, and what it shows in words."""

    name: str
    title: str
    says: str
    svg: str


def draw_figures(folder: Path, result: dict, reads: Reads) -> list[Figure]:
    """Draw every figure that there are numbers for; PDF and PNG go to `folder`."""
    import matplotlib as mpl

    folder.mkdir()
    drawn = []
    for name, title, says, draw in plots.FIGURES:
        svg = io.BytesIO()
        # Nothing of the user's own settings, nothing that changes from run to run.
        with mpl.rc_context({**mpl.rcParamsDefault, **_settings(plots.DARK)}):
            figure = draw(result, reads, plots.DARK)
            if figure is None:
                continue
            _save(figure, svg, "svg", metadata={"Date": None, "Creator": None})
        with mpl.rc_context({**mpl.rcParamsDefault, **_settings(plots.LIGHT)}):
            figure = draw(result, reads, plots.LIGHT)
            _save(figure, folder / f"{name}.png", "png", dpi=_PNG_DPI)
            _save(figure, folder / f"{name}.pdf", "pdf", metadata={"CreationDate": None})
        drawn.append(Figure(name, title, says, base64.b64encode(svg.getvalue()).decode()))
    return drawn


def _save(figure: object, to: object, kind: str, **options: object) -> None:
    figure.savefig(to, format=kind, bbox_inches="tight", pad_inches=0.08, **options)


def _settings(look: plots.Look) -> dict:
    return {
        "font.family": _FONTS,
        "font.size": 9,
        "figure.facecolor": look.paper,
        "savefig.facecolor": look.paper,
        "axes.facecolor": look.paper,
        "axes.edgecolor": look.line,
        "axes.labelcolor": look.ink,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 10,
        "text.color": look.ink,
        "xtick.color": look.faint,
        "ytick.color": look.faint,
        "xtick.labelcolor": look.ink,
        "ytick.labelcolor": look.ink,
        "legend.frameon": False,
        "svg.fonttype": "path",
        "svg.hashsalt": "freetumor",
        "pdf.fonttype": 42,
    }
