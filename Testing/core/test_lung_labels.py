"""The classical lung labeler against real CTs and the phantom."""

from __future__ import annotations

import numpy as np
import pytest
from freetumor.errors import BadInput
from freetumor.organs.lung import label_lungs
from freetumor.volume import Geometry, Volume, read_volume
from phantom import Phantom, make_phantom
from scipy import ndimage


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


def with_ball(phantom: Phantom, center: tuple, radius: float) -> tuple[Volume, np.ndarray]:
    """The phantom's CT with a solid ball (RAS mm), and the voxels where the ball replaces lung."""
    points = phantom.ct.geometry.index_to_ras(np.moveaxis(np.indices(phantom.ct.array.shape), 0, -1))
    ball = (((points - center) ** 2).sum(-1) <= radius**2) & phantom.organ("lung")
    ct = phantom.ct.copy()
    ct.array[ball] = 40
    return ct, ball


def view(volume: Volume, axes: tuple[int, ...], flips: tuple[int, ...]) -> Volume:
    """The same body on a grid with permuted and flipped axes; `axes` and `flips` as for numpy."""
    affine = np.eye(4)
    corner = [volume.array.shape[a] - 1 if n in flips else 0 for n, a in enumerate(axes)]
    start = np.zeros(3)
    start[list(axes)] = corner
    affine[:3, 3] = volume.geometry.index_to_ras(start)
    columns = volume.geometry.affine[:3, :3][:, ::-1]  # of k, j, i
    for n, a in enumerate(axes):
        affine[:3, 2 - n] = columns[:, a] * (-1 if n in flips else 1)
    array = np.ascontiguousarray(np.flip(volume.array.transpose(axes), flips))
    return Volume(array, Geometry(array.shape, affine), volume.storage)


@pytest.fixture(scope="module")
def label(phantom) -> Volume:
    return label_lungs(phantom.ct)


def test_phantom_lungs_with_their_vessels_are_found(phantom, label):
    assert label.array.dtype == np.uint8
    assert label.geometry.same_grid(phantom.ct.geometry)
    assert set(np.unique(label.array)) == {0, 1}
    lung = label.array > 0
    assert dice(lung, phantom.organ("lung")) > 0.99
    for side in ("left", "right"):
        assert lung[phantom.labels[f"vessels_lung_{side}"]].mean() > 0.95


@pytest.mark.parametrize("organ", ["airway", "stomach", "heart", "liver", "spleen", "aorta"])
def test_neighbours_are_left_out(phantom, label, organ):
    assert label.array[phantom.labels[organ]].mean() < 0.01


def test_air_outside_the_body_is_left_out(phantom, label):
    assert not label.array[~phantom.labels["body"]].any()


@pytest.mark.parametrize(
    ("axes", "flips"), [((0, 1, 2), (0,)), ((0, 1, 2), (1, 2)), ((2, 0, 1), ()), ((1, 2, 0), (0, 2))]
)
def test_axes_may_run_any_way(phantom, label, axes, flips):
    found = label_lungs(view(phantom.ct, axes, flips))
    assert np.array_equal(found.array, np.flip(label.array.transpose(axes), flips))


@pytest.mark.parametrize(
    ("shape", "spacing"), [((60, 110, 140), (5.0, 2.4, 2.4)), ((20, 300, 380), (1.25, 0.9, 0.9))]
)
def test_spacing_may_be_anisotropic(shape, spacing):
    phantom = make_phantom(shape, spacing)
    assert dice(label_lungs(phantom.ct).array > 0, phantom.organ("lung")) > 0.98


def test_oblique_grids_are_understood():
    c, s = np.cos(0.35), np.sin(0.35)
    tilt = np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ np.diag([-1.0, -1.0, 1.0])
    phantom = make_phantom((70, 80, 84), (4.0, 4.0, 4.0), direction=tilt)
    assert dice(label_lungs(phantom.ct).array > 0, phantom.organ("lung")) > 0.98


@pytest.mark.parametrize(
    ("center", "radius", "covered"),
    [((129, -2, 40), 7, 0.95), ((-76, -84, 50), 10, 0.9), ((76, 2, 135), 6, 0.9), ((105, -50, 60), 20, 0.9)],
    ids=["lateral", "posterior", "apex", "large mass at the wall"],
)
def test_nodules_at_the_pleura_are_kept(phantom, center, radius, covered):
    ct, ball = with_ball(phantom, center, radius)
    assert ball.sum() > 20
    lung = label_lungs(ct).array > 0
    assert lung[ball].mean() >= covered
    assert dice(lung, phantom.organ("lung")) > 0.99


def test_scale_of_the_stored_values_does_not_matter(label):
    stored = make_phantom(dtype=np.uint16, intercept=-1024.0)
    assert np.array_equal(label_lungs(stored.ct).array, label.array)


@pytest.mark.parametrize("part", ["abdomen", "air", "water"])
def test_no_lung_is_a_clear_error(phantom, part):
    superior = phantom.ct.geometry.index_to_ras(np.stack([np.arange(75), np.zeros(75), np.zeros(75)], -1))
    array = phantom.ct.array[superior[:, 2] < -40]
    if part != "abdomen":
        array = np.full_like(array, -1000 if part == "air" else 0)
    ct = Volume(array, Geometry(array.shape, phantom.ct.geometry.affine))
    with pytest.raises(BadInput, match=r"expected a CT that shows lung; got .* ml") as caught:
        label_lungs(ct)
    assert caught.value.kind == "organ_absent"


@pytest.mark.parametrize(
    "case",
    ["lidc0001", "lidc0002_slab", "lidc0003_slab", "pyrad_lung1", "pyrad_lung2"],
)
def test_dice_on_real_chests(shared, case):
    folder = shared / "data" / "chest" / case
    truth = read_volume(folder / "labels.nii.gz").array
    lung = label_lungs(read_volume(folder / "ct.nii.gz")).array > 0
    assert dice(lung, truth > 0) > 0.975
    if case != "pyrad_lung2":  # a 45 mm mass on the diaphragm; no rule tells its lower half from the liver
        assert lung[truth == 2].mean() > 0.85


@pytest.mark.parametrize(("case", "share"), [("crlm1004", 0.5), ("lits000", 0.3)])
def test_bowel_gas_is_no_lung_and_lung_bases_are(shared, case, share):
    ct = read_volume(
        shared / "data" / ("abdomen_unlabeled" if case == "crlm1004" else "abdomen") / case / "ct.nii.gz"
    )
    lung = label_lungs(ct).array > 0
    assert lung.sum() * ct.geometry.voxel_volume > 9e5  # mm^3
    upwards = lung if ct.geometry.affine[2, 2] > 0 else lung[::-1]
    assert not upwards[: int(len(lung) * (1 - share))].any()
    labels, _ = ndimage.label(lung)
    assert np.sort(np.bincount(labels.ravel())[1:])[-2:].sum() > 0.99 * lung.sum()
