"""The grid that networks work on: nothing shifts, nothing is lost between slices, borders are as stated."""

from __future__ import annotations

import numpy as np
import pytest
from freetumor.volume import Box, Geometry, Storage, Volume, WorkingGrid

TURN = np.deg2rad(17)
OBLIQUE = np.array([[np.cos(TURN), -np.sin(TURN), 0], [np.sin(TURN), np.cos(TURN), 0], [0, 0, 1]]) @ np.array(
    [[1, 0, 0], [0, np.cos(0.2), -np.sin(0.2)], [0, np.sin(0.2), np.cos(0.2)]]
)
# Columns are the directions of the axes i, j, k in RAS.
DIRECTIONS = {
    "axial": np.diag([-1.0, -1.0, 1.0]),
    "feet_first": np.diag([1.0, -1.0, -1.0]),
    "sagittal": np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]),
    "coronal": np.array([[-1.0, 0, 0], [0, 0, 1], [0, 1, 0]]),
    "oblique": OBLIQUE @ np.diag([-1.0, -1.0, 1.0]),
    "oblique_sagittal": OBLIQUE @ np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]),
}
SPACINGS = {"fine": (1.0, 0.7, 0.8), "thick": (5.0, 0.9, 0.9), "coarse": (3.0, 2.0, 4.0)}
WORKING = {"abdomen": (1.5, 1.5, 1.5), "chest": (5.0, 1.25, 1.25)}


def grid(direction: str, spacing: str, extent_mm: float = 60.0) -> Geometry:
    """A cube of about `extent_mm` somewhere in the scanner."""
    mm = np.array(SPACINGS[spacing])
    affine = np.eye(4)
    affine[:3, :3] = DIRECTIONS[direction] * mm[::-1]
    affine[:3, 3] = (21.3, -40.7, 11.1)
    return Geometry(tuple(np.rint(extent_mm / mm).astype(int)), affine)


def places(geometry: Geometry) -> np.ndarray:
    return geometry.index_to_ras(np.stack(np.indices(geometry.shape), axis=-1))


def plane_field(ras: np.ndarray) -> np.ndarray:
    return ras @ np.array([3.0, -2.0, 1.5]) + 40.0


def inner(array: np.ndarray, margin: int) -> np.ndarray:
    return array[(slice(margin, -margin),) * 3]


def close_by(grid_: WorkingGrid, margin_mm: float = 0.0) -> np.ndarray:
    """Voxels of the working grid that lie in the CT, `margin_mm` from its outer voxels."""
    index = grid_.source.ras_to_index(places(grid_.geometry))
    margin = margin_mm / np.array(grid_.source.spacing)
    return ((index >= margin - 1e-6) & (index <= np.array(grid_.source.shape) - 1 - margin + 1e-6)).all(-1)


all_grids = pytest.mark.parametrize(
    ("direction", "spacing", "working"),
    [(d, s, w) for d in DIRECTIONS for s in SPACINGS for w in WORKING],
)


@all_grids
def test_a_linear_field_is_kept_exactly_there_and_back(direction, spacing, working):
    source = grid(direction, spacing)
    ct = Volume(plane_field(places(source)).astype(np.float32), source)
    made = WorkingGrid.covering(source, None, WORKING[working], margin_mm=15.0)
    there = made.sample(ct)
    inside = close_by(made, margin_mm=max(*WORKING[working], *source.spacing))
    assert inside.any()
    assert np.abs(there - plane_field(places(made.geometry)))[inside].max() < 0.01
    back = made.back(plane_field(places(made.geometry)).astype(np.float32))
    assert np.abs(back - ct.array).max() < 0.01


@all_grids
def test_a_ball_stays_where_it_is_and_as_large_as_it_is(direction, spacing, working):
    source = grid(direction, spacing)
    centre = source.index_to_ras((np.array(source.shape) - 1) / 2) + np.array([2.2, -1.7, 0.9])
    ball = np.linalg.norm(places(source) - centre, axis=-1) < 16.0
    true_centre = source.index_to_ras(np.argwhere(ball)).mean(axis=0)
    made = WorkingGrid.covering(source, None, WORKING[working], margin_mm=6.0)
    share = made.sample_mask(ball)
    assert share.min() >= 0
    assert share.max() <= 1 + 1e-5
    found = (places(made.geometry) * share[..., None]).sum((0, 1, 2)) / share.sum()
    assert np.linalg.norm(found - true_centre) < 0.1 * min(made.spacing)
    volume = share.sum() * np.prod(made.spacing)
    assert volume == pytest.approx(ball.sum() * source.voxel_volume, rel=0.03)
    again = made.back(share)
    centre_again = (places(source) * again[..., None]).sum((0, 1, 2)) / again.sum()
    assert np.linalg.norm(centre_again - true_centre) < 0.1 * min(source.spacing)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_axes_run_to_the_head_the_front_and_the_right(direction):
    made = WorkingGrid.covering(grid(direction, "thick"), None, (1.5, 1.5, 1.5))
    axes = made.geometry.affine[:3, :3]  # columns i, j, k; rows right, anterior, superior
    assert (np.abs(axes).argmax(axis=0) == [0, 1, 2]).all()
    assert (np.diag(axes) > 0).all()
    assert made.geometry.spacing == pytest.approx((1.5, 1.5, 1.5))


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_at_the_spacing_of_the_ct_not_one_value_changes(direction):
    source = grid(direction, "fine", 16.0)
    stored = np.random.default_rng(3).integers(0, 4000, source.shape).astype(np.uint16)
    ct = Volume(stored, source, Storage(1.0, -1024.0))
    axes = source.patient_axes()[0]
    made = WorkingGrid.covering(source, None, np.array(source.spacing)[list(axes)])
    assert np.array_equal(np.sort(made.sample(ct).ravel()), np.sort(ct.hu().ravel()))
    assert np.array_equal(made.back(made.sample(ct)), ct.hu())


