"""Fixtures for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from phantom import Phantom, standard_phantom


@pytest.fixture(scope="session")
def phantom() -> Phantom:
    """The default phantom, shared by all tests: copy before you change it."""
    return standard_phantom()


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of real data beside the repository; the test is skipped where there is none."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not (folder / "data").is_dir():
        pytest.skip(f"no real CTs at {folder / 'data'}")
    return folder
