"""Contours of lesions, drawn on CTs that came without them: small JSON files of polygons.

A file says who made them, how, and for which cases; its polygons are in patient coordinates, so that they
fit the CT in any format, order of voxels or crop. What may or may not be a lesion is contoured too, to be
ignored. ``contoured/`` holds the files that come with FreeTumor.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from freetumor.anatomy import ORGANS, group_labels
from freetumor.errors import BadInput
from freetumor.training.sources import IGNORE, NOT_LABELLED, Case
from freetumor.volume import Geometry

SCHEMA, VERSION = "freetumor.contours", 1
_PACKAGED = Path(__file__).parent / "contoured"
_LPS_RAS = np.array([-1.0, -1.0, 1.0])
_OFF_PLANE = 0.02  # of a slice's thickness: what rounded coordinates may be off
_OFF_SPACING = 0.01  # of the voxel size


@dataclass(frozen=True, eq=False)
class Region:
    """A lesion, or what is to be ignored.

    Attributes:
        name: for people. label: id of the group, 255 where nothing is known.
        polygons: points (n, 3) in mm, LPS, each polygon in one slice.
    """

    name: str
    label: int
    polygons: tuple[np.ndarray, ...]


@dataclass(frozen=True, eq=False)
class Contours:
    """What was drawn on one CT.

    Attributes:
        group: label group. spacing: of the CT in mm, along (superior, anterior, right).
        expert: whether a radiologist made them. licence: of the contours.
    """

    group: str
    spacing: tuple[float, float, float]
    regions: tuple[Region, ...]
    expert: bool
    licence: str


def contours_file(given: str | Path, root: Path) -> Path:
    """The file of that name among those that come with FreeTumor, or a path (``.json``) below `root`."""
    named = _PACKAGED / f"{given}.json"
    return named if Path(given).name == str(given) and named.is_file() else root / Path(given).expanduser()


def read_contours(path: Path) -> dict[str, Contours]:
    """The contours of a file by the name of the case.

    Raises:
        BadInput: kind "not_found", or "bad_contours": no such file, or its content is not as it should be.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        kept = ", ".join(sorted(file.stem for file in _PACKAGED.glob("*.json")))
        expected = f"contours: a JSON file, or one that comes with FreeTumor ({kept})"
        raise BadInput(expected, str(path), kind="not_found") from error
    except ValueError as error:
        raise _bad(path, "JSON", str(error)) from error
    if not isinstance(content, Mapping) or (content.get("schema"), content.get("version")) != (
        SCHEMA,
        VERSION,
    ):
        raise _bad(path, f"schema {SCHEMA}, version {VERSION}", repr(content)[:80])
    try:
        facts = {"expert": bool(content["expert"]), "licence": str(content["licence"])}
        return {entry["name"]: _contours(entry, facts) for entry in content["cases"]}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        said = f"{type(error).__name__}: {error}"
        raise _bad(path, "expert, licence, and cases with name, group, spacing and regions", said) from error


def with_contours(cases: Sequence[Case], path: Path) -> list[Case]:
    """The cases, those with contours of `path` marked so: their lesions are known.

    Raises:
        BadInput: see :func:`read_contours`; kind "bad_source": a contoured case is not among them, or is of
            another group.
    """
    held, by_name = read_contours(path), {case.name: case for case in cases}
    for name, contours in held.items():
        case = by_name.get(name)
        if case is None or case.group != contours.group:
            got = f"{name} of the {case.group}" if case else f"none of that name among {_some(by_name)}"
            hint = "Give the CT that name in the source, or leave contours out."
            expected = f"for the contours of {path} the case {name} of the {contours.group}"
            raise BadInput(expected, got, hint, kind="bad_source")
    return [_contoured(case, held[case.name], path) if case.name in held else case for case in cases]


