"""Where the checkout keeps the three modules; free of Qt and VTK, for the command line."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
# The hub first: the other two import its library.
MODULES = ("FreeTumorSlicer", "FreeTumorSynth", "FreeTumorSegment")
_SHORT = {"freetumor": MODULES[0], "hub": MODULES[0], "synth": MODULES[1], "segment": MODULES[2]}


def moduleFile(name: str) -> Path:
    """The file of a module."""
    return ROOT / name / f"{name}.py"


def moduleNamed(text: str) -> str:
    """The module that a user means: its name, its title, or the last word of the title."""
    names = _SHORT | {name.lower(): name for name in MODULES}
    word = text.replace(" ", "").lower()
    if word not in names:
        raise ValueError(f"expected one of {', '.join(MODULES)}, got {text!r}")
    return names[word]
