import numpy as np
import pytest
import SimpleITK as sitk
from freetumor.errors import BadInput
from freetumor.volume import read_volume
from scipy.spatial.transform import Rotation

SHAPE = (6, 9, 8)
HU = np.random.default_rng(5).integers(-1000, 1500, SHAPE).astype(np.int16)
OBLIQUE = Rotation.from_euler("xyz", [20, -15, 30], degrees=True).as_matrix()
ORIGIN = np.array([-40.0, 25.0, -310.0])
SPACING = np.array([0.75, 0.8, 2.5])  # i, j, k


def write_series(
    folder, *, uid="1.2.3", modality="CT", direction=OBLIQUE, skip=(), shift=None, description="Chest", hu=HU
):
    """A series as a scanner writes it: unsigned, with intercept -1024, under names without order."""
    folder.mkdir(exist_ok=True)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for k in range(len(hu)):
        if k in skip:
            continue
        image = sitk.GetImageFromArray(hu[k : k + 1])  # ITK takes HU and stores (HU + 1024) / slope
        image.SetSpacing([*SPACING[:2], 1.0])
        position = ORIGIN + direction @ [0, 0, SPACING[2] * k]
        position = position + (shift(k) if shift else 0)
        image.SetOrigin(position.tolist())
        image.SetDirection(direction.ravel().tolist())
        tags = {
            "0008|0060": modality,
            "0008|103e": description,
            "0020|000e": uid,
            "0020|000d": "1.2",
            "0008|0018": f"{uid}.{k + 1}",
            "0020|0013": str(k),
            "0020|0032": "\\".join(f"{v:.6f}" for v in position),
            "0020|0037": "\\".join(f"{v:.8f}" for v in direction.T[:2].ravel()),
            "0028|0030": f"{SPACING[1]}\\{SPACING[0]}",
            "0028|1052": "-1024",
            "0028|1053": "1",
            "0008|0016": "1.2.840.10008.5.1.4.1.1.2",
        }
        for tag, value in tags.items():
            image.SetMetaData(tag, value)
        writer.SetFileName(str(folder / f"{(k * 5) % 7}{uid[-1]}.dcm"))
        writer.Execute(image)
    return folder


def refused(folder, kind, *words, **options):
    with pytest.raises(BadInput) as error:
        read_volume(folder, **options)
    assert error.value.kind == kind
    for word in words:
        assert word in str(error.value)


def test_an_oblique_series_under_shuffled_names_is_read_in_hu_at_its_place(tmp_path):
    folder = write_series(tmp_path / "série 1")
    (folder / "README.txt").write_text("not an image")
    volume = read_volume(folder)
    assert volume.array.dtype == np.int16
    np.testing.assert_array_equal(volume.array, HU)
    k, j, i = 4, 7, 2
    lps = ORIGIN + OBLIQUE @ (SPACING * [i, j, k])
    np.testing.assert_allclose(volume.geometry.index_to_ras([k, j, i]), lps * [-1, -1, 1], atol=1e-3)
    assert volume.storage.metadata["SeriesDescription"] == "Chest"


def test_the_grid_is_that_of_itks_series_reader(tmp_path):
    folder = write_series(tmp_path / "a")
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
    image = sitk.ReadImage(names)
    volume = read_volume(folder)
    np.testing.assert_array_equal(sitk.GetArrayViewFromImage(image), volume.array)
    np.testing.assert_allclose(volume.geometry.to_lps()[2], image.GetDirection(), atol=1e-5)
    np.testing.assert_allclose(volume.geometry.to_lps()[1], image.GetOrigin(), atol=1e-4)


def test_a_fractional_slope_gives_float_hu(tmp_path):
    folder = write_series(tmp_path / "a")
    for path in folder.iterdir():  # ITK writes no such slope: change it in the file
        content = path.read_bytes()
        slope = b"\x28\x00\x53\x10\x02\x00\x00\x00"
        assert slope + b"1 " in content
        path.write_bytes(content.replace(slope + b"1 ", slope + b".5"))
    volume = read_volume(folder)
    assert volume.array.dtype == np.float32
    np.testing.assert_array_equal(volume.array, (HU + 1024.0) * 0.5 - 1024)


