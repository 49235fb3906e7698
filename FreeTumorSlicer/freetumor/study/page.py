"""report.html of a reader study: one self-contained page."""

from __future__ import annotations

from pathlib import Path

from freetumor.report.page import render
from freetumor.study.figures import Figure
from freetumor.study.key import Key
from freetumor.study.methods import methods
from freetumor.study.multireader import MEASURES
from freetumor.study.plots import TITLES
from freetumor.study.wording import dash, number, plain, share, signed

SHOWN_CASES, SHOWN_CLUES, SHOWN_UNMATCHED = 8, 200, 20


def write_page(path: Path, result: dict, key: Key, figures: list[Figure]) -> None:
    """Write the page of `result`, as :func:`freetumor.study.analysis.analyze` makes it."""
    recognised = sorted(
        (case for case in result["cases"] if case["truth"] == "synthetic"),
        key=lambda case: (-case["called_synthetic"] / case["readers"], -case["mean_answer"]),
    )
    doubted = sorted(
        (case for case in result["cases"] if case["truth"] == "real"),
        key=lambda case: (-case["called_synthetic"] / case["readers"], -case["mean_answer"]),
    )
    page = render(
        "study/report.html",
        filters={"share": share, "number": number, "signed": signed, "dash": dash, "plain": plain},
        result=result,
        figures={figure.name: figure for figure in figures},
        measures=MEASURES,
        titles=TITLES,
        # No lesion in both lists.
        recognised=recognised[: min(SHOWN_CASES, len(recognised) // 2)],
        convincing=recognised[::-1][: min(SHOWN_CASES, len(recognised) // 2)],
        doubted=doubted[:SHOWN_CASES],
        clues=result["clues"][:SHOWN_CLUES],
        unfinished=any(
            one["cases"] < one["cases_asked"] for one in result["readers"].values() if one["pooled"]
        ),
        unmatched=key.unmatched[:SHOWN_UNMATCHED],
        unmatched_left=max(len(key.unmatched) - SHOWN_UNMATCHED, 0),
        methods=methods(result),
    )
    path.write_text(page, "utf-8")
