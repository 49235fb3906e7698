"""Runs of the command on the phantom: its input files, and what a run said and left."""

from __future__ import annotations

import gzip
import io
import json
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from freetumor.cli import run
from freetumor.volume import Volume, read_volume, write_volume
from phantom import Phantom

PATIENT = (b"DOE^JOHN", b"WARD 4711")  # in descrip and db_name of the CT's NIfTI header
# What makes a case of each organ: the label map and the options.
RECIPES = {
    "liver": ("abdomen", ("--diameter", "20")),
    "pancreas": ("abdomen", ("--diameter", "18")),
    "kidney": ("abdomen", ("--diameter", "24")),
    "lung": ("chest", ("--diameter", "20")),
    "covid": ("chest", ("--diameter", "30")),
}
COMMAND = (sys.executable, "-m", "freetumor")


@dataclass(frozen=True)
class Inputs:
    """The phantom as files: CT and label maps by name ("abdomen", "chest", "totalsegmentator")."""

    ct: Path
    maps: dict[str, Path]

    def of(self, organ: str, *options: object) -> list[str]:
        """Arguments of ``synthesize`` for `organ`, all but ``--out``; `options` in place of the usual."""
        group, usual = RECIPES[organ]
        given = options or usual
        return [
            "synthesize", str(self.ct), "--organ", organ,
            "--labels", str(self.maps[group]), *map(str, given),
        ]  # fmt: skip


def write_inputs(phantom: Phantom, folder: Path) -> Inputs:
    """The phantom's files, with patient text in the header of the CT."""
    maps = {
        "abdomen": phantom.label_map("abdomen"),
        "chest": phantom.label_map("chest"),
        "totalsegmentator": phantom.totalsegmentator(),
    }
    for name, labels in maps.items():
        write_volume(labels, folder / f"{name}.nii.gz")
    ct = folder / "scan 4711.nii.gz"
    write_volume(phantom.ct, ct)
    content = bytearray(gzip.decompress(ct.read_bytes()))
    content[148 : 148 + len(PATIENT[0])] = PATIENT[0]
    content[14 : 14 + len(PATIENT[1])] = PATIENT[1]
    ct.write_bytes(gzip.compress(bytes(content), 1))
    return Inputs(ct, {name: folder / f"{name}.nii.gz" for name in maps})


@dataclass(frozen=True)
class Said:
    """Exit code, stdout and stderr of a run."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict:
        """The one JSON object that stdout holds, and nothing else."""
        assert self.out.endswith("\n"), self.err
        assert self.out.count("\n") == 1
        return json.loads(self.out, parse_constant=lambda name: 1 / 0)

    @property
    def line(self) -> str:
        """The one line that stderr holds."""
        assert self.err.startswith("freetumor: ")
        assert self.err.endswith("\n")
        assert self.err.count("\n") == 1, self.err
        return self.err.strip()


def command(*arguments: object) -> Said:
    """Run the command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run([str(a) for a in arguments])
    return Said(code, out.getvalue(), err.getvalue())


def tree(folder: Path) -> list[str]:
    """Every file and folder below `folder`, hidden ones too."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def contents(folder: Path) -> dict[str, bytes]:
    """The bytes of every file below `folder`."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def array(path: Path) -> np.ndarray:
    """Stored values of an image file, (k, j, i)."""
    return read_volume(path).array


def refused(folder: Path, kind: str, arguments: Sequence[object], *words: str) -> str:
    """Check that a synthesis into `folder` is refused as bad input and leaves nothing; its message."""
    before = tree(folder)
    said = command(*arguments, "--out", folder / "new" / "case", "--json")
    assert said.code == 2, said
    result = said.json
    assert (result["status"], result["kind"]) == ("error", kind), result
    assert said.line == f"freetumor: {result['message']}"
    assert result["message"].startswith("expected ")
    assert "; got " in result["message"]
    for word in words:
        assert word in result["message"], result["message"]
    assert tree(folder) == before
    return result["message"]


def write_dicom(volume: Volume, folder: Path, *, uid: str = "1.2.3", skip: Sequence[int] = ()) -> Path:
    """An axial CT as a folder of DICOM files."""
    folder.mkdir(exist_ok=True)
    spacing, origin, _ = volume.geometry.to_lps()
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for k, plane in enumerate(volume.array):
        if k in skip:
            continue
        image = sitk.GetImageFromArray(plane[None])
        image.SetSpacing([*spacing[:2], 1.0])
        tags = {
            "0008|0060": "CT",
            "0008|0018": f"{uid}.{k + 1}",
            "0020|000d": "1.2",
            "0020|000e": uid,
            "0020|0032": f"{origin[0]}\\{origin[1]}\\{origin[2] + spacing[2] * k}",
            "0020|0037": "1\\0\\0\\0\\1\\0",
            "0028|1052": "-1024",
            "0028|1053": "1",
            "0008|0016": "1.2.840.10008.5.1.4.1.1.2",
        }
        for tag, value in tags.items():
            image.SetMetaData(tag, value)
        writer.SetFileName(str(folder / f"{k:03}-{uid[-1]}.dcm"))
        writer.Execute(image)
    return folder
