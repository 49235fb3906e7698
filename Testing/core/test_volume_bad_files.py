import gzip
import struct

import numpy as np
import pytest
import SimpleITK as sitk
from freetumor.errors import BadInput
from freetumor.volume import Geometry, Volume, check_geometry, read_volume, write_volume

ARRAY = np.random.default_rng(3).integers(-1000, 1000, (6, 20, 20)).astype(np.int16)
SFORM_ONLY = (252, "<hh", 0, 1)


def volume():
    return Volume(ARRAY, Geometry(ARRAY.shape, np.diag([-1, -1, 2, 1])))


def refused(path, kind, *words, **options):
    with pytest.raises(BadInput) as error:
        read_volume(path, **options)
    assert error.value.kind == kind
    for word in (path.name, *words):
        assert word in str(error.value)
    assert "\n" not in str(error.value)


def patched(path, *changes):
    """A NIfTI file with header fields (offset, struct format, values...) changed."""
    write_volume(volume(), path)
    content = bytearray(path.read_bytes())
    for offset, kind, *values in changes:
        struct.pack_into(kind, content, offset, *values)
    path.write_bytes(content)
    return path


def test_a_missing_path_is_named(tmp_path):
    refused(tmp_path / "no ct.nii.gz", "not_found", "does not exist")


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_an_empty_file_is_named(tmp_path, suffix):
    (tmp_path / f"a{suffix}").touch()
    refused(tmp_path / f"a{suffix}", "empty_file", "is empty")


@pytest.mark.parametrize("name", ["ct.txt", "ct", "ct.nii.bz2", "slice.dcm", "ct.hdr"])
def test_an_unknown_type_is_answered_with_those_that_are_known(tmp_path, name):
    (tmp_path / name).write_bytes(b"something")
    refused(tmp_path / name, "unknown_type", ".nii.gz", ".nrrd", ".mha", "DICOM folder")


@pytest.mark.parametrize("suffix", [".nii", ".nrrd", ".mha"])
def test_text_under_the_name_of_an_image_is_refused(tmp_path, suffix):
    path = tmp_path / f"page{suffix}"
    path.write_text("<html>404 not found</html>" * 40)
    with pytest.raises(BadInput, match="page") as error:
        read_volume(path)
    assert error.value.kind in ("unreadable", "truncated")


@pytest.mark.parametrize("kept", [0.004, 0.5, 0.9, -9, -1])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha", ".zipped.mha"])
def test_a_file_that_is_cut_off_anywhere_is_refused(tmp_path, suffix, kept):
    path = tmp_path / f"cut{suffix}"
    if suffix == ".zipped.mha":
        sitk.WriteImage(sitk.GetImageFromArray(ARRAY), str(path), True)
    else:
        write_volume(volume(), path)
    content = path.read_bytes()
    path.write_bytes(content[: kept if kept < 0 else max(10, int(len(content) * kept))])
    with pytest.raises(BadInput, match="cut") as error:
        read_volume(path)
    assert error.value.kind == "truncated" or (suffix == ".nrrd" and kept == 0.004)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_a_compressed_file_with_one_wrong_byte_is_refused(tmp_path, suffix):
    path = tmp_path / f"bit{suffix}"
    sitk.WriteImage(sitk.GetImageFromArray(ARRAY), str(path), True)
    content = bytearray(path.read_bytes())
    content[-600] ^= 0x10
    path.write_bytes(content)
    refused(path, "truncated", "damaged", "again")


@pytest.mark.parametrize("suffix", [".mhd", ".nhdr"])
def test_a_header_without_its_voxels_names_the_file_that_is_missing(tmp_path, suffix):
    path = tmp_path / f"ct{suffix}"
    sitk.WriteImage(sitk.GetImageFromArray(ARRAY), str(path), False)
    (tmp_path / "ct.raw").unlink()
    refused(path, "not_found", "ct.raw")


@pytest.mark.parametrize("suffix", [".nii", ".nrrd", ".mha"])
@pytest.mark.parametrize(
    ("kind", "words", "make"),
    [
        ("not_3d", "2-D", lambda image: image[:, :, 0]),
        ("time_series", "2 volumes", lambda image: sitk.JoinSeries([image, image])),
        ("vector", "3-component", lambda image: sitk.Compose([image] * 3)),
    ],
)
def test_images_that_are_no_single_volume_are_refused(tmp_path, suffix, kind, words, make):
    path = tmp_path / f"a{suffix}"
    sitk.WriteImage(make(sitk.GetImageFromArray(ARRAY)), str(path))
    refused(path, kind, words)


def test_rgb_and_complex_nifti_are_refused(tmp_path):
    refused(patched(tmp_path / "a.nii", (70, "<h", 128)), "vector", "RGB")
    refused(patched(tmp_path / "b.nii", (70, "<h", 32)), "vector", "complex")


def test_a_nifti_pair_and_nifti_2_are_refused(tmp_path):
    refused(patched(tmp_path / "a.nii", (344, "4s", b"ni1")), "unreadable", ".hdr/.img")
    refused(patched(tmp_path / "b.nii", (0, "<i", 540)), "unreadable", "NIfTI-1")


def test_gzip_under_the_name_nii_is_told_its_right_name(tmp_path):
    (tmp_path / "a.nii").write_bytes(gzip.compress(bytes(1000)))
    refused(tmp_path / "a.nii", "unreadable", ".nii.gz")


def test_a_spacing_of_zero_or_nan_is_refused(tmp_path):
    zero = patched(tmp_path / "zero.nii", (80, "<f", 0.0), (252, "<hh", 1, 0))
    refused(zero, "bad_geometry", "0 x 1 x 2")
    refused(patched(tmp_path / "empty.nii", SFORM_ONLY, (280, "<12f", *[0.0] * 12)), "bad_geometry")
    refused(patched(tmp_path / "nan.nii", SFORM_ONLY, (280, "<f", np.nan)), "bad_geometry", "nan")


def test_a_sheared_grid_is_refused(tmp_path):
    path = patched(tmp_path / "tilted.nii", SFORM_ONLY, (304, "<f", 0.4))
    refused(path, "gantry_tilt", "right angles")


def test_a_sheared_nrrd_is_refused(tmp_path):
    write_volume(volume(), tmp_path / "a.nrrd")
    content = (tmp_path / "a.nrrd").read_bytes()
    (tmp_path / "a.nrrd").write_bytes(
        content.replace(b"(0.0,0.0,2.0)", b"(0.0,0.6,2.0)").replace(b"(-0.0,-0.0,2.0)", b"(0.0,0.6,2.0)")
    )
    refused(tmp_path / "a.nrrd", "gantry_tilt")


@pytest.mark.parametrize("column", [(0, 0, 0), (1, 0, 0), (np.inf, 0, 0)])
def test_a_singular_affine_is_refused(column):
    affine = np.eye(4)
    affine[:3, 1] = column
    with pytest.raises(BadInput) as error:
        check_geometry(Geometry((5, 5, 5), affine), "the CT")
    assert error.value.kind == "bad_geometry"
