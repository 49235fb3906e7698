"""Paired data for training: case folders to a data set folder, resumable, never overwriting."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import freetumor
from freetumor.anatomy import ORGANS, group_labels
from freetumor.cases import Case, read_case
from freetumor.cases.case import CT, LABELS
from freetumor.errors import BadInput
from freetumor.files import os_errors, write_json
from freetumor.synthesis.provenance import NOTICE
from freetumor.volume import Storage, Volume, read_volume, write_volume

_FOLDER = "freetumor"  # provenance of each case, beside the images


@dataclass(frozen=True)
class Layout:
    """A data set format: the suffix of image names, and what its ``dataset.json`` says."""

    name: str
    image_suffix: str
    describe: Callable[[str, list[str]], dict]


def _nnunet(group: str, names: list[str]) -> dict:
    return {
        "channel_names": {"0": "CT"},
        "labels": group_labels(group),
        "numTraining": len(names),
        "file_ending": ".nii.gz",
    }


def _msd(group: str, names: list[str]) -> dict:
    return {
        "tensorImageSize": "3D",
        "modality": {"0": "CT"},
        "labels": {str(value): name for name, value in group_labels(group).items()},
        "numTraining": len(names),
        "numTest": 0,
        "training": [
            {"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"} for name in names
        ],
        "test": [],
    }


FORMATS = MappingProxyType(
    {
        "nnunet": Layout("nnU-Net raw", "_0000.nii.gz", _nnunet),
        "msd": Layout("Medical Segmentation Decathlon", ".nii.gz", _msd),
    }
)


def export(folders: Sequence[str | Path], form: str, out: str | Path) -> dict:
    """Export case folders as one data set in `out`.

    A case that is there already is left alone, so that an interrupted export can simply be run again.
    Headers of the scans (which may hold names) are not passed on, only grid, dtype and HU.

    Args:
        folders: case folders of one label group. form: name in :data:`FORMATS`. out: data set folder.

    Returns:
        ``{"format", "out", "group", "added": [...], "kept": [...], "cases": total}``.

    Raises:
        BadInput: unknown format, not a case, mixed label groups, or `out` holds other data.
    """
    if form not in FORMATS:
        raise BadInput(f"a format of {', '.join(FORMATS)}", repr(form), kind="usage")
    cases, out, layout = [read_case(folder) for folder in folders], Path(out), FORMATS[form]
    group = _one_group(cases)
    _check_names(cases)
    _check_out(out, layout, group)
    added, kept = [], []
    with os_errors(out):
        for case in cases:
            (added if _add(case, layout, out) else kept).append(case.name)
        names, organs = _contents(out, layout)
        write_json(
            out / "dataset.json",
            {
                "name": f"FreeTumor {group}",
                "description": f"{NOTICE} Organs: {', '.join(ORGANS[o].title for o in organs)}.",
                "freetumor": {"version": freetumor.__version__, "format": form, "group": group},
                **layout.describe(group, names),
            },
        )
    return {
        "status": "done",
        "format": form,
        "out": str(out),
        "group": group,
        "added": added,
        "failed_quality_test": [c.name for c in cases if not _passed(c)],
        "kept": kept,
        "cases": len(names),
    }


def _add(case: Case, layout: Layout, out: Path) -> bool:
    """Add what is missing of `case`; False if all of it was there."""
    marker = out / _FOLDER / f"{case.name}.json"
    if marker.exists() and json.loads(marker.read_text("utf-8")) != case.provenance:
        raise BadInput(
            f"a new name for case {case.name}",
            f"another case of that name in {out}",
            "Rename the case folder or give another --out.",
            kind="exists",
        )
    targets = _targets(case.name, layout, out)
    foreign = [str(t) for t in targets.values() if t.exists() and not marker.exists()]
    if foreign:
        raise BadInput("names that are free in the data set", ", ".join(foreign), kind="exists")
    missing = {source: target for source, target in targets.items() if not target.exists()}
    if not missing:
        return False
    for folder in {marker.parent, *(t.parent for t in targets.values())}:
        folder.mkdir(parents=True, exist_ok=True)
    # The marker comes first: after a kill it tells our files from somebody else's.
    write_json(marker, case.provenance)
    for source, target in missing.items():
        write_volume(_without_header(read_volume(case.path / source)), target)
    return True


def _targets(name: str, layout: Layout, out: Path) -> dict[str, Path]:
    return {
        CT: out / "imagesTr" / f"{name}{layout.image_suffix}",
        LABELS: out / "labelsTr" / f"{name}.nii.gz",
    }


def _contents(out: Path, layout: Layout) -> tuple[list[str], list[str]]:
    """Names of all whole cases in `out`, and their organs; not of one whose export was cut off."""
    markers = [
        marker
        for marker in (out / _FOLDER).glob("*.json")
        if all(target.exists() for target in _targets(marker.stem, layout, out).values())
    ]
    organs = {json.loads(marker.read_text("utf-8"))["organ"] for marker in markers}
    return sorted(marker.stem for marker in markers), sorted(organs)


def _passed(case: Case) -> bool:
    return all(lesion["verdict"]["passed"] for lesion in case.provenance["lesions"])


def _without_header(volume: Volume) -> Volume:
    storage = Storage(volume.storage.slope, volume.storage.intercept)
    return Volume(volume.array, volume.geometry, storage)


def _one_group(cases: list[Case]) -> str:
    groups = sorted({case.provenance["group"] for case in cases})
    if len(groups) != 1:
        raise BadInput(
            "cases of one label group (abdomen or chest)",
            "no case" if not groups else f"cases of {' and '.join(groups)}",
            "Their label ids differ: export each group to its own folder.",
            kind="mixed_groups",
        )
    return groups[0]


def _check_names(cases: list[Case]) -> None:
    names = [case.name for case in cases]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadInput(
            "case folders with different names", f"{', '.join(twice)} more than once", kind="usage"
        )


def _check_out(out: Path, layout: Layout, group: str) -> None:
    description = out / "dataset.json"
    if not description.exists():
        return
    try:
        ours = json.loads(description.read_bytes())["freetumor"]
        same = (ours["group"], FORMATS.get(ours["format"])) == (group, layout)
    except (ValueError, KeyError, TypeError):
        same = False
    if not same:
        raise BadInput(
            f"an empty folder or one with an {layout.name} export of {group}",
            f"{description}, which is something else",
            "Nothing is overwritten: give another --out.",
            kind="exists",
        )
