"""How each figure of a reader study is drawn: a matplotlib figure, or None where there are no numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from freetumor.study.agreement import cohen_pairs
from freetumor.study.cautions import FEW_REPEATS
from freetumor.study.multireader import MEASURES
from freetumor.study.reads import Reads
from freetumor.study.record import SCALE
from freetumor.study.statistics import mean_roc, roc_points

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLES = {"sensitivity": "Sensitivity", "specificity": "Specificity", "accuracy": "Accuracy", "auc": "AUC"}
WIDTH = 9.6  # inches


@dataclass(frozen=True)
class Look:
    """Colours, for a dark page or for white paper."""

    paper: str
    ink: str
    faint: str
    line: str
    synthetic: str
    real: str
    accent: str
    heat: str


DARK = Look("#171a1f", "#e9ecf0", "#98a0ab", "#3a414b", "#ffd000", "#58a6ff", "#5fd38d", "cividis")
LIGHT = Look("#ffffff", "#16181c", "#5b6470", "#b8bec7", "#b07d00", "#1f6feb", "#1a7f46", "cividis")


def forest(result: dict, reads: Reads, look: Look) -> Figure:
    """Every reader and all together, with intervals."""
    rows = [(name, one, "o") for name, one in result["readers"].items()]
    return _forest([*rows, ("pooled", result["pooled"], "D")], look)


def parts(result: dict, reads: Reads, look: Look) -> Figure | None:
    """Organs, size classes and all together."""
    rows = []
    for title in ("organs", "size_classes"):
        if len(result[title]) > 1:
            for name, part in result[title].items():
                few = "*" if part["few"] else ""
                rows.append((f"{name}{few}  {part['synthetic']} + {part['real']}", part, "o"))
    return _forest([*rows, ("all", result["pooled"], "D")], look) if rows else None


def _forest(rows: list[tuple[str, dict, str]], look: Look) -> Figure:
    figure, axes = _subplots(1, 4, (WIDTH, 0.9 + 0.27 * len(rows)), sharey=True)
    for panel, measure in zip(axes, MEASURES, strict=True):
        panel.axvline(0.5, color=look.faint, linewidth=1, linestyle=(0, (4, 3)))
        for height, (_, values, marker) in enumerate(reversed(rows)):
            one = values[measure]
            if one["value"] is None:
                continue
            whole = marker == "D"
            color = look.synthetic if whole else look.ink
            if one["low"] is not None:
                panel.plot(
                    [one["low"], one["high"]], [height, height], color=color, linewidth=2.4 if whole else 1.3
                )
            panel.plot(one["value"], height, marker, color=color, markersize=6.5 if whole else 4.5)
        panel.set(title=TITLES[measure], xlim=(-0.02, 1.02), xticks=(0, 0.25, 0.5, 0.75, 1))
        panel.set_xticklabels(("0", "", "0.5", "", "1"))
        panel.axhspan(-0.5, 0.5, color=look.faint, alpha=0.12, linewidth=0)
        panel.tick_params(axis="y", length=0)
        panel.spines["left"].set_visible(False)
    axes[0].set(yticks=range(len(rows)), ylim=(-0.6, len(rows) - 0.4))
    axes[0].set_yticklabels([name for name, *_ in reversed(rows)])
    figure.subplots_adjust(wspace=0.12)
    return figure


def roc(result: dict, reads: Reads, look: Look) -> Figure | None:
    """Each reader's curve, their mean, and where they cut between real and synthetic."""
    curves = []
    for number, reader in enumerate(reads.readers):
        read = np.isfinite(reads.main[number])
        classes = reads.synthetic[read]
        if result["readers"][reader]["pooled"] and classes.any() and not classes.all():
            curves.append((reader, roc_points(reads.main[number], reads.synthetic)))
    if not curves:
        return None
    figure, axis = _subplots(1, 1, (4.9, 4.7))
    axis.plot([0, 1], [0, 1], color=look.faint, linewidth=1, linestyle=(0, (4, 3)), label="chance")
    for number, (reader, (x, y)) in enumerate(curves):
        label = "readers" if number == 0 else None
        axis.plot(x, y, color=look.real, linewidth=0.9, alpha=0.55, label=label)
        one = result["readers"][reader]
        if one["sensitivity"]["value"] is not None and one["specificity"]["value"] is not None:
            axis.plot(
                1 - one["specificity"]["value"], one["sensitivity"]["value"], "o", color=look.real,
                markersize=3.5, alpha=0.8,
            )  # fmt: skip
    whole = result["pooled"]
    area = whole["auc"]
    said = f"mean, AUC {area['value']:.2f}"
    if area["low"] is not None:
        said += f" ({area['low']:.2f} to {area['high']:.2f})"
    axis.plot(*mean_roc([curve for _, curve in curves]), color=look.synthetic, linewidth=2.4, label=said)
    axis.plot(
        1 - whole["specificity"]["value"], whole["sensitivity"]["value"], "D", color=look.synthetic,
        markersize=7, label="mean, cut between 3 and 4",
    )  # fmt: skip
    axis.set(xlabel="1 − specificity", ylabel="sensitivity (synthetic called synthetic)", aspect="equal")
    axis.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axis.legend(loc="lower right", fontsize=8)
    return figure


