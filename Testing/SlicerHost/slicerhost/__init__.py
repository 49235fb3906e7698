"""A host that runs Slicer's scripted modules, unmodified, on real MRML without Slicer.

`start` makes ``slicer``, ``qt`` and ``ctk`` importable as they are inside 3D Slicer; `loadModule` loads a
module file. The host is no laxer than Slicer: what Slicer's widgets do not have raises AttributeError
(`contract`), and what Slicer only prints - an exception in a slot or in a VTK observer - is collected
(`failures`).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["loadModule", "start", "unloadModule"]


def _importSlicer() -> None:
    """Import slicer-core's package ``slicer``, and nothing else.

    It takes in every folder `slicer` beside a module on the path and imports all files in there: a folder of
    tests with that name would become part of it.
    """
    path = list(sys.path)
    sys.path[:] = [p for p in path if not _hasForeignSlicer(Path(p or "."))]
    try:
        import slicer  # noqa: F401
    finally:
        sys.path[:] = path


def _hasForeignSlicer(folder: Path) -> bool:
    return (folder / "slicer").is_dir() and not any((folder / "slicer").glob("slicer_*.py"))


_importSlicer()


def _chooseOffscreen() -> None:
    """Without a display Qt aborts the process: draw into memory instead."""
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


def start(*, userSettings: bool = False):
    """Make ``slicer``, ``qt``, ``ctk`` and Slicer's Python packages importable; return ``slicer.app``.

    Calling it again changes nothing. `userSettings`: keep settings where the user keeps them instead of in a
    temporary folder.
    """
    _chooseOffscreen()
    from . import ctkmod, i18n, qtmod

    qtmod.install()  # before any widget class of the host exists: they inherit PythonQt's manners
    ctkmod.install()
    i18n.install()  # the application's own texts may want it

    from . import app, failures, moduleloader, packaging, parameters, scripted, util

    application = app.install(userSettings=userSettings)
    for part in (failures, util, packaging, moduleloader, scripted, parameters):
        part.install()
    return application


def loadModule(path):
    """Load a scripted module from its file, as Slicer's module factory does; return its wrapper.

    The wrapper is also ``slicer.modules.<lower case name>``; its ``widget`` is the module's widget object.
    """
    from . import moduleloader

    return moduleloader.loadModule(path)


def unloadModule(name: str) -> None:
    """Clean up a scripted module and destroy its widgets."""
    from . import moduleloader

    moduleloader.unloadModule(name)
