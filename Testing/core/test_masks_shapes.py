"""Shapes of tumors: their measures, their volume, and that they are distributed as real tumors' are."""

from __future__ import annotations

import json
import runpy
from dataclasses import astuple
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from freetumor.anatomy import ORGANS
from freetumor.errors import BadInput
from freetumor.masks.shape_measures import ShapeMeasures, axis_ratio, measure
from freetumor.masks.shapes import Shape, sample_shape
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

KEYS = sorted({row.shapes for row in ORGANS.values()})
STATISTICS = json.loads(
    resources.files("freetumor.masks").joinpath("shape_statistics.json").read_text(encoding="utf-8")
)["keys"]
SCRIPT = Path(__file__).resolve().parents[2] / "FreeTumorSlicer" / "Scripts" / "derive_shape_statistics.py"


def grid(reach: float, spacing: float, shift: np.ndarray | float = 0.0) -> np.ndarray:
    """Points (n, n, n, 3) in RAS mm that cover `reach`; axis 2 of the array runs along S."""
    line = np.arange(-int(reach / spacing) - 2, int(reach / spacing) + 3) * spacing
    return np.stack(np.meshgrid(line, line, line, indexing="ij"), axis=-1) + shift


def voxelised(shape: Shape, spacing: float, shift: np.ndarray | float = 0.0) -> np.ndarray:
    return shape.value(grid(shape.reach, spacing, shift)) <= 1.0


def volume(shape: Shape, steps: int = 24) -> float:
    """Volume in mm^3, counted in voxels of 1 / `steps` of the diameter."""
    spacing = shape.diameter / steps
    return np.count_nonzero(voxelised(shape, spacing)) * spacing**3


def ellipsoid(radii: tuple, spacing: tuple, shift: float = 0.3) -> np.ndarray:
    counts = [int(r / s) + 2 for r, s in zip(radii, spacing, strict=True)]
    axes = [np.arange(-n, n + 1) * s + shift for n, s in zip(counts, spacing, strict=True)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    return np.square(points / np.array(radii)).sum(axis=-1) <= 1.0


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (3.0, 0.8, 0.8), (0.7, 0.7, 2.5)])
def test_measures_of_an_ellipsoid_are_its_own_at_any_voxel_size(spacing):
    found = measure(ellipsoid((12.0, 20.0, 15.0), spacing), spacing)
    assert found.diameter_mm == pytest.approx(2 * np.cbrt(12 * 20 * 15), rel=0.01)
    assert found.volume_mm3 == pytest.approx(np.pi / 6 * found.diameter_mm**3)
    assert found.elongation == pytest.approx(20 / 15, rel=0.02)
    assert found.flatness == pytest.approx(15 / 12, rel=0.02)
    assert axis_ratio(ellipsoid((12.0, 20.0, 15.0), spacing), spacing) == pytest.approx(20 / 12, rel=0.02)
    assert found.roughness < 0.015
    assert found.roughness_3d < 0.015


def test_a_single_voxel_is_a_box_not_a_point():
    found = measure(np.ones((1, 1, 1)), (3.0, 1.0, 2.0))
    assert found.elongation == pytest.approx(1.5)
    assert found.flatness == pytest.approx(2.0)
    assert found.volume_mm3 == pytest.approx(6.0)


def test_outline_roughness_sees_the_slices_only():
    # Discs of different size on top of each other: every slice a perfect disc, the body stepped.
    y, x = np.mgrid[-20:21, -20:21]
    radii = [10, 16, 10, 16, 10, 16]
    stack = np.repeat(np.array([x**2 + y**2 <= r**2 for r in radii]), 5, axis=0)
    assert measure(stack, (1, 1, 1)).roughness < 0.02
    assert measure(stack, (1, 1, 1)).roughness_3d > 0.08
    turned = np.moveaxis(stack, 0, 2)
    again = measure(turned, (1, 1, 1), slice_axis=2)
    assert astuple(again) == pytest.approx(astuple(measure(stack, (1, 1, 1))))
    assert measure(turned, (1, 1, 1)).roughness > 0.08


def test_a_square_is_rougher_than_a_disc_by_the_known_amount():
    # A square and the disc of its area: 1 - |overlap| / area = 0.0905, by integration of the segments.
    assert measure(np.ones((4, 60, 60)), (1, 1, 1)).roughness == pytest.approx(0.0905, abs=0.003)


