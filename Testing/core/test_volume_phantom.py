import numpy as np
import pytest
from freetumor.anatomy import ORGANS
from phantom import make_phantom
from scipy.spatial.transform import Rotation

SMALL = ((30, 52, 64), (10.0, 6.2, 6.2))


def test_organs_lie_where_they_do_in_a_body(phantom):
    def center(name):
        return phantom.ct.geometry.index_to_ras(np.argwhere(phantom.labels[name]).mean(0))

    right, left = 1, -1
    assert center("liver")[0] * right > 20
    assert center("spleen")[0] * left > 20
    assert center("kidney_right")[0] > 40
    assert center("kidney_left")[0] < -40
    assert center("lung_left")[2] > center("spleen")[2] + 50
    assert center("spine")[1] < center("pancreas")[1] - 50


@pytest.mark.parametrize("name", ["liver", "pancreas", "kidney", "lung"])
def test_organs_have_the_size_and_hu_of_the_organ_table(phantom, name):
    organ, mask = ORGANS[name], phantom.organ(name)
    assert mask.sum() * phantom.ct.geometry.voxel_volume / 1000 > max(organ.minimum_ml, 80)
    low, high = organ.organ_hu
    assert low < np.median(phantom.ct.hu()[mask]) < high


def test_organ_masks_do_not_overlap(phantom):
    solid = [m for name, m in phantom.labels.items() if name != "body" and not name.startswith("vessels")]
    assert np.sum(solid, axis=0, dtype=int).max() == 1
    assert not (phantom.labels["vessels_liver"] & ~phantom.labels["liver"]).any()


def test_label_maps_use_the_ids_of_the_convention(phantom):
    abdomen, chest = phantom.label_map("abdomen"), phantom.label_map("chest")
    assert abdomen.array.dtype == np.uint8
    assert set(np.unique(abdomen.array)) == {0, 1, 3, 5}
    np.testing.assert_array_equal(abdomen.array == 5, phantom.organ("kidney"))
    np.testing.assert_array_equal(chest.array == 1, phantom.organ("lung"))
    total = phantom.totalsegmentator().array
    for name in ("liver", "pancreas", "kidney", "lung"):
        found = np.isin(total, ORGANS[name].totalsegmentator)
        np.testing.assert_array_equal(found, phantom.organ(name))


def test_any_grid_shows_the_same_body():
    straight = make_phantom((90, 80, 100), (4, 4, 4), noise_hu=0, table=False)
    turned = Rotation.from_euler("xyz", [25, 10, -40], degrees=True).as_matrix() @ np.diag([1, -1, 1])
    oblique = make_phantom((70, 74, 78), (3, 3, 3), direction=turned, noise_hu=0, table=False)
    points = oblique.ct.geometry.index_to_ras(np.moveaxis(np.indices((70, 74, 78)), 0, -1))
    index = np.rint(straight.ct.geometry.ras_to_index(points)).astype(int)
    inside = ((index >= 0) & (index < straight.ct.array.shape)).all(-1)
    seen = straight.ct.array[tuple(index[inside].T)]
    assert np.mean(seen == oblique.ct.array[inside]) > 0.9
    liver = straight.labels["liver"][tuple(index[inside].T)]
    assert 2 * (liver & oblique.labels["liver"][inside]).sum() > 0.93 * (
        liver.sum() + oblique.labels["liver"][inside].sum()
    )


def test_noise_has_the_asked_strength_and_seed_and_is_correlated():
    quiet, one, again, two = (
        make_phantom(*SMALL, noise_hu=n, seed=s) for n, s in ((0, 0), (12, 1), (12, 1), (12, 2))
    )
    noise = (one.ct.hu() - quiet.ct.hu())[quiet.ct.hu() > -900]
    assert 11 < noise.std() < 13
    np.testing.assert_array_equal(one.ct.array, again.ct.array)
    assert (one.ct.array != two.ct.array).any()
    field = (one.ct.hu() - quiet.ct.hu())[:, 20:30, 20:40]
    assert np.corrcoef(field[..., 1:].ravel(), field[..., :-1].ravel())[0, 1] > 0.4
    assert abs(np.corrcoef(field[1:].ravel(), field[:-1].ravel())[0, 1]) < 0.2


def test_a_phantom_stored_with_a_scale_has_the_same_hu():
    plain = make_phantom(*SMALL)
    scaled = make_phantom(*SMALL, dtype=np.uint16, slope=0.5, intercept=-1024)
    assert scaled.ct.array.dtype == np.uint16
    assert np.abs(plain.ct.hu() - scaled.ct.hu()).max() <= 0.5
