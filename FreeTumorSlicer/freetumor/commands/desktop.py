"""The commands that open the window or draw it: thin, the window is the host's (`Testing/SlicerHost`).

The host and the three modules are files of the repository, not of the package: they are found beside it.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from freetumor.errors import BadInput

CHECKOUT = Path(__file__).resolve().parents[3]
PACKAGES = {
    "slicer": "slicer-core",
    "PySide6": "PySide6-Essentials",
    "trame_slicer": "trame-slicer",
    "vtk": "vtk",
}

Ct = Annotated[
    Path | None, typer.Argument(help="CT: NIfTI, NRRD, MHA or a folder of DICOM files.", metavar="[CT]")
]
Module = Annotated[str, typer.Option(help="FreeTumor, Synth or Segment.", metavar="NAME")]


def load_host(checkout: Path = CHECKOUT) -> ModuleType:
    """The host's module `slicerhost.desktop`; says what is missing if it cannot be had."""
    host = checkout / "Testing" / "SlicerHost"
    if not (host / "slicerhost" / "desktop.py").is_file():
        raise BadInput(
            "a checkout of the repository, which holds the window and the three modules",
            f"an installed package without them ({Path(__file__).parents[1]})",
            "Clone the repository and run: pip install -e '.[desktop]'. Or use the extension in 3D Slicer.",
            kind="no_checkout",
        )
    missing = [name for module, name in PACKAGES.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise BadInput(
            "the packages of the extra `desktop`",
            f"no {', '.join(missing)}",
            "Run: pip install -e '.[desktop]' in the checkout.",
            kind="missing_package",
        )
    if str(host) not in sys.path:
        sys.path.insert(0, str(host))
    return importlib.import_module("slicerhost.desktop")


def _checked(ct: Path | None) -> list[str]:
    if ct is not None and not ct.exists():
        raise BadInput("an existing CT", str(ct), "Give a file, or a folder of DICOM files.", kind="missing")
    return [] if ct is None else [str(ct)]


def desktop(ct: Ct = None, module: Module = "Synth") -> None:
    """Open the three modules in a window, without 3D Slicer."""
    arguments = [*_checked(ct), "--module", module]
    raise typer.Exit(load_host().main(arguments))


def screenshot(
    out: Annotated[Path, typer.Option(help="PNG file to write.")],
    ct: Ct = None,
    module: Module = "Synth",
    size: Annotated[str, typer.Option(help="Pixels.", metavar="WxH")] = "1500x940",
    window: Annotated[
        str, typer.Option(help="Abdomen, Liver, Lung, Mediastinum or Bone.", metavar="NAME")
    ] = "Abdomen",
    body: Annotated[bool, typer.Option("--body", help="Show the CT in 3-D, too.")] = False,
) -> None:
    """Draw that window into a PNG file; no display is needed."""
    arguments = [*_checked(ct), "--module", module, "--out", str(out), "--size", size, "--window", window]
    raise typer.Exit(load_host().screenshot([*arguments, *(["--body"] if body else [])]))
