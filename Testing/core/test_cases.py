import gzip
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from freetumor.cases import read_case
from freetumor.errors import BadInput
from freetumor.files import check_free, remove_partial
from freetumor.synthesis.provenance import NOTICE
from freetumor.volume import read_volume, write_volume
from PIL import Image
from runs import RECIPES, array, command, contents, tree, write_dicom
from scipy import ndimage

FILES = {"ct.nii.gz", "labels.nii.gz", "tumor_mask.nii.gz", "provenance.json", "preview.png"}
LESION = {"liver": 2, "pancreas": 4, "kidney": 6, "lung": 2, "covid": 2}


def header(path):
    with gzip.open(path) as file:
        return file.read(352)


def distance_mm(mask, volume):
    return ndimage.distance_transform_edt(~mask, sampling=volume.geometry.spacing)


@pytest.mark.parametrize("organ", RECIPES)
def test_a_case_differs_from_the_ct_at_the_tumor_and_nowhere_else(case_of, inputs, organ):
    case = case_of(organ)
    assert set(tree(case)) == FILES
    old, new = read_volume(inputs.ct), read_volume(case / "ct.nii.gz")
    mask = array(case / "tumor_mask.nii.gz")
    assert header(case / "ct.nii.gz") == header(inputs.ct)
    assert new.array.dtype == old.array.dtype
    assert set(np.unique(mask)) == {0, 1}
    changed = new.array != old.array
    assert changed[mask > 0].mean() > 0.8
    assert distance_mm(mask > 0, old)[changed].max() <= 5.0


@pytest.mark.parametrize("organ", RECIPES)
def test_labels_are_those_of_the_group_with_the_lesion_painted(case_of, phantom, organ):
    case, group = case_of(organ), RECIPES[organ][0]
    expected = phantom.label_map(group).array.copy()
    expected[array(case / "tumor_mask.nii.gz") > 0] = LESION[organ]
    labels = read_volume(case / "labels.nii.gz")
    np.testing.assert_array_equal(labels.array, expected)
    assert labels.array.dtype == np.uint8
    assert phantom.ct.geometry.same_grid(labels.geometry)
    assert phantom.ct.geometry.same_grid(read_volume(case / "tumor_mask.nii.gz").geometry)


def test_provenance_tells_how_the_case_came_to_be(case_of, inputs):
    record = json.loads((case_of("liver") / "provenance.json").read_text("utf-8"))
    assert record["synthetic"] is True
    assert record["notice"] == NOTICE
    assert set(record["software"]) == {"freetumor", "python", "numpy", "scipy", "SimpleITK"}
    assert (record["organ"], record["group"], record["seed"]) == ("liver", "abdomen", 0)
    assert record["engine"] == "procedural"
    assert record["input"]["ct_sha256"] == read_volume(inputs.ct).fingerprint()
    assert record["input"]["labels_sha256"] == read_volume(inputs.maps["abdomen"]).fingerprint()
    assert record["input"]["label_source"] == "freetumor"
    assert record["request"]["diameter"] == 20.0
    (lesion,) = record["lesions"]
    mask = read_volume(case_of("liver") / "tumor_mask.nii.gz")
    assert lesion["asked"] == {"diameter_mm": 20.0}
    assert lesion["got"]["voxels"] == (mask.array > 0).sum()
    assert lesion["got"]["volume_mm3"] == pytest.approx(
        (mask.array > 0).sum() * mask.geometry.voxel_volume, rel=1e-4
    )
    centre = mask.geometry.index_to_ras(np.argwhere(mask.array).mean(0))
    np.testing.assert_allclose(lesion["got"]["centre_ras_mm"], centre, atol=0.01)
    assert lesion["engine_parameters"]["contrast_hu"] < 0
    assert lesion["verdict"]["passed"] is True
    assert lesion["verdict"]["reasons"] == []


def test_provenance_holds_no_path_name_or_time(case_of, inputs):
    text = (case_of("liver") / "provenance.json").read_text("utf-8")
    for word in ("4711", "DOE", "nii", str(inputs.ct.parent), str(Path.home())):
        assert word not in text
    assert not re.search(r"20\d\d-\d\d|\d\d:\d\d", text)
    assert "/" not in text


