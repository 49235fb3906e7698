"""Fixtures for tests of the command: the phantom as files, and finished cases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from made_totalsegmentator import forget_modules, hide
from phantom import Phantom
from runs import Inputs, command, write_inputs


@pytest.fixture
def store(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder of models, and no TotalSegmentator."""
    folder = tmp_path_factory.mktemp("store")
    monkeypatch.setenv("FREETUMOR_MODELS", str(folder))
    hide(monkeypatch)
    yield folder
    forget_modules()


@pytest.fixture(scope="session")
def inputs(phantom: Phantom, tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    """The phantom's CT and label maps as files: read only."""
    return write_inputs(phantom, tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="session")
def case_of(inputs: Inputs, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Case folder of an organ, made once: read only."""

    @cache
    def make(organ: str) -> Path:
        folder = tmp_path_factory.mktemp("cases") / organ
        said = command(*inputs.of(organ), "--out", folder)
        assert said.code == 0, said
        return folder

    return make
