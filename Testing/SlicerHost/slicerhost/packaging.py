"""``slicer.packaging`` (Slicer 5.12): check and install Python packages. The tests never install anything."""

from __future__ import annotations

import importlib
import importlib.metadata
import logging
import shlex
import subprocess
import sys
import tomllib
import types
from collections.abc import Callable
from pathlib import Path

import slicer.util
from packaging.requirements import InvalidRequirement, Requirement
from PySide6 import QtCore

_state: dict = {"process": None}


def load_requirements(path) -> list[Requirement]:
    """The requirements of a requirements.txt; comments and pip's options are skipped."""
    lines = (line.strip() for line in Path(path).read_text("utf-8").splitlines())
    return [Requirement(line) for line in lines if line and line[0] not in "#-"]


def load_pyproject_dependencies(path) -> list[Requirement]:
    """``[project] dependencies`` of a pyproject.toml."""
    data = tomllib.loads(Path(path).read_text("utf-8"))
    if "project" not in data:
        raise KeyError(f"expected a table [project], got none in {path}.")
    return [Requirement(text) for text in data["project"].get("dependencies", [])]


def _requirements(given) -> list[Requirement]:
    if isinstance(given, Requirement):
        return [given]
    if isinstance(given, str):
        try:
            return [Requirement(given)]
        except InvalidRequirement:  # several, divided by spaces
            return [Requirement(word) for word in given.split()]
    if isinstance(given, list):
        return [r if isinstance(r, Requirement) else Requirement(r) for r in given]
    raise TypeError(f"expected a text, a Requirement or a list, got {type(given).__name__}.")


def _satisfied(requirement: Requirement) -> bool:
    if requirement.marker is not None and not requirement.marker.evaluate():
        return True
    try:
        installed = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return False
    if installed not in requirement.specifier:
        return False
    needed = [Requirement(text) for text in importlib.metadata.requires(requirement.name) or ()]
    return all(
        any(not _activated(r, extra) or pip_check(str(r).partition(";")[0]) for r in [need])
        for extra in requirement.extras
        for need in needed
    )


def _activated(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is not None and requirement.marker.evaluate({"extra": extra})


def pip_check(req) -> bool:
    """Is every requirement met in this Python?"""
    return all(_satisfied(requirement) for requirement in _requirements(req))


def isPipInstallInProgress() -> bool:
    """Is an installation running that did not block?"""
    return _state["process"] is not None


def pip_ensure(
    requirements,
    constraints=None,
    skip_packages: list[str] | None = None,
    prompt_install: bool = True,
    prompt_restart: bool = True,
    requester: str | None = None,
    skip_in_testing: bool = True,
    show_progress: bool = True,
) -> None:
    """Install what is missing, after asking. RuntimeError where the user says no.

    In a test (``slicer.app.testingEnabled()``) nothing is installed unless `skip_in_testing` is false.
    """
    missing = [str(r) for r in _requirements(requirements) if not _satisfied(r)]
    if not missing:
        return
    if skip_in_testing and slicer.app.testingEnabled():
        logging.info("Testing mode is enabled: skipping pip_ensure for %s", missing)
        return
    question = (
        f"{len(missing)} Python packages need to be installed.\n\nThis will modify the environment. Continue?"
    )
    title = f"{requester} - Install Python Packages" if requester else "Install Python Packages"
    if prompt_install and not slicer.util.confirmOkCancelDisplay(
        question, title, detailedText="\n".join(missing)
    ):
        raise RuntimeError("User declined package installation")
    pip_install(missing, constraints=constraints, skip_packages=skip_packages, requester=requester)


def _words(requirements) -> list[str]:
    if isinstance(requirements, str):
        return shlex.split(requirements)
    if isinstance(requirements, list):
        return [str(r) for r in requirements]
    raise ValueError(f"expected requirements as a text or a list, got {type(requirements).__name__}.")


def pip_install(
    requirements,
    constraints=None,
    no_deps_requirements=None,
    skip_packages: list[str] | None = None,
    blocking: bool = True,
    show_progress: bool = True,
    requester: str | None = None,
    parent=None,
    logCallback: Callable[[str], None] | None = None,
    completedCallback: Callable[[int], None] | None = None,
) -> None:
    """Install packages with pip. ``subprocess.CalledProcessError`` where pip fails (when blocking)."""
    if skip_packages is not None:
        raise ValueError(
            "expected no skip_packages: the host cannot leave dependencies out; use constraints."
        )
    limits = [] if constraints is None else ["-c", str(constraints)]
    if no_deps_requirements is not None:
        _pip("install", "--no-deps", *_words(no_deps_requirements), *limits)
    words = ["install", *_words(requirements), *limits]
    if blocking:
        _pip(*words)
    else:
        _pipInBackground(words, logCallback or print, completedCallback)


def pip_uninstall(requirements) -> None:
    """Remove packages with pip."""
    _pip("uninstall", "--yes", *_words(requirements))


def _pip(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", *words], check=True)
    importlib.invalidate_caches()


def _pipInBackground(words: list[str], log: Callable[[str], None], completed: Callable | None) -> None:
    if isPipInstallInProgress():
        raise RuntimeError("expected no installation in progress, got one: wait for it to complete.")
    process = QtCore.QProcess()
    process.setProcessChannelMode(QtCore.QProcess.MergedChannels)

    def read() -> None:
        for line in bytes(process.readAllStandardOutput()).decode("utf-8", "replace").splitlines():
            log(line)

    def finished(code: int, _status) -> None:
        read()
        _state["process"] = None
        importlib.invalidate_caches()
        if completed is not None:
            completed(code)

    process.readyReadStandardOutput.connect(read)
    process.finished.connect(finished)
    _state["process"] = process
    process.start(sys.executable, ["-m", "pip", *words])


PUBLIC = (
    load_requirements,
    load_pyproject_dependencies,
    pip_check,
    pip_ensure,
    pip_install,
    pip_uninstall,
    isPipInstallInProgress,
)


def install() -> None:
    """Register ``slicer.packaging``."""
    if "slicer.packaging" in sys.modules:
        return
    module = types.ModuleType("slicer.packaging", __doc__)
    for function in PUBLIC:
        setattr(module, function.__name__, function)
    module.Requirement = Requirement
    sys.modules["slicer.packaging"] = slicer.packaging = module