@pytest.mark.parametrize("direction", ["axial", "oblique_sagittal"])
def test_a_patch_is_centred_on_its_point_and_padded_beyond_the_ct(direction):
    source = grid(direction, "thick")
    corner = source.index_to_ras(np.zeros(3))
    made = WorkingGrid.around(source, corner, (2.0, 1.5, 1.5), (20, 24, 32))
    middle = made.geometry.index_to_ras((np.array(made.shape) - 1) / 2)
    assert (np.abs(made.geometry.ras_to_index(middle) - made.geometry.ras_to_index(corner)) <= 0.501).all()
    ct = Volume(np.full(source.shape, 55, np.int16), source)
    hu = made.sample(ct, pad=-900.0)
    assert hu.shape == (20, 24, 32)
    inside = close_by(made)
    assert hu[inside] == pytest.approx(55, abs=1e-3)
    index = source.ras_to_index(places(made.geometry))
    beyond = ((index < -3) | (index > np.array(source.shape) + 2)).any(-1)
    assert hu[beyond] == pytest.approx(-900, abs=1e-3)
    assert 0.05 < inside.mean() < 0.3


def test_a_grid_beside_the_ct_holds_only_padding():
    source = grid("axial", "fine")
    far = source.index_to_ras(np.array(source.shape) + 500.0)
    made = WorkingGrid.around(source, far, (1.5, 1.5, 1.5), (8, 8, 8))
    assert (made.sample(Volume(np.zeros(source.shape, np.int16), source)) == -1000).all()
    assert (made.back(np.ones(made.shape, np.float32)) == 0).all()


def test_overlapping_grids_share_their_voxels(phantom):
    ct = phantom.ct
    whole = WorkingGrid.covering(ct.geometry, None, (3.0, 3.0, 3.0))
    patch = WorkingGrid.around(ct.geometry, (70.4, 9.1, -33.3), (3.0, 3.0, 3.0), (16, 24, 32))
    first = np.subtract(patch.start, whole.start)
    part = tuple(slice(a, a + n) for a, n in zip(first, patch.shape, strict=True))
    assert np.allclose(patch.sample(ct), whole.sample(ct)[part], atol=1e-2)


def test_a_thin_bright_layer_is_not_lost_between_thick_slices():
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    for layer in range(20, 26):
        mask = np.zeros((60, 8, 8), bool)
        mask[layer] = True
        made = WorkingGrid.covering(Geometry(mask.shape, affine), None, (5.0, 1.0, 1.0))
        assert made.sample_mask(mask)[:, 4, 4].sum() * 5.0 == pytest.approx(1.0, rel=0.15)


def test_only_a_box_of_a_mask_and_of_the_ct_is_needed(phantom):
    organ = phantom.organ("liver")
    box = Box.of(organ)
    made = WorkingGrid.covering(phantom.ct.geometry, box, (2.0, 3.0, 1.5), margin_mm=7.0, multiple=16)
    assert all(n % 16 == 0 for n in made.shape)
    share = made.sample_mask(organ)
    assert np.allclose(made.sample_mask(organ[box.slices], box), share, atol=1e-6)
    part = box.grown((-9, -20, -25), phantom.ct.geometry.shape)
    assert np.allclose(made.back(share, part), made.back(share)[part.slices], atol=1e-6)
    assert (made.back(share, box)[organ[box.slices]] > 0.25).mean() > 0.99


def test_it_is_the_grid_that_monai_makes(phantom):
    torch = pytest.importorskip("torch")
    transforms = pytest.importorskip("monai.transforms")
    data = pytest.importorskip("monai.data")
    ct = phantom.ct
    image = data.MetaTensor(
        torch.from_numpy(ct.hu().transpose(2, 1, 0)[None].copy()), affine=torch.from_numpy(ct.geometry.affine)
    )
    image = transforms.Orientation("RAS", labels=None)(image)
    image = transforms.Spacing((2.0, 2.0, 3.0), mode="bilinear")(image)
    made = WorkingGrid.covering(ct.geometry, None, (3.0, 2.0, 2.0))
    ours = made.sample(ct).transpose(2, 1, 0)
    common = tuple(slice(0, min(a, b) - 2) for a, b in zip(ours.shape, image.shape[1:], strict=True))
    assert np.allclose(np.asarray(image.affine), made.geometry.affine, atol=1e-3)
    assert np.abs(ours[common] - image[0].numpy()[common]).max() < 0.05
