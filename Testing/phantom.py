"""A CT phantom with exact truth: shapes in mm of the body (RAS), sampled on any grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

import numpy as np
from freetumor.anatomy import ORGANS, group_labels
from freetumor.volume import Box, Geometry, Storage, Volume
from phantom_shapes import NOWHERE, Shape, block, column, ellipsoid, tube, vessel_tree
from scipy import ndimage

# Rows of an axial CT run to the left, columns to the back, slices to the head.
AXIAL = np.diag([-1.0, -1.0, 1.0])
BODY, FAT_MM = (160.0, 120.0), 14.0
PANCREAS = ((38, 22, -108), (12, 30, -100), (-20, 28, -92), (-52, 12, -84), (-82, 2, -76))
CARINA = (0, -22, 62)


def diaphragm(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Height of the diaphragm: a dome under each lung."""
    dome = 1 - ((np.abs(x) - 76) / 62) ** 2 - (y / 88) ** 2
    return -12 + 42 * np.maximum(dome, 0)


@dataclass
class Phantom:
    """`ct` and the truth: `labels` are disjoint masks (k, j, i), except vessels, part of their organ."""

    ct: Volume
    labels: dict[str, np.ndarray] = field(default_factory=dict)

    def organ(self, name: str) -> np.ndarray:
        """Mask of an organ by its name in the organ table ("lung", "kidney": both sides)."""
        site = ORGANS[name].site.meaning.lower()
        return np.logical_or.reduce([m for key, m in self.labels.items() if key.split("_")[0] == site])

    def label_map(self, group: str) -> Volume:
        """Organ labels of a group ("abdomen", "chest"), uint8, in the freetumor convention."""
        names = group_labels(group)
        array = np.zeros(self.ct.array.shape, np.uint8)
        for row in ORGANS.values():
            if row.group == group:
                array[self.organ(row.name)] = names[row.site.meaning.lower()]
        return self.ct.like(array, f"{group} labels")

    def totalsegmentator(self) -> Volume:
        """Labels, uint8, with the ids of TotalSegmentator v2 (task "total")."""
        ids = {"spleen": 1, "kidney_right": 2, "kidney_left": 3, "liver": 5, "stomach": 6, "pancreas": 7}
        ids |= {"airway": 16, "heart": 51, "aorta": 52}
        array = np.zeros(self.ct.array.shape, np.uint8)
        for name, number in ids.items():
            array[self.labels[name]] = number
        index = np.indices(array.shape, sparse=True)
        rows = self.ct.geometry.affine[1:3]
        y, z = (a * index[2] + b * index[1] + c * index[0] + d for a, b, c, d in rows)
        upper = z - 0.6 * y > 55
        array[self.labels["lung_left"]] = 11
        array[self.labels["lung_left"] & upper] = 10
        array[self.labels["lung_right"]] = 14
        array[self.labels["lung_right"] & upper] = 12
        array[self.labels["lung_right"] & upper & (z < 45)] = 13
        return self.ct.like(array, "TotalSegmentator labels")


class Canvas:
    """HU of a body on a grid, painted shape by shape."""

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry
        self.hu = np.full(geometry.shape, -1000, np.float32)
        self.free = np.ones(geometry.shape, bool)

    def mask(self, *shapes: Shape) -> np.ndarray:
        """Voxels whose centre is in any of `shapes`."""
        found = np.zeros(self.geometry.shape, bool)
        for shape in shapes:
            box = self._box(shape)
            for k in range(box.start[0], box.stop[0]):
                plane = Box((k, *box.start[1:]), (k + 1, *box.stop[1:]))
                if plane.size:
                    found[plane.slices] |= shape.inside(*self._points(plane))
        return found

    def _box(self, shape: Shape) -> Box:
        whole = Box.whole(self.geometry.shape)
        if shape.low[2] <= NOWHERE[0]:
            return whole
        corners = np.array(np.meshgrid(*zip(shape.low, shape.high, strict=True))).reshape(3, -1).T
        index = self.geometry.ras_to_index(corners)
        low = np.clip(np.floor(index.min(0)), 0, whole.stop).astype(int)
        high = np.clip(np.ceil(index.max(0)) + 1, 0, whole.stop).astype(int)
        return Box(tuple(low.tolist()), tuple(high.tolist()))

    def _points(self, box: Box) -> list[np.ndarray]:
        k, j, i = np.ogrid[box.slices]
        a = self.geometry.affine
        return [(a[r, 0] * i + a[r, 1] * j + (a[r, 2] * k + a[r, 3])).astype(np.float32) for r in range(3)]

    def paint(self, mask: np.ndarray, hu: float, *, keep: bool = False) -> np.ndarray:
        """Give `hu` to the free part of `mask` and return it; with `keep` it is free no longer."""
        mask = mask & self.free
        self.hu[mask] = hu
        if keep:
            self.free &= ~mask
        return mask


