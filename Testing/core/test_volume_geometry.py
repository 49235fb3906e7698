import numpy as np
import SimpleITK as sitk
from freetumor.volume import Box, Geometry, distance_up_to
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from volume_strategies import geometries


def as_image(geometry: Geometry) -> sitk.Image:
    spacing, origin, direction = geometry.to_lps()
    image = sitk.Image(geometry.shape[::-1], sitk.sitkUInt8)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    image.SetDirection(direction)
    return image


indices = st.tuples(*[st.floats(-20, 20)] * 3)


@given(geometries(), st.tuples(*[st.integers(-20, 20)] * 3))
def test_ras_points_are_those_of_simpleitk_with_two_signs_changed(geometry, index):
    lps = as_image(geometry).TransformIndexToPhysicalPoint(index[::-1])
    np.testing.assert_allclose(geometry.index_to_ras(index), np.multiply(lps, [-1, -1, 1]), atol=1e-6)


@given(geometries(), indices)
def test_ras_to_index_undoes_index_to_ras(geometry, index):
    np.testing.assert_allclose(geometry.ras_to_index(geometry.index_to_ras(index)), index, atol=1e-6)


@given(geometries())
def test_a_grid_survives_the_way_to_lps_and_back(geometry):
    spacing, origin, direction = geometry.to_lps()
    back = Geometry.from_lps(geometry.shape[::-1], spacing, origin, direction)
    np.testing.assert_allclose(back.affine, geometry.affine, atol=1e-9)
    assert back.shape == geometry.shape


@given(geometries(), st.data())
def test_a_cropped_grid_keeps_its_voxels_where_they_were(geometry, data):
    start = tuple(data.draw(st.integers(0, n - 1)) for n in geometry.shape)
    stop = tuple(data.draw(st.integers(a + 1, n)) for a, n in zip(start, geometry.shape, strict=True))
    cropped = geometry.cropped(Box(start, stop))
    np.testing.assert_allclose(
        cropped.index_to_ras([1, 2, 3]), geometry.index_to_ras(np.add(start, [1, 2, 3]))
    )
    assert cropped.shape == tuple(np.subtract(stop, start))


@given(geometries(), st.tuples(*[st.integers(1, 3)] * 3))
def test_a_strided_grid_is_that_of_the_strided_array(geometry, step):
    strided = geometry.strided(step)
    array = np.zeros(geometry.shape)[:: step[0], :: step[1], :: step[2]]
    assert strided.shape == array.shape
    np.testing.assert_allclose(strided.index_to_ras([1, 1, 1]), geometry.index_to_ras(step))


@given(geometries())
def test_spacing_and_voxel_volume_follow_the_affine(geometry):
    steps = [np.linalg.norm(geometry.index_to_ras(e) - geometry.index_to_ras([0, 0, 0])) for e in np.eye(3)]
    np.testing.assert_allclose(geometry.spacing, steps)
    np.testing.assert_allclose(geometry.voxel_volume, np.prod(steps))


@given(geometries())
def test_a_grid_moved_by_a_tenth_of_a_millimetre_is_another_grid(geometry):
    moved = geometry.affine.copy()
    moved[1, 3] += 0.1
    assert geometry.same_grid(Geometry(geometry.shape, geometry.affine))
    assert not geometry.same_grid(Geometry(geometry.shape, moved))


@given(st.lists(st.tuples(*[st.integers(0, 5)] * 3), min_size=1, max_size=6))
def test_the_box_of_a_mask_is_the_smallest_that_holds_it(points):
    mask = np.zeros((6, 6, 6), bool)
    mask[tuple(np.transpose(points))] = True
    box = Box.of(mask)
    assert box.start == tuple(np.min(points, axis=0))
    assert box.stop == tuple(np.max(points, axis=0) + 1)


def test_an_empty_mask_has_an_empty_box():
    assert Box.of(np.zeros((3, 4, 5), bool)).size == 0


def test_a_grown_box_stays_inside_the_array():
    assert Box((1, 2, 3), (3, 4, 5)).grown((2, 1, 9), (10, 10, 10)) == Box((0, 1, 0), (5, 5, 10))


@given(
    st.tuples(*[st.floats(0.5, 6.0)] * 3), st.floats(0.1, 15.0), st.floats(0.0, 0.05), st.integers(0, 2**32)
)
def test_near_distances_are_those_of_the_whole_distance_map(spacing, most, share, seed):
    mask = np.random.default_rng(seed).random((6, 9, 14)) < share
    near = distance_up_to(most, mask, spacing)
    whole = (
        ndimage.distance_transform_edt(~mask, sampling=spacing) if mask.any() else np.full(mask.shape, 1e9)
    )
    inside, beyond = whole < most - 1e-3, whole > most + 1e-3
    np.testing.assert_allclose(near[inside], whole[inside], atol=1e-4)
    assert np.isinf(near[beyond]).all()
