"""A reader of a study who does what a sheet says, in the host's window, by keys and mouse.

``python Testing/simulated_reader.py STUDY READER SHEET [--killed-after N]``. SHEET: JSON, for each
presentation {"keys", "comment", "mark", "window", "pause"}. See complete_study.py.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # before Qt is imported
sys.path.insert(0, str(Path(__file__).resolve().parent / "SlicerHost"))
sys.path.insert(0, str(Path(__file__).resolve().parent / "slicer"))

from slicerhost import desktop, failures


def sit(folder: Path, reader: str, sheet: dict, killed_after: int | None) -> None:
    """Read in the host's window, as the answer sheet says."""
    window = desktop.newWindow()
    import slicer
    from study_steps import Reader

    failures.install()
    window.resize(*desktop.SIZE)
    window.show()
    slicer.util.selectModule("FreeTumorSlicer")
    person = Reader(window, slicer.util.getModuleWidget("FreeTumorSlicer"))
    person.open(folder, reader)
    answered = 0
    while person.panel.state is not None:
        act(person, sheet[person.panel.session.presentation.id])
        if answered == killed_after:
            os.kill(os.getpid(), signal.SIGKILL)  # an answer is chosen, and Enter not pressed yet
        person.press("Enter")
        person.wait()
        answered += 1
        failures.check()
    print(f"{reader}: {answered} answers. {person.hub.ui.statusLabel.text}", flush=True)
    window.close()
    failures.check()


def act(person, sheet: dict) -> None:
    """All that a reader does with a case but Enter."""
    if sheet["window"]:
        person.press("W", "Up", "Down")
    if sheet["pause"]:
        person.press("P")
        if person.panel.state != "paused":
            raise RuntimeError(f"expected a pause, got {person.panel.state}")
        person.press("P")
    person.press(*sheet["keys"])
    if sheet["mark"]:
        x, y, z = person.panel.session.cases[0].center_ras_mm
        person.press("M")
        person.click((x + 4, y - 3, z))
    if sheet["comment"]:
        letters = ["Space" if letter == " " else letter.upper() for letter in sheet["comment"]]
        person.press("C", *letters, "Enter")


def main() -> int:
    """Read; the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", type=Path)
    parser.add_argument("reader")
    parser.add_argument("sheet", type=Path)
    parser.add_argument("--killed-after", type=int, metavar="N", help="end without a word after N answers")
    options = parser.parse_args()
    sheet = json.loads(options.sheet.read_text("utf-8"))
    sit(options.study.resolve(), options.reader, sheet, options.killed_after)
    return 0


if __name__ == "__main__":
    sys.exit(main())
