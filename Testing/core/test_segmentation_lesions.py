"""Lesions of a label map: counted, measured and placed; label maps of other tools read into our ids."""

from __future__ import annotations

import numpy as np
import pytest
from freetumor.anatomy import ORGANS
from freetumor.errors import BadInput
from freetumor.segmentation import find_lesions, import_labels
from freetumor.segmentation.lesions import parts_of
from freetumor.volume import Geometry, Volume
from hypothesis import example, given
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

SPACING_KJI = (2.5, 0.8, 0.8)


def grid(shape: tuple[int, int, int] = (24, 80, 90)) -> Geometry:
    """An axial CT's grid, turned by 20 degrees about the body's long axis."""
    turn = np.deg2rad(20)
    axes = np.array([[-np.cos(turn), np.sin(turn), 0], [-np.sin(turn), -np.cos(turn), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = axes * np.array(SPACING_KJI[::-1])
    affine[:3, 3] = (40, -120, -310)
    return Geometry(shape, affine)


def ball(geometry: Geometry, centre: tuple[int, int, int], diameter_mm: float) -> np.ndarray:
    """Voxels within half a diameter of the voxel `centre` (k, j, i)."""
    index = np.indices(geometry.shape).reshape(3, -1).T
    away = (index - np.array(centre)) * np.array(geometry.spacing)
    return (np.linalg.norm(away, axis=1) <= diameter_mm / 2).reshape(geometry.shape)


@pytest.fixture
def liver() -> Volume:
    """A liver (1) with lesions (2) of 15 and 8 mm, and a pancreas (3) with one (4) of 10 mm."""
    geometry = grid()
    labels = np.ones(geometry.shape, np.uint8)
    labels[ball(geometry, (8, 20, 20), 8)] = 2
    labels[ball(geometry, (12, 45, 50), 15)] = 2
    labels[:, :, 70:] = 3
    labels[ball(geometry, (12, 40, 80), 10)] = 4
    return Volume(labels, geometry)


def test_each_connected_part_is_one_lesion_and_the_largest_comes_first(liver):
    found = find_lesions(liver, ORGANS["liver"])
    assert [(lesion.number, lesion.organ) for lesion in found] == [
        (1, "liver"),
        (2, "pancreas"),
        (3, "liver"),
    ]
    assert [lesion.diameter_mm for lesion in found] == pytest.approx([15, 10, 8], rel=0.12)


@given(arrays(bool, array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=6)))
@example(np.array([True, False, True]).reshape(3, 1, 1))
def test_parts_of_any_mask_are_those_that_scipy_finds(mask):
    """Lines of a few voxels too, which libraries for large masks may not expect."""
    parts = list(parts_of(mask))
    numbers, count = ndimage.label(mask, np.ones((3, 3, 3)))
    assert len(parts) == count
    for number, part in enumerate(parts, start=1):
        made = np.zeros(mask.shape, bool)
        made[part.box.slices] = part.inside
        assert np.array_equal(made, numbers == number)


def test_the_volume_counts_voxels_times_their_size(liver):
    lesion = find_lesions(liver, ORGANS["liver"])[1]
    voxels = int((liver.array == 4).sum())
    assert (lesion.voxels, lesion.volume_mm3) == (voxels, pytest.approx(voxels * 2.5 * 0.8 * 0.8))


def test_the_centre_is_where_the_lesion_is_on_an_oblique_grid(liver):
    lesion = find_lesions(liver, ORGANS["liver"])[0]
    assert lesion.centre_ras == pytest.approx(tuple(liver.geometry.index_to_ras((12, 45, 50))), abs=1e-3)


def test_the_centre_of_a_ring_lies_in_the_ring():
    geometry = grid()
    ring = ball(geometry, (12, 40, 45), 28) & ~ball(geometry, (12, 40, 45), 18)
    lesion = find_lesions(Volume(ring.astype(np.uint8) * 2, geometry), ORGANS["liver"])[0]
    k, j, i = np.rint(geometry.ras_to_index(lesion.centre_ras)).astype(int)
    assert ring[k, j, i]


def test_hu_and_probability_are_means_inside_the_lesion(liver):
    stored = np.full(liver.geometry.shape, 1100, np.uint16)
    stored[liver.array == 2] = 1064
    ct = Volume(stored, liver.geometry)
    ct.storage = type(ct.storage)(slope=1.0, intercept=-1024.0)
    chance = liver.like(np.where(liver.array == 2, 0.75, 0.1).astype(np.float32))
    lesion = find_lesions(liver, ORGANS["liver"], ct=ct, probability=chance)[0]
    assert (lesion.mean_hu, lesion.probability) == (pytest.approx(40), pytest.approx(0.75))


def test_without_a_ct_or_probabilities_nothing_is_made_up(liver):
    lesion = find_lesions(liver, ORGANS["liver"])[0]
    assert lesion.mean_hu is None
    assert lesion.probability is None


def test_specks_below_a_volume_are_left_out(liver):
    assert len(find_lesions(liver, ORGANS["liver"], smallest_mm3=400)) == 2


def test_a_lesion_in_the_lungs_is_named_after_the_organ_that_was_asked_for(liver):
    chest = liver.like(np.where(liver.array == 2, 2, 1).astype(np.uint8))
    assert {lesion.organ for lesion in find_lesions(chest, ORGANS["covid"])} == {"covid"}
    assert {lesion.organ for lesion in find_lesions(chest, ORGANS["lung"])} == {"lung"}


def test_a_ct_on_another_grid_is_refused(liver):
    other = Volume(np.zeros((4, 5, 6), np.int16), grid((4, 5, 6)))
    with pytest.raises(BadInput) as refused:
        find_lesions(liver, ORGANS["liver"], ct=other)
    assert refused.value.kind == "grid_mismatch"


def test_an_empty_label_map_has_no_lesions():
    assert find_lesions(Volume(np.zeros((4, 5, 6), np.uint8), grid((4, 5, 6))), ORGANS["lung"]) == []


def test_totalsegmentator_labels_become_ours_and_the_rest_is_told(phantom):
    imported = import_labels(
        phantom.totalsegmentator(), ORGANS["liver"], ct=phantom.ct, convention="totalsegmentator"
    )
    assert ((imported.labels.array == 1) == phantom.organ("liver")).all()
    assert ((imported.labels.array == 5) == phantom.organ("kidney")).all()
    assert {1, 6, 51, 52} <= set(imported.ignored)


def test_a_tumor_mask_of_ones_is_read_as_lesions_of_the_chosen_organ(liver):
    mask = liver.like((liver.array == 4).astype(np.uint8))
    imported = import_labels(mask, ORGANS["pancreas"], lesion_values=(1,))
    assert [lesion.organ for lesion in find_lesions(imported.labels, ORGANS["pancreas"])] == ["pancreas"]


def test_ids_of_organ_and_lesion_can_be_named(liver):
    foreign = liver.like(np.choose(liver.array, (0, 10, 20, 10, 10)).astype(np.float32))
    imported = import_labels(foreign, ORGANS["kidney"], organ_values=(10,), lesion_values=(20,))
    assert sorted(np.unique(imported.labels.array)) == [5, 6]


@pytest.mark.parametrize(
    ("values", "options", "kind"),
    [
        ((0, 1, 99), {}, "unknown_labels"),
        ((0, 77), {"convention": "totalsegmentator"}, "organ_absent"),
        ((0, 0.5), {}, "not_labels"),
        ((0, 1), {"convention": "somebody's"}, "usage"),
        ((0, 1), {"organ_values": (1,), "lesion_values": (1, 2)}, "usage"),
    ],
)
def test_what_cannot_be_read_is_refused_by_kind(values, options, kind):
    array = np.resize(np.array(values), (4, 5, 6))
    array = array.astype(np.float32 if 0.5 in values else np.int16)
    with pytest.raises(BadInput) as refused:
        import_labels(Volume(array, grid((4, 5, 6))), ORGANS["liver"], **options)
    assert refused.value.kind == kind


def test_a_map_on_another_grid_is_resampled_only_when_allowed(phantom):
    ct = phantom.ct
    step = (2, 2, 2)
    coarse = Volume(
        np.ascontiguousarray(phantom.label_map("abdomen").array[::2, ::2, ::2]), ct.geometry.strided(step)
    )
    with pytest.raises(BadInput, match="Allow resampling"):
        import_labels(coarse, ORGANS["liver"], ct=ct)
    imported = import_labels(coarse, ORGANS["liver"], ct=ct, resample=True)
    truth = phantom.organ("liver")
    got = imported.labels.array == 1
    assert 2 * (got & truth).sum() / (got.sum() + truth.sum()) > 0.9
