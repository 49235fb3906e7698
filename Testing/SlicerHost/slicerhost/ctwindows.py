"""Window presets; free of Qt and VTK, for the command line."""

from __future__ import annotations

WINDOWS = {
    "Abdomen": (400, 40),
    "Liver": (150, 90),
    "Lung": (1500, -600),
    "Mediastinum": (350, 50),
    "Bone": (1800, 400),
}
"""Name -> window, level in HU."""
