"""Numbers of a report in words."""

from __future__ import annotations

from freetumor.study.multireader import MEASURES


def headline(result: dict) -> list[str]:
    """The pooled values, what they mean, and the warnings, for a terminal."""
    said = [f"positive class: {result['positive']}; 95 % intervals for readers and cases like these"]
    for measure in MEASURES:
        estimate = result["pooled"][measure]
        said.append(f"{measure:<14}{number(estimate) if measure == 'auc' else share(estimate)}")
    if result["equivalence"]:
        said.append(f"accuracy is {result['equivalence']['said']}")
    return said


def share(estimate: dict) -> str:
    """A share with its interval, in percent."""
    if estimate["value"] is None:
        return "–"
    said = f"{estimate['value']:.1%}".replace("%", " %")
    if estimate["low"] is None:
        return said
    return f"{said} ({100 * estimate['low']:.1f} to {100 * estimate['high']:.1f})"


def number(estimate: dict) -> str:
    """A number with its interval, two decimals."""
    if estimate["value"] is None:
        return "–"
    if estimate["low"] is None:
        return signed(estimate["value"])
    return f"{signed(estimate['value'])} ({signed(estimate['low'])} to {signed(estimate['high'])})"


def signed(value: float | None) -> str:
    """Two decimals and a real minus sign."""
    return "–" if value is None else f"{value:.2f}".replace("-", "−")


def dash(value: float | None, form: str = "{:.1f}") -> str:
    """A number, or a dash where there is none."""
    return "–" if value is None else form.format(value)


def plain(value: float) -> str:
    """A measured value with three digits, or all of those before the point."""
    return (f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}").replace("-", "−")
