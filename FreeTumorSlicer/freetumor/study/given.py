"""The cases that a study is made of, as they are named on the command line."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from freetumor.anatomy import ORGANS, Organ
from freetumor.cases.case import CT, PROVENANCE
from freetumor.errors import BadInput
from freetumor.training.sources import Case, read_cases

_DATASET, _CATALOGUE = "dataset.json", "manifest.json"


@dataclass(frozen=True)
class Given:
    """A case, and the name of the source that it came from."""

    case: Case
    source: str


def given_cases(named: str | Path, organs: Sequence[Organ], *, synthetic: bool) -> list[Given]:
    """The cases that `named` names.

    Args:
        named: a case folder or a folder of them; a folder with ``dataset.json`` (MSD, nnU-Net) or with
            ``manifest.json``, a catalogue of cases; a JSON list of cases; a TOML file with ``[[sources]]`` as
            in a training's configuration. ``ORGAN=PATH`` says whose lesions are labelled where the data do
            not.
        organs: of the study. synthetic: what they are said to be.

    Raises:
        BadInput: see :func:`freetumor.training.sources.read_cases`; kind "no_cases" of a folder without any;
            "mixed_up" where real and synthetic cases were taken for each other.
    """
    said, _, rest = str(named).partition("=")
    rows = [ORGANS[said]] if rest and said in ORGANS else list(organs)
    path = Path(rest if rest and said in ORGANS else named).expanduser()
    if not path.exists():
        raise BadInput("cases", f"{path}, which does not exist", "Check the path.", kind="not_found")
    cases = [case for table in _tables(path, rows) for case in read_cases(table, path.parent)]
    groups = {row.group for row in organs}
    cases = [case for case in cases if case.group in groups]
    _check(cases, path, synthetic)
    return [Given(case, path.resolve().name) for case in cases]


def _tables(path: Path, rows: Sequence[Organ]) -> list[dict]:
    """The source tables that a path stands for."""
    where = str(path.absolute())
    if path.suffix.lower() == ".toml":
        return _in_file(path)
    # What the data do not say themselves: one group, if the study has only one.
    groups = {row.group for row in rows}
    group = {"group": groups.pop()} if len(groups) == 1 else {}
    if path.name == _DATASET or (path / _DATASET).is_file():
        content = _json(path if path.is_file() else path / _DATASET)
        labels = content.get("labels", {}) if isinstance(content, dict) else {}
        kind = "msd" if labels and all(str(key).isdecimal() for key in labels) else "nnunet"
        return [{"kind": kind, "path": where, **group}]
    if path.is_file():
        return [{"kind": "list", "path": where}]
    one = (path / CT).is_file()
    folder = path.resolve().parent if one else path
    table = {"kind": "cases", "path": str(folder.absolute()), **group}
    if one:
        table["names"] = [path.resolve().name]
    within = [path] if one else [p for p in path.iterdir() if (p / CT).is_file()]
    if not within:
        if (path / _CATALOGUE).is_file():
            return [{"kind": "list", "path": str((path / _CATALOGUE).absolute())}]
        raise _no_cases(path)
    if group and within and not any((p / PROVENANCE).is_file() for p in within):
        # Real scans: their label maps do not say what was looked for.
        table["organs"] = [row.name for row in rows]
    return [table]


def _no_cases(path: Path) -> BadInput:
    inside = sorted(p for p in path.iterdir() if p.suffix.lower() in (".json", ".toml"))
    folders = sorted(p for p in path.iterdir() if p.is_dir())
    inside += [
        p for p in folders if (p / _DATASET).is_file() or (p / _CATALOGUE).is_file() or any(p.glob(f"*/{CT}"))
    ]
    names = ", ".join(str(p) for p in inside[:6])
    return BadInput(
        f"folders of cases (NAME/{CT}), {_DATASET} or {_CATALOGUE} in {path}",
        "none",
        f"Perhaps one of these is meant: {names}." if names else "Give the folder that holds them.",
        kind="no_cases",
    )


def _in_file(path: Path) -> list[dict]:
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput("TOML", f"{path}: {error}", kind="bad_source") from error
    tables = content.get("sources") or content.get("data", {}).get("sources")
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise BadInput("a TOML file with [[sources]]", f"{path} without", kind="bad_source")
    return tables


def _json(path: Path) -> object:
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise BadInput("JSON", f"{path}: {error}", kind="bad_source") from error


def _check(cases: Sequence[Case], path: Path, synthetic: bool) -> None:
    if not cases:
        raise BadInput("cases of the organs of the study", f"none in {path}", kind="no_cases")
    made = [case for case in cases if case.tumor_mask is not None]
    if made and not synthetic:
        raise BadInput(
            "real scans with --real", f"{made[0].name} of {path}, a synthetic case",
            "Give it with --synthetic.", kind="mixed_up",
        )  # fmt: skip
