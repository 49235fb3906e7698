"""Tumor Mask Generator: sampled masks of a given size in mm, placed by chance or at a point."""

from __future__ import annotations

import numpy as np

from freetumor.anatomy import Organ
from freetumor.errors import BadInput
from freetumor.masks.fitting import (
    MINIMUM_ANCHORED,
    SIZE_TOLERANCE,
    fit,
    largest_that_fits,
    size_is_reachable,
)
from freetumor.masks.placement import OrganMap, allowed_in
from freetumor.masks.shapes import sample_shape
from freetumor.masks.tumor_mask import TumorMask, sphere_diameter
from freetumor.organs.labels import OrganLabels
from freetumor.volume import Geometry, Volume

_PLACES = 24  # places tried before a size is called too large
_SHAPES = 8  # shapes tried at a given point
_MAP_ERROR = 0.95  # what the organ's coarse map says, on the safe side
_PROBES = 4  # shapes, each at one of the deepest places, probed for the largest size that fits


def sample_diameter(organ: Organ, size_class: str | None, rng: np.random.Generator) -> float:
    """A diameter in mm: log-uniform within a size class; any class with equal chance if None."""
    if size_class is None:
        size_class = str(rng.choice(["tiny", "small", "medium", "large"]))
    low, high = organ.size_class(size_class)
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def sample_mask(
    ct: Volume,
    labels: OrganLabels,
    diameter: float,
    rng: np.random.Generator,
    *,
    at: tuple[float, float, float] | None = None,
    exophytic: bool | None = None,
    taken: list[TumorMask] | None = None,
) -> TumorMask:
    """A tumor mask of `diameter` mm (equivalent sphere) in the organ.

    Args:
        ct: the CT (read only around an exophytic tumor).
        labels: the organ, on the CT's grid.
        diameter: asked size in mm; the result is within 10 % of it, whatever the spacing.
        rng: the only source of chance.
        at: centre in RAS mm; None samples a place inside the organ.
        exophytic: may the tumor bulge into the fat around the organ; None draws it from the organ's row.
        taken: lesions placed before; the new one keeps a gap to them and to real lesions.

    Raises:
        BadInput: the point lies outside the organ, or the size does not fit there (the message names
            the largest that does) or is below what the grid can resolve.
    """
    organ, taken = labels.organ, taken or []
    _check_resolvable(diameter, labels.geometry)
    if exophytic is None:
        exophytic = bool(rng.random() < organ.exophytic)
    at_border = bool(rng.random() < organ.subpleural) or exophytic
    details = {"source": "sampled", "exophytic": exophytic, "placed": "at" if at else "sampled"}
    allowed = allowed_in(ct, labels, taken, exophytic=exophytic)
    anchor = labels.mask if exophytic else None
    organ_map = OrganMap(ct, labels, taken, exophytic=exophytic)
    if at is not None:
        _check_in_organ(np.array(at), labels)
        centres = np.array([at] * _SHAPES, dtype=float)
    else:
        centres = np.concatenate(
            [
                organ_map.candidates(diameter, rng, _PLACES // 2, at_border=at_border),
                organ_map.candidates(diameter, rng, _PLACES // 2, at_border=False),
            ]
        )
    room = sphere_diameter(organ_map.volume / (MINIMUM_ANCHORED if exophytic else 1.0))
    coarse = {"geometry": organ_map.geometry, "allowed": organ_map.allows}
    coarse["anchor"] = organ_map.anchors if exophytic else None
    for centre in centres if diameter <= room else ():
        shape = sample_shape(organ.shapes, diameter, rng)
        if organ_map.resolves(diameter) and fit(shape, centre, **coarse) is None:
            continue
        mask = fit(shape, centre, labels.geometry, allowed, anchor=anchor, details=details)
        if mask is not None:
            return mask
    probes = centres[:_PROBES] if at is not None else organ_map.deepest_centres(_PROBES)
    sizes = []
    for centre in probes:
        shape = sample_shape(organ.shapes, min(diameter, room), rng)
        largest = _MAP_ERROR * largest_that_fits(shape, centre, **coarse)
        if not organ_map.resolves(largest):
            small = shape.scaled(min(shape.diameter, 8.0 * max(organ_map.geometry.spacing)))
            largest = largest_that_fits(small, centre, labels.geometry, allowed, anchor=anchor)
        sizes.append(largest)
    # The median: shapes differ in what room they need, and the size named should fit when it is asked for.
    raise _does_not_fit(diameter, float(np.median(sizes)) if sizes else 0.0, organ, at, bool(taken))


def _check_resolvable(diameter: float, geometry: Geometry) -> None:
    if not diameter > 0:
        raise BadInput("a diameter above 0 mm", f"{diameter:g}", kind="usage")
    if size_is_reachable(diameter, geometry):
        return
    finer = np.arange(diameter, diameter + 20.0, 0.1)
    smallest = next((d for d in finer if size_is_reachable(d, geometry)), None)
    raise BadInput(
        f"a diameter that whole voxels can reach within {SIZE_TOLERANCE:.0%}",
        f"{diameter:g} mm on {geometry}",
        f"Ask for {smallest:.1f} mm or more." if smallest else "",
        kind="size_below_grid",
    )


def _check_in_organ(centre: np.ndarray, labels: OrganLabels) -> None:
    index = np.rint(labels.geometry.ras_to_index(centre)).astype(int)
    point = ", ".join(f"{c:g}" for c in centre)
    name = labels.organ.site.meaning.lower()
    if ((index < 0) | (index >= labels.geometry.shape)).any():
        raise BadInput(
            "a point inside the scan (R,A,S in mm)", point, "Read it off the viewer's RAS.", kind="outside"
        )
    ids = labels.organ_ids + labels.lesion_ids
    value = labels.labels.array[tuple(index)]
    if value not in ids:
        raise BadInput(
            f"a point inside the {name}",
            f"R,A,S = {point} mm, where the label map says {value}",
            f"Click into the {name}, or leave --at out.",
            kind="outside_organ",
        )


def _does_not_fit(
    diameter: float, largest: float, organ: Organ, at: tuple[float, float, float] | None, others: bool
) -> BadInput:
    where = "at this point" if at else f"in this {organ.site.meaning.lower()}"
    room = (
        f"the largest that fits {where} is {np.floor(largest * 10) / 10:.1f} mm"
        if largest >= 1
        else (f"nothing fits {where}")
    )
    return BadInput(
        f"a tumor that fits {where}" + (" beside the other lesions" if others else ""),
        f"{diameter:.1f} mm; {room}",
        "Ask for less" + (", or another place." if at else "."),
        kind="does_not_fit",
    )
