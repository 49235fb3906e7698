"""What the picture of a lesion shows beside the tumor."""

from __future__ import annotations

import numpy as np
import pytest
from freetumor.study.picture import Scenery, reach
from freetumor.volume import Geometry, Storage, Volume

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
