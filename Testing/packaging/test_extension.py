"""The extension can be built, installed flat and listed in the Extensions Index."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter

import pytest
from extension import MODULES, REPOSITORY, cmake, listed, on_disk, value
from PIL import Image

ENTRY = json.loads((REPOSITORY / "FreeTumor.json").read_text("utf-8"))
# Schema 1.0.1 of the Extensions Index: these properties and no others.
REQUIRED = {"$schema": str, "category": str, "scm_url": str}
OPTIONAL = {
    "scm_revision": str,
    "scm_type": str,
    "build_dependencies": list,
    "build_subdirectory": str,
    "enabled": bool,
    "tier": int,
}
CLONE_LIMIT = 100e6


@pytest.mark.parametrize("module", MODULES)
def test_cmake_lists_every_file_of_a_module_and_nothing_else(module):
    files = listed(module)
    assert sorted(files) == sorted(on_disk(module))
    assert not [name for name, count in Counter(files).items() if count > 1]


def test_no_file_overwrites_another_in_the_flat_install():
    where = Counter(name.lower() for module in MODULES for name in listed(module))
    assert not [name for name, count in where.items() if count > 1]


@pytest.mark.parametrize("module", MODULES)
def test_each_module_has_its_file_its_form_and_its_icon(module):
    assert {f"{module}.py", f"Resources/UI/{module}.ui", f"Resources/Icons/{module}.png"} <= set(
        listed(module)
    )
    assert f"add_subdirectory({module})" in cmake()


def test_a_package_of_our_own_has_an_init_file_in_every_folder():
    for module in MODULES:
        names = set(listed(module))
        folders = {name.rpartition("/")[0] for name in names if name.endswith(".py") and "/" in name}
        assert not {f for f in folders - {"Scripts"} if f"{f}/__init__.py" not in names}


def test_the_index_entry_follows_the_schema():
    assert set(REQUIRED) <= set(ENTRY) <= set(REQUIRED) | set(OPTIONAL)
    for name, kind in (REQUIRED | OPTIONAL).items():
        assert isinstance(ENTRY.get(name, kind()), kind), name
    assert ENTRY["$schema"].endswith("slicer-extension-catalog-entry-schema-v1.0.1.json#")
    assert ENTRY["tier"] in (1, 3, 5)


def test_the_repository_is_named_after_slicer_and_reached_over_https():
    url = ENTRY["scm_url"]
    assert re.match(r"(https|git)://", url)
    assert "slicer" in url.rpartition("/")[2].lower()


def test_project_name_entry_and_metadata_agree():
    # The patterns are those of the Index: the first project(...) is the extension's name.
    text = (REPOSITORY / "CMakeLists.txt").read_text("utf-8")
    assert re.findall(r"project\s*\(\s*([^\s\)\n\r]+)", text, re.IGNORECASE)[0] == "FreeTumor"
    assert value("EXTENSION_CATEGORY", text).strip('"') == ENTRY["category"]
    assert (
        value("EXTENSION_DEPENDS", text).split("#")[0].strip().strip('"').split()
        == ENTRY["build_dependencies"]
    )
    assert value("EXTENSION_HOMEPAGE", text).strip('"') == ENTRY["scm_url"]
    assert "Not for clinical use" in value("EXTENSION_DESCRIPTION", text)


def test_icon_and_screenshots_are_web_addresses_of_files_that_are_here():
    text = (REPOSITORY / "CMakeLists.txt").read_text("utf-8")
    icon = re.findall(r'set\s*\(EXTENSION_ICONURL\s*"([^"]+)"[ ]*\)', text)
    shots = re.findall(r'set\s*\(EXTENSION_SCREENSHOTURLS\s*"([^"]+)"\)', text)[0].split()
    assert len(icon) == 1
    assert shots
    for url in icon + shots:
        assert url.startswith("https://raw.githubusercontent.com/")
        assert (REPOSITORY / url.partition("/main/")[2]).is_file(), url


@pytest.mark.parametrize(
    "path", ["Resources/FreeTumor.png", *(f"{m}/Resources/Icons/{m}.png" for m in MODULES)]
)
def test_icons_have_the_size_that_the_index_asks_for(path):
    with Image.open(REPOSITORY / path) as image:
        assert (image.size, image.format) == ((128, 128), "PNG")


def test_licence_citation_and_readme_are_at_the_root():
    for name in ("LICENSE", "README.md", "CITATION.cff"):
        assert (REPOSITORY / name).is_file()
    assert "Not for clinical use" in (REPOSITORY / "README.md").read_text("utf-8")


def test_a_clone_stays_below_the_size_limit():
    done = subprocess.run(
        ["git", "count-objects", "-v"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip("not a git checkout")
    sizes = dict(line.split(": ") for line in done.stdout.splitlines())
    assert (int(sizes["size"]) + int(sizes["size-pack"])) * 1024 < CLONE_LIMIT


def test_no_requirement_replaces_what_slicer_carries():
    text = (REPOSITORY / "FreeTumorSlicer/Resources/freetumor-requirements.txt").read_text("utf-8")
    names = {
        re.split(r"[<>=!~\[ ]", line)[0].lower() for line in text.splitlines() if line and line[0] != "#"
    }
    assert names
    assert not names & {"numpy", "scipy", "simpleitk", "torch", "pydicom", "requests", "vtk"}
