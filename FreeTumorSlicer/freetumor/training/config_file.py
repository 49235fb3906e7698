"""Configuration files: TOML in, a checked :class:`Config` out.

A file holds what all stages of one training share, and under ``[stages.STAGE]`` what a stage has otherwise,
in the same sections: one file trains segmenter, generator and target. ``--set key=value`` changes single
values on top of it. Paths in a file are relative to the file, those of ``--set`` to the working folder.
"""

from __future__ import annotations

import difflib
import math
import operator
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from freetumor.anatomy import ORGANS, group_labels, organ
from freetumor.errors import BadInput
from freetumor.training.configuration import STAGE_DEFAULTS, STAGES, Config
from freetumor.training.configuration_data import Grid, Why

_STAGES = "stages"
_GAN_WEIGHT = {"abdomen": 0.1, "chest": 0.5}  # of the classifier's term: the paper's


def read_config(
    path: str | Path, stage: str, changes: Sequence[str] = (), base: Path | None = None
) -> Config:
    """The configuration of `stage` in the file `path`.

    Args:
        changes: ``key=value`` each, dots between the parts of a key; the value as in TOML, or plain text.
        base: folder that paths of `changes` and the run's folder are relative to; the working folder if None.

    Raises:
        BadInput: kind "not_found" or "bad_config"; names the key, what was expected, and the nearest key.
    """
    path, base = Path(path), Path(base or Path.cwd())
    if stage not in STAGES:
        raise BadInput(f"a stage of {', '.join(STAGES)}", repr(stage), kind="usage")
    content = _anchored(_parsed(path), path.resolve().parent)
    content = _merged(dict(STAGE_DEFAULTS[stage]), content)
    stages = content.pop(_STAGES, {})
    if not isinstance(stages, Mapping) or not set(stages) <= set(STAGES):
        raise _bad(_STAGES, f"tables of {', '.join(STAGES)}", repr(stages))
    content = _merged(content, stages.get(stage, {}))
    for change in changes:
        content = _merged(content, _anchored(_change(change), base))
    if content.setdefault("stage", stage) != stage:
        raise _bad("stage", repr(stage), repr(content["stage"]), "Leave it out: the command gives it.")
    return _completed(_section(Config, content, ""), path.resolve().parent, base)


def to_dict(config: Config) -> dict:
    """All values, as JSON knows them; paths as text."""
    return {f.name: _plain(getattr(config, f.name)) for f in fields(config)}


def differences(before: Mapping, after: Mapping, prefix: str = "") -> Iterator[str]:
    """What changed between two dictionaries of :func:`to_dict`: ``key: old -> new``."""
    for key in dict.fromkeys([*before, *after]):
        old, new = before.get(key), after.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from differences(old, new, f"{prefix}{key}.")
        elif old != new:
            yield f"{prefix}{key}: {old} -> {new}"


def settings(section: type = Config, prefix: str = "") -> Iterator[tuple[str, object, str]]:
    """Every key with its default and its reason."""
    for f in fields(section):
        default = f.default if f.default_factory is MISSING else f.default_factory()
        if is_dataclass(default):
            yield from settings(type(default), f"{prefix}{f.name}.")
        else:
            yield prefix + f.name, default, _kind(section, f.name)[1].reason


def _parsed(path: Path) -> dict:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise BadInput("a configuration file", f"{path}, which does not exist", kind="not_found") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput("a configuration file in TOML", f"{path}: {error}", kind="bad_config") from error


def _change(text: str) -> dict:
    key, equals, given = text.partition("=")
    parts = [part.strip() for part in key.split(".")]
    if not equals or not all(parts):
        raise BadInput("--set key=value such as loop.steps=2000", repr(text), kind="usage")
    try:
        content: object = tomllib.loads(f"v = {given}")["v"]
    except tomllib.TOMLDecodeError:
        content = given  # text without quotes, which a shell takes away
    for part in reversed(parts):
        content = {part: content}
    return content


def _merged(below: Mapping, above: Mapping) -> dict:
    """`above` over `below`, table by table; of another architecture, nothing of the one below is taken."""
    merged = dict(below)
    for key, content in above.items():
        lower = merged.get(key)
        both = isinstance(content, Mapping) and isinstance(lower, Mapping)
        if both and content.get("architecture", lower.get("architecture")) == lower.get("architecture"):
            content = _merged(lower, content)
        merged[key] = content
    return merged


def _anchored(content: Mapping, folder: Path) -> dict:
    """The paths in it made absolute, as those of a file and of the command line start elsewhere."""
    content = dict(content)
    for key in ("out", "root", "cache"):
        if isinstance(content.get(key), str) and content[key]:
            content[key] = folder / Path(content[key]).expanduser()
    return {k: _anchored(v, folder) if isinstance(v, Mapping) else v for k, v in content.items()}


