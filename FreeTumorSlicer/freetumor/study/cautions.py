"""What a reader of the report must be warned of: numbers too small, readers who stopped, answers changed."""

from __future__ import annotations

from freetumor.study.record import MAIN, PAIRS

FEW_READERS, FEW_CASES, FEW_IN_PART, FEW_REPEATS = 4, 20, 10, 10
# Simulated studies with an AUC of 0.99: 95 % intervals contain it in 92 %.
EXTREME = 0.95
HALF = 0.5  # share of the cases from which a reader enters the pooled values


def warnings(result: dict, torn: int) -> list[str]:
    """Sentences for the top of the report.

    Args:
        result: as :func:`freetumor.study.analysis.analyze` makes it. torn: answers cut off and asked again.
    """
    return [
        *_readers(result),
        *_cases(result),
        *_parts(result),
        *_agreement(result),
        *_answers(result, torn),
    ]


def _readers(result: dict) -> list[str]:
    said = []
    counted = result["counts"]["readers_pooled"]
    for reader, one in result["readers"].items():
        if not one["pooled"]:
            said.append(
                f"{reader} answered {one['cases']} of {one['cases_asked']} cases, less than half: listed, "
                "but not in the pooled values"
            )
        elif one["cases"] < one["cases_asked"]:
            said.append(f"{reader} answered {one['cases']} of {one['cases_asked']} cases")
    silent = result["counts"]["readers_asked"] - len(result["readers"])
    if silent:
        said.append(f"{silent} of {result['counts']['readers_asked']} readers gave no answer that counts")
    if counted == 0:
        said.append("no reader answered half of the cases: there are no pooled values")
    elif counted == 1:
        said.append("one reader: the pooled intervals are of this reader only, not of readers in general")
    elif counted < FEW_READERS:
        said.append(f"{counted} readers: what readers in general would do is hardly known from so few")
    return said


def _cases(result: dict) -> list[str]:
    counts = result["counts"]
    said = [
        f"only {counts[name]} {name} cases: fewer than {FEW_CASES}, the intervals are rough"
        for name in ("synthetic", "real")
        if counts[name] < FEW_CASES
    ]
    if counts["patients"] < counts["synthetic"] + counts["real"]:
        said.append(
            f"{counts['synthetic'] + counts['real']} cases of {counts['patients']} patients: cases of one "
            "patient are counted as one cluster in the pooled intervals, and as independent in those of a "
            "single reader"
        )
    area = result["pooled"]["auc"]["value"]
    if area is not None and max(area, 1 - area) > EXTREME:
        said.append("an AUC so near the end of its range: its interval is somewhat too narrow")
    return said


def _parts(result: dict) -> list[str]:
    said = []
    for title in ("organs", "size_classes"):
        few = [name for name, part in result[title].items() if part["few"]]
        if few and len(result[title]) > 1:
            said.append(
                f"{', '.join(few)}: fewer than {FEW_IN_PART} cases of a class, do not rely on these rows"
            )
    return said


def _agreement(result: dict) -> list[str]:
    said = []
    repeats = [one["repeats"]["count"] for one in result["readers"].values()]
    if not any(repeats):
        said.append("no repeats: nothing is known of how readers agree with themselves")
    elif min(repeats) < FEW_REPEATS:
        several = f"{min(repeats)} to {max(repeats)}" if min(repeats) < max(repeats) else f"{min(repeats)}"
        said.append(
            f"{several} repeats a reader: rely on the pooled kappa of readers with "
            "themselves, not on that of a single reader"
        )
    without = [name for name, one in result["readers"].items() if one["auc"]["low"] is None]
    if without:
        said.append(f"no interval of the AUC: {', '.join(without)} (too few cases, or all told apart)")
    return said


def _answers(result: dict, torn: int) -> list[str]:
    said = []
    changed = sum(one["changed_answers"] for one in result["readers"].values())
    if changed:
        said.append(f"{changed} answers were changed afterwards; the last one counts")
    if torn:
        said.append(f"{torn} lines of answers were cut off (a program was killed) and asked for again")
    choice = result["forced_choice"]
    if choice and choice["pooled"]["value"] is None:
        pairs = "one pair" if choice["pairs"] == 1 else f"{choice['pairs']} pairs"
        said.append(f"{pairs} in the {PAIRS} block: too few for a pooled value")
    elif choice and choice["pairs"] < FEW_CASES:
        said.append(f"only {choice['pairs']} pairs in the {PAIRS} block: its interval is rough")
    if result["counts"]["reads"] == 0:
        said.append(f"no answers in the {MAIN} block")
    return said
