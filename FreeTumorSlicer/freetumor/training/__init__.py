"""Training: data, online synthesis, the paper's three stages, loops that can be stopped and resumed.

Importing this package imports neither torch nor monai.
"""

from __future__ import annotations

import os
from importlib.util import find_spec

from freetumor.errors import BadInput

_PACKAGES = ("torch", "monai", "safetensors", "lightning")


def prepare_process() -> None:
    """To be called before anything of this package that computes: checks packages, calms threads.

    Threads that wait shall let others compute instead of spinning, which slows two processes on two cores 18
    times; that has to be in the environment before torch is imported. Values that are there already stay.

    Raises:
        BadInput: kind "missing_dependency".
    """
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise BadInput(
            f"the Python packages that training needs: {', '.join(_PACKAGES)}",
            f"no {' and no '.join(missing)}",
            "Install them with: pip install 'freetumor[train]'.",
            kind="missing_dependency",
        )
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
