"""Random grids and volumes for hypothesis."""

from __future__ import annotations

import numpy as np
from freetumor.volume import Geometry, Storage, Volume
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

DTYPES = ("int16", "uint16", "uint8", "int8", "int32", "uint32", "int64", "float32", "float64")


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    """Oblique, flipped (left-handed too), anisotropic grids, a few voxels in size."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.tuples(*[st.integers(2, 7)] * 3))
    spacing = draw(st.tuples(*[st.floats(0.2, 6)] * 3))
    axes = Rotation.random(random_state=int(rng.integers(2**31))).as_matrix()
    if draw(st.booleans()):
        axes = np.round(Rotation.from_euler("xyz", rng.integers(0, 4, 3) * 90, degrees=True).as_matrix())
    affine = np.eye(4)
    affine[:3, :3] = axes @ np.diag(draw(st.tuples(*[st.sampled_from([-1, 1])] * 3))) * spacing
    affine[:3, 3] = rng.uniform(-500, 500, 3)
    return Geometry(shape, affine)


@st.composite
def volumes(draw: st.DrawFn, scaled: bool = True) -> Volume:
    """Volumes of all types; where `scaled`, some with slope and intercept (exact in float32)."""
    geometry = draw(geometries())
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    if dtype.kind == "f":
        array = rng.normal(0, 500, geometry.shape).astype(dtype)
    else:
        limits = np.iinfo(dtype)
        array = rng.integers(max(limits.min, -(2**20)), min(limits.max, 2**20), geometry.shape, dtype=dtype)
    scales = [(1.0, 0.0), (1.0, -1024.0), (2.0, -8.0), (0.5, 10.25)] if scaled else [(1.0, 0.0)]
    return Volume(array, geometry, Storage(*draw(st.sampled_from(scales))), "random")
