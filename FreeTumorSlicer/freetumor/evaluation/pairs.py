"""Which prediction belongs to which truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from freetumor.cases.case import LABELS
from freetumor.errors import BadInput
from freetumor.volume.reading import NIFTI, OTHERS, suffix_of


@dataclass(frozen=True)
class Pair:
    """Two label maps of one scan."""

    name: str
    truth: Path
    prediction: Path


def pairs_of(predictions: Sequence[Path], truth: Sequence[Path]) -> tuple[list[Pair], list[str]]:
    """Pairs of label maps, and names of predictions without a truth.

    Files only, and as many on both sides, belong together in their order. Otherwise names decide: that of
    the file without its suffix, or that of a case folder.

    Raises:
        BadInput: kind "not_found": a path does not exist, or a truth has no prediction; "usage": a folder
            holds no label map, or a name comes twice.
    """
    for path in (*predictions, *truth):
        if not path.exists():
            raise BadInput("label maps or folders of them", f"{path}, which does not exist", kind="not_found")
    if len(predictions) == len(truth) and all(path.is_file() for path in (*predictions, *truth)):
        names = [_name(path) for path in truth]
        unique = len(set(names)) == len(names)
        return [
            Pair(name if unique else str(t), t, p)
            for name, t, p in zip(names, truth, predictions, strict=True)
        ], []
    true, found = _named(truth), _named(predictions)
    missing = sorted(set(true) - set(found))
    if missing:
        more = f" and {len(missing) - 6} more" if len(missing) > 6 else ""
        raise BadInput(
            "a prediction of the same name for each true label map",
            f"none for {', '.join(missing[:6])}{more}",
            f"Found: {', '.join(sorted(found)[:6]) or 'nothing'}.",
            kind="not_found",
        )
    pairs = [Pair(name, true[name], found[name]) for name in sorted(true)]
    return pairs, sorted(set(found) - set(true))


def _named(paths: Sequence[Path]) -> dict[str, Path]:
    named: dict[str, Path] = {}
    for given in paths:
        files = [given] if given.is_file() else _in_folder(given)
        for path in files:
            name = _name(path)
            if name in named:
                raise BadInput(f"one label map named {name}", f"{named[name]} and {path}", kind="usage")
            named[name] = path
    return named


def _in_folder(folder: Path) -> list[Path]:
    if (folder / LABELS).is_file():
        return [folder / LABELS]
    found = [p for p in folder.iterdir() if p.is_file() and suffix_of(p) in NIFTI + OTHERS]
    found += [p / LABELS for p in folder.iterdir() if (p / LABELS).is_file()]
    found = [p for p in found if not p.name.startswith(".")]
    if not found:
        raise BadInput("a folder with label maps or case folders", f"{folder} without any", kind="usage")
    return found


def _name(path: Path) -> str:
    return path.resolve().parent.name if path.name == LABELS else path.name.removesuffix(suffix_of(path))
