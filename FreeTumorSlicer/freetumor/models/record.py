"""The record of a model (``model.json``): what it must say, checked in plain words.

``model.schema.json`` says the same as a JSON schema, for tools; the tests hold the two together.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from freetumor.anatomy import ORGANS
from freetumor.errors import BadInput
from freetumor.models.model import MODEL, PARTS, Model, NetworkSpec
from freetumor.models.use import USES

Check = Callable[[object], bool]
Fields = Mapping[str, tuple[Check, str]]  # what each field must be, as a check and in words
GROUPS = tuple(dict.fromkeys(row.group for row in ORGANS.values()))
# What a folder may be called on every system: no separator, no dot in front.
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def is_name(value: object) -> bool:
    """Whether a model may be called so."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def is_text(value: object) -> bool:
    """Whether it is text that says something."""
    return isinstance(value, str) and value.strip() != ""


def is_sha256(value: object) -> bool:
    """Whether it is a SHA-256 in lower-case hexadecimal digits."""
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None


def is_count(value: object) -> bool:
    """Whether it is a whole number above 0."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def is_number(value: object) -> bool:
    """Whether it is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def one_of(*values: object) -> Check:
    """Whether it is one of `values`."""
    return lambda value: isinstance(value, str) and value in values


def list_of(check: Check, length: int | None = None, least: int = 0) -> Check:
    """Whether it is a list of what `check` takes; of `length`, or of at least `least`."""

    def fits(value: object) -> bool:
        if not isinstance(value, list | tuple):
            return False
        return (len(value) == length if length else len(value) >= least) and all(map(check, value))

    return fits


def record_of(required: Mapping[str, Check], optional: Mapping[str, Check] = MappingProxyType({})) -> Check:
    """Whether it is an object with `required` and perhaps `optional` fields; others are free."""

    def fits(value: object) -> bool:
        return (
            isinstance(value, Mapping)
            and all(key in value and check(value[key]) for key, check in required.items())
            and all(check(value[key]) for key, check in optional.items() if key in value)
        )

    return fits


def _is_range(value: object) -> bool:
    return list_of(is_number, 2)(value) and value[0] < value[1]


def _is_interval(value: object) -> bool:
    return list_of(is_number, 2)(value) and value[0] <= value[1]


def _is_positive(value: object) -> bool:
    return is_number(value) and value > 0


def _are_networks(value: object) -> bool:
    network = record_of({"architecture": is_text}, {"settings": lambda s: isinstance(s, Mapping)})
    return (
        isinstance(value, Mapping)
        and len(value) > 0
        and set(value) <= set(PARTS)
        and all(map(network, value.values()))
    )


_METRIC = record_of(
    {"name": is_text, "data": is_text, "value": is_number, "interval": _is_interval, "cases": is_count},
    {"level": lambda v: is_number(v) and 0 < v < 1, "organ": one_of(*ORGANS)},
)
_DATA = record_of({"name": is_text}, {"cases": is_count, "licence": is_text})
_SECONDS = record_of({"what": is_text, "seconds": _is_positive, "machine": is_text})

REQUIRED: Fields = MappingProxyType(
    {
        "name": (is_name, "letters, digits and . _ - between them, at most 64"),
        "group": (one_of(*GROUPS), f"one of {', '.join(GROUPS)}"),
        "organs": (list_of(one_of(*ORGANS), least=1), f"a list of {', '.join(ORGANS)}"),
        "window": (_is_range, "[low, high] in HU"),
        "spacing": (list_of(_is_positive, 3), "[k, j, i] in mm"),
        "patch": (list_of(is_count, 3), "[k, j, i] in voxels"),
        "networks": (
            _are_networks,
            f'{{PART: {{"architecture": NAME, "settings": {{...}}}}}} with parts of {", ".join(PARTS)}',
        ),
    }
)
# Facts that may be missing; the card says then that they are not stated.
FACTS: Fields = MappingProxyType(
    {
        "trained_against": (list_of(is_name), "a list of names of models"),
        "title": (is_text, "text"),
        "licence": (is_text, "text"),
        "use": (one_of(*USES), " or ".join(USES)),
        "source": (is_text, "text"),
        "steps": (is_text, "text"),
        "hardware": (is_text, "text"),
        "training_data": (
            lambda value: is_text(value) or list_of(_DATA)(value),
            'text, or a list of {"name": ..., "cases": N, "licence": ...}',
        ),
        "metrics": (
            list_of(_METRIC),
            'a list of {"name": ..., "data": ..., "value": X, "interval": [low, high], "cases": N}',
        ),
        "measured_seconds": (list_of(_SECONDS), 'a list of {"what": ..., "seconds": X, "machine": ...}'),
        "limits": (list_of(is_text), "a list of sentences"),
        "quirks": (list_of(is_text), "a list of sentences"),
    }
)
# What the store adds when the weights are there.
OF_WEIGHTS: Fields = MappingProxyType(
    {"sha256": (is_sha256, "64 hexadecimal digits"), "bytes": (is_count, "a whole number above 0")}
)


def check_record(record: object, where: str, *, weights: bool) -> dict:
    """The record itself if it is one of a model; `weights`: it must also say what :data:`OF_WEIGHTS` holds.

    Raises:
        BadInput: kind "bad_model_record"; names `where` it is and the first field that is wrong.
    """
    check_fields(record, where, {**REQUIRED, **OF_WEIGHTS} if weights else REQUIRED, FACTS)
    strangers = [name for name in record["organs"] if ORGANS[name].group != record["group"]]
    if strangers:
        raise _bad(where, f"organs of the {record['group']}", ", ".join(strangers))
    return dict(record)


def check_fields(
    record: object, where: str, required: Fields, optional: Fields = MappingProxyType({})
) -> None:
    """Check an object against tables of fields; raises as :func:`check_record` does."""
    if not isinstance(record, Mapping):
        raise _bad(where, "a JSON object", json.dumps(record, default=repr)[:200])
    for field, (check, what) in {**required, **optional}.items():
        if field in required and field not in record:
            raise _bad(where, f"{field}: {what}", "no such field")
        if field in record and not check(record[field]):
            raise _bad(where, f"{field}: {what}", json.dumps(record[field], default=repr)[:200])


def read_model(folder: Path) -> Model:
    """The model in `folder`; its weights are not looked at.

    Raises:
        BadInput: kind "not_a_model" or "bad_model_record".
    """
    return model_of(read_record(folder), folder)


def read_record(folder: Path) -> dict:
    """The content of ``folder/model.json``; raises as :func:`read_model` does."""
    path = folder / MODEL
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BadInput(f"a folder with {MODEL}", f"{folder} without it", kind="not_a_model") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BadInput("JSON", f"{path}: {error}", kind="bad_model_record") from error
    return check_record(record, str(path), weights=True)


def model_of(record: Mapping, folder: Path) -> Model:
    """The :class:`Model` of a checked record."""
    networks = {
        part: NetworkSpec(spec["architecture"], dict(spec.get("settings", {})))
        for part, spec in record["networks"].items()
    }
    known = {*REQUIRED, "trained_against"}
    return Model(
        name=record["name"],
        folder=folder,
        networks=networks,
        group=record["group"],
        organs=tuple(record["organs"]),
        window=tuple(float(v) for v in record["window"]),
        spacing=tuple(float(v) for v in record["spacing"]),
        patch=tuple(record["patch"]),
        trained_against=tuple(record.get("trained_against", ())),
        facts={k: v for k, v in record.items() if k not in known},
    )


def _bad(where: str, expected: str, got: str) -> BadInput:
    return BadInput(f"in {where} {expected}", got, kind="bad_model_record")