def _section(kind: type, content: object, prefix: str) -> Any:
    if not isinstance(content, Mapping):
        raise _bad(prefix.rstrip("."), "a table", repr(content))
    known = {f.name: f for f in fields(kind)}
    for key in content:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f"Did you mean {prefix}{near[0]}?" if near else ""
            raise _bad(prefix + key, f"a key of {', '.join(known)}", repr(key), hint)
    made = {}
    for key, given in content.items():
        if known[key].default_factory is not MISSING and is_dataclass(
            default := known[key].default_factory()
        ):
            whole = _merged(_plain(default), given) if isinstance(given, Mapping) else given
            made[key] = _section(type(default), whole, f"{prefix}{key}.")
        else:
            wanted, why = _kind(kind, key)
            made[key] = _converted(given, wanted, prefix + key)
            _check(made[key], why, prefix + key)
    return kind(**made)


@cache
def _hints(section: type) -> dict:
    return get_type_hints(section, include_extras=True)


def _kind(section: type, key: str) -> tuple[Any, Why]:
    """Type of a field, and the reason of its default."""
    return get_args(_hints(section)[key])


def _converted(given: object, kind: Any, key: str) -> Any:
    """`given` as `kind`; whole numbers count as numbers, lists become tuples."""
    if isinstance(kind, UnionType):
        if given is None:
            return None
        return _converted(given, next(k for k in get_args(kind) if k is not NoneType), key)
    if get_origin(kind) is tuple:
        return _list(given, get_args(kind), key)
    if kind is Path and isinstance(given, str | Path) and str(given):
        return Path(given)
    if kind is Mapping and isinstance(given, Mapping):
        return dict(given)
    if (
        kind is float
        and isinstance(given, int | float)
        and not isinstance(given, bool)
        and math.isfinite(given)
    ):
        return float(given)
    if kind in (int, bool, str) and type(given) is kind:
        return given
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "text", Path: "a path"}
    raise _bad(key, words.get(kind, "a table"), repr(given))


def _list(given: object, kinds: tuple, key: str) -> tuple:
    count = None if kinds[-1] is Ellipsis else len(kinds)
    if not isinstance(given, list | tuple) or (count is not None and len(given) != count):
        raise _bad(key, f"a list of {count}" if count else "a list", repr(given))
    return tuple(_converted(item, kinds[0], key) for item in given)


def _check(given: object, why: Why, key: str) -> None:
    if given is None:
        return
    if why.choices and given not in why.choices:
        raise _bad(key, f"one of {', '.join(filter(None, why.choices))}", repr(given))
    for limit, holds, word in (
        (why.least, operator.ge, "at least"),
        (why.above, operator.gt, "above"),
        (why.most, operator.le, "at most"),
        (why.below, operator.lt, "below"),
    ):
        numbers = given if isinstance(given, tuple) else (given,)
        if limit is not None and not all(holds(number, limit) for number in numbers):
            raise _bad(key, f"{word} {limit}", repr(given))


def _completed(config: Config, folder: Path, base: Path) -> Config:
    """The values that follow from others."""
    if not config.name:
        raise _bad("name", "a name for the models", "none")
    if not config.organs:
        raise _bad("organs", f"a list of {', '.join(ORGANS)}", "none")
    rows = [organ(name) for name in config.organs]
    if len({row.group for row in rows}) > 1:
        raise _bad("organs", "organs of one group", ", ".join(f"{r.name} ({r.group})" for r in rows))
    _check_classes(config)
    grid, data, losses, row = config.grid, config.data, config.losses, rows[0]
    if not data.fold < data.folds:
        raise _bad("data.fold", f"below data.folds, {data.folds}", str(data.fold))
    out = config.out or base / "runs" / config.model_name
    return replace(
        config,
        out=out,
        grid=Grid(grid.spacing or row.working_spacing, grid.patch or row.patch, grid.window or row.window),
        data=replace(data, root=data.root or folder, cache=data.cache or out.parent / "cache"),
        losses=replace(losses, real=_GAN_WEIGHT[row.group] if losses.real is None else losses.real),
    )


def _check_classes(config: Config) -> None:
    """What the segmenter's channels are, where the file says it; without lesions they are organs alone."""
    classes, known = config.classes, group_labels(config.group).values()
    numbers = all(type(label) is int for label in classes)
    if not (numbers and classes[:1] == (0,) and len(set(classes)) == len(classes) and {*classes} <= {*known}):
        words = f"a list of {', '.join(map(str, known))}, 0 first and each once"
        raise _bad("segmenter.settings.classes", words, repr(list(classes)))


def _plain(value: object) -> Any:
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _bad(key: str, expected: str, got: str, hint: str = "") -> BadInput:
    return BadInput(f"in the configuration {key}: {expected}", got, hint, kind="bad_config")
