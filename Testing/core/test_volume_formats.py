import gc
import gzip
import struct
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from freetumor.volume import Geometry, Storage, Volume, read_volume, write_volume
from freetumor.volume.nifti import new_header
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from volume_strategies import volumes

SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".mha")
per_example = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
NAME = "Bauch Übersicht – 肝 1"


def same_volume(back, volume):
    assert back.geometry.same_grid(volume.geometry, 1e-3)
    np.testing.assert_array_equal(back.hu(), volume.hu())


def plain(shape=(5, 6, 7), dtype=np.int16):
    array = np.random.default_rng(1).integers(-1000, 1000, shape).astype(dtype)
    return Volume(array, Geometry(shape, np.diag([-0.7, -0.8, 2.5, 1])))


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(volume=volumes())
@per_example
def test_a_written_volume_is_read_back_with_the_same_hu_on_the_same_grid(tmp_path, suffix, volume):
    path = tmp_path / (NAME + suffix)
    write_volume(volume, path)
    back = read_volume(path)
    same_volume(back, volume)
    if suffix.startswith(".nii") or volume.storage == Storage():
        assert back.array.dtype == volume.array.dtype
        np.testing.assert_array_equal(back.array, volume.array)


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(volume=volumes(scaled=False))
@per_example
def test_simpleitk_reads_the_same_values_at_the_same_points(tmp_path, suffix, volume):
    path = tmp_path / ("other" + suffix)
    write_volume(volume, path)
    image = sitk.ReadImage(str(path))
    np.testing.assert_array_equal(sitk.GetArrayViewFromImage(image), volume.array)
    corner = np.array(volume.array.shape) - 1
    lps = image.TransformIndexToPhysicalPoint([int(n) for n in corner[::-1]])
    np.testing.assert_allclose(volume.geometry.index_to_ras(corner), np.multiply(lps, [-1, -1, 1]), atol=1e-2)


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".nhdr", ".mhd"])
@pytest.mark.parametrize("compressed", [False, True])
@given(volume=volumes(scaled=False))
@settings(per_example, max_examples=15)
def test_files_of_simpleitk_are_read_as_it_reads_them(tmp_path, suffix, compressed, volume):
    path = tmp_path / ("itk" + suffix)
    image = sitk.GetImageFromArray(volume.array)
    spacing, origin, direction = volume.geometry.to_lps()
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    image.SetDirection(direction)
    sitk.WriteImage(image, str(path), compressed)
    back = read_volume(path)
    assert back.array.dtype == volume.array.dtype
    same_volume(back, volume)


