"""Memory of the host while a module is loaded and unloaded over and over.

    python Testing/benchmarks/host_leaks.py [CYCLES] [MODULE.py]

Prints the growth of the resident memory, after a warm-up, and what is left of widgets and observers. The bar
is 20 MB in 150 cycles.
"""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Testing" / "SlicerHost"))

import slicerhost  # noqa: E402

WARM_UP = 10
BAR_MB = 20.0


def residentMemory() -> float:
    """MB, now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def cycle(path: Path) -> None:
    """Load the module, show its panel, close the scene, unload it."""
    import slicer

    module = slicerhost.loadModule(path)
    panel = module.widgetRepresentation()
    panel.enter()
    slicer.app.processEvents()
    slicer.mrmlScene.Clear(0)
    panel.exit()
    slicerhost.unloadModule(module.name)


def main(cycles: int, path: Path) -> int:
    """Measure, print, and return 1 where the bar is missed."""
    app = slicerhost.start()
    import slicer

    for _ in range(WARM_UP):
        cycle(path)
    gc.collect()
    before, widgets = residentMemory(), len(app.allWidgets())
    for number in range(1, cycles + 1):
        cycle(path)
        if number % 25 == 0:
            print(f"{number:4d} cycles: {residentMemory() - before:6.1f} MB", flush=True)
    gc.collect()
    growth, left = residentMemory() - before, len(app.allWidgets()) - widgets
    nodes = slicer.mrmlScene.GetNumberOfNodes()
    print(
        f"{path.stem}: {growth:.1f} MB in {cycles} cycles (bar {BAR_MB:.0f}), {left} widgets left, "
        f"{nodes} nodes"
    )
    return int(growth > BAR_MB or left > 0)


if __name__ == "__main__":
    wanted = sys.argv[1:]
    probe = ROOT / "Testing" / "slicer" / "hostprobe" / "HostProbe.py"
    sys.exit(main(int(wanted[0]) if wanted else 150, Path(wanted[1]) if len(wanted) > 1 else probe))