def test_the_preview_opens_and_shows_something(case_of):
    with Image.open(case_of("liver") / "preview.png") as picture:
        assert (picture.format, picture.mode, picture.info) == ("PNG", "RGB", {})
        assert picture.width > 900
        assert picture.height > 700
        assert np.asarray(picture).std() > 30


def test_the_same_seed_gives_the_same_bytes_whatever_the_names(case_of, inputs, tmp_path):
    folder = tmp_path / "Bauchraum, zweite Größe"
    folder.mkdir()
    for source, target in ((inputs.ct, "CT Ä.nii.gz"), (inputs.maps["abdomen"], "Leber ü.nii.gz")):
        shutil.copy(source, folder / target)
    said = command(
        *("synthesize", folder / "CT Ä.nii.gz", "--organ", "liver", "--labels", folder / "Leber ü.nii.gz"),
        *("--diameter", 20, "--out", folder / "ein Fall ß", "--json"),
    )
    assert said.code == 0, said
    assert said.json["case"] == str(folder / "ein Fall ß")
    assert contents(folder / "ein Fall ß") == contents(case_of("liver"))


def test_another_seed_gives_another_ct(case_of, inputs, tmp_path):
    assert command(*inputs.of("liver"), "--seed", 1, "--out", tmp_path / "case").code == 0
    before, after = contents(case_of("liver")), contents(tmp_path / "case")
    assert all(before[name] != after[name] for name in FILES)


def test_several_tumors_are_instances_apart_from_each_other(inputs, phantom, tmp_path):
    said = command(*inputs.of("liver", "--diameter", 16), "--count", 3, "--out", tmp_path / "case", "--json")
    assert [lesion["id"] for lesion in said.json["lesions"]] == [1, 2, 3]
    instances = array(tmp_path / "case" / "tumor_mask.nii.gz")
    assert set(np.unique(instances)) == {0, 1, 2, 3}
    for lesion in said.json["lesions"]:
        number = lesion["id"]
        assert (instances == number).sum() == lesion["got"]["voxels"]
        assert abs(lesion["got"]["diameter_mm"] - 16) <= 1.6
        others = (instances > 0) & (instances != number)
        assert distance_mm(instances == number, phantom.ct)[others].min() >= 6.0
    assert ((array(tmp_path / "case" / "labels.nii.gz") == 2) == (instances > 0)).all()


def test_tumors_lie_at_the_points_asked_for(inputs, tmp_path):
    said = command(
        *inputs.of("lung", "--diameter", 18), *("--at", "-90,0,60", "--at", "85,5,50"),
        *("--out", tmp_path / "case", "--json"),
    )  # fmt: skip
    centres = [lesion["got"]["centre_ras_mm"] for lesion in said.json["lesions"]]
    np.testing.assert_allclose(centres, [(-90, 0, 60), (85, 5, 50)], atol=6)


def test_a_drawn_mask_brings_its_own_tumors(inputs, phantom, tmp_path):
    drawn = np.zeros(phantom.ct.array.shape, np.uint8)
    points = np.indices(drawn.shape).reshape(3, -1).T
    ras = phantom.ct.geometry.index_to_ras(points).reshape(*drawn.shape, 3)
    for centre in ((90, 0, -30), (50, 40, -60)):
        drawn[((ras - centre) ** 2).sum(-1) <= 9**2] = 1
    write_volume(phantom.ct.like(drawn), tmp_path / "drawn.nii.gz")
    said = command(
        *inputs.of("liver", "--mask", tmp_path / "drawn.nii.gz"), "--out", tmp_path / "case", "--json"
    )
    assert said.code == 0, said
    assert [lesion["asked"]["diameter_mm"] for lesion in said.json["lesions"]] == [None, None]
    instances = array(tmp_path / "case" / "tumor_mask.nii.gz")
    np.testing.assert_array_equal(instances > 0, drawn > 0)
    assert set(np.unique(instances)) == {0, 1, 2}