def table(result: dict, reads: Reads, look: Look) -> Figure | None:
    """The confusion table of the pooled readers."""
    counts = result["confusion"]
    rows = np.array(
        [
            [counts["true_positive"], counts["false_negative"]],
            [counts["false_positive"], counts["true_negative"]],
        ]
    )
    if not rows.sum():
        return None
    shares = rows / np.maximum(rows.sum(axis=1, keepdims=True), 1)
    figure, axis = _subplots(1, 1, (4.2, 3.4))
    axis.imshow(shares, vmin=0, vmax=1, cmap=look.heat, aspect="auto")
    for (row, column), count in np.ndenumerate(rows):
        share = shares[row, column]
        color = "#16181c" if share > 0.55 else "#ffffff"
        axis.text(
            column, row, f"{count}\n{100 * share:.1f} %", ha="center", va="center", color=color, fontsize=13
        )
    axis.set_xticks((0, 1), ("called synthetic", "called real"))
    axis.set_yticks((0, 1), ("synthetic\n(positive)", "real"))
    axis.xaxis.tick_top()
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    return figure


def answers(result: dict, reads: Reads, look: Look) -> Figure | None:
    """How often each of the six answers was given."""
    given = {name: np.array(counts, float) for name, counts in result["ratings"].items()}
    if not sum(counts.sum() for counts in given.values()):
        return None
    figure, axis = _subplots(1, 1, (WIDTH, 2.5))
    place = np.arange(len(SCALE))
    for shift, (name, color) in ((-0.2, ("synthetic", look.synthetic)), (0.2, ("real", look.real))):
        counts = given[name]
        share = counts / max(counts.sum(), 1)
        label = f"{name} lesions, {counts.sum():.0f} reads"
        bars = axis.bar(place + shift, share, 0.38, color=color, label=label)
        axis.bar_label(bars, [f"{value:.0%}" for value in share], fontsize=8, color=look.faint, padding=2)
    axis.axvline(2.5, color=look.faint, linewidth=1, linestyle=(0, (4, 3)))
    axis.set_xticks(
        place, [f"{number}\n{text.replace(' ', chr(10))}" for number, text in enumerate(SCALE, 1)]
    )
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axis.set_ylabel("of the reads of a class")
    _legend_above(axis)
    return figure


