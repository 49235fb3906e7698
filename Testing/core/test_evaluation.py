"""Evaluation against exact truths: overlap, distances, lesions found and missed, intervals."""

from __future__ import annotations

import json

import numpy as np
import pytest
from freetumor.anatomy import ORGANS
from freetumor.errors import BadInput
from freetumor.evaluation import Rules, dice, evaluate, match_lesions, pooled, surface_distance
from freetumor.evaluation.lesions import size_class_of
from freetumor.volume import Geometry, Volume, write_volume
from runs import command

LIVER = ORGANS["liver"]
GRID = Geometry((20, 40, 40), np.diag([1.0, 1.0, 2.0, 1.0]))  # voxels of 1 x 1 x 2 mm


def blocks(*boxes: tuple) -> np.ndarray:
    """A mask of boxes (k, j, i, side), `side` voxels along each axis."""
    mask = np.zeros(GRID.shape, bool)
    for k, j, i, side in boxes:
        mask[k : k + side, j : j + side, i : i + side] = True
    return mask


def labels(lesions: np.ndarray, organ: bool = True) -> Volume:
    """A label map: liver everywhere but at the border, lesions in it."""
    array = np.zeros(GRID.shape, np.uint8)
    if organ:
        array[1:-1, 1:-1, 1:-1] = 1
    array[lesions] = 2
    return Volume(array, GRID)


def test_dice_of_known_overlaps():
    truth = blocks((2, 2, 2, 4))
    assert dice(truth, truth) == 1.0
    assert dice(truth, blocks((2, 2, 4, 4))) == pytest.approx(2 * 32 / (64 + 64))
    assert dice(truth, blocks((10, 20, 20, 4))) == 0.0
    assert dice(truth, np.zeros_like(truth)) == 0.0
    assert dice(np.zeros_like(truth), truth) is None


def test_surface_distance_is_in_mm_along_each_axis():
    truth = blocks((4, 4, 4, 6))
    for shift, mm in (((1, 0, 0), 2.0), ((0, 1, 0), 1.0)):
        found = blocks((4 + shift[0], 4 + shift[1], 4, 6))
        distance = surface_distance(truth, found, GRID)
        assert distance.hd95_mm == pytest.approx(mm)
        assert 0 < distance.mean_mm < mm
    assert surface_distance(truth, truth, GRID).mean_mm == 0.0
    assert surface_distance(truth, np.zeros_like(truth), GRID) is None
    # Two single voxels, 3 mm and 4 mm apart in two directions.
    assert surface_distance(blocks((0, 0, 0, 1)), blocks((0, 3, 4, 1)), GRID).mean_mm == pytest.approx(5.0)


def test_lesions_found_missed_and_invented_are_told_apart():
    truth = blocks((2, 2, 2, 4), (2, 20, 20, 4), (12, 2, 2, 2))
    found = blocks((2, 2, 3, 4), (12, 30, 30, 3))
    result = match_lesions(truth, found, GRID, LIVER)
    assert [lesion.found for lesion in result.lesions] == [True, False, False]
    assert result.lesions[0].iou == pytest.approx(48 / 80)
    assert result.lesions[0].diameter_mm == pytest.approx((6 / np.pi * 128) ** (1 / 3))
    assert result.lesions[0].centre_ras == (3.5, 3.5, 7.0)
    assert result.false_mm == (pytest.approx((6 / np.pi * 54) ** (1 / 3)),)


def test_a_prediction_of_the_whole_organ_finds_nothing_unless_any_overlap_is_enough():
    truth = blocks((2, 2, 2, 4), (10, 20, 20, 4))
    everything = np.ones(GRID.shape, bool)
    strict = match_lesions(truth, everything, GRID, LIVER)
    assert not any(lesion.found for lesion in strict.lesions)
    assert len(strict.false_mm) == 1
    lenient = match_lesions(truth, everything, GRID, LIVER, least_iou=0.0)
    # One predicted part counts for one lesion only.
    assert sum(lesion.found for lesion in lenient.lesions) == 1
    assert lenient.false_mm == ()


def test_pieces_of_a_found_lesion_are_not_false_positives():
    truth = blocks((2, 2, 2, 8))
    found = truth.copy()
    found[:, 5] = False  # cut in two; both pieces hit
    result = match_lesions(truth, found, GRID, LIVER)
    assert result.lesions[0].found
    assert result.lesions[0].iou == pytest.approx(0.5)
    assert result.false_mm == ()