@given(volume=volumes(), big_endian=st.booleans(), extension=st.binary(max_size=40))
@per_example
def test_an_unedited_nifti_is_written_back_byte_for_byte(tmp_path, volume, big_endian, extension):
    scale = volume.storage.slope, volume.storage.intercept
    header = bytearray(new_header(volume.geometry, volume.array.dtype, *scale))
    header[148:160] = b"our scanner\0"
    if extension:
        body = extension.ljust(-(-(len(extension) + 8) // 16) * 16 - 8, b"\0")
        header[348:352] = b"\1\0\0\0"
        header += struct.pack("<ii", len(body) + 8, 6) + body
        struct.pack_into("<f", header, 108, len(header))
    array = volume.array
    if big_endian:
        header, array = swapped(header), array.astype(array.dtype.newbyteorder(">"))
    content = bytes(header) + array.tobytes()
    (tmp_path / "in.nii").write_bytes(content)
    (tmp_path / "in.nii.gz").write_bytes(gzip.compress(content))
    for suffix in (".nii", ".nii.gz"):
        back = read_volume(tmp_path / ("in" + suffix))
        assert back.array.dtype == volume.array.dtype
        assert back.array.dtype.isnative
        np.testing.assert_array_equal(back.array, volume.array)
        write_volume(back, tmp_path / ("out" + suffix))
    assert (tmp_path / "out.nii").read_bytes() == content
    assert gzip.decompress((tmp_path / "out.nii.gz").read_bytes()) == content


def swapped(header: bytearray) -> bytearray:
    """A NIfTI-1 header in the other byte order (the fields that ITK looks at)."""
    out = bytearray(header)
    for start, stop, size in ((0, 4, 4), (32, 36, 4), (36, 38, 2), (40, 56, 2), (68, 76, 2), (76, 120, 4),
                              (120, 122, 2), (124, 148, 4), (252, 256, 2), (256, 328, 4)):  # fmt: skip
        for n in range(start, stop, size):
            out[n : n + size] = header[n : n + size][::-1]
    if len(out) > 352:
        out[352:356], out[356:360] = header[352:356][::-1], header[356:360][::-1]
    return out


def test_edited_values_are_written_under_the_old_header(tmp_path):
    write_volume(plain(), tmp_path / "a.nii")
    content = bytearray((tmp_path / "a.nii").read_bytes())
    content[148:155] = b"history"
    (tmp_path / "a.nii").write_bytes(content)
    volume = read_volume(tmp_path / "a.nii")
    volume.array[2, 3, 4] = 77
    write_volume(volume, tmp_path / "b.nii.gz")
    written = gzip.decompress((tmp_path / "b.nii.gz").read_bytes())
    assert written[:352] == content[:352]
    assert np.frombuffer(written[352:], "<i2").reshape(5, 6, 7)[2, 3, 4] == 77


@pytest.mark.parametrize("change", ["grid", "dtype", "scale"])
def test_a_header_that_no_longer_holds_is_not_written(tmp_path, change):
    write_volume(plain(), tmp_path / "a.nii")
    volume = read_volume(tmp_path / "a.nii")
    if change == "grid":
        moved = volume.geometry.affine.copy()
        moved[0, 3] += 30
        volume = Volume(volume.array, Geometry(volume.geometry.shape, moved), volume.storage)
    elif change == "dtype":
        volume = Volume(volume.array.astype(np.float32) + 0.25, volume.geometry, volume.storage)
    else:
        volume = Volume(volume.array, volume.geometry, replace(volume.storage, slope=2.0, intercept=-5.0))
    write_volume(volume, tmp_path / "b.nii")
    same_volume(read_volume(tmp_path / "b.nii"), volume)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
def test_the_same_volume_gives_the_same_compressed_bytes_under_any_name(tmp_path, suffix):
    write_volume(plain(), tmp_path / ("one" + suffix))
    write_volume(plain(), tmp_path / ("two" + suffix))
    assert (tmp_path / ("one" + suffix)).read_bytes() == (tmp_path / ("two" + suffix)).read_bytes()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_masks_and_views_are_written_as_they_are(tmp_path, suffix):
    volume = plain()
    mask = (volume.array > 0).transpose(0, 2, 1)[:, ::-1].transpose(0, 2, 1)
    write_volume(volume.like(mask), tmp_path / ("m" + suffix))
    back = read_volume(tmp_path / ("m" + suffix))
    assert back.array.dtype == np.uint8
    np.testing.assert_array_equal(back.array, mask)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_a_scale_that_the_format_cannot_hold_is_applied(tmp_path, suffix):
    raw = Volume(plain().array.view(np.uint16) // 16, plain().geometry, Storage(1.0, -1024.0))
    write_volume(raw, tmp_path / ("ct" + suffix))
    back = read_volume(tmp_path / ("ct" + suffix))
    assert back.array.dtype == np.int16
    same_volume(back, raw)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_fields_of_the_user_are_kept(tmp_path, suffix):
    fields = {"Patient position": "HFS", "broken": "two\nlines"}
    volume = Volume(plain().array, plain().geometry, Storage(metadata=fields))
    write_volume(volume, tmp_path / ("a" + suffix))
    metadata = read_volume(tmp_path / ("a" + suffix)).storage.metadata
    assert "broken" not in metadata
    if suffix == ".nrrd":
        assert metadata["Patient position"] == "HFS"


def test_one_frame_of_a_four_dimensional_file_is_a_volume(tmp_path):
    image = sitk.JoinSeries([sitk.GetImageFromArray(plain().array)])
    for suffix in SUFFIXES:
        sitk.WriteImage(image, str(tmp_path / ("a" + suffix)))
        np.testing.assert_array_equal(read_volume(tmp_path / ("a" + suffix)).array, plain().array)


def test_a_text_encoded_nrrd_is_left_to_itk_and_outlives_its_image(tmp_path):
    array = plain().array
    header = "NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: 7 6 5\n"
    header += "space directions: (1,0,0) (0,1,0) (0,0,2)\nencoding: ascii\nspace origin: (0,0,0)\n\n"
    (tmp_path / "a.nrrd").write_text(header + "\n".join(str(v) for v in array.ravel()))
    back = read_volume(tmp_path / "a.nrrd")
    gc.collect()
    np.testing.assert_array_equal(back.array, array)
    back.array[0] = 5
    assert back.geometry.spacing == (2.0, 1.0, 1.0)


def test_a_gzip_file_of_several_members_is_read_whole(tmp_path):
    write_volume(plain(), tmp_path / "a.nii")
    content = (tmp_path / "a.nii").read_bytes()
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(content[:400]) + gzip.compress(content[400:]))
    np.testing.assert_array_equal(read_volume(tmp_path / "a.nii.gz").array, plain().array)


@pytest.mark.parametrize(("slope", "intercept"), [(0.0, 5.0), (np.nan, 0.0), (1.0, np.inf)])
def test_a_nifti_scale_that_means_nothing_is_no_scale(tmp_path, slope, intercept):
    volume = plain()
    content = new_header(volume.geometry, volume.array.dtype, slope, intercept) + volume.array.tobytes()
    (tmp_path / "a.nii").write_bytes(content)
    np.testing.assert_array_equal(read_volume(tmp_path / "a.nii").hu(), volume.array)


def test_a_real_ct_survives_every_format(shared, tmp_path):
    source = shared / "data/chest/lidc0002_slab/ct.nii.gz"
    ct = read_volume(source)
    assert ct.array.dtype == np.int16
    assert ct.array.min() < -900
    for suffix in SUFFIXES:
        write_volume(ct, tmp_path / ("ct" + suffix))
        assert read_volume(tmp_path / ("ct" + suffix)).fingerprint() == ct.fingerprint()
    content = gzip.decompress(source.read_bytes())
    assert gzip.decompress((tmp_path / "ct.nii.gz").read_bytes()) == content
    assert (tmp_path / "ct.nii").read_bytes() == content
