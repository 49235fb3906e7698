"""The key of a study: which case is synthetic. A file apart, tied to the study by its hash."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from freetumor.errors import BadInput
from freetumor.study.record import BLOCKS, Study


@dataclass(frozen=True)
class KeyedCase:
    """What is known of a case.

    Attributes:
        size_class: name in :data:`freetumor.anatomy.SIZE_CLASSES`.
        source: collection or folder that it came from, with the name of its scan.
        match: id of its partner of the other class; None where it has none.
        role: block in which it is shown.
    """

    synthetic: bool
    organ: str
    diameter_mm: float
    size_class: str
    patient: str
    source: str
    match: str | None
    role: str


@dataclass(frozen=True)
class Key:
    """The key of a study.

    Attributes:
        study: id of the study. `cases`: by case id.
        unmatched: lesions that found no partner: {"what", "why"}.
        repeats: reader → presentation → case, for the presentations that show a case again.
        balance: rows of :class:`freetumor.study.balance.Row`: what real and synthetic cases differ in.
    """

    study: str
    cases: dict[str, KeyedCase]
    unmatched: tuple[dict, ...]
    seed: int
    repeats: dict[str, dict[str, str]]
    balance: tuple[dict, ...] = ()


def default_key_path(study_folder: str | Path) -> Path:
    """Beside the study folder, never inside it: STUDY.key.json."""
    folder = Path(study_folder).absolute()
    return folder.with_name(f"{folder.name}.key.json")


def read_key(path: str | Path, study: Study | None = None) -> Key:
    """Read a key file, and check that it is the one that `study` was made with.

    Raises:
        BadInput: kind "no_key": no such file, or not a key; "other_key": of another study, or changed
            since the study was made.
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BadInput(
            "the key file of the study", f"{path}: {error.strerror}",
            "Name it with --key: it was written beside the study folder.", kind="no_key",
        ) from error  # fmt: skip
    try:
        record = json.loads(raw)
        key = _key(record)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInput("a study's key", f"{path}: {error}", kind="no_key") from error
    if study is not None and hashlib.sha256(raw).hexdigest() != study.key_sha256:
        other = f"that of study {key.study}" if key.study != study.id else "changed since the study was made"
        raise BadInput(
            f"the key of study {study.id} ({study.folder})", f"{path}, {other}",
            "Statistics with another key would mean nothing.", kind="other_key",
        )  # fmt: skip
    if study is not None and set(key.cases) != set(study.cases):
        raise BadInput("the same cases in study and key", f"{path} and {study.folder}", kind="other_key")
    return key


def _key(record: dict) -> Key:
    cases = {name: KeyedCase(**one) for name, one in record["cases"].items()}
    for name, case in cases.items():
        if not isinstance(case.synthetic, bool) or case.role not in BLOCKS:
            raise ValueError(f"case {name}: synthetic {case.synthetic!r}, role {case.role!r}")
    return Key(
        study=record["study"],
        cases=cases,
        unmatched=tuple(record["unmatched"]),
        seed=record["seed"],
        repeats={reader: dict(shown) for reader, shown in record["repeats"].items()},
        balance=tuple(record.get("balance", ())),
    )