def draw_contours(contours: Contours, geometry: Geometry, labels: np.ndarray) -> None:
    """Write the contours over `labels`, uint8 (k, j, i) on the grid of `geometry`, in place.

    A voxel belongs to a polygon if its centre does. A lesion wins over what is to be ignored.

    Raises:
        BadInput: kind "grid_mismatch": the CT is not the one that they were drawn on.
    """
    axes, _ = geometry.patient_axes()
    spacing = np.array(geometry.spacing)[list(axes)]
    if np.abs(spacing / contours.spacing - 1.0).max() > _OFF_SPACING:
        drawn, there = (" x ".join(f"{s:.4g}" for s in some) for some in (contours.spacing, spacing))
        raise _other_ct(f"voxels of {drawn} mm", f"{there} mm")
    for region in sorted(contours.regions, key=lambda region: region.label != NOT_LABELLED):
        for polygon in region.polygons:
            _draw(polygon, region, geometry, axes[0], labels)


def _draw(polygon: np.ndarray, region: Region, geometry: Geometry, across: int, labels: np.ndarray) -> None:
    index = geometry.ras_to_index(polygon * _LPS_RAS)
    plane = round(float(index[0, across]))
    height = f"{polygon[0, 2]:.2f} mm ({region.name})"
    if np.abs(index[:, across] - plane).max() > _OFF_PLANE:
        raise _other_ct(f"a slice at {height}", f"the nearest slice {plane} elsewhere")
    last = np.array(labels.shape) - 0.5
    if (index < -0.5).any() or (index > last).any():
        raise _other_ct(f"a scan around the contour at {height}", f"{geometry}, which ends before")
    view = np.moveaxis(labels, across, 0)[plane]
    view[_inside(np.delete(index, across, axis=1), view.shape)] = region.label


def _inside(polygon: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Pixels (u, v) whose centre lies in the polygon (n, 2): an odd number of its sides lies beyond."""
    u, v = np.ogrid[: shape[0], : shape[1]]
    inside = np.zeros(shape, bool)
    for (u0, v0), (u1, v1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if u0 != u1:
            crossing = v0 + (u - u0) * (v1 - v0) / (u1 - u0)
            inside ^= ((u0 <= u) != (u1 <= u)) & (v < crossing)
    return inside


def _contours(entry: Mapping, facts: Mapping) -> Contours:
    known = {IGNORE: NOT_LABELLED, **group_labels(entry["group"])}
    regions = tuple(
        Region(
            str(region["name"]),
            known[region["label"]],
            tuple(_points(polygon) for polygon in region["polygons"]),
        )
        for region in entry["regions"]
    )
    spacing = tuple(float(s) for s in entry["spacing"])
    if len(spacing) != 3 or min(spacing) <= 0:
        raise ValueError(f"spacing {spacing}")
    return Contours(entry["group"], spacing, regions, **facts)


def _points(polygon: Mapping) -> np.ndarray:
    flat = np.array(polygon["points"], float)
    if flat.ndim != 2 or flat.shape[0] < 3 or flat.shape[1] != 2:
        raise ValueError(f"points of shape {flat.shape}, not three or more [x, y]")
    return np.column_stack([flat, np.full(len(flat), float(polygon["z"]))])


def _contoured(case: Case, contours: Contours, path: Path) -> Case:
    licences = dict.fromkeys(text for text in (case.licence, contours.licence) if text)
    lesions = {ORGANS[name].lesion_label for name in case.organs}
    known = case.lesions_known or any(region.label in lesions for region in contours.regions)
    return replace(case, contours=path, lesions_known=known, licence="; ".join(licences))


def _some(names: Mapping) -> str:
    return ", ".join(sorted(names)[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def _bad(path: Path, expected: str, got: str) -> BadInput:
    return BadInput(f"in the contours {path}: {expected}", got, kind="bad_contours")


def _other_ct(expected: str, got: str) -> BadInput:
    hint = "Contours fit the CT that they were drawn on, or a crop of it; not one that was resampled."
    return BadInput(f"for its contours {expected}", got, hint, kind="grid_mismatch")
