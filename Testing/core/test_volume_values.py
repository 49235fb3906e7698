import numpy as np
import pytest
from freetumor.volume import Box, Geometry, Storage, Volume
from hypothesis import given
from volume_strategies import volumes


@given(volumes())
def test_hu_of_a_box_is_that_part_of_the_hu(volume):
    box = Box((1, 0, 1), volume.array.shape)
    np.testing.assert_array_equal(volume.hu(box), volume.hu()[box.slices])


@given(volumes())
def test_stored_values_come_back_from_their_hu(volume):
    if volume.array.dtype.kind == "f":
        np.testing.assert_allclose(volume.to_stored(volume.hu()), volume.array, rtol=1e-6, atol=2e-4)
    else:
        np.testing.assert_array_equal(volume.to_stored(volume.hu()), volume.array)


def test_hu_beyond_the_stored_type_stop_at_its_limits():
    volume = Volume(np.zeros((1, 1, 3), np.uint16), Geometry((1, 1, 3), np.eye(4)), Storage(1.0, -1024.0))
    hu = np.array([[[-3000.0, 0.4, 1e6]]])
    np.testing.assert_array_equal(volume.to_stored(hu), [[[0, 1024, 65535]]])


def test_a_copy_shares_no_voxels():
    volume = Volume(np.zeros((2, 2, 2), np.int16), Geometry((2, 2, 2), np.eye(4)))
    copy = volume.copy()
    copy.array[:] = 1
    assert not volume.array.any()


@given(volumes())
def test_a_fingerprint_sees_one_changed_voxel_and_a_moved_grid(volume):
    changed, before = volume.copy(), volume.fingerprint()
    assert changed.fingerprint() == before
    changed.array[-1, -1, -1] += 1
    moved = volume.geometry.affine.copy()
    moved[2, 3] += 0.5
    assert changed.fingerprint() != before
    assert Volume(volume.array, Geometry(volume.array.shape, moved), volume.storage).fingerprint() != before


def test_an_array_of_another_shape_than_its_grid_is_refused():
    with pytest.raises(ValueError, match="differ"):
        Volume(np.zeros((2, 2, 3)), Geometry((2, 2, 2), np.eye(4)))
