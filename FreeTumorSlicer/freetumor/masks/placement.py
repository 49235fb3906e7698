"""Where a sampled tumor may lie: inside the organ, away from other lesions, and in free room."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np
from scipy import ndimage

from freetumor.masks.tumor_mask import TumorMask
from freetumor.organs.labels import OrganLabels
from freetumor.volume import Box, Geometry, Volume, distance_up_to

GAP_MM = 6.0  # least distance between lesions, so that their edits never touch
_OUTWARDS = 4  # draws per place at the organ's border
_COARSE_VOXELS = 120_000
_FAT_REACH_MM = 40.0  # how far around the organ the map looks for fat
_FAT_HU = (-160.0, -20.0)  # where an exophytic tumor may bulge
_BORDER_MM = 3.0  # partial volume and the label's own error, at its widest
_BRIGHTEST = 0.95  # quantile of the organ's HU: brighter is what touches it, bowel or a vessel
_LEVEL_SAMPLES = 4096


class OrganMap:
    """The organ on a coarse grid: where to look for room, in milliseconds.

    The grid is the CT's, thinned so that the organ's box holds at most some 120,000 voxels.

    Attributes:
        geometry: the coarse grid.
        free: voxels that a tumor may take there, bool. organ: those of them in the organ.
        depth: distance to the border of `organ` in mm.
    """

    def __init__(self, ct: Volume, labels: OrganLabels, taken: list[TumorMask], *, exophytic: bool) -> None:
        geometry = labels.geometry
        step = np.array([max(1, int(4.0 // s)) for s in geometry.spacing])
        found = Box.of(labels.strided(step))
        box = Box(
            tuple(int(v) for v in np.array(found.start) * step),
            tuple(int(v) for v in np.array(found.stop) * step),
        ).grown(tuple(step), geometry.shape)
        step = self._step_for(box, geometry)
        if exophytic:
            box = box.grown(geometry.margin(_FAT_REACH_MM), geometry.shape)
        thinned = tuple(slice(a, b, s) for a, b, s in zip(box.start, box.stop, step, strict=True))
        self.geometry: Geometry = geometry.cropped(box).strided(step)
        few = Volume(labels.labels.array[thinned], self.geometry)
        few_labels = replace(labels, labels=few)
        whole = Box.whole(few.array.shape)
        self.organ = few_labels.mask(whole) & ~few_labels.lesions(whole)
        for mask in taken:
            self.organ &= ~self._near(mask)
        self.free = self.organ.copy()
        if exophytic:
            hu = Volume(ct.array[thinned], self.geometry, ct.storage).hu()
            self.free |= _fat_around(hu, self.organ, few.array == 0, self.geometry)
        # Padded so that the end of the scan counts as a border: a lesion is not cut by it.
        padded = np.pad(self.organ, 1)
        self.depth = ndimage.distance_transform_edt(padded, sampling=self.geometry.spacing)[1:-1, 1:-1, 1:-1]

    def resolves(self, diameter: float) -> bool:
        """Whether the coarse grid is fine enough to tell if a lesion of `diameter` mm fits."""
        return diameter >= 8.0 * max(self.geometry.spacing)

    def allows(self, box: Box) -> np.ndarray:
        """:attr:`free` in a box of the coarse grid."""
        return self.free[box.slices]

    def anchors(self, box: Box) -> np.ndarray:
        """:attr:`organ` in a box of the coarse grid."""
        return self.organ[box.slices]

    @staticmethod
    def _step_for(box: Box, geometry: Geometry) -> tuple[int, int, int]:
        mm = max(1.0, np.cbrt(box.size * geometry.voxel_volume / _COARSE_VOXELS))
        return tuple(max(1, int(mm // s)) for s in geometry.spacing)

    def _near(self, mask: TumorMask) -> np.ndarray:
        index = np.stack(np.nonzero(mask.inside), axis=-1)
        near = np.zeros(self.geometry.shape, bool)
        coarse = np.rint(self.geometry.ras_to_index(mask.geometry.index_to_ras(index))).astype(int)
        coarse = coarse[((coarse >= 0) & (coarse < self.geometry.shape)).all(axis=1)]
        near[tuple(coarse.T)] = True
        return np.isfinite(distance_up_to(GAP_MM, near, self.geometry.spacing))

    @cached_property
    def _depths(self) -> tuple[np.ndarray, np.ndarray]:
        """Where :attr:`depth` is above 0, as flat indices, and what it is there, in rising order."""
        within = np.flatnonzero(self.depth > 0)
        depth = self.depth.ravel()[within]
        order = np.argsort(depth, kind="stable")
        return within[order], depth[order]

    @cached_property
    def deepest(self) -> float:
        """Largest distance to the organ's border, mm."""
        return float(self.depth.max(initial=0.0))

    @property
    def volume(self) -> float:
        """Free volume of the organ, mm^3."""
        return float(self._depths[0].size) * self.geometry.voxel_volume

    def candidates(
        self, diameter: float, rng: np.random.Generator, count: int, *, at_border: bool
    ) -> np.ndarray:
        """Random centres in RAS mm, (count, 3), deep enough for `diameter` or else the deepest there are.

        With `at_border` the lesion's edge comes near the organ's border (subpleural, exophytic).
        """
        radius = diameter / 2.0
        low, high = (0.35, 0.8) if at_border else (0.85, np.inf)
        within, depth = self._depths
        first, last = np.searchsorted(depth, [low * radius, high * radius])
        if first == last:
            first, last = np.searchsorted(depth, min(low * radius, 0.8 * self.deepest)), depth.size
        index = within[first:last]
        if index.size == 0:
            return np.empty((0, 3))
        chosen = rng.choice(index, size=(_OUTWARDS if at_border else 1) * count)
        centres = np.stack(np.unravel_index(chosen, self.depth.shape), axis=-1)
        points = self.geometry.index_to_ras(centres + rng.uniform(-0.5, 0.5, centres.shape))
        if at_border:
            # Of several draws the one farthest out: under the ribs rather than at the hilum.
            draws = points.reshape(count, _OUTWARDS, 3)
            outwards = np.linalg.norm(draws - self._middle, axis=-1).argmax(axis=1)
            points = draws[np.arange(count), outwards]
        return points

    @cached_property
    def _middle(self) -> np.ndarray:
        """Centre of mass of the organ in RAS mm: between the sides where there are two."""
        return self.geometry.index_to_ras(np.argwhere(self.depth > 0).mean(axis=0))

    def deepest_centres(self, count: int) -> np.ndarray:
        """The `count` deepest places in RAS mm, (count, 3)."""
        flat = self._depths[0][::-1][:count]
        return self.geometry.index_to_ras(np.stack(np.unravel_index(flat, self.depth.shape), axis=-1))


