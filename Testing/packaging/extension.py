"""The extension as CMake sees it: which files each module lists, and where they land when installed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
MODULES = ("FreeTumorSlicer", "FreeTumorSynth", "FreeTumorSegment")


def cmake(folder: str = ".") -> str:
    """Text of a folder's CMakeLists.txt without comments."""
    text = (REPOSITORY / folder / "CMakeLists.txt").read_text("utf-8")
    return re.sub(r"(?m)(^|\s)#.*$", "", text)


def value(name: str, text: str) -> str:
    """What ``set(NAME ...)`` sets, whole."""
    return re.search(rf"set\s*\(\s*{name}\s+(.*?)\)", text, re.DOTALL)[1].strip()


def listed(module: str) -> list[str]:
    """Paths of a module's scripts and resources, relative to its folder."""
    text = cmake(module)
    assert value("MODULE_NAME", text) == module
    words = f"{value('MODULE_PYTHON_SCRIPTS', text)} {value('MODULE_PYTHON_RESOURCES', text)}".split()
    return [word.replace("${MODULE_NAME}", module) for word in words]


def on_disk(module: str) -> set[str]:
    """Paths of all files of a module that belong to it, relative to its folder."""
    folder = REPOSITORY / module
    found = set()
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        made = "__pycache__" in parts or parts[0].endswith(".egg-info")
        if path.is_file() and not made and parts != ("CMakeLists.txt",):
            found.add("/".join(parts))
    return found


def install_flat(target: Path) -> Path:
    """Copy what CMake lists as Slicer installs it: all modules into one folder."""
    for module in MODULES:
        for name in listed(module):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / module / name, target / name)
    return target
