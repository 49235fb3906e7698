"""Which cases a study is made of, as they are named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from freetumor.anatomy import ORGANS
from freetumor.errors import BadInput
from freetumor.study.given import given_cases
from freetumor.volume import Geometry, Volume, write_volume

LUNG = [ORGANS["lung"]]


def write_case(folder: Path) -> None:
    folder.mkdir(parents=True)
    volume = Volume(np.zeros((4, 4, 4), np.uint8), Geometry((4, 4, 4), np.eye(4)))
    for name in ("ct", "labels"):
        write_volume(volume, folder / f"{name}.nii.gz")


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    """A folder with manifest.json, whose cases lie farther below."""
    write_case(tmp_path / "data" / "chest" / "one")
    entry = {
        "id": "one",
        "patient": "p1",
        "group": "chest",
        "labels": {"1": {"name": "lung"}, "2": {"name": "lesion"}},
        "files": {"ct": "chest/one/ct.nii.gz", "labels": "chest/one/labels.nii.gz"},
    }
    manifest = tmp_path / "data" / "manifest.json"
    manifest.write_text(json.dumps({"cases": [entry]}), "utf-8")
    return manifest


def test_a_folder_with_a_manifest_is_read_as_that_catalogue(catalogue):
    for named in (catalogue.parent, catalogue):
        (given,) = given_cases(named, LUNG, synthetic=False)
        assert (given.case.name, given.case.patient) == ("one", "p1")
        assert given.case.labels == catalogue.parent / "chest" / "one" / "labels.nii.gz"


def test_a_folder_without_cases_names_what_lies_in_it(catalogue):
    (catalogue.parent / "preview").mkdir()
    catalogue.rename(catalogue.with_name("listed.json"))
    with pytest.raises(BadInput, match=r"manifest\.json") as error:
        given_cases(catalogue.parent, LUNG, synthetic=False)
    assert error.value.kind == "no_cases"
    assert str(catalogue.with_name("listed.json")) in error.value.hint
    assert str(catalogue.parent / "chest") in error.value.hint
    assert "preview" not in error.value.hint
