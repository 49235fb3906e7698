"""Organs by TotalSegmentator (https://github.com/wasserth/TotalSegmentator), where it is installed.

Its Python function is what its command and its module in Slicer run. It takes and gives files; names of
classes are looked up in its own table, so that a version with other ids is noticed and not misread.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from freetumor.anatomy import Organ
from freetumor.errors import BadInput, FreeTumorError
from freetumor.labelers.labeler import Labelled, Options
from freetumor.organs.labels import as_integers
from freetumor.volume import Volume, check_same_grid, on_grid, read_volume, write_volume

_PACKAGE, _TASK = "totalsegmentator", "total"
_GET = (
    "Recommended for the abdomen is TotalSegmentator: pip install TotalSegmentator (in Slicer: the extension "
    "TotalSegmentator)."
)
_PRIVACY = (
    "TotalSegmentator fetches its weights at its first run and sends its authors anonymous statistics of "
    "use, but no images; its documentation says how to turn that off"
)


def obstacle(organs: Sequence[Organ], options: Options) -> BadInput | None:
    """The package that is missing."""
    if find_spec(_PACKAGE) is not None:
        return None
    return BadInput(
        f"the Python package {_PACKAGE}",
        f"none installed for {sys.executable}",
        _GET,
        kind="missing_dependency",
    )


def label(ct: Volume, organs: Sequence[Organ], options: Options) -> Labelled:
    """Run the task "total" for `organs` and bring its ids to ours.

    Raises:
        BadInput: kind "missing_dependency", "wrong_version", "grid_mismatch", "no_gpu".
        FreeTumorError: kind "labeler_failed" with what TotalSegmentator said; or "out_of_memory".
    """
    segment, names = _package(organs)
    device = _device(options.device)
    fast = device == "cpu" if options.fast is None else options.fast
    options.log(_PRIVACY)
    if fast and options.fast is None:
        options.log("no GPU: TotalSegmentator takes its faster network, for 3 mm (--no-fast: the other)")
    options.progress("TotalSegmentator", 0.0)
    with tempfile.TemporaryDirectory(prefix="freetumor-") as folder:
        given, made = Path(folder) / "ct.nii", Path(folder) / "organs.nii.gz"
        write_volume(ct, given)
        wanted = [names[value] for row in organs for value in row.totalsegmentator]
        asked = {"ml": True, "task": _TASK, "fast": fast, "roi_subset": wanted, "quiet": True}
        # What it prints would be taken for our result.
        with redirect_stdout(sys.stderr):
            _run(lambda: segment(given, made, device=device, **asked))
        if not made.is_file():
            raise FreeTumorError("TotalSegmentator ended without a label map", kind="labeler_failed")
        found = on_grid(as_integers(read_volume(made)), ct.geometry)
    check_same_grid(ct, found, "the label map of TotalSegmentator")
    labels = np.zeros(ct.array.shape, np.uint8)
    for row in organs:
        labels[np.isin(found.array, row.totalsegmentator)] = row.organ_label
    record = {
        "name": "totalsegmentator",
        "version": _version(),
        "task": _TASK,
        "fast": fast,
        "licence": "Apache-2.0 (TotalSegmentator and its weights of the task total)",
    }
    return Labelled(ct.like(labels, "organs by TotalSegmentator"), record)


def _package(organs: Sequence[Organ]) -> tuple[Callable, Mapping[int, str]]:
    """Its function and its names of classes by id, checked against the ids that the organ table knows."""
    try:
        segment = import_module(f"{_PACKAGE}.python_api").totalsegmentator
        names = import_module(f"{_PACKAGE}.map_to_binary").class_map[_TASK]
    except ModuleNotFoundError as error:
        raise BadInput(
            f"TotalSegmentator with all that it needs (for {sys.executable})",
            f"no Python package {error.name}",
            _GET,
            kind="missing_dependency",
        ) from error
    for row in organs:
        for value in row.totalsegmentator:
            if not names.get(value, "").startswith(row.site.meaning.lower()):
                raise BadInput(
                    f"TotalSegmentator 2, whose class {value} is {row.site.meaning.lower()}",
                    f"version {_version()}, where it is {names.get(value, 'nothing')}",
                    "Update it: pip install --upgrade TotalSegmentator.",
                    kind="wrong_version",
                )
    return segment, names


def _version() -> str:
    try:
        return metadata.version("TotalSegmentator")
    except metadata.PackageNotFoundError:
        return "unknown"


def _device(name: str) -> str:
    from freetumor.nets.devices import choose_device

    return "gpu" if choose_device(name).name == "cuda" else "cpu"


def _run(segment: Callable[[], object]) -> None:
    from freetumor.nets.devices import is_out_of_memory

    try:
        segment()
    except (Exception, SystemExit) as error:
        kind = "out_of_memory" if is_out_of_memory(error) else "labeler_failed"
        said = f"{type(error).__name__}: {error}"
        raise FreeTumorError(f"TotalSegmentator {_version()} failed: {said}", kind=kind) from error
