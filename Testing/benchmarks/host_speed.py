"""How fast the host's window answers: slice scroll, jump, module switch, start. Prints a table.

    python Testing/benchmarks/host_speed.py [CT]

Without a CT the sample of `freetumor demo` is used. One step is a user's action until the picture is painted.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "SlicerHost"))

STEPS = 30


def timed(step: Callable[[int], None], steps: int = STEPS) -> list[float]:
    """Milliseconds of each call, the first left out: it fills caches."""
    spent = []
    for number in range(steps + 1):
        start = time.perf_counter()
        step(number)
        spent.append((time.perf_counter() - start) * 1e3)
    return spent[1:]


def report(name: str, spent: list[float]) -> None:
    print(f"{name:<44} median {statistics.median(spent):7.1f} ms   worst {max(spent):7.1f} ms")


def main() -> None:
    start = time.perf_counter()
    from slicerhost import desktop, driving, navigation

    window = desktop.newWindow()
    window.show()
    import slicer

    slicer.util.selectModule("FreeTumorSynth")
    slicer.app.processEvents()
    print(f"{'start until the window is up':<44} {time.perf_counter() - start:14.1f} s")
    start = time.perf_counter()
    if len(sys.argv) > 1:
        path = Path(sys.argv[1])
    else:
        from freetumor.sample_data import fetch_sample

        path = fetch_sample().ct
    volume = window.open(str(path))
    desktop.settle(0)
    print(f"{'open ' + path.name:<44} {time.perf_counter() - start:14.1f} s")
    bounds = [0.0] * 6
    volume.GetRASBounds(bounds)
    middle = [(bounds[i] + bounds[i + 1]) / 2 for i in (0, 2, 4)]
    names = slicer.app.layoutManager().sliceViewNames()

    def paint() -> None:
        for name in names:
            view = slicer.app.layoutManager().sliceWidget(name).sliceView()
            if view.isDirty():
                view.forceRender()
                view.repaint()

    def scroll(name: str) -> Callable[[int], None]:
        def step(number: int) -> None:
            driving.scroll(1 if number < STEPS // 2 else -1, name)
            paint()

        return step

    for name in names:
        report(f"scroll by one slice, {name}", timed(scroll(name)))

    def jump(number: int) -> None:
        navigation.jumpTo([middle[0] + number, middle[1] - number, middle[2] + number])
        paint()

    report("jump of all three slices to a point", timed(jump))

    def adjust(number: int) -> None:
        volume.GetDisplayNode().SetWindowLevel(400 + number, 40)
        paint()

    report("window and level, all three slices", timed(adjust))
    modules = window.moduleSelector().moduleNames()

    def switch(number: int) -> None:
        slicer.util.selectModule(modules[number % len(modules)])
        slicer.app.processEvents()

    report("switch of modules", timed(switch))
    window.setBodyVisible(True)
    view = slicer.app.layoutManager().threeDWidget(0).threeDView()

    def turn(_number: int) -> None:
        view.cameraNode().GetCamera().Azimuth(6)
        view.forceRender()
        view.repaint()

    report("turn of the CT in 3-D", timed(turn, 10))
    print(f"{'memory':<44} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:14.0f} MB")
    window.close()


if __name__ == "__main__":
    main()