def test_parts_are_assigned_so_that_most_overlap_remains():
    truth = blocks((2, 2, 2, 6), (2, 2, 9, 6))
    found = np.zeros(GRID.shape, bool)
    found[2:8, 2:8, 2:11] = True  # hits both, the first one more
    result = match_lesions(truth, found, GRID, LIVER)
    assert [lesion.found for lesion in result.lesions] == [True, False]


def test_parts_too_small_to_count_count_on_neither_side():
    truth, found = blocks((2, 2, 2, 4), (12, 2, 2, 1)), blocks((12, 2, 2, 1), (12, 30, 30, 1))
    result = match_lesions(truth, found, GRID, LIVER, smallest_mm3=10.0)
    assert [lesion.found for lesion in result.lesions] == [False]
    assert result.false_mm == ()
    # A large part on a true lesion that is too small to count is neither right nor wrong.
    large = blocks((12, 2, 2, 2))
    assert match_lesions(truth, large, GRID, LIVER, smallest_mm3=10.0).false_mm == ()


def test_parts_that_touch_by_a_corner_are_one_lesion():
    mask = blocks((2, 2, 2, 2), (4, 4, 4, 2))
    assert len(match_lesions(mask, mask, GRID, LIVER).lesions) == 1


def test_nothing_true_and_nothing_found():
    nothing = np.zeros(GRID.shape, bool)
    result = match_lesions(nothing, nothing, GRID, LIVER)
    assert (result.lesions, result.false_mm) == ((), ())


@pytest.mark.parametrize(
    ("diameter", "name"), [(1.0, "tiny"), (6.9, "tiny"), (7.0, "small"), (12.0, "medium"), (99.0, "large")]
)
def test_size_classes_have_no_outer_ends(diameter, name):
    assert size_class_of(LIVER, diameter) == name


def test_the_numbers_of_a_set_are_exact():
    two = blocks((2, 2, 2, 4), (10, 20, 20, 4))
    nothing = np.zeros(GRID.shape, bool)
    cases = [
        ("both", labels(two), labels(two)),
        ("half", labels(two), labels(blocks((2, 2, 2, 4), (14, 30, 30, 3)))),
        ("healthy", labels(nothing), labels(blocks((14, 30, 30, 3)))),
        ("quiet", labels(nothing), labels(nothing)),
    ]
    numbers = evaluate(cases, Rules(LIVER)).numbers
    assert numbers["sensitivity"].value == pytest.approx(3 / 4)
    assert (numbers["sensitivity"].cases, numbers["sensitivity"].count) == (2, 4)
    assert numbers["sensitivity_below_20_mm"].value == pytest.approx(3 / 4)
    assert numbers["sensitivity_large"].value is None
    assert numbers["precision"].value == pytest.approx(3 / 5)
    assert numbers["false_positives"].value == pytest.approx(2 / 4)
    assert numbers["false_positives_without_lesion"].value == pytest.approx(1 / 2)
    half = 2 * 64 / (128 + 64 + 27)
    assert numbers["dice"].value == pytest.approx((1 + half) / 2)
    assert numbers["dice"].cases == 2
    assert numbers["organ_dice"].value == 1.0
    assert all(estimate.few for estimate in numbers.values())


def test_an_organ_that_is_not_labelled_has_no_dice():
    lesions = blocks((2, 2, 2, 4))
    numbers = evaluate([("a", labels(lesions, organ=False), labels(lesions))], Rules(LIVER)).numbers
    assert numbers["organ_dice"].value is None
    assert numbers["dice"].value == 1.0


def test_another_grid_is_refused_and_another_order_of_voxels_is_not():
    lesions = blocks((2, 2, 2, 4))
    true = labels(lesions)
    flip = np.diag([-1.0, 1.0, 2.0, 1.0])
    flip[0, 3] = 39.0
    turned = Volume(np.ascontiguousarray(true.array[:, :, ::-1]), Geometry(GRID.shape, flip))
    assert evaluate([("a", true, turned)], Rules(LIVER)).numbers["dice"].value == 1.0
    moved = Volume(true.array, Geometry(GRID.shape, np.diag([1.0, 1.0, 2.5, 1.0])))
    with pytest.raises(BadInput, match="label maps of a that can be compared") as error:
        evaluate([("a", true, moved)], Rules(LIVER))
    assert error.value.kind == "grid_mismatch"