def make_phantom(
    shape: Sequence[int] = (75, 128, 160),
    spacing: Sequence[float] = (4.0, 2.5, 2.5),
    direction: np.ndarray | None = None,
    dtype: type = np.int16,
    slope: float = 1.0,
    intercept: float = 0.0,
    noise_hu: float = 12.0,
    seed: int = 0,
    table: bool = True,
) -> Phantom:
    """A body of 320 x 240 mm from the shoulders to the hips, in the middle of the grid.

    Args:
        shape: voxels (k, j, i). spacing: mm (k, j, i). Only the part of the body in the grid is seen.
        direction: 3 x 3, columns are the directions (RAS) of the axes i, j, k; axial LPS if None.
        dtype, slope, intercept: how the CT is stored; HU = slope * stored + intercept.
        noise_hu: standard deviation of the noise. seed: of the noise; the body is always the same.
        table: with the CT's couch.
    """
    steps = (AXIAL if direction is None else np.asarray(direction)) * np.asarray(spacing, float)[::-1]
    affine = np.eye(4)
    affine[:3, :3] = steps
    affine[:3, 3] = -steps @ ((np.array(shape[::-1]) - 1) / 2)
    canvas = Canvas(Geometry(tuple(shape), affine))
    labels = _paint_body(canvas, table)
    hu = canvas.hu
    if noise_hu:
        noise = np.random.default_rng(seed).standard_normal(hu.shape, dtype=np.float32)
        for plane in noise:
            ndimage.gaussian_filter(plane, 0.8, output=plane)
        hu += noise * (noise_hu / noise.std())
    stored = (np.clip(hu, -1024, 3071) - intercept) / slope
    if np.issubdtype(dtype, np.integer):
        stored = np.rint(stored)
    ct = Volume(stored.astype(dtype), canvas.geometry, Storage(slope, intercept), "phantom")
    return Phantom(ct, labels)


def _paint_body(canvas: Canvas, table: bool) -> dict[str, np.ndarray]:
    mask, paint = canvas.mask, canvas.paint
    labels = {"body": mask(column((0, 0), BODY))}
    inner = mask(column((0, 0), (BODY[0] - FAT_MM, BODY[1] - FAT_MM)))
    if table:
        paint(mask(block((-180, -134, NOWHERE[0]), (180, -127, NOWHERE[1]))), -60)
    paint(labels["body"], -90)
    paint(inner, 50)
    paint(mask(ellipsoid((0, 12, -85), (128, 86, 110))), -95)  # fat between the organs
    below = mask(Shape((*NOWHERE[:1] * 3,), (*NOWHERE[1:] * 3,), lambda x, y, z: z < diaphragm(x, y)))
    under = mask(Shape((*NOWHERE[:1] * 3,), (*NOWHERE[1:] * 3,), lambda x, y, z: z < diaphragm(x, y) - 4))
    _paint_chest(canvas, labels, inner, below)
    _paint_abdomen(canvas, labels, inner, under)
    return labels


def _paint_chest(canvas: Canvas, labels: dict, inner: np.ndarray, below: np.ndarray) -> None:
    mask, paint = canvas.mask, canvas.paint
    labels["spine"] = paint(mask(column((0, -72), (21, 18))), 350, keep=True)
    paint(mask(column((0, -97), (8, 7))), 30, keep=True)
    labels["aorta"] = paint(mask(column((-16, -40), (11, 11))), 160, keep=True)
    pipes = [((0, -22, 400), CARINA, 8.5), (CARINA, (46, -14, 30), 6.5), (CARINA, (-46, -14, 30), 6.5)]
    labels["airway"] = paint(mask(*(tube(*pipe) for pipe in pipes)), -1000, keep=True)
    paint(mask(*(tube(start, end, radius + 3) for start, end, radius in pipes)), 30, keep=True)
    labels["heart"] = paint(mask(ellipsoid((-14, 26, 20), (52, 44, 52))) & ~below, 130, keep=True)
    paint(mask(ellipsoid((0, -5, 60), (26, 50, 110))) & ~below, 40, keep=True)
    for side, sign in (("right", 1), ("left", -1)):
        center, radii = (sign * 76, -2, 40), (60, 90, 98)
        lung = paint(mask(ellipsoid(center, radii)) & inner & ~below, -850)
        vessels = paint(mask(*vessel_tree((sign * 30, -10, 38), center, radii)) & lung, 30)
        labels[f"lung_{side}"], labels[f"vessels_lung_{side}"] = lung, vessels
        canvas.free &= ~lung


def _paint_abdomen(canvas: Canvas, labels: dict, inner: np.ndarray, under: np.ndarray) -> None:
    mask, paint = canvas.mask, canvas.paint
    tubes = [tube(a, b, 13.5) for a, b in pairwise(PANCREAS)]
    labels["pancreas"] = paint(mask(*tubes), 90, keep=True)
    for side, center in (("right", (64, -44, -88)), ("left", (-64, -44, -78))):
        labels[f"kidney_{side}"] = paint(mask(ellipsoid(center, (28, 25, 55))), 190)
        paint(mask(ellipsoid(center, (16, 14, 42))), 150)
        canvas.free &= ~labels[f"kidney_{side}"]
        paint(mask(ellipsoid(center, (36, 33, 64))) & inner, -95, keep=True)
    right, left = ((72, 10, -32), (74, 82, 66)), ((0, 48, -12), (70, 40, 36))
    liver = paint(mask(ellipsoid(*right), ellipsoid(*left)) & under & inner, 110)
    vessels = vessel_tree((25, 5, -45), *right)
    labels["liver"] = liver
    labels["vessels_liver"] = paint(mask(*vessels) & liver, 150)
    canvas.free &= ~liver
    labels["spleen"] = paint(mask(ellipsoid((-102, -22, -28), (28, 44, 46))) & under & inner, 120, keep=True)
    stomach = mask(ellipsoid((-62, 44, -28), (40, 34, 40))) & under & inner
    labels["stomach"] = paint(stomach, 25)
    paint(stomach & mask(block((-200, 62, -200), (200, 200, 200))), -950)  # its gas rises to the front
    canvas.free &= ~stomach
    loops = [ellipsoid((x, 48 + 0.1 * x, z), (20, 17, 15)) for x in (-70, -22, 26, 74) for z in (-140, -112)]
    paint(mask(*loops), 35)


@lru_cache(maxsize=4)
def standard_phantom() -> Phantom:
    """The default phantom, made once and shared: copy before you change it."""
    return make_phantom()