def times(result: dict, reads: Reads, look: Look) -> Figure | None:
    """Response times of each reader, synthetic and real apart."""
    first = reads.first_reads()
    if not first:
        return None
    figure, axis = _subplots(1, 1, (WIDTH, 3.0))
    place = np.arange(len(reads.readers))
    for shift, synthetic, color in ((-0.18, True, look.synthetic), (0.18, False, look.real)):
        values = [
            [read.seconds for read in first if read.reader == reader and read.known.synthetic is synthetic]
            or [np.nan]
            for reader in reads.readers
        ]
        axis.boxplot(
            values, positions=place + shift, widths=0.28, showfliers=False, patch_artist=True,
            medianprops={"color": look.paper, "linewidth": 1.6},
            boxprops={"facecolor": color, "edgecolor": color},
            whiskerprops={"color": color}, capprops={"color": color}, manage_ticks=False,
        )  # fmt: skip
        axis.plot([], [], "s", color=color, label="synthetic lesions" if synthetic else "real lesions")
    longest = max(read.seconds for read in first)
    if longest > 0:
        axis.set_ylim(0, None)
    turned = {"rotation": 30, "ha": "right"} if len(place) > 6 else {}
    axis.set_xticks(place, reads.readers, **turned)
    axis.set_ylabel("seconds to the answer")
    _legend_above(axis)
    return figure


def kappas(result: dict, reads: Reads, look: Look) -> Figure | None:
    """Cohen's kappa of each two readers; on the diagonal a reader's repeats."""
    count = len(reads.readers)
    if count < 2:
        return None
    values = cohen_pairs(reads.main)
    read = np.isfinite(reads.main).astype(int)
    cases = read @ read.T
    for number, reader in enumerate(reads.readers):
        own = result["readers"][reader]["repeats"]
        values[number, number] = np.nan if own["kappa"] is None else own["kappa"]
        cases[number, number] = own["count"]
    few = cases < FEW_REPEATS
    size = min(max(0.52 * count + 1.4, 3.4), WIDTH - 1.5)
    figure, axis = _subplots(1, 1, (size + 0.8, size))
    shown = axis.imshow(values, vmin=-0.2, vmax=1, cmap=look.heat, alpha=np.where(few, 0.3, 1.0))
    for (row, column), value in np.ndenumerate(values):
        text = "–" if np.isnan(value) else f"{value:.2f}"
        if few[row, column] and cases[row, column]:
            text += f"\nn = {cases[row, column]}"
        dark = not np.isnan(value) and value > 0.55
        color = look.faint if np.isnan(value) else "#16181c" if dark else "#ffffff"
        if few[row, column]:
            color = look.faint
        weight = "bold" if row == column else "normal"
        axis.text(column, row, text, ha="center", va="center", fontsize=7.5, color=color, weight=weight)
    axis.set_xticks(range(count), reads.readers, rotation=40, ha="right")
    axis.set_yticks(range(count), reads.readers)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    bar = figure.colorbar(shown, ax=axis, fraction=0.045, pad=0.03)
    bar.set_label("Cohen's kappa")
    bar.outline.set_visible(False)
    return figure


def _legend_above(axis: Axes) -> None:
    # Outside of the axes: any bar or box may be the highest.
    axis.legend(fontsize=8, ncols=2, loc="lower right", bbox_to_anchor=(1, 1.02), borderaxespad=0)


def _subplots(rows: int, columns: int, size: tuple[float, float], **options: object) -> tuple:
    # Without pyplot: nothing is kept, no window system is asked for.
    from matplotlib.figure import Figure

    figure = Figure(figsize=size)
    return figure, figure.subplots(rows, columns, **options)


# Name of the files, title, what it shows, and who draws it.
FIGURES = (
    ("forest", "Readers", "Circles: each reader (Wilson; AUC: bootstrap). Diamond: all readers together, for "
     "readers and cases like these. Lines: 95 % intervals. Dashed: chance.", forest),
    ("roc", "ROC curves", "Thin: readers; thick: their mean. Points: 4 to 6 taken as synthetic.", roc),
    ("confusion", "Confusion table", "First reads of the pooled readers; share of each row.", table),
    ("answers", "Answers", "Readers who cannot tell give both classes the same answers.", answers),
    ("parts", "Organs and size classes", "Cases: synthetic + real. * few cases.", parts),
    ("times", "Response times", "Median, quartiles and range without outliers.", times),
    ("kappa", "Agreement of two readers", "Binary answers; diagonal: a reader’s repeats. Faint: "
     f"fewer than {FEW_REPEATS} cases (n), which tell little.", kappas),
)  # fmt: skip
