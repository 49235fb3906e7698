"""The catalogue (``registry.json``): models that can be had, and how. ``registry.schema.json`` describes it.

Two kinds of entries: "download" holds the whole record of a model and the address of its weights; "import"
tells of a file that others give out, which the user gets from them and brings in. Models that come with the
package are not in it: they are folders with a record of their own, see :mod:`freetumor.models.store`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from freetumor.errors import BadInput
from freetumor.models.model import PARTS
from freetumor.models.record import (
    FACTS,
    REQUIRED,
    check_fields,
    check_record,
    is_text,
    list_of,
    one_of,
)

REGISTRY = Path(__file__).with_name("registry.json")
_LOOPBACK = "127.0.0.1"
_TEXT = (is_text, "text")


@dataclass(frozen=True)
class Entry:
    """A model that can be had.

    Attributes:
        kind: "download" or "import". record: what is known of it; for a download the whole ``model.json``.
        url: of the weights, for a download. files: names of the files, for an import.
    """

    kind: str
    record: Mapping
    url: str = ""
    files: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What ``--model`` takes once it is there."""
        return self.record["name"]

    @property
    def parts(self) -> tuple[str, ...]:
        """The networks in it."""
        return tuple(self.record["networks"] if self.kind == "download" else self.record["parts"])


def is_allowed(url: object) -> bool:
    """Whether a file may be fetched from there: https, or this computer itself."""
    parts = urlsplit(url) if is_text(url) else urlsplit("")
    local = parts.scheme == "http" and parts.hostname == _LOOPBACK
    return bool(parts.hostname) and (parts.scheme == "https" or local)


# Fields of an entry beside "kind" and "record", and of the record of an import: a check and its words.
_FIELDS = {
    "download": {"url": (is_allowed, "an address that begins with https://")},
    "import": {"files": (list_of(is_text, least=1), "names of files")},
}
_OF_IMPORT = {
    **{field: REQUIRED[field] for field in ("name", "group", "organs")},
    "title": _TEXT,
    "source": _TEXT,
    "parts": (list_of(one_of(*PARTS), least=1), f"a list of {', '.join(PARTS)}"),
}


def catalogue(path: Path | None = None) -> list[Entry]:
    """The entries of the catalogue, or of another file of that form.

    Raises:
        BadInput: kind "bad_catalogue" or "bad_model_record"; names the entry and the field that is wrong.
    """
    path = path or REGISTRY
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        entries = content["models"]
        if content["version"] != 1 or not isinstance(entries, list):
            raise ValueError("version is not 1, or models is no list")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(
            'a catalogue of models, {"version": 1, "models": [...]}', f"{path}: {error}", kind="bad_catalogue"
        ) from error
    found = [_entry(entry, f"entry {number} of {path}") for number, entry in enumerate(entries, start=1)]
    names = [entry.name for entry in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadInput(f"each name once in {path}", ", ".join(twice), kind="bad_catalogue")
    return found


def catalogue_entry(name: str, path: Path | None = None) -> Entry:
    """The entry `name`; raises :class:`BadInput`, kind "no_model", naming those there are."""
    entries = catalogue(path)
    for entry in entries:
        if entry.name == name:
            return entry
    there = ", ".join(entry.name for entry in entries) or "none"
    raise BadInput(f"a model of the catalogue ({there})", repr(name), kind="no_model")


def _entry(entry: object, where: str) -> Entry:
    check_fields(entry, where, {"kind": (one_of(*_FIELDS), " or ".join(_FIELDS))})
    kind = entry["kind"]
    check_fields(
        entry, where, {**_FIELDS[kind], "record": (lambda r: isinstance(r, Mapping), "a JSON object")}
    )
    record = entry["record"]
    if kind == "download":
        check_record(record, where, weights=True)
    else:
        check_fields(record, where, _OF_IMPORT, FACTS)
    return Entry(kind, record, entry.get("url", ""), tuple(entry.get("files", ())))
