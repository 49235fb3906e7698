"""Sampled tumor masks: ask 15 mm, get 15 mm; in the organ, apart, or refused."""

from __future__ import annotations

import numpy as np
import pytest
from freetumor.anatomy import ORGANS, SIZE_CLASSES, organ
from freetumor.errors import BadInput
from freetumor.masks import drawn_masks, sample_diameter, sample_mask, sampling, sphere_diameter
from freetumor.masks.fitting import Room, fit
from freetumor.masks.placement import GAP_MM
from freetumor.masks.raster import Raster
from freetumor.masks.shape_measures import axis_ratio
from freetumor.masks.shapes import sample_shape
from freetumor.organs import OrganLabels, organ_labels
from freetumor.volume import Geometry, Volume, read_volume
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

# (k, j, i) in mm: from isotropic to thick slices
SPACINGS = [(0.6, 0.6, 0.6), (1.25, 0.7, 0.7), (2.5, 0.7, 0.7), (5.0, 0.9, 0.9)]


def ellipsoid_organ(
    spacing: tuple[float, float, float], radii=(60.0, 65.0, 80.0)
) -> tuple[Volume, OrganLabels]:
    """A CT of nothing and a liver that is an ellipsoid of `radii` (k, j, i) in mm."""
    shape = [int(2.1 * r / s) for r, s in zip(radii, spacing, strict=True)]
    centred = [(np.arange(n) - n / 2) * s / r for n, s, r in zip(shape, spacing, radii, strict=True)]
    k, j, i = np.meshgrid(*(c**2 for c in centred), indexing="ij", sparse=True)
    geometry = Geometry(shape, np.diag([-spacing[2], -spacing[1], spacing[0], 1.0]))
    ct = Volume(np.full(shape, 100, np.int16), geometry)
    return ct, organ_labels(ct.like((k + j + i < 1).astype(np.uint8)), organ("liver"))


@pytest.mark.parametrize("spacing", SPACINGS)
def test_of_fifty_lesions_nearly_all_have_the_asked_diameter_within_ten_per_cent(spacing):
    ct, labels = ellipsoid_organ(spacing)
    rng = np.random.default_rng(5)
    asked = np.exp(rng.uniform(np.log(4.0), np.log(45.0), 50))
    got = []
    for diameter in asked:
        mask = sample_mask(ct, labels, diameter, rng)
        got.append(sphere_diameter(mask.inside.sum() * ct.geometry.voxel_volume))
        assert labels.mask(mask.box)[mask.inside].all()
    assert np.mean(np.abs(np.array(got) / asked - 1) <= 0.10) >= 0.95


@pytest.mark.parametrize(
    ("case", "name"),
    [
        ("abdomen/lits000", "liver"),
        ("abdomen/lits000", "kidney"),
        ("abdomen/lidc0001_abdomen", "liver"),
        ("abdomen/lidc0001_abdomen", "pancreas"),
        ("abdomen/lidc0001_abdomen", "kidney"),
        ("chest/lidc0001", "lung"),
        ("chest/lidc0001", "covid"),
    ],
)
def test_on_real_ct_the_asked_size_is_reached_inside_the_organ(shared, case, name):
    row = organ(name)
    ct = read_volume(shared / "data" / case / "ct.nii.gz")
    labels = organ_labels(read_volume(shared / "data" / case / "labels.nii.gz"), row)
    rng = np.random.default_rng(1)
    for diameter in (max(8.0, row.size_percentiles[0]), 15.0, 19.0):
        mask = sample_mask(ct, labels, diameter, rng, exophytic=False)
        assert mask.diameter_mm == pytest.approx(diameter, rel=0.10)
        assert (labels.mask(mask.box) & ~labels.lesions(mask.box))[mask.inside].all()