def test_measures_refuse_an_empty_mask():
    with pytest.raises(BadInput):
        measure(np.zeros((3, 3, 3)), (1, 1, 1))


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(KEYS), st.floats(3.0, 100.0), st.integers(0, 2**32 - 1))
def test_volume_is_the_sphere_s(key, diameter, seed):
    shape = sample_shape(key, diameter, np.random.default_rng(seed))
    assert volume(shape) == pytest.approx(np.pi / 6 * diameter**3, rel=0.02)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(KEYS), st.floats(3.0, 100.0), st.integers(0, 2**32 - 1))
def test_one_piece_around_its_centroid_within_reach(key, diameter, seed):
    shape = sample_shape(key, diameter, np.random.default_rng(seed))
    spacing = diameter / 24
    points = grid(1.3 * shape.reach, spacing)
    values = shape.value(points)
    inside = values <= 1.0
    assert values.dtype == np.float32
    assert ndimage.label(inside, np.ones((3, 3, 3)))[1] == 1
    assert (np.linalg.norm(points[inside], axis=-1) <= shape.reach).all()
    assert np.abs(points[inside].mean(axis=0)).max() < 0.02 * diameter


@pytest.mark.parametrize("key", KEYS)
def test_same_seed_same_values_other_seed_others(key):
    points = grid(15.0, 3.0)
    first, again, other = (sample_shape(key, 20.0, np.random.default_rng(s)).value(points) for s in (4, 4, 5))
    assert np.array_equal(first, again)
    assert not np.allclose(first, other, atol=0.05)


def test_a_given_value_changes_nothing_but_itself():
    plain = sample_shape("liver", 20.0, np.random.default_rng(3))
    same = sample_shape("liver", 20.0, np.random.default_rng(3), elongation=plain.elongation)
    longer = sample_shape("liver", 20.0, np.random.default_rng(3), elongation=3.0)
    points = grid(12.0, 3.0)
    assert np.array_equal(plain.value(points), same.value(points))
    assert (longer.elongation, longer.flatness, longer.roughness) == (3.0, plain.flatness, plain.roughness)


@pytest.mark.parametrize("factor", [0.2, 4.0])
def test_scaled_keeps_the_form_and_scales_volume_by_the_cube(factor):
    shape = sample_shape("lung", 20.0, np.random.default_rng(1))
    scaled = shape.scaled(20.0 * factor)
    points = grid(15.0, 2.0)
    np.testing.assert_allclose(scaled.value(points * factor), shape.value(points), rtol=1e-3, atol=1e-4)
    assert volume(scaled) == pytest.approx(volume(shape) * factor**3, rel=1e-3)
    assert (scaled.diameter, scaled.reach) == pytest.approx((20.0 * factor, shape.reach * factor))


@settings(max_examples=20, deadline=None)
@given(st.floats(1.0, 3.0), st.floats(1.0, 3.0), st.floats(0.0, 0.15), st.integers(0, 2**32 - 1))
def test_axis_ratios_are_the_asked_ones(elongation, flatness, roughness, seed):
    rng = np.random.default_rng(seed)
    shape = sample_shape("liver", 30.0, rng, elongation=elongation, flatness=flatness, roughness=roughness)
    found = measure(voxelised(shape, 1.0), (1, 1, 1), slice_axis=2)
    assert found.elongation == pytest.approx(elongation, rel=0.05)
    assert found.flatness == pytest.approx(flatness, rel=0.05)


def test_roughness_follows_the_asked_one():
    for asked in (0.0, 0.03, 0.06, 0.1, 0.15, 0.18):
        shapes = [sample_shape("lung", 40.0, np.random.default_rng(s), roughness=asked) for s in range(12)]
        found = [measure(voxelised(shape, 1.5), (1.5,) * 3, slice_axis=2).roughness for shape in shapes]
        assert np.mean(found) == pytest.approx(asked, rel=0.2, abs=0.012)


def test_rotation_lays_the_axes():
    frame = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    shape = sample_shape(
        "covid", 30.0, np.random.default_rng(2), elongation=1.5, flatness=2.0, rotation=frame
    )
    points = grid(shape.reach, 1.0)
    values, vectors = np.linalg.eigh(np.cov(points[shape.value(points) <= 1.0].T))
    assert np.abs(np.sum(vectors[:, ::-1] * frame, axis=0)) == pytest.approx(1.0, abs=0.02)
    assert np.sqrt(values[1] / values[0]) == pytest.approx(2.0, rel=0.05)


