"""Rules for what runs inside Slicer: light imports, translated strings, no styling, limits on form files."""

from __future__ import annotations

import ast
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
from extension import MODULES, REPOSITORY, listed

# Python that Slicer loads: the module files and the glue, not the core, which has its own rules.
GLUE = [
    REPOSITORY / module / name
    for module in MODULES
    for name in listed(module)
    if name.endswith(".py") and not name.startswith(("freetumor/", "Scripts/"))
]
FORMS = [REPOSITORY / module / name for module in MODULES for name in listed(module) if name.endswith(".ui")]
OURS = {"freetumor", "FreeTumorSlicerLib", "FreeTumorSynthLib", "FreeTumorSegmentLib"}
IN_SLICER = {"slicer", "qt", "ctk", "vtk", "numpy", "scipy", "SimpleITK"}
# What the host stands in for; another class works in Slicer only, and no test would see it.
WIDGETS = {
    "QWidget", "QLabel", "QPushButton", "QToolButton", "QCheckBox", "QComboBox", "QSpinBox", "QDoubleSpinBox",
    "QLineEdit", "QPlainTextEdit", "QProgressBar", "QTableWidget", "QListWidget", "QGroupBox", "QTabWidget",
    "QRadioButton", "ctkCollapsibleButton", "ctkSliderWidget", "ctkPathLineEdit", "ctkDoubleSpinBox",
    "qMRMLNodeComboBox", "qMRMLSegmentSelectorWidget", "qMRMLSegmentEditorWidget", "qMRMLWidget",
    "qSlicerWidget",
}  # fmt: skip
SHOWN = {"text", "toolTip", "title", "placeholderText", "windowTitle", "helpText", "acknowledgementText"}


def ids(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def file_scope_imports(tree: ast.Module) -> Iterator[str]:
    """Top packages imported when the file is loaded, not those inside functions or for type checking."""
    waiting = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." if node.level else node.module.split(".")[0]
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]


@pytest.mark.parametrize("path", GLUE, ids=ids)
def test_only_what_slicer_carries_is_imported_at_file_scope(path):
    tops = set(file_scope_imports(ast.parse(path.read_text("utf-8"))))
    assert not tops - IN_SLICER - OURS - set(sys.stdlib_module_names) - {"."}


@pytest.mark.parametrize("module", MODULES)
def test_loading_a_module_file_loads_no_heavy_room_of_the_core(module):
    """Slicer imports every module file when it starts: only the organ table may come with it."""
    tree = ast.parse((REPOSITORY / module / f"{module}.py").read_text("utf-8"))
    rooms = {
        name
        for node in tree.body
        for name in (
            [node.module] if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names] if isinstance(node, ast.Import)
            else []
        )
        if name.startswith("freetumor")
    }  # fmt: skip
    assert rooms <= {"freetumor", "freetumor.anatomy", "freetumor.errors"}


@pytest.mark.parametrize("path", GLUE, ids=ids)
def test_strings_for_users_can_be_translated(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_":
            given = node.args[0]
            constant = isinstance(given, ast.Constant) and isinstance(given.value, str)
            assert constant, f"line {node.lineno}: only a plain string can be looked up; format it afterwards"
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute):
            bare = isinstance(node.value, ast.JoinedStr) or (
                isinstance(node.value, ast.Constant)
                and isinstance(node.value.value, str)
                and re.search("[A-Za-z]{2}", node.value.value)
            )
            assert not (bare and node.targets[0].attr in SHOWN), f"line {node.lineno}: put it into _()"


@pytest.mark.parametrize("path", GLUE, ids=ids)
def test_files_stay_short_and_keep_slicers_look(path):
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 300
    assert "setStyleSheet" not in text
    assert "styleSheet" not in text


@pytest.mark.parametrize("path", FORMS, ids=ids)
def test_forms_use_only_widgets_that_the_tests_can_drive(path):
    root = ET.parse(path).getroot()
    assert root.tag == "ui"
    assert {widget.get("class") for widget in root.iter("widget")} <= WIDGETS
    custom = {entry.findtext("class") for entry in root.iter("customwidget")}
    used = {w.get("class") for w in root.iter("widget") if w.get("class").startswith(("ctk", "q"))}
    assert used == custom, "Qt Designer needs an entry for each widget that is not its own"


@pytest.mark.parametrize("path", FORMS, ids=ids)
def test_names_in_a_form_are_unique_and_the_scene_reaches_every_node_selector(path):
    root = ET.parse(path).getroot()
    names = [element.get("name") for tag in ("widget", "layout") for element in root.iter(tag)]
    names = [name for name in names if name]
    assert len(names) == len(set(names))
    fed = {
        c.findtext("receiver") for c in root.iter("connection") if "mrmlSceneChanged" in c.findtext("signal")
    }
    needs = {w.get("name") for w in root.iter("widget") if w.get("class").startswith("qMRML")}
    assert needs - {root.find("widget").get("name")} <= fed