def test_one_of_two_series_must_be_chosen(tmp_path):
    write_series(tmp_path / "a", uid="1.2.3", description="Thin")
    write_series(tmp_path / "a", uid="1.2.4", description="Thick", skip=[5], hu=HU[::-1])
    listed = ("Thin", "6 slices", "1.2.3", "Thick", "5 slices", "1.2.4", "--series UID")
    refused(tmp_path / "a", "several_series", *listed)
    np.testing.assert_array_equal(read_volume(tmp_path / "a", series="1.2.4").array, HU[::-1][:5])
    refused(tmp_path / "a", "no_series", "9.9", "1.2.3", series="9.9")


def test_images_of_other_modalities_beside_the_ct_are_left_aside(tmp_path):
    write_series(tmp_path / "a")
    write_series(tmp_path / "a", uid="1.2.4", modality="PT")
    np.testing.assert_array_equal(read_volume(tmp_path / "a").array, HU)


def test_another_modality_is_not_a_ct(tmp_path):
    refused(write_series(tmp_path / "a", modality="MR"), "not_hu", "modality MR")


def test_a_folder_without_dicom_is_named(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing here")
    refused(tmp_path, "no_dicom", str(tmp_path))


def test_a_missing_slice_is_placed_in_mm(tmp_path):
    folder = write_series(tmp_path / "a", skip=[3], direction=np.eye(3))
    refused(folder, "missing_slice", "1 missing between -305.00 and -300.00 mm")


def test_two_slices_at_one_place_are_refused(tmp_path):
    folder = write_series(tmp_path / "a", direction=np.eye(3), shift=lambda k: [0, 0, -2.5 * (k == 3)])
    refused(folder, "duplicate_slice", "-305.00 mm")


def test_uneven_slices_are_refused(tmp_path):
    folder = write_series(tmp_path / "a", direction=np.eye(3), shift=lambda k: [0, 0, 0.5 * (k > 3)])
    refused(folder, "uneven_slices", "3 mm between", "2.5 mm")


def test_positions_rounded_to_a_tenth_of_a_millimetre_are_even_enough(tmp_path):
    folder = write_series(tmp_path / "a", direction=np.eye(3), shift=lambda k: [0, 0, 0.05 * (k % 2)])
    np.testing.assert_array_equal(read_volume(folder).array, HU)


def test_a_tilted_gantry_is_refused(tmp_path):
    folder = write_series(tmp_path / "a", direction=np.eye(3), shift=lambda k: [0, 0.4 * k, 0])
    refused(folder, "gantry_tilt", "right angles")


def test_a_slice_of_another_orientation_is_refused(tmp_path):
    folder = write_series(tmp_path / "a", direction=np.eye(3), skip=[2])
    write_series(folder, skip=[0, 1, 3, 4, 5])
    refused(folder, "mixed_slices", "differ")


def test_a_single_slice_is_no_volume(tmp_path):
    refused(write_series(tmp_path / "a", skip=[0, 1, 2, 3, 4]), "not_3d", "single slice")


def test_multi_frame_dicom_is_refused(tmp_path):
    image = sitk.GetImageFromArray(HU)
    image.SetMetaData("0008|0060", "CT")
    sitk.WriteImage(image, str(tmp_path / "a.dcm"))
    refused(tmp_path, "multi_frame", "dcm2niix")


@pytest.mark.parametrize("kept", [0, 200])
def test_a_slice_of_which_little_is_left_is_refused(tmp_path, kept):
    folder = write_series(tmp_path / "a")
    victim = max(folder.iterdir())
    victim.write_bytes(victim.read_bytes()[:kept])
    refused(folder, "truncated", victim.name)


@pytest.mark.parametrize("number", range(6))
def test_a_slice_that_is_cut_off_is_refused_wherever_it_lies(tmp_path, number):
    folder = write_series(tmp_path / "a")
    victim = sorted(folder.iterdir())[number]
    victim.write_bytes(victim.read_bytes()[:-60])
    refused(folder, "truncated", victim.name)
