"""Training patches: image and label agree on every voxel, and sample n is always the same sample."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from freetumor.anatomy import ORGANS
from freetumor.training.augment import Augment, Transform, change_brightness
from freetumor.training.cache import Prepared
from freetumor.training.drawing import box_around
from freetumor.training.patches import PatchSet, PatchSettings
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from training_scans import HU_OF_LABEL, hu_of, lumpy, phantom_scan, prepare

MOVES = Augment(scale=0.0, noise_hu=0.0, shift_hu=0.0, gain=0.0, blur_mm=0.0)


@pytest.fixture(scope="module")
def speckled(tmp_path_factory) -> Prepared:
    """A label in every voxel by chance: a shift of one voxel anywhere shows."""
    labels = np.random.default_rng(0).choice(3, (26, 30, 30), p=[0.3, 0.5, 0.2])
    return prepare(tmp_path_factory.mktemp("speckled"), labels)


@pytest.fixture(scope="module")
def lumps(tmp_path_factory) -> Prepared:
    return lumpy(tmp_path_factory.mktemp("lumps"))


@pytest.fixture(scope="module")
def scan(phantom, tmp_path_factory) -> Prepared:
    return phantom_scan(tmp_path_factory.mktemp("scan"), phantom)


@given(n=st.integers(0, 10**9))
def test_image_and_label_agree_on_every_voxel_after_every_augmentation(speckled, n):
    settings = PatchSettings((11, 14, 14), ("liver",), synthetic=0.0, foreground=0.3, augment=MOVES)
    sample = PatchSet([speckled], settings, seed=3, length=10**9 + 1)[n]
    assert np.abs(hu_of(sample) - HU_OF_LABEL[sample["label"][0]]).max() < 0.01
    assert np.array_equal(sample["organ_mask"][0] == 1, sample["label"][0] > 0)


@given(seed=st.integers(0, 10**6), size=st.integers(1, 9))
def test_a_change_of_scale_moves_image_and_label_alike(seed, size):
    rng = np.random.default_rng(seed)
    augment = replace(MOVES, scale=0.4, chance=1.0)
    transform = Transform.draw(augment, (12, size + 7, size + 7), (1.0, 1.0, 1.0), rng)
    labels = ndimage.zoom(rng.integers(0, 3, (3, 3, 3)), np.array(transform.source_shape) / 3, order=0)
    label = transform.nearest(labels)
    shares = np.stack([transform.linear((labels == value).astype(np.float32)) for value in range(3)])
    # Each voxel of the image is made of the voxels around the one that gave its label.
    share = np.take_along_axis(shares, label[None].astype(int), axis=0)[0]
    assert share.min() >= 0.124
    image = transform.linear(HU_OF_LABEL[labels].astype(np.float32))
    assert image.shape == label.shape == (12, size + 7, size + 7)
    assert np.abs(image - HU_OF_LABEL[label])[share > 0.9999].max() < 0.2
    assert np.abs(image - np.tensordot(HU_OF_LABEL.astype(float), shares, 1)).max() < 0.2


def test_every_flip_and_turn_comes_and_turns_keep_to_square_planes(speckled):
    rng = np.random.default_rng(0)
    drawn = {Transform.draw(MOVES, (8, 9, 9), (5.0, 1.5, 1.5), rng) for _ in range(400)}
    assert len({(t.turns, t.flips) for t in drawn}) == 4 * 8
    for shape, spacing in (((8, 9, 10), (5.0, 1.5, 1.5)), ((8, 9, 9), (5.0, 1.5, 2.0))):
        drawn = [Transform.draw(MOVES, shape, spacing, rng) for _ in range(50)]
        assert {t.turns for t in drawn} == {0}


def test_axes_run_to_the_right_to_the_front_and_to_the_head(tmp_path):
    labels = np.ones((20, 22, 24), np.uint8)
    labels[8:12, 9:12, 10:13] = 2
    for axis, extent in ((0, "x"), (1, "y"), (2, "z")):
        hu = np.zeros(labels.shape, np.int16)
        hu += (np.indices(labels.shape)[2 - axis] * 10 - 150).astype(np.int16)  # array axes are z, y, x
        hu[:2] = -1000
        case = prepare(tmp_path / extent, labels, hu=hu)
        settings = PatchSettings((6, 6, 6), ("liver",), 1.0, 0.0, 0.0, augment=None)
        image = hu_of(PatchSet([case], settings)[0])
        steps = [np.diff(image, axis=a)[2:-2, 2:-2, 2:-2] for a in range(3)]
        assert steps[axis] == pytest.approx(10.0, abs=0.05)
        assert all(np.abs(steps[a]).max() < 0.05 for a in range(3) if a != axis)


def test_beyond_the_scan_there_is_air_and_no_label(lumps):
    settings = PatchSettings((60, 60, 60), ("liver",), 1.0, 0.0, 0.0, augment=None)
    sample = PatchSet([lumps], settings)[0]
    nothing = sample["label"][0] == 0
    assert nothing.sum() > 60**3 - lumps.labels.array.size
    assert np.abs(hu_of(sample)[nothing] + 1000).max() < 0.01


@given(centre=st.tuples(*[st.integers(-5, 50)] * 3), size=st.integers(1, 45))
def test_a_patch_shows_as_much_of_the_scan_as_it_can(lumps, centre, size):
    box = box_around(np.array(centre), (size,) * 3, lumps)
    assert box.shape == (size,) * 3
    for axis, there in enumerate(lumps.geometry.shape):
        shown = min(box.stop[axis], there) - max(box.start[axis], 0)
        assert shown == min(size, there)
        if 0 <= centre[axis] < there:
            assert box.start[axis] <= centre[axis] < box.stop[axis]


def same(first: dict, second: dict) -> bool:
    return all(np.array_equal(first[key], second[key]) for key in first | second)


def test_sample_n_is_the_same_in_any_order_and_in_another_process(scan):
    settings = PatchSettings((24, 32, 32), ("liver",), real=0.0)
    patches = PatchSet([scan], settings, seed=5, length=50)
    forwards = [patches[n] for n in range(6)]
    assert {sample["kind"] for sample in forwards} == {1, 2}
    sent = pickle.dumps(patches)
    assert len(sent) < 100_000
    elsewhere = pickle.loads(sent)
    assert all(same(elsewhere[n], forwards[n]) for n in reversed(range(6)))
    assert not same(PatchSet([scan], settings, seed=6)[0], forwards[0])
    with pytest.raises(IndexError):
        patches[50]


def test_a_sample_has_what_the_training_reads(scan):
    settings = PatchSettings((16, 24, 20), ("liver",), 0.0, 1.0, 0.0)
    sample = PatchSet([scan], settings)[0]
    for name, dtype in (("image", "f4"), ("label", "i8"), ("mask", "f4"), ("organ_mask", "f4")):
        assert sample[name].shape == (1, 20, 24, 16)
        assert sample[name].dtype == np.dtype(dtype)
        assert sample[name].flags.c_contiguous
    assert 0.0 <= sample["image"].min() <= sample["image"].max() <= 1.0
    assert list(ORGANS)[sample["organ"]] == "liver"
    assert (sample["kind"], sample["known"], sample["index"]) == (1, 0, 0)


def test_organs_that_nobody_labelled_are_named(lumps, tmp_path):
    settings = PatchSettings((16, 16, 16), ("liver", "kidney"), 1.0, 0.0, 0.0, augment=None)
    sample = PatchSet([lumps], settings, length=9)[3]
    assert set(np.unique(sample["label"])) <= {0, 1, 2}
    assert [name for name, is_it in zip(ORGANS, sample["unlabelled"], strict=True) if is_it] == ["kidney"]
    labels = lumps.labels.array.copy()
    labels[:, :, 20:] = np.where(labels[:, :, 20:] == 1, 3, labels[:, :, 20:])  # a pancreas, not trained
    whole = prepare(tmp_path, labels, hu=lumps.ct.array.copy(), organs=("liver", "kidney", "pancreas"))
    sample = PatchSet([whole], settings, length=9)[3]
    assert set(np.unique(sample["label"])) <= {0, 1, 2}
    assert not sample["unlabelled"].any()


def test_patches_of_organs_alone_do_not_avoid_lesions(lumps):
    settings = PatchSettings((8, 8, 8), ("liver",), 0.0, 0.0, 1.0, foreground=1.0, augment=None)
    shown = {
        avoid: sum(2 in s["label"] for s in PatchSet([lumps], replace(settings, avoid_lesions=avoid), 0, 60))
        for avoid in (True, False)
    }
    assert shown[True] == 0
    assert shown[False] > 5


def test_brightness_changes_the_image_alone(lumps):
    settings = PatchSettings((12, 12, 12), ("liver",), 1.0, 0.0, 0.0, augment=None)
    moved = replace(settings, augment=Augment((False,) * 3, False, 0.0, chance=1.0))
    plain, changed = PatchSet([lumps], settings)[0], PatchSet([lumps], moved)[0]
    assert not np.array_equal(plain["image"], changed["image"])
    for name in ("label", "mask", "organ_mask"):
        assert np.array_equal(plain[name], changed[name])
    hu = np.full((40, 40, 40), 50.0, np.float32)
    rng = np.random.default_rng(0)
    noisy = change_brightness(hu, Augment(shift_hu=0.0, gain=0.0, blur_mm=0.0, chance=1.0), (1.0,) * 3, rng)
    assert 0.0 < noisy.std() <= 10.0
    assert noisy.mean() == pytest.approx(50.0, abs=0.3)
