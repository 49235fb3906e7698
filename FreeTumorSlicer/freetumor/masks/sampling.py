"""Tumor Mask Generator: sampled masks of a given size in mm, placed by chance or at a point."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np

from freetumor.anatomy import SIZE_CLASSES, Organ
from freetumor.errors import BadInput
from freetumor.masks.fitting import (
    MINIMUM_ANCHORED,
    SIZE_TOLERANCE,
    Room,
    fit,
    fits,
    largest_that_fits,
    size_is_reachable,
)
from freetumor.masks.placement import OrganMap, allowed_in
from freetumor.masks.raster import Raster
from freetumor.masks.shapes import Shape, sample_shape
from freetumor.masks.tumor_mask import TumorMask, sphere_diameter
from freetumor.organs.labels import OrganLabels
from freetumor.volume import Geometry, Volume

_PLACES = 24  # places tried before a size is called too large
_PLACES_A_SHAPE = 4  # places that one shape is tried at, before another is drawn
_SHAPES = 8  # shapes tried at a given point
_LARGE_MM = 40.0  # from here on the organ's coarse map is asked before the CT's grid
_MAP_ERROR = 0.95  # what the organ's coarse map says, on the safe side
_PROBES = 4  # shapes, each at one of the deepest places, probed for the largest size that fits


class DoesNotFit(BadInput):
    """No room for a tumor of this size; `largest_mm` is the largest that fits (0: none)."""

    def __init__(self, expected: str, got: str, hint: str, *, largest_mm: float) -> None:
        super().__init__(expected, got, hint, kind="does_not_fit")
        self.largest_mm = largest_mm


def sample_diameter(organ: Organ, size_class: str | None, rng: np.random.Generator) -> float:
    """A diameter in mm: log-uniform within a size class; any class with equal chance if None."""
    if size_class is None:
        size_class = str(rng.choice(list(SIZE_CLASSES)))
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
    maps: dict[bool, OrganMap] | None = None,
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
        maps: the organ's maps from an earlier call with the same `ct`, `labels` and `taken`, added to
            here; they are most of the work for a large tumor.

    Raises:
        BadInput: the point lies outside the organ, or the size does not fit there (the message names
            the largest that does) or is below what the grid can resolve.
    """
    organ, taken, maps = labels.organ, taken or [], {} if maps is None else maps
    _check_resolvable(diameter, labels.geometry)
    if at is not None:
        _check_in_organ(np.array(at), labels)
    if exophytic and organ.polarity > 0:
        name = organ.site.meaning.lower()
        raise BadInput(
            f"a tumor inside the {name}", "an exophytic one", "Leave --exophytic out.", kind="usage"
        )
    modes = [exophytic] if exophytic is not None else [bool(rng.random() < organ.exophytic)]
    if exophytic is None and organ.exophytic > 0 and not modes[0]:
        modes.append(True)  # what finds no room inside may find it by bulging out
    searches = [_Search(ct, labels, taken, maps, exophytic=mode) for mode in modes]
    for search in searches:
        found = search.run(diameter, at, rng)
        if found is not None:
            return found
    largest = max(search.largest(diameter, at, rng) for search in searches)
    raise _does_not_fit(diameter, largest, organ, at, bool(taken))


def largest_diameter(ct: Volume, labels: OrganLabels, maps: dict[bool, OrganMap]) -> float:
    """Diameter in mm of the largest tumors that find room in the organ; 0 where none does.

    The median over shapes at the deepest places, by a chance of its own: for a scan always the same, so
    that who samples many tumors there need not find out again and again what does not fit.

    Args:
        ct, labels, maps: as for :func:`sample_mask`.
    """
    organ, rng = labels.organ, np.random.default_rng(0)
    most = organ.size_class(list(SIZE_CLASSES)[-1])[1]
    modes = [False] * (organ.exophytic < 1) + [True] * (organ.exophytic > 0)
    found = [_Search(ct, labels, [], maps, exophytic=mode).largest(most, None, rng) for mode in modes]
    return max(found)


class _Rasters:
    """A shape on the grids that it is tried on: made there when it is first tried, then moved about."""

    def __init__(self, shape: Shape, centre: np.ndarray) -> None:
        self._shape, self._centre = shape, centre
        self._made: dict[Room, Raster] = {}

    def at(self, centre: np.ndarray, room: Room) -> tuple[Raster, np.ndarray, Room]:
        """What :func:`freetumor.masks.fitting.fit` takes for `centre` (RAS mm), up to half a voxel."""
        raster = self._made.get(room)
        if raster is None:
            raster = self._made[room] = Raster.of(self._shape, room.geometry, self._centre)
        return raster, raster.index(centre), room


