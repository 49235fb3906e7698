import errno
import os
import subprocess
import sys

import numpy as np
import pytest
from freetumor.errors import BadInput, OutputError
from freetumor.volume import Geometry, Volume, read_volume, write_volume

SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".mha")
BEHIND_A_LIMIT = """
import os, sys
import numpy as np
import scipy.spatial.transform
from freetumor.errors import FreeTumorError
from freetumor.volume import Geometry, Volume, write_volume
noise = np.random.default_rng(0).integers(-1000, 1000, (40, 100, 100)).astype(np.int16)
volume = Volume(noise, Geometry(noise.shape, np.eye(4)))
{limit}
try:
    write_volume(volume, sys.argv[1])
except FreeTumorError as error:
    print(type(error).__name__, error.kind, error)
"""
SMALL_FILES = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))"
NOBODY = "os.geteuid() or os.setuid(65534)"


def behind(limit, path):
    """What writing says in a process of its own under a limit."""
    code = BEHIND_A_LIMIT.format(limit=limit)
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def volume():
    array = np.random.default_rng(0).integers(-1000, 1000, (9, 10, 11)).astype(np.int16)
    return Volume(array, Geometry(array.shape, np.eye(4)))


@pytest.mark.skipif(os.name == "nt", reason="needs RLIMIT_FSIZE")
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_is_reported_and_leaves_the_old_file_alone(tmp_path, suffix):
    path = tmp_path / f"ct{suffix}"
    path.write_bytes(b"old")
    said = behind(SMALL_FILES, path)
    assert said.startswith("OutputError disk_full the disk is full")
    assert "0.8 MB" in said
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_is_full_only_at_the_end_is_reported(tmp_path, monkeypatch, number):
    def full(_file):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="disk is full") as error:
        write_volume(volume(), tmp_path / "ct.nii")
    assert error.value.kind == "disk_full"
    assert not list(tmp_path.iterdir())


def test_a_failing_disk_is_not_called_full(tmp_path, monkeypatch):
    def broken(_file):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OutputError, match="could not write") as error:
        write_volume(volume(), tmp_path / "ct.nii")
    assert error.value.kind == "output"
    assert not list(tmp_path.iterdir())


def test_an_interrupt_leaves_nothing_behind(tmp_path, monkeypatch):
    def interrupted(_file):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_volume(volume(), tmp_path / "ct.nii.gz")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX permissions")
def test_a_folder_without_write_permission_is_named(tmp_path):
    tmp_path.chmod(0o555)
    try:
        said = behind(NOBODY, tmp_path / "ct.nii.gz")
    finally:
        tmp_path.chmod(0o755)
    assert said.startswith("BadInput output_not_writable")
    assert "ct.nii.gz" in said
    assert not list(tmp_path.iterdir())


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    for folder in (tmp_path / "none", tmp_path / "file"):
        (tmp_path / "file").write_text("")
        with pytest.raises(BadInput, match=folder.name) as error:
            write_volume(volume(), folder / "ct.nii")
        assert error.value.kind == "output_not_writable"


def test_a_folder_in_the_place_of_the_file_is_named(tmp_path):
    (tmp_path / "ct.nii").mkdir()
    with pytest.raises(BadInput) as error:
        write_volume(volume(), tmp_path / "ct.nii")
    assert error.value.kind == "output_not_writable"
    assert len(list(tmp_path.iterdir())) == 1


def test_an_unknown_output_type_is_answered_with_those_that_are_known(tmp_path):
    with pytest.raises(BadInput, match=r"\.nii\.gz.*ct\.png") as error:
        write_volume(volume(), tmp_path / "ct.png")
    assert error.value.kind == "unknown_type"


def test_a_type_that_no_format_stores_is_refused(tmp_path):
    other = volume().like(volume().array.astype(np.float16))
    with pytest.raises(TypeError, match="float16"):
        write_volume(other, tmp_path / "a.nii")
    assert not list(tmp_path.iterdir())


def test_an_existing_file_is_replaced(tmp_path):
    path = tmp_path / "ct.nii.gz"
    path.write_bytes(b"old")
    write_volume(volume(), path)
    np.testing.assert_array_equal(read_volume(path).array, volume().array)
    assert [p.name for p in tmp_path.iterdir()] == ["ct.nii.gz"]
