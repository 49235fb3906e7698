"""Fixtures for all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings
from phantom import Phantom, standard_phantom

# On CI the same examples every time: a red run there must be the change's fault.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("here", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "here")


@pytest.fixture(scope="session")
def phantom() -> Phantom:
    """The default phantom, shared by all tests: copy before you change it."""
    return standard_phantom()


@pytest.fixture(autouse=True)
def no_packaged_models(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Which models come with the extension changes no test: each says itself which ones there are."""
    monkeypatch.setattr(
        "freetumor.models.store._PACKAGED", tmp_path_factory.getbasetemp() / "no packaged models"
    )


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of real data beside the repository; the test is skipped where there is none."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not (folder / "data").is_dir():
        pytest.skip(f"no real CTs at {folder / 'data'}")
    return folder
