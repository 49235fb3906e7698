"""Synthesis: right contrast, the scan's noise, and not one voxel elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from freetumor.anatomy import ORGANS, organ
from freetumor.errors import BadInput, Rejected
from freetumor.organs import organ_labels
from freetumor.pipeline import Request, synthesize
from freetumor.synthesis import Patch, Style
from freetumor.synthesis.noise import noise_sigma
from freetumor.synthesis.texture import smooth_noise
from freetumor.volume import Box, Storage, Volume, read_volume
from hypothesis import given, settings
from hypothesis import strategies as st
from phantom import make_phantom
from scipy import ndimage

SIZES = {"liver": 20.0, "pancreas": 18.0, "kidney": 24.0, "lung": 20.0, "covid": 30.0}
REAL = [
    ("abdomen/lidc0001_abdomen", "liver"),
    ("abdomen/lidc0001_abdomen", "kidney"),
    ("abdomen/lits000", "liver"),
    ("chest/lidc0001", "lung"),
    ("chest_unlabeled/covidmd_normal001", "lung"),
]


def lesion_of(phantom, name: str, **asked):
    """A synthesis on the phantom, before and after as HU."""
    row = organ(name)
    labels = organ_labels(phantom.label_map(row.group), row)
    request = Request(**({"diameter": SIZES[name]} | asked))
    return synthesize(phantom.ct, labels, request)


def real(shared, case: str, name: str):
    folder = shared / "data" / case
    ct = read_volume(folder / "ct.nii.gz")
    return ct, organ_labels(read_volume(folder / "labels.nii.gz"), organ(name))


@pytest.mark.parametrize("name", ORGANS)
def test_a_tumor_of_each_organ_has_the_right_polarity_and_passes_the_quality_test(phantom, name):
    result = lesion_of(phantom, name)
    lesion = result.lesions[0]
    row = organ(name)
    # An exophytic tumor replaces fat outside the organ: polarity is a matter of the organ's part.
    part = lesion.mask.inside & phantom.organ(name)[lesion.mask.box.slices]
    before, after = (v.hu(lesion.mask.box)[part] for v in (phantom.ct, result.ct))
    assert lesion.verdict.passed
    assert (after.mean() - before.mean()) * row.polarity > 10.0
    assert row.lesion_hu[0] <= np.median(after) <= row.lesion_hu[1]


@settings(max_examples=12, deadline=None)
@given(
    name=st.sampled_from(sorted(ORGANS)),
    seed=st.integers(0, 10_000),
    share=st.floats(0.6, 1.0),
    dtype=st.sampled_from(["i2", "u2", "f4"]),
)
def test_no_voxel_farther_than_5_mm_from_the_mask_changes(name, seed, share, dtype):
    phantom = _typed(dtype)
    before = phantom.ct.array.copy()
    result = lesion_of(phantom, name, seed=seed, diameter=SIZES[name] * share, gate=False)
    assert (phantom.ct.array == before).all()
    inside = result.instances() > 0
    distance = ndimage.distance_transform_edt(~inside, sampling=phantom.ct.geometry.spacing)
    changed = result.ct.array != before
    assert changed.any()
    assert distance[changed].max() <= 5.0
    assert result.ct.array.dtype == before.dtype
    result.undo()
    assert (result.ct.array == before).all()


@pytest.mark.parametrize(("case", "name"), REAL)
def test_on_real_ct_not_one_voxel_beyond_5_mm_changes_and_the_noise_stays(shared, case, name):
    ct, labels = real(shared, case, name)
    before = ct.array.copy()
    ratios = []
    for seed in range(6):
        result = synthesize(ct, labels, Request(diameter=20.0, seed=seed, gate=False), in_place=True)
        lesion = result.lesions[0]
        patch = Patch.around(Volume(before, ct.geometry, ct.storage), labels, lesion.mask, 14.0)
        after = ct.hu(patch.box)
        core = patch.inside & (patch.depth_mm > 1.5)
        ratios.append((noise_sigma(after, core) / noise_sigma(patch.hu, patch.shell)) ** 2)
        assert (patch.outside_mm[after != patch.hu] <= 5.0).all()
        ct.array[patch.box.slices] = before[patch.box.slices]
        assert (ct.array == before).all()
    assert 0.8 <= np.median(ratios) <= 1.2


@pytest.mark.parametrize("name", ["liver", "lung"])
def test_the_contrast_of_a_small_lesion_is_that_of_a_large_one(name):
    phantom = make_phantom(shape=(60, 200, 260), spacing=(2.0, 1.0, 1.0), noise_hu=4.0)
    asked = {"liver": -40.0, "lung": 850.0}[name]
    changes = {}
    for diameter in (5.0, 7.0, 28.0):
        result = lesion_of(phantom, name, diameter=diameter, style=Style(asked, False, False), gate=False)
        mask = result.lesions[0].mask
        level = np.median(phantom.ct.hu()[phantom.organ(name)])
        changes[diameter] = float(result.ct.hu(mask.box)[mask.inside].mean() - level)
    assert changes[28.0] == pytest.approx(asked, rel=0.2)
    assert changes[5.0] / changes[28.0] > 0.8
    assert changes[7.0] / changes[28.0] > 0.8


def test_the_asked_contrast_is_what_the_lesion_gets(phantom):
    for diameter in (10.0, 20.0, 36.0):
        got = [
            lesion_of(phantom, "liver", diameter=diameter, style=Style(c, False), gate=False)
            .lesions[0]
            .measured["contrast_hu"]
            for c in (-1.0, -25.0, -50.0)
        ]
        assert got == pytest.approx([-1.0, -25.0, -50.0], rel=0.3, abs=3.0)


def test_rim_and_core_show_where_they_should(phantom):
    style = {"diameter": 36.0, "seed": 4, "gate": False}
    plain, rim, core = (
        lesion_of(phantom, "liver", style=Style(-45.0, r, c), **style)
        for r, c in ((False, False), (True, False), (False, True))
    )
    mask = plain.lesions[0].mask
    depth = ndimage.distance_transform_edt(mask.inside, sampling=mask.geometry.spacing)
    edge, middle = (depth > 2) & (depth < 5), depth > 0.8 * depth.max()
    drop = [s.ct.hu(mask.box)[edge].mean() - s.ct.hu(mask.box)[middle].mean() for s in (plain, rim, core)]
    assert drop[1] > drop[0] + 8
    assert drop[2] > drop[0] + 8
    # Neither changes the contrast that was asked for.
    got = [s.lesions[0].measured["contrast_hu"] for s in (plain, rim, core)]
    assert got == pytest.approx([-45] * 3, abs=8)


def test_vessels_stay_visible_in_ground_glass_and_vanish_in_a_solid_tumor(phantom):
    vessels = np.logical_or.reduce([m for k, m in phantom.labels.items() if k.startswith("vessels_lung")])
    share = {}
    for name, diameter in (("covid", 40.0), ("lung", 40.0)):
        kept = []
        for seed in range(4):
            result = lesion_of(phantom, name, diameter=diameter, seed=seed, gate=False)
            mask = result.lesions[0].mask
            vessel = vessels[mask.box.slices] & mask.inside & (phantom.ct.hu(mask.box) > -150)
            tissue = mask.inside & ~vessel
            after = result.ct.hu(mask.box)
            if vessel.sum() > 4:
                kept.append(np.median(after[vessel]) - np.median(after[tissue]))
        share[name] = np.mean(kept)
    assert share["covid"] > 200
    assert share["lung"] < 100


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_tumor(phantom):
    one, same, other = (lesion_of(phantom, "kidney", seed=s) for s in (3, 3, 4))
    assert one.ct.array.tobytes() == same.ct.array.tobytes()
    assert one.ct.array.tobytes() != other.ct.array.tobytes()


def test_one_seed_does_not_give_two_organs_the_same_shape(phantom):
    liver, kidney = (lesion_of(phantom, n, diameter=20.0).lesions[0].mask for n in ("liver", "kidney"))
    assert liver.inside.shape != kidney.inside.shape or (liver.inside != kidney.inside).any()


def test_a_scan_with_slope_and_intercept_gets_the_same_tumor_in_hu():
    plain, scaled = _typed("i2"), _typed("u2")
    assert scaled.ct.storage.intercept == -1024
    first, second = (lesion_of(p, "liver", seed=5) for p in (plain, scaled))
    mask = first.lesions[0].mask
    assert np.abs(first.ct.hu(mask.box) - second.ct.hu(mask.box)).max() <= 1.0


def test_several_tumors_are_made_and_undone_together(phantom):
    result = lesion_of(phantom, "liver", diameter=12.0, count=3)
    assert sorted(np.unique(result.instances())) == [0, 1, 2, 3]
    result.undo()
    assert (result.ct.array == phantom.ct.array).all()


def test_a_rejected_lesion_leaves_the_ct_as_it_was_even_in_place(phantom):
    ct = phantom.ct.copy()
    labels = organ_labels(phantom.label_map("abdomen"), organ("liver"))
    with pytest.raises(Rejected, match="quality test rejected lesion 1 in 3 tries") as caught:
        synthesize(ct, labels, Request(diameter=15.0, style=Style(-1.0, False, False)), in_place=True)
    assert len(caught.value.verdicts) == 3
    assert any("differs from the organ by" in reason for reason in caught.value.verdicts[0]["reasons"])
    assert (ct.array == phantom.ct.array).all()


@pytest.mark.parametrize(
    "asked",
    [
        {"diameter": 10.0, "size_class": "tiny"},
        {"count": 0},
        {"seed": -1},
        {"diameter": -3.0},
        {"engine": "x"},
        {"at": ((0, 0, 0),), "count": 2},
        {"tries": 0},
    ],
)
def test_a_request_that_makes_no_sense_is_refused(phantom, asked):
    with pytest.raises(BadInput) as caught:
        lesion_of(phantom, "liver", **({"diameter": None} | asked))
    assert caught.value.kind == "usage"


def test_labels_of_another_organ_are_noticed_by_their_hu(phantom):
    wrong = phantom.ct.like(phantom.organ("lung").astype(np.uint8))
    with pytest.raises(BadInput, match="expected a liver between") as caught:
        synthesize(phantom.ct, organ_labels(wrong, organ("liver")), Request(diameter=15.0))
    assert caught.value.kind == "implausible_labels"


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.floats(1.0, 12.0), st.tuples(*[st.floats(0.6, 5.0)] * 3))
def test_texture_has_unit_variance_whatever_the_spacing(seed, length, spacing):
    shape = [int(np.clip(12 * length / s, 4, 60)) for s in spacing]
    field = np.concatenate(
        [smooth_noise(shape, spacing, length, np.random.default_rng([seed, n])).ravel() for n in range(6)]
    )
    assert field.std() == pytest.approx(1.0, abs=0.3)


def _typed(dtype: str):
    """The phantom, coarse, stored as `dtype` (unsigned: with the usual intercept)."""
    if dtype not in _TYPED:
        intercept = -1024 if dtype == "u2" else 0
        _TYPED[dtype] = make_phantom(dtype=np.dtype(dtype), intercept=intercept)
        assert _TYPED[dtype].ct.storage == Storage(1, intercept) or dtype == "f4"
    return _TYPED[dtype]


_TYPED: dict = {}


def test_no_sampled_tumor_is_cut_by_the_end_of_the_scan(phantom):
    # The scan ends in the middle of the kidneys, as chest CTs do.
    cut = int(np.median(np.argwhere(phantom.organ("kidney"))[:, 0]))
    labels = phantom.label_map("abdomen")
    geometry = phantom.ct.geometry
    box = Box((cut, 0, 0), geometry.shape)
    ct = Volume(phantom.ct.array[box.slices].copy(), geometry.cropped(box))
    read = organ_labels(Volume(labels.array[box.slices].copy(), ct.geometry), organ("kidney"))
    for seed in range(8):
        result = synthesize(ct, read, Request(diameter=24.0, seed=seed, gate=False))
        assert not (result.instances()[0] > 0).any()


def test_a_rim_is_brighter_than_the_lesion_in_every_organ(phantom):
    for name in ("liver", "kidney", "lung"):
        asked = {"diameter": 32.0, "seed": 2, "gate": False, "exophytic": None if name == "lung" else False}
        plain, rim = (lesion_of(phantom, name, style=Style(None, r, False), **asked) for r in (False, True))
        mask = plain.lesions[0].mask
        depth = ndimage.distance_transform_edt(mask.inside, sampling=mask.geometry.spacing)
        edge, middle = (depth > 2.6) & (depth < 5), depth > 0.7 * depth.max()
        gain = rim.ct.hu(mask.box) - plain.ct.hu(mask.box)
        assert gain[edge].mean() > gain[middle].mean() + 5, name


def test_the_original_is_known_under_lesions_whose_boxes_overlap(phantom):
    result = lesion_of(phantom, "liver", diameter=14.0, count=4, seed=1)
    whole = Box.whole(phantom.ct.array.shape)
    assert np.array_equal(result.original(whole), phantom.ct.array)
    after = result.ct.array.copy()
    result.undo()
    assert np.array_equal(result.ct.array, phantom.ct.array)
    result.redo()
    assert np.array_equal(result.ct.array, after)
