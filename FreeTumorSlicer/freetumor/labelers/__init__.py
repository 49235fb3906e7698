"""Labelers: ways to get organ labels for a CT, in one table. The Organ Pseudo-Labeler."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

from freetumor.anatomy import ORGANS, Organ, organ
from freetumor.errors import BadInput
from freetumor.labelers import learned, thresholds, totalsegmentator
from freetumor.labelers.labeler import Labeler, Labelled, Options
from freetumor.organs import BY_THRESHOLDS

# In the order of preference. One entry adds a labeler.
LABELERS: MappingProxyType[str, Labeler] = MappingProxyType(
    {
        labeler.name: labeler
        for labeler in (
            Labeler(
                "thresholds",
                "thresholds on HU",
                tuple(row.name for row in ORGANS.values() if row.site.value in BY_THRESHOLDS),
                (),
                thresholds.obstacle,
                thresholds.label,
            ),
            Labeler(
                "totalsegmentator",
                "TotalSegmentator",
                tuple(row.name for row in ORGANS.values() if row.totalsegmentator),
                ("fast",),
                totalsegmentator.obstacle,
                totalsegmentator.label,
            ),
            Labeler(
                "learned",
                "a segmenter of the model store",
                tuple(ORGANS),
                ("model", "lesions", "crumbs"),
                learned.obstacle,
                learned.label,
            ),
        )
    }
)


def rows_of(names: Sequence[str]) -> list[Organ]:
    """Rows of organs that can be in one label map, each organ once.

    Raises:
        BadInput: kind "usage": an unknown organ, none, or organs of two groups, whose ids are the same.
    """
    rows: dict[int, Organ] = {}
    by_group: dict[str, list[str]] = {}
    for row in map(organ, names):
        rows.setdefault(row.organ_label, row)
        by_group.setdefault(row.group, []).append(row.name)
    if len(by_group) != 1:
        raise BadInput(
            "organs of one group, as the groups have the same ids",
            "; ".join(f"{', '.join(some)} ({group})" for group, some in by_group.items()) or "none",
            "Label each group into a file of its own.",
            kind="usage",
        )
    return list(rows.values())


def labeler_for(organs: Sequence[Organ], name: str | None = None, options: Options | None = None) -> Labeler:
    """The labeler `name`, or the first that can label all of `organs` here and takes what `options` say.

    Raises:
        BadInput: kind "usage": no such labeler, or not one for these organs or options; "labels_missing":
            none can, and what to do; or what hinders the one that is asked for.
    """
    options = options or Options()
    able = [x for x in LABELERS.values() if x.can(organs) and not x.strangers(options)]
    if name is not None:
        return _asked(name, organs, options, able)
    obstacles = []
    for labeler in able:
        obstacle = labeler.obstacle(organs, options)
        if obstacle is None:
            return labeler
        obstacles.append(obstacle)
    if len(obstacles) == 1:
        raise obstacles[0]
    raise BadInput(
        f"a labeler for {_named(organs)} ({', '.join(x.name for x in able) or 'there is none'})",
        "none that can work here",
        " Or: ".join(obstacle.hint for obstacle in obstacles),
        kind="labels_missing",
    )


def _asked(name: str, organs: Sequence[Organ], options: Options, able: Sequence[Labeler]) -> Labeler:
    if name not in LABELERS:
        raise BadInput(f"a labeler of {', '.join(LABELERS)}", repr(name), kind="usage")
    labeler = LABELERS[name]
    if labeler not in able:
        strangers = labeler.strangers(options)
        raise BadInput(
            f"a labeler for {_named(organs)}{''.join(f' with --{x}' for x in strangers)} "
            f"({', '.join(x.name for x in able) or 'there is none'})",
            f"{name} ({', '.join(labeler.organs)})",
            kind="usage",
        )
    obstacle = labeler.obstacle(organs, options)
    if obstacle is not None:
        raise obstacle
    return labeler


def _named(organs: Sequence[Organ]) -> str:
    return ", ".join(row.name for row in organs)


__all__ = ["LABELERS", "Labeler", "Labelled", "Options", "labeler_for", "rows_of"]