def test_values_do_not_depend_on_how_the_points_are_arranged():
    shape = sample_shape("pancreas", 20.0, np.random.default_rng(2))
    points = grid(20.0, 1.0)  # more than one chunk
    whole = shape.value(points)
    assert whole.shape == points.shape[:-1]
    np.testing.assert_allclose(shape.value(points[7]), whole[7], rtol=1e-5)
    assert shape.value(points[7, 5, 3]).shape == ()
    assert shape.value(np.zeros((0, 3))).shape == (0,)
    assert shape.value(np.zeros(3)) < 0.7


def test_covid_lesions_are_assumed_wider_than_lung_tumors():
    assert STATISTICS["covid"]["assumed"]
    assert not any(STATISTICS[key]["assumed"] for key in KEYS if key != "covid")
    assert STATISTICS["covid"]["flatness"][4] > STATISTICS["lung"]["flatness"][4]


@pytest.mark.parametrize(
    "wrong",
    [{"elongation": 0.9}, {"flatness": 0.5}, {"roughness": -0.1}, {"roughness": 0.9}, {"diameter": 0.0}],
)
def test_impossible_shapes_are_refused(wrong):
    diameter = wrong.pop("diameter", 10.0)
    with pytest.raises(BadInput):
        sample_shape("liver", diameter, np.random.default_rng(0), **wrong)
    with pytest.raises(BadInput, match="liver"):
        sample_shape("spleen", 10.0, np.random.default_rng(0))


def sampled(key: str, count: int) -> list[ShapeMeasures]:
    """Measures of shapes as the real ones were measured: same grid, sizes of real lesions."""
    rng = np.random.default_rng(11)
    spacing = 1.5 if key == "kidney" else 1.0
    sizes = np.array(STATISTICS[key]["size_mm"])
    smallest = spacing * np.cbrt(6 / np.pi * 150)
    found = []
    while len(found) < count:
        # The largest tenth are left out: they take long and their shapes are no different.
        diameter = float(np.interp(rng.uniform(5, 90), (5, 25, 50, 75, 95), sizes))
        if diameter < smallest:
            continue
        shape = sample_shape(key, diameter, rng)
        mask = voxelised(shape, spacing, rng.uniform(-0.5, 0.5, 3) * spacing)
        found.append(measure(mask, (spacing,) * 3, slice_axis=2))
    return found


@pytest.mark.parametrize("key", KEYS)
def test_no_shape_is_longer_and_thinner_than_real_tumors(key):
    shapes = [sample_shape(key, 20.0, np.random.default_rng(seed)) for seed in range(300)]
    longest = max(shape.elongation * shape.flatness for shape in shapes)
    assert longest <= 1.001 * STATISTICS[key]["largest_axis_ratio"]


@pytest.mark.parametrize("key", [key for key in KEYS if key != "covid"])
def test_sampled_shapes_are_distributed_as_real_ones(key):
    """Quartiles within twice their sampling error or so (100 shapes) of those of the real masks."""
    found = sampled(key, 100)
    percent = STATISTICS[key]["quantiles_percent"]
    quartiles = [percent.index(p) for p in (25, 50, 75)]
    for name, tolerance in (("elongation", 0.08), ("flatness", 0.06)):
        real = np.array(STATISTICS[key][name])[quartiles]
        ours = np.percentile([getattr(m, name) for m in found], (25, 50, 75))
        np.testing.assert_allclose(ours, real, rtol=tolerance, err_msg=f"{name} quartiles")
    real = np.array(STATISTICS[key]["roughness_all"])[quartiles]
    ours = np.percentile([m.roughness for m in found], (25, 50, 75))
    np.testing.assert_allclose(ours, real, rtol=0.2, atol=0.003, err_msg="roughness quartiles")


def test_shipped_statistics_are_those_of_the_real_masks(shared):
    script = runpy.run_path(str(SCRIPT), run_name="derive_shape_statistics")
    statistics = script["derive"](shared / "data" / "masks")
    assert statistics["keys"].keys() == STATISTICS.keys()
    for key, entry in statistics["keys"].items():
        for name, value in entry.items():
            shipped = STATISTICS[key][name]
            numbers = isinstance(value, list) and not isinstance(value[0], (list, dict))
            if numbers or isinstance(value, float):
                assert shipped == pytest.approx(value, abs=2e-3), (key, name)
            elif name == "roughness":
                for ours, theirs in zip(shipped, value, strict=True):
                    assert ours["quantiles"] == pytest.approx(theirs["quantiles"], abs=2e-3)
            else:
                assert shipped == value, (key, name)