def test_a_lesion_is_placed_at_the_clicked_point(phantom):
    labels = organ_labels(phantom.label_map("abdomen"), organ("liver"))
    inside = np.argwhere(ndimage.binary_erosion(phantom.organ("liver"), iterations=8))
    at = tuple(phantom.ct.geometry.index_to_ras(inside[len(inside) // 3]))
    mask = sample_mask(phantom.ct, labels, 20.0, np.random.default_rng(0), at=at)
    assert np.linalg.norm(np.array(mask.centre_ras) - at) < 4.0


@pytest.mark.parametrize("spacing", SPACINGS)
def test_the_shares_of_voxels_add_up_to_the_asked_volume_and_lie_in_the_organ(spacing):
    ct, labels = ellipsoid_organ(spacing)
    for seed, diameter in enumerate((5.0, 7.0, 12.0, 20.0, 35.0)):
        mask = sample_mask(ct, labels, diameter, np.random.default_rng(seed))
        got = sphere_diameter(float(mask.soft.sum()) * ct.geometry.voxel_volume)
        assert got == pytest.approx(diameter, rel=0.05)
        assert (mask.soft[mask.inside] > 0).all()
        assert not (mask.soft > 0)[~labels.mask(mask.box)].any()


def test_a_small_lesion_finds_room_at_the_first_places(monkeypatch):
    ct, labels = ellipsoid_organ((2.0, 2.0, 2.0))
    tried = []
    fit_once = sampling.fit
    monkeypatch.setattr(sampling, "fit", lambda *given, **more: tried.append(1) or fit_once(*given, **more))
    for seed in range(20):
        sample_mask(ct, labels, 5.0, np.random.default_rng(seed))
    assert len(tried) < 30


def test_a_lesion_at_the_organs_border_still_has_its_size(phantom):
    row = organ("liver")
    labels = organ_labels(phantom.label_map("abdomen"), row)
    liver = phantom.organ("liver")
    depth = ndimage.distance_transform_edt(liver, sampling=phantom.ct.geometry.spacing)
    border = np.argwhere((depth > 6.0) & (depth < 8.0))
    shape = sample_shape(row.shapes, 24.0, np.random.default_rng(3))
    at = phantom.ct.geometry.index_to_ras(border[len(border) // 2])
    raster = Raster.of(shape, phantom.ct.geometry, at)
    mask = fit(raster, raster.index(at), Room(phantom.ct.geometry, labels.mask))
    assert mask is not None
    assert mask.diameter_mm == pytest.approx(24.0, rel=0.05)
    assert labels.mask(mask.box)[mask.inside].all()


@pytest.mark.parametrize(("thickness", "fits"), [(60, True), (12, True), (10, False)])
def test_a_lesion_is_not_squeezed_into_a_sheet_that_no_real_tumor_is(thickness, fits):
    geometry = Geometry((60, 80, 80), np.eye(4))
    organ_ = np.zeros(geometry.shape, bool)
    organ_[30 - thickness // 2 : 30 + thickness // 2] = True
    shape = sample_shape(
        "lung",
        24.0,
        np.random.default_rng(0),
        elongation=1.9,
        flatness=1.9,
        roughness=0.0,
        rotation=np.eye(3),
    )
    at = geometry.index_to_ras(np.array([30, 40, 40]))
    room = Room(geometry, lambda box: organ_[box.slices])
    raster = Raster.of(shape, geometry, at)
    mask = fit(raster, raster.index(at), room)
    assert (mask is not None) == fits
    if mask is not None:
        assert axis_ratio(mask.inside, geometry.spacing) <= shape.largest_axis_ratio


def test_what_does_not_fit_is_refused_with_the_largest_size_that_does(phantom):
    labels = organ_labels(phantom.label_map("abdomen"), organ("pancreas"))
    with pytest.raises(BadInput, match="the largest that fits in this pancreas is") as caught:
        sample_mask(phantom.ct, labels, 70.0, np.random.default_rng(0), exophytic=False)
    assert caught.value.kind == "does_not_fit"
    largest = float(str(caught.value).split(" is ")[1].split(" mm")[0])
    assert 10.0 < largest < 40.0
    mask = sample_mask(phantom.ct, labels, 0.8 * largest, np.random.default_rng(0), exophytic=False)
    assert mask.diameter_mm == pytest.approx(0.8 * largest, rel=0.10)


def test_a_size_below_what_the_grid_resolves_is_refused_with_the_smallest_that_works(phantom):
    labels = organ_labels(phantom.label_map("abdomen"), organ("liver"))
    with pytest.raises(BadInput, match=r"Ask for \d+\.\d mm or more") as caught:
        sample_mask(phantom.ct, labels, 2.0, np.random.default_rng(0))
    assert caught.value.kind == "size_below_grid"
    smallest = float(str(caught.value).split("Ask for ")[1].split(" mm")[0])
    mask = sample_mask(phantom.ct, labels, smallest, np.random.default_rng(0))
    assert mask.diameter_mm == pytest.approx(smallest, rel=0.10)


def test_a_point_outside_the_organ_or_the_scan_is_refused(phantom):
    labels = organ_labels(phantom.label_map("abdomen"), organ("kidney"))
    liver = phantom.ct.geometry.index_to_ras(np.argwhere(phantom.organ("liver"))[0])
    for at, kind in ((tuple(liver), "outside_organ"), ((0.0, 0.0, 9999.0), "outside")):
        with pytest.raises(BadInput) as caught:
            sample_mask(phantom.ct, labels, 15.0, np.random.default_rng(0), at=at)
        assert caught.value.kind == kind


def test_lesions_keep_their_distance_from_each_other_and_from_real_lesions(phantom):
    label_map = phantom.label_map("abdomen")
    liver = phantom.organ("liver")
    centre = np.argwhere(ndimage.binary_erosion(liver, iterations=9))[0]
    index = np.indices(liver.shape, sparse=True)
    far = sum(((a - c) * s) ** 2 for a, c, s in zip(index, centre, phantom.ct.geometry.spacing, strict=True))
    label_map.array[far < 15.0**2] = 2
    labels = organ_labels(label_map, organ("liver"))
    rng, taken = np.random.default_rng(2), []
    for _ in range(5):
        taken.append(sample_mask(phantom.ct, labels, 15.0, rng, taken=taken))
    placed = np.zeros(liver.shape, np.uint8)
    for number, mask in enumerate(taken, 1):
        assert not labels.lesions(mask.box)[mask.inside].any()
        assert (placed[mask.box.slices][mask.inside] == 0).all()
        placed[mask.box.slices][mask.inside] = number
    for number in range(1, 6):
        distance = ndimage.distance_transform_edt(placed != number, sampling=phantom.ct.geometry.spacing)
        assert distance[(placed > 0) & (placed != number)].min() >= GAP_MM


def test_an_exophytic_tumor_bulges_into_fat_only(phantom):
    labels = organ_labels(phantom.label_map("abdomen"), organ("kidney"))
    bulged = 0
    for seed in range(8):
        mask = sample_mask(phantom.ct, labels, 30.0, np.random.default_rng(seed), exophytic=True)
        outside = mask.inside & ~labels.mask(mask.box)
        bulged += outside.sum() > 0.05 * mask.inside.sum()
        others = phantom.totalsegmentator().array[mask.box.slices]
        assert np.isin(others[outside], (0, 2, 3)).all()
        assert np.median(phantom.ct.hu(mask.box)[outside], axis=None) < 60 if outside.any() else True
        inner = sample_mask(phantom.ct, labels, 22.0, np.random.default_rng(seed), exophytic=False)
        assert labels.mask(inner.box)[inner.inside].all()
    assert bulged >= 4


def kidney_between(spacing: tuple[float, float, float], *, beside_hu: float, label_inside: int = 0):
    """A kidney of 180 HU, blurred as CT does: fat on three sides and a slab of `beside_hu` along the fourth.

    Returns the CT, labels whose border lies `label_inside` voxels too far inside, and the kidney and the
    slab, bool.
    """
    shape = [int(130 / s) for s in spacing]
    k, j, i = (
        (a - (n - 1) / 2) * s for a, n, s in zip(np.indices(shape, sparse=True), shape, spacing, strict=True)
    )
    kidney = (k / 35) ** 2 + (j / 26) ** 2 + (i / 26) ** 2 < 1
    slab = ~kidney & (i > 12) & (i < 40)
    hu = np.where(kidney, 180.0, np.where(slab, beside_hu, -100.0))
    hu = ndimage.gaussian_filter(hu, [0.9 / s for s in spacing])
    hu += np.random.default_rng(0).normal(0.0, 8.0, hu.shape)
    ct = Volume(hu.astype(np.int16), Geometry(shape, np.diag([-spacing[2], -spacing[1], spacing[0], 1.0])))
    label = ndimage.binary_erosion(kidney, iterations=label_inside) if label_inside else kidney
    return ct, organ_labels(ct.like(np.where(label, 5, 0).astype(np.uint8)), organ("kidney")), kidney, slab


@pytest.mark.parametrize("spacing", [(1.5, 1.5, 1.5), (5.0, 0.9, 0.9)])
@pytest.mark.parametrize("beside_hu", [60.0, 300.0])
def test_an_exophytic_tumor_leaves_bowel_that_touches_the_organ(spacing, beside_hu):
    ct, labels, kidney, slab = kidney_between(spacing, beside_hu=beside_hu)
    into_slab = outside = 0
    for seed in range(8):
        mask = sample_mask(ct, labels, 36.0, np.random.default_rng(seed), exophytic=True)
        outside += (mask.inside & ~kidney[mask.box.slices]).sum()
        into_slab += (mask.inside & slab[mask.box.slices]).sum()
    assert outside > 0
    assert into_slab <= 0.01 * outside


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.5, 1.5, 1.5), (5.0, 0.9, 0.9)])
def test_a_label_a_voxel_too_small_keeps_no_exophytic_tumor_from_the_fat(spacing):
    shares = []
    for off in (0, 1):
        ct, labels, kidney, _ = kidney_between(spacing, beside_hu=-100.0, label_inside=off)
        masks = [
            sample_mask(ct, labels, 36.0, np.random.default_rng(seed), exophytic=True) for seed in range(6)
        ]
        shares.append(np.mean([(m.inside & ~kidney[m.box.slices]).sum() / m.inside.sum() for m in masks]))
    assert shares[0] > 0.1
    assert shares[1] > 0.5 * shares[0]


@given(st.sampled_from(sorted(ORGANS)), st.sampled_from(sorted(SIZE_CLASSES)), st.integers(0, 2**32))
def test_a_size_class_lies_between_its_percentiles_of_real_tumors(name, size_class, seed):
    low, high = organ(name).size_class(size_class)
    assert low <= sample_diameter(organ(name), size_class, np.random.default_rng(seed)) <= high


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.floats(8.0, 30.0))
def test_the_same_seed_gives_the_same_mask_and_the_mask_is_one_piece(seed, diameter):
    ct, labels = ellipsoid_organ((2.5, 1.5, 1.5), (40.0, 40.0, 50.0))
    first, second = (sample_mask(ct, labels, diameter, np.random.default_rng(seed)) for _ in range(2))
    assert first.box == second.box
    assert (first.inside == second.inside).all()
    assert (first.soft == second.soft).all()
    parts = ndimage.label(first.inside, structure=np.ones((3, 3, 3)))[0]
    assert np.bincount(parts.ravel())[1:].max() >= 0.98 * first.inside.sum()


def test_a_drawn_mask_is_taken_as_it_is_one_lesion_per_part(phantom):
    labels = organ_labels(phantom.label_map("abdomen"), organ("liver"))
    deep = np.argwhere(ndimage.binary_erosion(phantom.organ("liver"), iterations=6))
    drawn = np.zeros(phantom.ct.array.shape, np.uint8)
    for k, j, i in (deep[0], deep[-1]):
        drawn[k - 1 : k + 2, j - 2 : j + 3, i - 2 : i + 3] = 1
    lesions = drawn_masks(phantom.ct.like(drawn), labels)
    assert len(lesions) == 2
    again = np.zeros_like(drawn)
    for lesion in lesions:
        again[lesion.box.slices][lesion.inside] = 1
    assert (again == drawn).all()


@pytest.mark.parametrize(
    ("where", "kind"),
    [("nothing", "mask_empty"), ("spine", "mask_outside_organ"), ("liver", "mask_is_organ")],
)
def test_a_drawn_mask_that_cannot_be_meant_is_refused(phantom, where, kind):
    labels = organ_labels(phantom.label_map("abdomen"), organ("liver"))
    drawn = phantom.labels.get(where, np.zeros(phantom.ct.array.shape, bool)).astype(np.uint8)
    with pytest.raises(BadInput) as caught:
        drawn_masks(phantom.ct.like(drawn), labels)
    assert caught.value.kind == kind
