import numpy as np
import pytest
from freetumor.errors import BadInput
from freetumor.volume import (
    Geometry,
    Storage,
    Volume,
    aligned,
    check_ct,
    check_same_grid,
    read_volume,
    resample_labels,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from phantom import make_phantom
from scipy.spatial.transform import Rotation


def refused(volume, kind, *words, **options):
    with pytest.raises(BadInput) as error:
        check_ct(volume, **options)
    assert error.value.kind == kind
    for word in words:
        assert word in str(error.value)


def changed(phantom, change, dtype=np.float32):
    return Volume(change(phantom.ct.hu()).astype(dtype), phantom.ct.geometry, name="ct.nii")


def test_a_ct_in_hu_passes(phantom):
    check_ct(phantom.ct)


def test_a_ct_stored_with_an_intercept_passes():
    check_ct(make_phantom((20, 40, 50), (14, 8, 8), dtype=np.uint16, intercept=-1024).ct)


def test_every_real_ct_passes_and_its_copies_in_other_units_do_not(shared):
    paths = sorted((shared / "data").glob("*/*/ct.nii.gz"), key=lambda p: p.stat().st_size)[:6]
    assert paths
    for path in paths:
        ct = read_volume(path)
        check_ct(ct)
        raw = Volume((ct.array.astype(np.int32) + 1024).astype(np.uint16), ct.geometry)
        refused(raw, "not_hu", "without its rescale intercept")


@pytest.mark.parametrize(
    ("words", "change"),
    [
        ("scaled to 0..1", lambda hu: np.clip((hu + 1000) / 2000, 0, 1)),
        ("scaled to 0..1", lambda hu: np.clip(hu / 1000, -1, 1)),
        ("scaled to 0..255", lambda hu: np.rint(np.clip((hu + 175) * 0.6, 0, 255))),
        ("subtract 1024", lambda hu: hu + 1024),
        ("below -50 HU", lambda hu: (hu - hu.mean()) / hu.std()),
        ("below -50 HU", lambda hu: np.abs(hu) * 0.8),
        ("no soft tissue", lambda hu: hu - 1024),
        ("outside the range", lambda hu: hu * 100),
        ("all the same", lambda hu: np.zeros_like(hu)),
    ],
)
def test_values_that_are_not_hu_are_refused_unless_the_user_says_so(phantom, words, change):
    volume = changed(phantom, change)
    with pytest.raises(BadInput, match="(?i)" + words) as error:
        check_ct(volume)
    assert error.value.kind == "not_hu"
    assert "--assume-hu" in str(error.value)
    check_ct(volume, assume_hu=True)


def test_nan_and_infinity_are_counted_even_if_hu_is_assumed(phantom):
    volume = changed(phantom, lambda hu: hu)
    volume.array[3, 4, 5:8] = np.nan
    volume.array[0, 0, 0] = -np.inf
    refused(volume, "not_finite", "4 voxels", assume_hu=True)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_single_slice_is_not_3d(phantom, axis):
    array = np.take(phantom.ct.array, [40], axis=axis)
    refused(Volume(array, Geometry(array.shape, np.eye(4)), name="slice.nii"), "not_3d", "slice.nii")


def test_a_degenerate_grid_is_refused(phantom):
    refused(Volume(phantom.ct.array, Geometry(phantom.ct.array.shape, np.diag([1, 0, 1, 1]))), "bad_geometry")


def test_another_grid_is_refused_with_both_grids_named(phantom):
    check_same_grid(phantom.ct, phantom.label_map("chest"), "label map")
    other = make_phantom((20, 40, 50), (14, 8, 8)).label_map("chest")
    with pytest.raises(BadInput, match=r"160x128x75.*50x40x20.*Use --resample-labels") as error:
        check_same_grid(phantom.ct, other, "label map", hint="Use --resample-labels.")
    assert error.value.kind == "grid_mismatch"


def test_a_shifted_grid_is_refused_with_both_positions(phantom):
    moved = phantom.ct.geometry.affine.copy()
    moved[0, 3] += 3
    other = Volume(phantom.ct.array, Geometry(phantom.ct.array.shape, moved))
    with pytest.raises(BadInput, match=r"198\.8.*201\.8"):
        check_same_grid(phantom.ct, other, "mask")


@settings(max_examples=20)
@given(st.integers(0, 1000), st.tuples(*[st.integers(3, 8)] * 3))
def test_resampled_labels_are_those_of_the_nearest_voxel(seed, shape):
    rng = np.random.default_rng(seed)
    affine = np.eye(4)
    affine[:3, :3] = Rotation.random(random_state=seed).as_matrix() * rng.uniform(0.5, 2, 3)
    affine[:3, 3] = rng.uniform(-3, 3, 3)
    labels = Volume(rng.integers(1, 9, (6, 7, 8)).astype(np.uint8), Geometry((6, 7, 8), np.eye(4)))
    back = resample_labels(labels, Geometry(shape, affine))
    index = labels.geometry.ras_to_index(back.geometry.index_to_ras(np.moveaxis(np.indices(shape), 0, -1)))
    clear = (np.abs(index - np.rint(index)) < 0.49).all(-1)
    nearest = np.rint(index).astype(int)
    inside = ((nearest >= 0) & (nearest < labels.array.shape)).all(-1)
    expected = labels.array[tuple(np.where(inside[..., None], nearest, 0).T)].T * inside
    np.testing.assert_array_equal(back.array[clear], expected[clear])
    assert back.array.dtype == np.uint8
    assert back.geometry.shape == shape


def test_scaled_labels_are_resampled_by_their_values():
    stored = np.arange(125, dtype=np.int16).reshape(5, 5, 5)
    labels = Volume(stored, Geometry((5, 5, 5), np.eye(4)), Storage(2.0, 1.0))
    np.testing.assert_array_equal(resample_labels(labels, labels.geometry).array, stored * 2 + 1)


@given(st.permutations(range(3)), st.tuples(*[st.booleans()] * 3), st.integers(0, 2))
def test_the_same_voxels_in_another_order_are_the_same_grid(order, flips, shift):
    rng = np.random.default_rng(4)
    geometry = Geometry(
        (5, 7, 6), np.array([[-0.8, 0, 0, 30], [0, -0.9, 0, 12], [0, 0, 2.5, -70], [0, 0, 0, 1.0]])
    )
    labels = Volume(rng.integers(0, 9, geometry.shape).astype(np.uint8), geometry)
    index = np.stack(np.meshgrid(*[np.arange(n) for n in geometry.shape], indexing="ij"), axis=-1)
    points = geometry.index_to_ras(index).transpose([*order, 3])
    array = labels.array.transpose(order)
    turned = tuple(slice(None, None, -1 if flip else 1) for flip in flips)
    points, array = points[turned], array[turned]
    affine = np.eye(4)
    for column, axis in enumerate((2, 1, 0)):
        step = [0, 0, 0]
        step[axis] = 1
        affine[:3, column] = points[tuple(step)] - points[0, 0, 0]
    affine[:3, 3] = points[0, 0, 0] + shift * affine[:3, 0]
    other = Volume(np.ascontiguousarray(array), Geometry(array.shape, affine))
    back = aligned(other, geometry)
    if shift:
        assert back is None
    else:
        assert np.array_equal(back.array, labels.array)
        assert back.geometry.same_grid(geometry)
