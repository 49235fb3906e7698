"""Contours of lesions: which voxels they give, on which CT, and what is said of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from freetumor.errors import BadInput
from freetumor.training import contours
from freetumor.training.cache import prepared
from freetumor.training.contours import draw_contours, read_contours
from freetumor.training.feeding import facts
from freetumor.training.preparation import labels_on_ct
from freetumor.training.sources import NOT_LABELLED, read_cases
from freetumor.training.terms import terms_of
from freetumor.volume import Box, Geometry, Volume, read_volume, write_volume

SHAPE = (6, 24, 30)
# Axes run left, back and up, as most CTs: LPS mm are voxel indices times the spacing, plus a start.
GEOMETRY = Geometry(SHAPE, np.array([[-2.0, 0, 0, 50], [0, -2.0, 0, 40], [0, 0, 5.0, -300], [0, 0, 0, 1]]))
# Around the centres of voxels 3..9 along x and 5..8 along y of slice 2, with a notch.
OUTLINE = [(2.6, 4.6), (9.4, 4.6), (9.4, 8.4), (6.5, 8.4), (6.0, 6.5), (5.5, 8.4), (2.6, 8.4)]


def polygon(plane: float, outline: list) -> dict:
    points = [[2.0 * x - 50, 2.0 * y - 40] for x, y in outline]
    return {"z": 5.0 * plane - 300, "points": points}


def square(x: float, y: float, side: float) -> list:
    return [(x, y), (x + side, y), (x + side, y + side), (x, y + side)]


def of_outline() -> np.ndarray:
    found = np.zeros(SHAPE, bool)
    found[2, 5:9, 3:10] = True
    found[2, 7:9, 6] = False  # the notch
    return found


@pytest.fixture
def drawn(tmp_path):
    """Writes contours of the case "one": a tumor and, partly under it, something to be ignored."""

    def write(**changes: object) -> Path:
        regions = [
            {"name": "plain", "label": "liver tumor", "polygons": [polygon(2, OUTLINE)]},
            {"name": "doubtful", "label": "ignore", "polygons": [polygon(2, square(8.6, 7.6, 4))]},
        ]
        case = {"name": "one", "group": "abdomen", "spacing": [5, 2, 2], "regions": regions}
        content = {
            "schema": contours.SCHEMA,
            "version": contours.VERSION,
            "licence": "CC-BY-4.0",
            "expert": False,
            "cases": [case | {k: v for k, v in changes.items() if k in case}],
        }
        path = tmp_path / "drawn.json"
        path.write_text(json.dumps(content | {k: v for k, v in changes.items() if k in content}), "utf-8")
        return path

    return write


@pytest.fixture
def source(tmp_path, drawn):
    """A list with the case "one", its CT and organ labels, and the contours of :func:`drawn`."""
    liver = np.zeros(SHAPE, np.uint8)
    liver[1:5, 2:22, 1:28] = 1
    write_volume(Volume(np.where(liver, 110, -100).astype(np.int16), GEOMETRY), tmp_path / "ct.nii.gz")
    write_volume(Volume(liver, GEOMETRY), tmp_path / "labels.nii.gz")
    case = {"name": "one", "ct": "ct.nii.gz", "labels": "labels.nii.gz", "licence": "CC-BY-4.0"}
    case |= {"group": "abdomen", "organs": ["liver"], "lesions_known": False}
    (tmp_path / "list.json").write_text(json.dumps([case]), "utf-8")
    drawn()
    return {"kind": "list", "path": tmp_path / "list.json", "contours": str(tmp_path / "drawn.json")}


@pytest.mark.parametrize("axes", ["as drawn", "turned over", "k and i exchanged"])
def test_a_polygon_gives_exactly_the_voxels_whose_centre_it_holds(drawn, axes):
    whole = Volume(np.zeros(SHAPE, np.uint8), GEOMETRY)
    expected = of_outline()
    if axes == "turned over":  # of a file with other axes for the same patient
        affine = GEOMETRY.affine @ np.array([[-1, 0, 0, 29], [0, 1, 0, 0], [0, 0, -1, 5], [0, 0, 0, 1]])
        whole, expected = Volume(whole.array, Geometry(SHAPE, affine)), expected[::-1, :, ::-1]
    elif axes == "k and i exchanged":
        affine = GEOMETRY.affine[:, [2, 1, 0, 3]]
        whole, expected = Volume(np.zeros(SHAPE[::-1], np.uint8), Geometry(SHAPE[::-1], affine)), expected.T
    draw_contours(read_contours(drawn())["one"], whole.geometry, whole.array)
    np.testing.assert_array_equal(whole.array == 2, expected)
    # 4 x 4 voxels, of which the tumor has three.
    assert (whole.array == NOT_LABELLED).sum() == 4 * 4 - 1


def test_they_go_over_the_organ_labels_and_the_lesions_are_known_then(source):
    (case,) = read_cases(source)
    assert case.lesions_known
    labels = labels_on_ct(case, read_volume(case.ct))
    np.testing.assert_array_equal(labels == 2, of_outline())
    assert labels[2, 4, 3] == labels[3, 5, 3] == 1
    assert labels[0, 0, 0] == 0
    (plain,) = read_cases({key: value for key, value in source.items() if key != "contours"})
    assert not plain.lesions_known


def test_a_changed_contour_is_prepared_anew(source, drawn, tmp_path):
    def voxels() -> int:
        (case,) = read_cases(source)
        made = prepared(case, (5.0, 2.0, 2.0), (-100, 250), "abdomen", tmp_path / "cache")
        return int((made.labels.array == 2).sum())

    assert voxels() == of_outline().sum()
    small = {"name": "small", "label": "liver tumor", "polygons": [polygon(2, square(4.6, 4.6, 2))]}
    drawn(regions=[small])
    assert voxels() == 4


def test_the_card_says_that_no_expert_drew_them(source, drawn, configured):
    said = facts(configured, read_cases(source))
    (limit,) = terms_of(configured, said, [])["limits"]
    assert "one" in limit
    assert "non-expert" in limit
    drawn(expert=True)
    assert not terms_of(configured, facts(configured, read_cases(source)), [])["limits"]
    drawn(licence="CC-BY-NC-4.0")
    assert facts(configured, read_cases(source))["licence"] == "CC-BY-4.0; CC-BY-NC-4.0"
    assert terms_of(configured, facts(configured, read_cases(source)), [])["use"] == "research"


@pytest.fixture
def configured():
    from freetumor.training.configuration import Config

    return Config(name="any", organs=("liver",))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "two"}, "case two of the abdomen.*none of that name among one"),
        ({"group": "chest", "regions": []}, "one of the abdomen"),
    ],
)
def test_contours_of_a_case_that_is_not_there_are_refused(source, drawn, changes, said):
    drawn(**changes)
    with pytest.raises(BadInput, match=said) as error:
        read_cases(source)
    assert error.value.kind == "bad_source"


def test_a_file_that_is_missing_or_is_none_is_refused(source, tmp_path, drawn):
    with pytest.raises(BadInput, match=r"comes with FreeTumor \(crlm1006\)") as error:
        read_cases(source | {"contours": "crlm9999"})
    assert error.value.kind == "not_found"
    for wrong in ({"schema": "other"}, {"regions": [{"label": "liver tumor"}]}, {"spacing": [5, 2]}):
        drawn(**wrong)
        with pytest.raises(BadInput, match=r"drawn\.json") as error:
            read_cases(source)
        assert error.value.kind == "bad_contours"


@pytest.mark.parametrize(
    ("geometry", "said"),
    [
        (GEOMETRY.strided((1, 2, 2)), "voxels of 5 x 2 x 2 mm"),
        (GEOMETRY.cropped(Box((3, 0, 0), SHAPE)), "a scan around the contour at -290"),
        (GEOMETRY.cropped(Box((0, 0, 5), SHAPE)), "a scan around the contour at -290"),
        (
            Geometry(SHAPE, np.vstack([GEOMETRY.affine[:2], [0, 0, 5.0, -298], [0, 0, 0, 1]])),
            "a slice at -290",
        ),
    ],
    ids=["other voxels", "begins above", "begins beside", "between the slices"],
)
def test_a_ct_with_another_geometry_is_refused(drawn, geometry, said):
    given = read_contours(drawn())["one"]
    labels = np.zeros(geometry.shape, np.uint8)
    with pytest.raises(BadInput, match=said) as error:
        draw_contours(given, geometry, labels)
    assert error.value.kind == "grid_mismatch"


def test_what_comes_with_freetumor_lies_on_what_is_dark_in_the_liver(shared):
    (case,) = read_cases(
        {"kind": "list", "path": "manifest.json", "names": ["crlm1006"], "contours": "crlm1006"},
        shared / "data",
    )
    ct = read_volume(case.ct)
    labels = labels_on_ct(case, ct)
    tumor, liver = (float(np.median(ct.array[labels == label])) for label in (2, 1))
    assert liver - 60 < tumor < liver - 20
    assert (labels == 2).sum() * ct.geometry.voxel_volume / 1000 == pytest.approx(9.8, abs=0.5)
