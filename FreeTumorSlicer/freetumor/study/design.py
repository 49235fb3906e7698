"""Making a study: lesions are found, matched, divided into blocks, ordered for each reader, and packed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from freetumor.anatomy import ORGANS, organ
from freetumor.errors import BadInput
from freetumor.files import appearing, check_free, os_errors
from freetumor.study import record
from freetumor.study.advice import MORE, few_pairs
from freetumor.study.balance import Row, balance
from freetumor.study.division import divided
from freetumor.study.given import given_cases
from freetumor.study.key import default_key_path
from freetumor.study.lesions import Found, Progress, find
from freetumor.study.packing import PRESETS, cue_radius, same_times, write_cases
from freetumor.study.presentations import Cases, draw_orders, neutral_cases


@dataclass(frozen=True)
class Design:
    """What is asked of a study.

    Attributes:
        organs: names in the organ table. readers: how many.
        seed: of ids, choices and orders.
        cases: main cases of both classes together, at most; None: all that can be matched.
        training: cases shown first, whose answers do not count. pairs: forced choices at the end.
        repeats: share of the main cases that each reader sees twice.
        per_patient: lesions of one patient and class, at most.
        time_limit: seconds for each case; None: no limit.
        accept_imbalance: make the study although something else than the tumor tells the classes apart.
    """

    organs: tuple[str, ...]
    readers: int
    seed: int = 0
    cases: int | None = None
    training: int = 4
    pairs: int = 0
    repeats: float = 0.12
    per_patient: int = 2
    time_limit: float | None = None
    title: str = "Reader study"
    accept_imbalance: bool = False

    def __post_init__(self) -> None:
        for name in self.organs:
            organ(name)
        checks = {
            "at least one organ, each once": self.organs and len(set(self.organs)) == len(self.organs),
            "1 to 999 readers": 1 <= self.readers <= 999,
            "a seed of 0 or more": self.seed >= 0,
            "at least 4 cases": self.cases is None or self.cases >= 4,
            "0 or more training cases": self.training >= 0,
            "0 or more pairs": self.pairs >= 0,
            "a share of repeats from 0 to 0.5": 0 <= self.repeats <= 0.5,
            "at least one lesion per patient": self.per_patient >= 1,
            "a time limit above 0 s": self.time_limit is None or self.time_limit > 0,
        }
        for expected, holds in checks.items():
            if not holds:
                raise BadInput(expected, "something else", "See 'freetumor study new --help'.", kind="usage")


@dataclass(frozen=True)
class Made:
    """A written study.

    Attributes:
        blocks: number of presentations of the first reader by block; `repeats` of them show a case again.
        balance: what real and synthetic cases differ in. unmatched: {"what", "why"}.
    """

    folder: Path
    key: Path
    cases: int
    blocks: dict[str, int]
    repeats: int
    balance: list[Row]
    unmatched: list[dict]
    warnings: list[str] = field(default_factory=list)

    def to_dict(self) -> dict:
        """For ``--json``."""
        return {
            "status": "done",
            "study": str(self.folder),
            "key": str(self.key),
            "cases": self.cases,
            "blocks": self.blocks,
            "repeats": self.repeats,
            "balance": [row.to_dict() for row in self.balance],
            "unmatched": self.unmatched,
            "warnings": self.warnings,
        }


def new_study(
    real: Sequence[str | Path],
    synthetic: Sequence[str | Path],
    design: Design,
    out: str | Path,
    key: str | Path | None = None,
    *,
    today: str | None = None,
    progress: Progress = lambda message, share: None,
) -> Made:
    """Make a study folder and its key file.

    Args:
        real, synthetic: see :func:`freetumor.study.given.given_cases`.
        out: the folder; must not exist. key: the key file, outside of it; beside it if None.
        today: date of the study; today's if None.

    Raises:
        BadInput: kind "too_few": fewer than 2 pairs can be matched; "imbalance": real and synthetic cases
            differ in something else than the tumor; "exists", "usage"; see also :func:`find`.
        OutputError: the disk is full. Nothing is left behind.
    """
    out = Path(out)
    check_free(out)
    key = _key_path(out, key)
    rows = [ORGANS[name] for name in design.organs]
    given = [
        [case for named in some for case in given_cases(named, rows, synthetic=kind)]
        for some, kind in ((real, False), (synthetic, True))
    ]
    found = find(*given, rows, lambda message, share: progress(message, 0.5 * share))
    rng = _chance(found, design)
    division = divided(
        found,
        cases=design.cases,
        training=design.training,
        pairs=design.pairs,
        per_patient=design.per_patient,
        rng=rng,
    )
    table = balance(division.blocks[record.MAIN])
    warnings = few_pairs(division.blocks[record.MAIN], design.organs) + _imbalance(table, design)
    cases = neutral_cases(division, design.training, rng)
    orders = draw_orders(cases, design.readers, design.repeats, rng)
    if found.unusable:
        warnings.append(f"cases that cannot be used (the key says why): {', '.join(found.unusable)}")
    if orders.in_a_row:
        often = "once" if orders.in_a_row == 1 else f"{orders.in_a_row} times"
        warnings.append(f"a patient follows on itself {often}: there are too few patients")
    date = today or datetime.now(UTC).date().isoformat()
    identity = rng.bytes(8).hex()
    secret = _json_bytes(
        {
            "study": identity,
            "seed": design.seed,
            "cases": cases.keyed,
            "repeats": orders.repeats,
            "unmatched": division.unmatched,
            "balance": [row.to_dict() for row in table],
        }
    )
    with appearing(out) as partial:
        places = write_cases(
            partial,
            cases.lesions,
            cases.extents,
            lambda message, share: progress(message, 0.5 + 0.5 * share),
        )
        (partial / record.ANSWERS).mkdir()
        described = {
            "format": record.FORMAT,
            "id": identity,
            "title": design.title,
            "positive": record.POSITIVE,
            "created": date,
            "organs": sorted(design.organs),
            "scale": list(record.SCALE),
            "readers": sorted(orders.blocks),
            "cases": {case: _described(case, cases, places[case]) for case in places},
            "orders": orders.blocks,
            "time_limit_s": design.time_limit,
            "key_sha256": hashlib.sha256(secret).hexdigest(),
        }
        (partial / record.STUDY).write_bytes(_json_bytes(described))
        same_times(partial, date)
        _write_secret(key, secret)
    progress("done", 1.0)
    first = min(orders.blocks)
    return Made(
        folder=out,
        key=key,
        cases=len(places),
        blocks={block: len(orders.blocks[first][block]) for block in record.BLOCKS},
        repeats=len(orders.repeats[first]),
        balance=table,
        unmatched=division.unmatched,
        warnings=warnings,
    )


def _key_path(out: Path, key: str | Path | None) -> Path:
    path = Path(key).absolute() if key else default_key_path(out)
    if path.resolve().is_relative_to(out.resolve()):
        raise BadInput(
            "a key file outside of the study folder", str(path), "Readers get that folder.", kind="usage"
        )
    if path.exists():
        raise BadInput("a new key file", f"{path}, which exists", "Give another name.", kind="exists")
    return path


def _chance(found: Found, design: Design) -> np.random.Generator:
    """Chance from the seed and the lesions: who guesses the seed alone cannot draw the ids again."""
    facts = sorted(repr(replace(lesion, ct=Path(), source="")) for lesion in found.lesions)
    digest = hashlib.sha256("\n".join(facts).encode()).digest()
    return np.random.default_rng([design.seed, *np.frombuffer(digest, "<u4").tolist()])


def _imbalance(table: Sequence[Row], design: Design) -> list[str]:
    telling = [row for row in table if row.telling]
    words = [
        f"{row.covariate} of {row.organ} cases: {row.real:g} {row.unit} real, {row.synthetic:g} {row.unit} "
        f"synthetic (AUC {row.auc:.2f})"
        for row in telling
    ]
    if words and not design.accept_imbalance:
        raise BadInput(
            "real and synthetic cases that differ in nothing but the tumor",
            "; ".join(words),
            f"{MORE} Or say --accept-imbalance.",
            kind="imbalance",
        )
    return [f"real and synthetic cases differ in {word}" for word in words]


def _described(case: str, cases: Cases, place: tuple[float, float, float]) -> dict:
    name = cases.lesions[case].organ
    return {
        "organ": name,
        "file": f"{record.CASES}/{case}.nii.gz",
        "center_ras_mm": list(place),
        "radius_mm": cue_radius(cases.extents[case]),
        "presets": [list(preset) for preset in PRESETS[ORGANS[name].group]],
    }


def _json_bytes(content: dict) -> bytes:
    return (json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _write_secret(path: Path, content: bytes) -> None:
    """Write the key for the eyes of its owner, where the system can keep others out."""
    with os_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
