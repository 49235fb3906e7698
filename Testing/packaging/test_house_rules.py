"""Rules that keep the house livable: who may import what, one geometry conversion, no unsafe loading."""

from __future__ import annotations

import ast
from pathlib import Path

import freetumor
import pytest

CORE = Path(freetumor.__file__).parent
FILES = sorted(CORE.rglob("*.py"))
SLICER = {"slicer", "qt", "ctk", "vtk", "mrml", "PySide6"}
LEARNING = {"torch", "monai", "openvino", "safetensors"}
# The data flow: a room imports from rooms before it, never from one after it.
FLOW = (
    *("errors", "files", "anatomy", "volume", "organs", "masks", "models", "nets", "synthesis", "quality"),
    *("request", "pipeline", "report", "cases", "export", "evaluation", "segmentation", "labelers"),
    *("training", "study"),
)


def imported(path: Path) -> set[str]:
    """Dotted names of all modules that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(CORE).as_posix())
def test_the_core_is_free_of_slicer_and_only_nets_and_training_import_torch(path):
    tops = {name.split(".")[0] for name in imported(path)}
    assert not tops & SLICER
    if path.relative_to(CORE).parts[0] not in ("nets", "training"):
        assert not tops & LEARNING


@pytest.mark.parametrize("room", FLOW)
def test_no_room_calls_a_later_one_back(room):
    later = {f"freetumor.{name}" for name in FLOW[FLOW.index(room) + 1 :]}
    files = [CORE / f"{room}.py"] if (CORE / f"{room}.py").exists() else sorted((CORE / room).glob("*.py"))
    assert files
    for path in files:
        runtime = {".".join(name.split(".")[:2]) for name in imported(path)}
        if path.name == "provenance.py":
            runtime -= {"freetumor.pipeline"}  # for type checking only
        assert not runtime & later, path


def test_ras_and_lps_are_converted_in_one_place():
    users = [
        p.relative_to(CORE).as_posix() for p in FILES if "diag([-1" in p.read_text("utf-8").replace(" ", "")
    ]
    assert users == ["volume/geometry.py"]


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(CORE).as_posix())
def test_nothing_unpickles_or_runs_a_shell(path):
    tree = ast.parse(path.read_text("utf-8"))
    assert not {name.split(".")[0] for name in imported(path)} & {"pickle", "shelve", "marshal"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            assert getattr(node.func, "id", "") not in ("eval", "exec")
            assert not any(k.arg == "shell" and getattr(k.value, "value", True) for k in node.keywords)
