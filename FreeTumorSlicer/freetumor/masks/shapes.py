"""Tumor shapes as implicit functions in mm, independent of any voxel grid.

A shape is an ellipsoid with three radii whose radius varies with direction, and which may be bent.
Elongation, flatness and roughness are drawn from the distributions of real tumors, and the variation has
the fineness that real outlines have (``shape_statistics.json``). That a radius per direction is enough
was measured: from the centre of the median real tumor, in 97 % or more of all directions, the border is
crossed just once.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from importlib import resources

import numpy as np
from scipy import special

from freetumor.errors import BadInput
from freetumor.masks import radius_field
from freetumor.masks.radius_field import COLUMNS, ROWS

MAX_STRETCH = 1.2  # values beyond are not asked for: a lesion grows by this much at most
_CHUNK = 1 << 14  # points at a time, so that intermediates stay in the cache
# Outlines of axial slices are this much less rough than the body: 0.6 measured on unbent shapes, 0.5 on the
# most bent ones; with this value the distributions meet those of the real tumors.
_OUTLINE_OF_BODY = 0.54
_BEND_ROUGHNESS = 0.145  # roughness (in space) of a sphere bent by 1
_BEND_SHARE, _BEND_MOST = 0.85, 1.2  # at most so much of the roughness is bending; the strongest bend
# Of an outline. Beyond are 2 to 4 % of liver and lung lesions: lumps in a row; ours would be propellers.
_ROUGHEST = 0.2
# Rough lesions have broader lobes, or they would be all thorns: steeper by this per roughness beyond 0.12.
_STEEPER, _STEEPER_FROM = 5.0, 0.12


@dataclass(frozen=True, eq=False)
class Shape:
    """An implicit tumor surface around the origin, its centroid; ``value(p) < 1`` inside.

    Attributes:
        diameter: diameter in mm of the sphere of the same volume.
        inverse: (3, 3), maps RAS mm to the space where the shape is a bent sphere but for `log_radius`.
        origin: (3,), the shape's centroid in that space.
        bend: how much it is bent there, see :func:`freetumor.masks.radius_field.surface`.
        log_radius: logarithm of the radius there, (latitudes, longitudes + 1), float32.
        reach: no point farther than this from the origin is inside, mm.
        bounds: (2, 3), least and greatest RAS mm that hold all values up to :data:`MAX_STRETCH`.
        elongation, flatness, roughness: what the shape was made to have, see
            :class:`freetumor.masks.shape_measures.ShapeMeasures`.
        largest_axis_ratio: major / minor axis that it may get where an organ's border cuts it.
    """

    diameter: float
    inverse: np.ndarray
    origin: np.ndarray
    bend: float
    log_radius: np.ndarray
    reach: float
    bounds: np.ndarray
    elongation: float
    flatness: float
    roughness: float
    largest_axis_ratio: float

    def value(self, points_mm: np.ndarray) -> np.ndarray:
        """Normalised radius, float32 (...), of points (..., 3) in RAS mm relative to the tumor's centre.

        About 0 at the centre, 1 at the surface, growing outwards about as the distance from the centre.
        """
        points = np.asarray(points_mm, dtype=np.float32)
        inner = self.inverse.astype(np.float32) @ points.reshape(-1, 3).T
        inner += self.origin.astype(np.float32)[:, None]
        return self.inner_value(*inner).reshape(points.shape[:-1])

    def inner_value(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """The value at points of the shape's own space, ``inverse @ mm + origin``; all float32, (n,)."""
        result, bend = np.empty(len(x), np.float32), np.float32(self.bend)
        for start in range(0, len(x), _CHUNK):
            part = slice(start, start + _CHUNK)
            bent = z[part] - bend * x[part] * x[part]
            result[part] = _normalised_radius(x[part], y[part], bent, self._table)
        return result

    @cached_property
    def steepest(self) -> float:
        """How fast the value may grow, in units of the shape's own space: a ball's is 1 there."""
        return float(self._table.max()) * float(np.hypot(1.0, self.bend))

    @cached_property
    def _table(self) -> np.ndarray:
        """1 / radius per direction, flat."""
        return np.exp(-self.log_radius).ravel()

    def scaled(self, diameter: float) -> Shape:
        """The same shape with another equivalent-sphere diameter, mm."""
        factor = diameter / self.diameter
        return replace(
            self,
            diameter=diameter,
            inverse=self.inverse / factor,
            reach=self.reach * factor,
            bounds=self.bounds * factor,
        )