class _Search:
    """One way of looking for room: strictly inside the organ, or bulging out of it."""

    def __init__(
        self,
        ct: Volume,
        labels: OrganLabels,
        taken: list[TumorMask],
        maps: dict[bool, OrganMap],
        *,
        exophytic: bool,
    ) -> None:
        self._ct, self._labels, self._taken, self._maps = ct, labels, taken, maps
        self._exophytic = exophytic
        allowed = allowed_in(ct, labels, taken, exophytic=exophytic)
        self._fine = Room(labels.geometry, allowed, labels.mask if exophytic else None)

    @property
    def _map(self) -> OrganMap:
        # Made when it is needed: at a given point most sizes are tried on the CT's grid at once.
        if self._exophytic not in self._maps:
            self._maps[self._exophytic] = OrganMap(
                self._ct, self._labels, self._taken, exophytic=self._exophytic
            )
        return self._maps[self._exophytic]

    @cached_property
    def _coarse(self) -> Room:
        found = self._map
        return Room(found.geometry, found.allows, found.anchors if self._exophytic else None)

    def run(
        self, diameter: float, at: tuple[float, float, float] | None, rng: np.random.Generator
    ) -> TumorMask | None:
        """A mask; None where none of the places has room for it."""
        organ = self._labels.organ
        large = diameter >= _LARGE_MM
        room = self._room() if large or at is None else np.inf
        details = {
            "source": "sampled",
            "exophytic": self._exophytic,
            "placed": "sampled" if at is None else "at",
        }
        places = self._places(diameter, at, rng) if diameter <= room else ()
        for number, centre in enumerate(places):
            if at is not None or number % _PLACES_A_SHAPE == 0:
                shape = sample_shape(organ.shapes, diameter, rng)
                rasters = _Rasters(shape, centre)
            if large and self._map.resolves(diameter) and not fits(*rasters.at(centre, self._coarse)):
                continue
            mask = fit(*rasters.at(centre, self._fine), details=details)
            if mask is not None:
                return mask
        return None

    def largest(
        self, diameter: float, at: tuple[float, float, float] | None, rng: np.random.Generator
    ) -> float:
        """The largest diameter in mm that fits, up to `diameter`."""
        organ = self._labels.organ
        probes = self._map.deepest_centres(_PROBES) if at is None else np.array([at] * _PROBES, dtype=float)
        upper = min(diameter, self._room())
        sizes = [self._largest(sample_shape(organ.shapes, upper, rng), c) for c in probes]
        # The median: shapes differ in the room they need, and the size named should fit when asked for.
        return float(np.median(sizes)) if sizes else 0.0

    def _room(self) -> float:
        """No tumor is larger than this, in mm: the whole free organ, and what may bulge out of it."""
        return sphere_diameter(self._map.volume / (MINIMUM_ANCHORED if self._exophytic else 1.0))

    def _places(
        self, diameter: float, at: tuple[float, float, float] | None, rng: np.random.Generator
    ) -> Iterator[np.ndarray]:
        if at is not None:
            yield from np.array([at] * _SHAPES, dtype=float)
            return
        at_border = bool(rng.random() < self._labels.organ.subpleural) or self._exophytic
        drawn = [
            self._map.candidates(diameter, rng, _PLACES // 2, at_border=border)
            for border in (at_border, False)
        ]
        yield from np.concatenate(drawn)
        # Last, the deepest places there are: what fits anywhere fits there.
        yield from self._map.deepest_centres(_SHAPES)

    def _largest(self, shape: Shape, centre: np.ndarray) -> float:
        largest = largest_that_fits(shape, centre, self._room_for)
        return _MAP_ERROR * largest if self._map.resolves(largest) else largest

    def _room_for(self, diameter: float) -> Room:
        return self._coarse if self._map.resolves(diameter) else self._fine


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
) -> DoesNotFit:
    where = "at this point" if at else f"in this {organ.site.meaning.lower()}"
    room = (
        f"the largest that fits {where} is {np.floor(largest * 10) / 10:.1f} mm"
        if largest >= 1
        else (f"nothing fits {where}")
    )
    return DoesNotFit(
        f"a tumor that fits {where}" + (" beside the other lesions" if others else ""),
        f"{diameter:.1f} mm; {room}",
        "Ask for less" + (", or another place." if at else "."),
        largest_mm=largest,
    )
