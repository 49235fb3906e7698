"""What the picture of a lesion shows beside the tumor."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from freetumor.study import read_key, read_study
from freetumor.study.design import Design, new_study
from freetumor.study.division import divided
from freetumor.study.key import default_key_path
from freetumor.study.lesions import Found
from freetumor.study.packing import cue_radius, write_cases
from freetumor.study.picture import Scenery, reach
from freetumor.study.presentations import Cases, neutral_cases
from freetumor.volume import Geometry, Storage, Volume, read_volume, write_volume
from study_pools import ROW, Scan, a_lesion, write_pool

SPACING = (4.0, 4.0, 4.0)
SHAPE = (60, 80, 80)
MIDDLE = (30, 40, 40)


def scan(signs: tuple[int, int, int] = (1, 1, 1), offset: int = 0) -> Volume:
    """Air to the left of the middle, then a slab of lung within the body; axes run (S, A, R) or against."""
    hu = np.full(SHAPE, 40, np.int16)
    hu[:, :, :40] = -1000
    hu[:, 2:-2, 50:70] = -850
    turned = hu[tuple(slice(None, None, sign) for sign in signs)]
    affine = np.diag([*(sign * 4.0 for sign in signs[::-1]), 1.0])
    return Volume(np.ascontiguousarray(turned - offset), Geometry(SHAPE, affine), Storage(intercept=offset))


def around(volume: Volume, center: tuple[int, int, int]) -> tuple[float, float, float]:
    shares = Scenery(volume).around(center, 5.0)
    return shares["air_share"], shares["lung_share"], shares["scan_share"]


def test_shares_are_those_of_the_picture():
    assert reach(5.0, SPACING) == [20, 30, 30]
    air, lung, inside = around(scan(), MIDDLE)
    # 61 columns from 10 to 70: 30 of air, 20 of lung.
    assert air == pytest.approx(30 / 61, abs=1e-3)
    assert lung == pytest.approx(20 / 61, abs=1e-3)
    assert inside == 1.0


def test_a_lesion_at_the_end_of_the_scan_or_of_the_body_has_another_picture():
    assert around(scan(), (5, 40, 40))[2] == pytest.approx(26 / 41, abs=1e-3)
    deeper = around(scan(), (30, 40, 60))
    assert deeper[0] < 0.25 < around(scan(), MIDDLE)[0]
    assert deeper[1] > around(scan(), MIDDLE)[1]


def test_shares_do_not_depend_on_how_voxels_are_stored():
    shares = around(scan(), (30, 40, 60))
    for signs in ((-1, 1, 1), (1, -1, -1)):
        assert around(scan(signs, offset=-1024), (30, 40, 60)) == shares


def test_dark_voxels_of_a_noisy_lung_at_the_border_of_the_scan_are_no_air_around_the_body():
    volume = scan()
    volume.array[:, :, :40] = 40
    rng = np.random.default_rng(0)
    volume.array[:, :, 60:] = np.rint(rng.normal(-870, 50, (60, 80, 20)))
    air, lung, _ = around(volume, (30, 40, 60))
    assert air < 0.005
    assert lung > 0.3


def drawn_out(file: Path) -> None:
    """Label each lesion twice as long and as much thinner: of the same size, farther from its middle."""
    labels = read_volume(file)
    inside = np.argwhere(labels.array == ROW.lesion_label)
    steps = np.array(labels.geometry.spacing)
    radius = np.cbrt(len(inside) * steps.prod() * 3 / (4 * np.pi))
    away = (np.moveaxis(np.indices(labels.array.shape), 0, -1) - inside.mean(axis=0)) * steps
    away *= (0.5, 2**0.5, 2**0.5)
    labels.array[labels.array == ROW.lesion_label] = ROW.organ_label
    labels.array[(away**2).sum(axis=-1) <= radius**2] = ROW.lesion_label
    write_volume(labels, file)


def test_the_circle_does_not_tell_long_real_lesions_from_round_synthetic_ones(tmp_path):
    pool = write_pool(tmp_path, [Scan(n, 21.0, 21.0, mirrored=True) for n in range(3)])
    for case in json.loads(pool.real.read_text("utf-8")):
        drawn_out(pool.real.parent / case["labels"])
    design = Design(organs=("lung",), readers=1, training=0, accept_imbalance=True)
    new_study([pool.real], [pool.synthetic], design, tmp_path / "study")
    made = read_study(tmp_path / "study")
    key = read_key(default_key_path(tmp_path / "study"), made)
    assert len(key.cases) >= 4
    for name, case in made.cases.items():
        assert case.radius_mm == made.cases[key.cases[name].match].radius_mm
        # The long one of a pair is held by the circle: the round one alone would have a smaller one.
        assert case.radius_mm > cue_radius(1.2 * key.cases[name].diameter_mm / 2)


def cases_of_very_large_lesions(ct: Path) -> Cases:
    """Pairs of long and round lesions in the middle of a CT of 4 mm voxels."""
    place = {"ct": ct, "center": (45, 60, 60), "spacing": SPACING}
    lesions = [
        a_lesion(synthetic, n, extent_mm=extent, **place)
        for n in range(2)
        for synthetic, extent in ((False, 100.0 + 20 * n), (True, 50.0))
    ]
    rng = np.random.default_rng(0)
    division = divided(Found(lesions), cases=None, training=0, pairs=0, per_patient=2, rng=rng)
    return neutral_cases(division, 0, rng)


def test_the_picture_of_a_very_large_lesion_is_as_large_as_that_of_its_partner(tmp_path):
    shape = (90, 120, 120)
    ct = Volume(np.zeros(shape, np.int16), Geometry(shape, np.diag([-4.0, -4.0, 4.0, 1.0])), Storage())
    write_volume(ct, tmp_path / "ct.nii.gz")
    cases = cases_of_very_large_lesions(tmp_path / "ct.nii.gz")
    write_cases(tmp_path, cases.lesions, cases.extents, lambda message, share: None)
    shown = {name: read_volume(tmp_path / "cases" / f"{name}.nii.gz").array.shape for name in cases.keyed}
    for name, known in cases.keyed.items():
        assert shown[name] == shown[known["match"]]
        assert cases.extents[name] == max(cases.lesions[one].extent_mm for one in (name, known["match"]))
    assert {size[0] for size in shown.values()} == {71, 81}