def test_totalsegmentator_labels_become_labels_of_the_group(inputs, phantom, tmp_path):
    maps = ("--labels", inputs.maps["totalsegmentator"])
    size = ("--diameter", 24, "--seed", 4)
    usual = ("synthesize", inputs.ct, "--organ", "kidney", *maps, *size)
    said = command(*usual, "--label-convention", "totalsegmentator", "--out", tmp_path / "a")
    assert said.code == 0, said
    labels = array(tmp_path / "a" / "labels.nii.gz")
    free = labels != 6
    np.testing.assert_array_equal(labels[free], phantom.label_map("abdomen").array[free])
    said = command(*usual, "--organ-value", 2, 3, "--out", tmp_path / "b")
    assert said.code == 0, said
    # Explicit ids say nothing of other organs: only this one is in the labels.
    assert set(np.unique(array(tmp_path / "b" / "labels.nii.gz"))) == {0, 5, 6}
    assert json.loads((tmp_path / "b" / "provenance.json").read_text("utf-8"))["input"]["organ_ids"] == [2, 3]
    np.testing.assert_array_equal(array(tmp_path / "a" / "ct.nii.gz"), array(tmp_path / "b" / "ct.nii.gz"))


def test_labels_on_another_grid_are_resampled_when_asked(inputs, phantom, tmp_path):
    labels = phantom.label_map("abdomen")
    coarse = labels.array[:, ::2, ::2].copy()
    write_volume(type(labels)(coarse, labels.geometry.strided((1, 2, 2))), tmp_path / "coarse.nii.gz")
    asked = ("synthesize", inputs.ct, "--organ", "liver", "--labels", tmp_path / "coarse.nii.gz")
    assert command(*asked, "--out", tmp_path / "case").code == 2
    assert command(*asked, "--resample-labels", "--out", tmp_path / "case").code == 0
    made = read_volume(tmp_path / "case" / "labels.nii.gz")
    assert made.geometry.same_grid(phantom.ct.geometry)
    assert ((made.array == 1) == (labels.array == 1)).mean() > 0.98


def test_nrrd_and_dicom_give_the_tumor_that_nifti_gives(case_of, inputs, phantom, tmp_path):
    write_volume(phantom.ct, tmp_path / "ct.nrrd")
    write_dicom(phantom.ct, tmp_path / "dicom")
    write_volume(phantom.label_map("abdomen"), tmp_path / "labels.nrrd")
    expected = array(case_of("liver") / "ct.nii.gz")
    for ct in ("ct.nrrd", "dicom"):
        out = tmp_path / f"case of {ct}"
        said = command(
            *("synthesize", tmp_path / ct, "--organ", "liver", "--labels", tmp_path / "labels.nrrd"),
            *("--diameter", 20, "--out", out),
        )
        assert said.code == 0, said
        made = read_volume(out / "ct.nii.gz")
        np.testing.assert_array_equal(made.array, expected)
        assert made.geometry.same_grid(phantom.ct.geometry)


def test_lungs_need_no_label_map(inputs, tmp_path):
    said = command(
        "synthesize", inputs.ct, "--organ", "lung", "--size-class", "small", "--out", tmp_path / "a"
    )
    assert said.code == 0, said
    assert set(np.unique(array(tmp_path / "a" / "labels.nii.gz"))) == {0, 1, 2}


def test_only_a_whole_folder_is_a_case(case_of, tmp_path):
    assert read_case(case_of("liver")).name == "liver"
    broken = shutil.copytree(case_of("liver"), tmp_path / "broken")
    (broken / "provenance.json").write_text("{", "utf-8")
    with pytest.raises(BadInput, match="provenance"):
        read_case(broken)
    (broken / "preview.png").unlink()
    with pytest.raises(BadInput, match=r"without preview\.png"):
        read_case(broken)


def test_what_a_killed_run_left_is_removed_and_nothing_else(tmp_path):
    for name in (".a[1].partial-77", ".a[1].partial-78", ".a1.partial-77", "a[1].partial-77", "a[1]"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("")
    remove_partial(tmp_path / "a[1]")
    assert {p.name for p in tmp_path.iterdir()} == {".a1.partial-77", "a[1].partial-77", "a[1]"}
    remove_partial(tmp_path / "no" / "case")


def test_checking_for_a_free_place_makes_nothing(tmp_path):
    check_free(tmp_path / "a" / "b")
    check_free(tmp_path / "c")
    assert tree(tmp_path) == []
    with pytest.raises(BadInput, match="exists"):
        check_free(tmp_path)