def allowed_in(ct: Volume, labels: OrganLabels, taken: list[TumorMask], *, exophytic: bool):
    """The function box -> bool array of voxels a tumor may take (see :mod:`fitting`).

    Inside the organ, not within real lesions or near those already placed; an exophytic tumor may also
    take the fat around the organ, never another organ, bone, bowel or air.
    """

    def allowed(box: Box) -> np.ndarray:
        free = labels.mask(box)
        if exophytic:
            unlabelled = labels.labels.array[box.slices] == 0
            free |= _fat_around(ct.hu(box), free, unlabelled, labels.geometry)
        free &= ~labels.lesions(box)
        for mask in taken:
            free &= ~_grown(mask, box)
        return free

    return allowed


def _fat_around(hu: np.ndarray, organ: np.ndarray, unlabelled: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Fat, and the organ's own blurred border to it, which is neither fat nor labelled organ.

    Near the organ, what a closing of organ and fat fills: too thin to be bowel, muscle or another organ, and
    as a mixture of the two never brighter than the organ.
    """
    hu = ndimage.gaussian_filter(hu, [0.8 / s for s in geometry.spacing])
    fat = (hu > _FAT_HU[0]) & (hu < _FAT_HU[1]) & unlabelled
    if not organ.any():
        return fat
    widest = [max(1, round(_BORDER_MM / s)) for s in geometry.spacing]
    grown = _any_near(organ | fat, [(0, n) for n in widest])
    between = ~_any_near(~grown, [(n, 0) for n in widest]) & _any_near(organ, [(n, n) for n in widest])
    level = hu[organ]
    level = level[:: max(1, level.size // _LEVEL_SAMPLES)]
    blurred = (hu > _FAT_HU[0]) & (hu <= np.quantile(level, _BRIGHTEST))
    return fat | between & blurred & unlabelled


def _any_near(mask: np.ndarray, reach: list[tuple[int, int]]) -> np.ndarray:
    """Where any of `mask` lies in the box that reaches so many voxels down and up each axis: bool."""
    for axis, (down, up) in enumerate(reach):
        line, mask = np.moveaxis(mask, axis, 0), mask.copy()
        found = np.moveaxis(mask, axis, 0)
        for n in range(1, min(down, len(line) - 1) + 1):
            found[n:] |= line[:-n]
        for n in range(1, min(up, len(line) - 1) + 1):
            found[:-n] |= line[n:]
    return mask


def _grown(mask: TumorMask, box: Box) -> np.ndarray:
    """Voxels of `box` closer than the gap to `mask`."""
    margin = mask.geometry.margin(GAP_MM)
    apart = any(
        a - m >= q or b + m <= p
        for a, b, p, q, m in zip(mask.box.start, mask.box.stop, box.start, box.stop, margin, strict=True)
    )
    if apart:
        return np.zeros(box.shape, bool)
    start = tuple(min(a, b) for a, b in zip(mask.box.start, box.start, strict=True))
    stop = tuple(max(a, b) for a, b in zip(mask.box.stop, box.stop, strict=True))
    outer = Box(start, stop)
    near = np.isfinite(distance_up_to(GAP_MM, mask.on(outer), mask.geometry.spacing))
    return near[box.within(outer)]
