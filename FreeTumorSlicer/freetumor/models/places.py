"""Where the user's models are."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def models_folder() -> Path:
    """Where the user's models are kept: ``FREETUMOR_MODELS`` or the platform's data folder."""
    if os.environ.get("FREETUMOR_MODELS"):
        return Path(os.environ["FREETUMOR_MODELS"])
    if sys.platform == "win32":
        data = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        data = Path.home() / "Library" / "Application Support"
    else:
        data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return data / "freetumor" / "models"
