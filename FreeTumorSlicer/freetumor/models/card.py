"""The model card (``README.md``), written from the record. What the record does not say is "not stated"."""

from __future__ import annotations

from collections.abc import Mapping

from freetumor.anatomy import ORGANS
from freetumor.models.use import RESEARCH, use_of

_NOT_STATED = "not stated"
_RESEARCH = (
    "**Research weights.** What they were trained on, or with, may not be used commercially or not be "
    "changed, or its licence is not stated: they are for research only, and used after consent."
)


def card(record: Mapping) -> str:
    """The card of a checked record, Markdown."""
    networks = [
        f"* {part}: {spec['architecture']}"
        + "".join(f", {k} {v}" for k, v in spec.get("settings", {}).items())
        for part, spec in record["networks"].items()
    ]
    return (
        "\n".join(
            [
                f"# {record.get('title', record['name'])}",
                "",
                "**Not for clinical use.** A model of FreeTumor, for research on synthetic tumors in CT.",
                "",
                *([_RESEARCH, ""] if use_of(record) == RESEARCH else []),
                f"* Name: `{record['name']}`",
                f"* Organs: {', '.join(record['organs'])} ({record['group']})",
                f"* Licence: {record.get('licence', _NOT_STATED)}",
                f"* Source: {record.get('source', _NOT_STATED)}",
                f"* Training steps: {record.get('steps', _NOT_STATED)}",
                f"* Training hardware: {record.get('hardware', _NOT_STATED)}",
                f"* Trained against: {', '.join(record.get('trained_against', ())) or _NOT_STATED}",
                f"* Input: HU {_pair(record['window'])} scaled to 0..1,",
                f"  voxels of {_by(record['spacing'])} mm, "
                f"patches of {_by(record['patch'])} voxels (k, j, i)",
                f"* Weights: {record['bytes'] / 1e6:.1f} MB, SHA-256 `{record['sha256']}`",
                "",
                *_section("Networks", networks),
                *_section("Training data", _data(record.get("training_data", ()))),
                *_section("Metrics", _metrics(record.get("metrics", ()))),
                *_section(
                    "Measured times",
                    [
                        f"* {s['what']}: {s['seconds']:g} s on {s['machine']}"
                        for s in record.get("measured_seconds", ())
                    ],
                ),
                *_section("Limits", [f"* {text}" for text in (*record.get("limits", ()), *_others(record))]),
                *_section("Quirks", [f"* {text}" for text in record.get("quirks", ())]),
            ]
        ).rstrip()
        + "\n"
    )


def _others(record: Mapping) -> list[str]:
    """What there is for the organs that a generator was not trained on."""
    others = [f"{row.title}s" for name, row in ORGANS.items() if name not in record["organs"]]
    if "generator" not in record["networks"] or not others:
        return []
    return [
        f"No learned weights in it for {', '.join(others)}: without others, the procedural engine is the "
        "default there."
    ]


def _section(title: str, lines: list[str]) -> list[str]:
    return [f"## {title}", *(lines or [f"{_NOT_STATED}."]), ""]


def _metrics(metrics: list[Mapping]) -> list[str]:
    if not metrics:
        return []
    rows = [
        f"| {m['name']} | {m.get('organ', '')} | {m['data']} | {m['value']:g} | "
        f"{_pair(m['interval'])} ({m.get('level', 0.95):.0%}) | {m['cases']} |"
        for m in metrics
    ]
    return [
        "| metric | organ | data | value | interval | cases |",
        "| --- | --- | --- | --- | --- | --- |",
        *rows,
    ]


def _data(said: str | list[Mapping]) -> list[str]:
    if isinstance(said, str):
        return [said]
    lines = []
    for data in said:
        cases = f"{data['cases']} cases" if "cases" in data else f"cases {_NOT_STATED}"
        lines.append(f"* {data['name']}: {cases}, licence {data.get('licence', _NOT_STATED)}")
    return lines


def _pair(values: list[float]) -> str:
    return f"{values[0]:g} to {values[1]:g}"


def _by(values: list[float]) -> str:
    return " x ".join(f"{v:g}" for v in values)