def test_the_bootstrap_interval_is_that_of_the_binomial_for_equal_cases():
    found = np.arange(200) % 4 > 0  # 3 of 4 found, one lesion in each of 200 cases
    estimate = pooled(found.astype(float), np.ones(200), seed=1)
    spread = 1.96 * np.sqrt(0.75 * 0.25 / 200)
    assert estimate.value == 0.75
    assert estimate.low == pytest.approx(0.75 - spread, abs=0.01)
    assert estimate.high == pytest.approx(0.75 + spread, abs=0.01)
    assert not estimate.few
    assert pooled(found.astype(float), np.ones(200), seed=1) == estimate
    assert pooled(found.astype(float), np.ones(200), seed=2) != estimate


def test_cases_are_drawn_not_lesions():
    # All of one patient's many lesions are found, none of another's: that is two cases, not a hundred.
    estimate = pooled([50.0, 0.0], [50.0, 50.0])
    assert (estimate.value, estimate.low, estimate.high) == (0.5, 0.0, 1.0)
    assert (estimate.cases, estimate.count, estimate.few) == (2, 100, True)


def test_one_case_has_no_interval_and_no_case_no_value():
    one = pooled([3.0, 0.0], [4.0, 0.0])
    assert (one.value, one.low, one.high, one.cases) == (0.75, None, None, 1)
    assert pooled([0.0], [0.0]).value is None


@pytest.fixture
def folders(tmp_path):
    """Predictions and truth of two scans, as files of the same names; a third prediction has no truth."""
    two = blocks((2, 2, 2, 4), (10, 20, 20, 4))
    for name, true, found in (("a", two, two), ("b", two, blocks((2, 2, 2, 4)))):
        for folder, mask in (("truth", true), ("found", found)):
            (tmp_path / folder).mkdir(exist_ok=True)
            write_volume(labels(mask), tmp_path / folder / f"{name}.nii.gz")
    write_volume(labels(two), tmp_path / "found" / "c.nii.gz")
    return tmp_path / "found", tmp_path / "truth"


def test_the_command_gives_json_and_words(folders):
    found, truth = folders
    asked = ("evaluate", "--predictions", found, "--truth", truth, "--organ", "liver")
    said = command(*asked, "--json")
    assert said.code == 0, said.err
    result = said.json
    assert result["numbers"]["sensitivity"]["value"] == 0.75
    assert result["left_out"] == ["c"]
    assert [case["name"] for case in result["cases"]] == ["a", "b"]
    assert len(result["cases"][1]["lesions"]["lesions"]) == 2
    json.dumps(result)
    words = command(*asked).out
    assert "0.750" in words
    assert "fewer than 10 scans" in words
    assert "left out: c" in words


def test_the_command_pairs_files_by_order_and_folders_by_name(folders):
    found, truth = folders
    files = command(
        "evaluate", "--predictions", found / "a.nii.gz", "--predictions", found / "b.nii.gz",
        "--truth", truth / "b.nii.gz", "--truth", truth / "a.nii.gz", "--organ", "liver", "--json",
    ).json  # fmt: skip
    assert [case["name"] for case in files["cases"]] == ["b", "a"]
    assert files["numbers"]["sensitivity"]["value"] == 0.75
    (found / "a.nii.gz").unlink()
    said = command("evaluate", "--predictions", found, "--truth", truth, "--organ", "liver", "--json")
    assert (said.code, said.json["kind"]) == (2, "not_found")
    assert "none for a" in said.json["message"]


def test_ids_of_another_convention_can_be_named(tmp_path):
    array = np.zeros(GRID.shape, np.uint8)
    array[1:-1, 1:-1, 1:-1] = 1
    array[blocks((2, 2, 2, 4))] = 2
    write_volume(Volume(array, GRID), tmp_path / "pancreas.nii.gz")
    asked = ("evaluate", "--predictions", tmp_path, "--truth", tmp_path, "--organ", "pancreas", "--json")
    assert command(*asked).json["numbers"]["dice"]["value"] is None
    named = command(*asked, "--organ-value", 1, "--lesion-value", 2).json
    assert named["numbers"]["dice"]["value"] == 1.0
    assert named["numbers"]["organ_dice"]["value"] == 1.0


def test_case_folders_are_compared_by_their_names(case_of):
    folder = case_of("liver")
    asked = ("evaluate", "--predictions", folder.parent, "--truth", folder, "--organ", "liver", "--json")
    result = command(*asked).json
    assert [case["name"] for case in result["cases"]] == ["liver"]
    assert result["numbers"]["sensitivity"]["value"] == 1.0