def _normalised_radius(x: np.ndarray, y: np.ndarray, z: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Length of (x, y, z) times the bilinear interpolation of `table`, 1 / radius per direction."""
    radius = np.sqrt(x * x + y * y + z * z)
    # Clipped: rounding must not leave [-1, 1], and the very centre has no direction.
    row = np.arccos(np.clip(z / np.maximum(radius, np.float32(1e-12)), -1.0, 1.0))
    row *= np.float32((ROWS - 1) / np.pi)
    column = np.arctan2(y, x)
    column += np.float32(np.pi)
    column *= np.float32(COLUMNS / (2.0 * np.pi))
    top = np.minimum(row.astype(np.int32), ROWS - 2)
    left = np.minimum(column.astype(np.int32), COLUMNS - 1)
    row -= top
    column -= left
    corner = top * (COLUMNS + 1) + left
    upper = table[corner]
    upper += column * (table[corner + 1] - upper)
    corner += COLUMNS + 1
    lower = table[corner]
    lower += column * (table[corner + 1] - lower)
    upper += row * (lower - upper)
    return radius * upper


def sample_shape(
    key: str,
    diameter: float,
    rng: np.random.Generator,
    *,
    elongation: float | None = None,
    flatness: float | None = None,
    roughness: float | None = None,
    rotation: np.ndarray | None = None,
) -> Shape:
    """A random shape, distributed as real tumors are.

    Args:
        key: whose statistics: "liver", "pancreas", "kidney", "lung" or "covid".
        diameter: of the sphere of equal volume, mm.
        rng: every random number comes from here; the same state gives the same shape.
        elongation, flatness: axis ratios >= 1 in place of drawn ones.
        roughness: 0..0.2 in place of a drawn one.
        rotation: orthogonal (3, 3) whose columns are the major, intermediate and minor axis in RAS, in
            place of a random one (to lay a flat lesion along the pleura).
    """
    entry = _statistics(key)
    if not 0.1 <= diameter <= 1000.0:
        raise BadInput("a tumor diameter in mm", f"{diameter}", kind="usage")
    # Everything is drawn, whatever is given: a given value changes nothing but itself.
    drawn = _draw(entry, diameter, rng)
    random_axes = _random_rotation(rng)
    share = _BEND_SHARE * rng.uniform()
    normals = radius_field.random_normals(rng)
    given = (elongation, flatness, roughness)
    long_, flat, rough = (float(d if g is None else g) for d, g in zip(drawn, given, strict=True))
    if min(long_, flat) < 1.0 or not 0.0 <= rough <= _ROUGHEST:
        raise BadInput(
            f"axis ratios of at least 1 and a roughness of 0 to {_ROUGHEST}",
            f"elongation {long_}, flatness {flat}, roughness {rough}",
            kind="usage",
        )
    axes = np.array([long_, 1.0, 1.0 / flat])
    steeper = _STEEPER * max(0.0, rough / _OUTLINE_OF_BODY - _STEEPER_FROM)
    field = radius_field.random_field(normals, entry["slope"] + steeper)
    frame = random_axes if rotation is None else np.asarray(rotation, dtype=np.float64)
    most = max(entry["largest_axis_ratio"], long_ * flat)
    return _assembled(diameter, axes, frame, field, rough, share, most)


def _assembled(
    diameter: float,
    axes: np.ndarray,
    frame: np.ndarray,
    field: np.ndarray,
    roughness: float,
    share: float,
    largest_axis_ratio: float,
) -> Shape:
    """The shape with the wanted size, axis ratios and roughness, up to `share` of it by bending."""
    body = roughness / _OUTLINE_OF_BODY
    amount = min(share * body / _BEND_ROUGHNESS, _BEND_MOST)
    rest = np.sqrt(body**2 - (amount * _BEND_ROUGHNESS) ** 2)
    log_radius = radius_field.roughened(field, rest)
    volume, centre, moments = radius_field.bent_moments(log_radius, amount)
    # Round second moments first, then the wanted axes: elongation and flatness come out as drawn.
    values, vectors = np.linalg.eigh(moments)
    forward = (frame * axes) @ (vectors / np.sqrt(values)) @ vectors.T
    forward *= diameter * np.cbrt(np.pi / 6.0 / (volume * abs(np.linalg.det(forward))))
    radius = np.exp(log_radius).astype(np.float32)
    surface = radius_field.surface(radius, amount) - centre.astype(np.float32)[:, None]
    stretched = radius_field.surface(np.float32(MAX_STRETCH) * radius, amount, coarse=True)
    far = forward @ (stretched - centre[:, None])
    return Shape(
        diameter=float(diameter),
        inverse=np.linalg.inv(forward),
        origin=centre,
        bend=float(amount),
        log_radius=np.concatenate([log_radius, log_radius[:, :1]], axis=1).astype(np.float32),
        # Between the nodes of the table the surface lies at most a little farther out than on them.
        reach=1.02 * float(np.sqrt(np.square(forward.astype(np.float32) @ surface).sum(axis=0).max())),
        bounds=1.02 * np.stack([far.min(axis=1), far.max(axis=1)]),
        elongation=float(axes[0]),
        flatness=float(1.0 / axes[2]),
        roughness=roughness,
        largest_axis_ratio=largest_axis_ratio,
    )


@lru_cache
def _statistics(key: str) -> dict:
    """The entry of `key` in ``shape_statistics.json``, with what sampling needs worked out once."""
    text = resources.files("freetumor.masks").joinpath("shape_statistics.json").read_text(encoding="utf-8")
    entries = json.loads(text)["keys"]
    if key not in entries:
        raise BadInput(f"a shape key of {', '.join(entries)}", repr(key), kind="usage")
    # Rank correlations to those of the normal scores that give them; Cholesky mixes independent scores.
    ranks = np.array(entries[key]["rank_correlation"], dtype=np.float64)
    return entries[key] | {"mixing": np.linalg.cholesky(2.0 * np.sin(np.pi / 6.0 * ranks))}


def _draw(entry: dict, diameter: float, rng: np.random.Generator) -> tuple[float, float, float]:
    """Elongation, flatness and roughness, correlated as in real tumors."""
    chance = 100.0 * special.ndtr(entry["mixing"] @ rng.standard_normal(3))
    percent = entry["quantiles_percent"]
    # Roughness depends on size: between the size bins' quantiles, by the logarithm of the diameter.
    bins = entry["roughness"]
    values = [float(np.interp(chance[2], percent, size["quantiles"])) for size in bins]
    rough = np.interp(np.log(diameter), np.log([size["diameter_mm"] for size in bins]), values)
    long_ = float(np.interp(chance[0], percent, entry["elongation"]))
    flat = float(np.interp(chance[1], percent, entry["flatness"]))
    # The longest are not the flattest, too: sheets and threads are no tumors.
    return long_, min(flat, entry["largest_axis_ratio"] / long_), min(float(rough), _ROUGHEST)


def _random_rotation(rng: np.random.Generator) -> np.ndarray:
    """Uniformly random rotation matrix (3, 3), from a random unit quaternion."""
    quaternion = rng.standard_normal(4)
    w, x, y, z = quaternion / np.linalg.norm(quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
