"""``python -m freetumor`` and the command ``freetumor``."""

from __future__ import annotations

import importlib.util
import sys


def main() -> None:
    """Run the command; without its two small libraries say how to get them."""
    missing = [name for name in ("typer", "rich", "jinja2") if importlib.util.find_spec(name) is None]
    if missing:
        print(
            f"freetumor: the command needs {', '.join(missing)}: pip install 'freetumor[cli]'",
            file=sys.stderr,
        )
        sys.exit(1)
    from freetumor.cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
