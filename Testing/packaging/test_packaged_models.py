"""Models that come with the extension: whole, small, listed, and honest in their cards. There may be none."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from extension import REPOSITORY, listed
from freetumor.models import check_weights, is_packaged, read_model, remove_model, store
from freetumor.models.card import card
from freetumor.models.model import CARD, MODEL, WEIGHTS
from freetumor.models.record import read_record

PACKAGED = REPOSITORY / "FreeTumorSlicer" / "freetumor" / "models" / "packaged"
FOLDERS = sorted(folder for folder in PACKAGED.glob("*") if folder.is_dir())
LARGEST = 25e6
each = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


@pytest.fixture(autouse=True)
def no_packaged_models():
    """Here they are looked at."""


def test_the_store_looks_where_they_are():
    assert Path(store._PACKAGED).resolve() == PACKAGED.resolve()


def test_weights_are_neither_ignored_by_git_nor_kept_elsewhere():
    places = [f"{PACKAGED.relative_to(REPOSITORY).as_posix()}/any/{name}" for name in (MODEL, WEIGHTS, CARD)]
    done = subprocess.run(
        ["git", "check-ignore", "--no-index", *places],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode > 1:
        pytest.skip("not a git checkout")
    assert done.stdout == ""
    attributes = REPOSITORY / ".gitattributes"
    # A clone without Git LFS, as Slicer's build machines make it, would hold pointers instead of weights.
    assert not attributes.exists() or "lfs" not in attributes.read_text("utf-8")


def test_the_package_takes_them_along():
    import tomllib

    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["freetumor"]
    assert {f"**/*{Path(name).suffix}" for name in (MODEL, WEIGHTS, CARD)} <= set(patterns)


@each
def test_a_packaged_model_is_whole_listed_and_of_its_name(folder):
    model = read_model(folder)
    assert model.name == folder.name
    assert is_packaged(model)
    check_weights(model)
    assert model.weights.stat().st_size <= LARGEST
    names = {f"freetumor/models/packaged/{folder.name}/{name}" for name in (MODEL, WEIGHTS, CARD)}
    assert names == {name for name in listed("FreeTumorSlicer") if f"/packaged/{folder.name}/" in name}


@each
def test_its_weights_are_half_precision(folder):
    with (folder / WEIGHTS).open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    kinds = {entry["dtype"] for name, entry in header.items() if name != "__metadata__"}
    assert kinds & {"F16", "BF16"}
    assert not kinds & {"F32", "F64"}


@each
def test_its_card_is_that_of_its_record_and_keeps_nothing_back(folder):
    record = read_record(folder)
    assert (folder / CARD).read_text("utf-8") == card(record)
    for field in ("title", "licence", "use", "source", "steps", "hardware", "training_data", "limits"):
        assert record.get(field), field
    assert record["metrics"], "measured on held-out cases, with intervals"
    assert all(data.get("licence") for data in record["training_data"])


@each
def test_it_cannot_be_removed_and_the_refusal_is_kind(folder, tmp_path, monkeypatch):
    from freetumor.errors import BadInput

    monkeypatch.setenv("FREETUMOR_MODELS", str(tmp_path))
    with pytest.raises(BadInput, match="comes with FreeTumor") as error:
        remove_model(folder.name)
    assert error.value.kind == "packaged"
    assert (folder / MODEL).is_file()
