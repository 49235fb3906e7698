"""``freetumor desktop`` and ``freetumor screenshot``: the three modules in a window, without Slicer."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from . import start
from .ctwindows import WINDOWS
from .modulefiles import moduleNamed

SIZE = (1500, 940)


def newWindow(userSettings: bool = False):
    """The window with all three modules, not shown yet."""
    application = start(userSettings=userSettings)
    from . import loadModule, theme
    from .mainwindow import MainWindow
    from .modulefiles import MODULES, moduleFile

    theme.apply(application)
    window = MainWindow()
    for name in MODULES:
        window.addModule(loadModule(moduleFile(name)))
    return window


def main(argv: Sequence[str] | None = None) -> int:
    """Open the window and stay until it is closed; the exit code."""
    options = _desktopParser().parse_args(argv)
    window = newWindow(userSettings=True)
    import slicer

    slicer.app.setAttended(True)
    window.show()
    slicer.util.selectModule(options.module)
    if options.ct:
        slicer.app.processEvents()
        window.open(options.ct)
    quitOnSignals(slicer.app)
    return slicer.app.exec()


def quitOnSignals(loop) -> None:
    """Ctrl-C in the terminal, or a plain kill, ends `loop` (a QObject with ``quit()``)."""
    from PySide6 import QtCore

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: loop.quit())
    # Python hears signals between its own instructions only, and an idle loop of Qt has none.
    timer = QtCore.QTimer(loop)
    timer.timeout.connect(lambda: None)
    timer.start(200)


def screenshot(argv: Sequence[str] | None = None) -> int:
    """Draw the window into a PNG file, without a display; the exit code."""
    options = _screenshotParser().parse_args(argv)
    window = newWindow()
    import slicer

    window.resize(*options.size)
    window.show()
    slicer.util.selectModule(options.module)
    slicer.app.processEvents()
    if options.ct:
        window.open(options.ct)
        window.setWindow(options.window)
        window.setBodyVisible(options.body)
    saved = save(window, options.out)
    window.close()
    if not saved:
        sys.stderr.write(f"expected a PNG file in an existing folder, got {options.out}\n")
    return 0 if saved else 1


def settle(seconds: float = 0.3) -> None:
    """Let all pending drawing happen."""
    import slicer

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        slicer.app.processEvents()
    slicer.util.forceRenderAllViews()
    slicer.app.processEvents()


def save(window, file: Path | str) -> bool:
    """The window as it is now, as a PNG file."""
    settle()
    return window.grab().save(str(file))


def _size(text: str) -> tuple[int, int]:
    try:
        width, height = (int(part) for part in text.split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a size such as 1500x940, got {text!r}") from None
    return width, height


def _module(text: str) -> str:
    try:
        return moduleNamed(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _desktopParser(command: str = "desktop") -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"freetumor {command}", description=__doc__)
    parser.add_argument("ct", nargs="?", help="CT (NIfTI, NRRD, MHA), folder of DICOM files, or scene")
    parser.add_argument("--module", type=_module, default="FreeTumorSynth", help="module to show")
    return parser


def _screenshotParser() -> argparse.ArgumentParser:
    parser = _desktopParser("screenshot")
    parser.add_argument("--out", required=True, type=Path, help="PNG file to write")
    parser.add_argument("--size", type=_size, default=SIZE, metavar="WxH", help="pixels, such as 1500x940")
    parser.add_argument("--window", choices=WINDOWS, default="Abdomen", help="window and level")
    parser.add_argument("--body", action="store_true", help="show the CT in 3-D as well")
    return parser


if __name__ == "__main__":
    sys.exit(main())
