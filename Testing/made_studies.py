"""Small reader studies for the tests, in the format of a study folder, with their key beside them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from freetumor.study.key import default_key_path
from freetumor.study.record import BLOCKS, POSITIVE, SCALE
from freetumor.volume import Geometry, Volume, write_volume

SHAPE, SPACING = (20, 48, 48), (3.0, 2.0, 2.0)  # (k, j, i)
PRESETS = [["Liver", 150, 90], ["Abdomen", 400, 40], ["Bone", 1800, 400]]
RADIUS_MM = 12.0
# Words of the key that must be nowhere else.
PATIENT, SOURCE = "patient-{}-of-hospital", "collection-zebra/scan-{}"
BALANCE = [
    {"organ": "liver", "covariate": "diameter", "unit": "mm", "pairs": 3, "real": 18.04, "synthetic": 19.5,
     "auc": 0.611, "telling": False},
    {"organ": "liver", "covariate": "organ's HU (contrast phase)", "unit": "HU", "pairs": 3, "real": -12.0,
     "synthetic": 110.4, "auc": 1.0, "telling": True},
]  # fmt: skip


def make_study(
    folder: Path,
    *,
    readers: Sequence[str] = ("reader-01", "reader-02"),
    main: int = 6,
    training: int = 2,
    pairs: int = 1,
    repeats: int = 1,
    time_limit_s: float | None = None,
    alike: bool = False,
    cts: Sequence[tuple[Volume, Sequence[float]]] = (),
    title: str = "Made study",
    seed: int = 0,
) -> Path:
    """Write a study with half of its cases synthetic; its folder.

    Args:
        main, training: cases of the blocks. pairs: forced choices. repeats: of main cases, per reader.
        alike: all cases show the same CT, so that nothing but the key tells them apart.
        cts: CTs with the place of their lesion (RAS mm), to be used in turn; made up where there are none.
    """
    rng = np.random.default_rng(seed)
    (folder / "cases").mkdir(parents=True)
    roles = ["training"] * training + ["main"] * main + ["pairs"] * (2 * pairs)
    ids = [_id(rng) for _role in roles]
    cases, keyed = {}, {}
    for number, (name, role) in enumerate(zip(ids, roles, strict=True)):
        ct, center = cts[number % len(cts)] if cts else _made_ct(0 if alike else number)
        write_volume(ct, folder / "cases" / f"{name}.nii.gz")
        cases[name] = {
            "organ": "liver",
            "file": f"cases/{name}.nii.gz",
            "center_ras_mm": [round(float(v), 1) for v in center],
            "radius_mm": RADIUS_MM,
            "presets": PRESETS,
        }
        keyed[name] = {
            "synthetic": number % 2 == 1,
            "organ": "liver",
            "diameter_mm": 18.0,
            "size_class": "small",
            "patient": PATIENT.format(number),
            "source": SOURCE.format(number),
            "match": ids[number ^ 1] if (number ^ 1) < len(ids) else None,
            "role": role,
        }
    orders, repeated = {}, {}
    for reader in readers:
        orders[reader], repeated[reader] = _order(rng, ids, roles, repeats)
    key = {
        "study": _id(rng), "cases": keyed, "unmatched": [], "seed": seed, "repeats": repeated,
        "balance": BALANCE,
    }  # fmt: skip
    path = default_key_path(folder)
    path.write_text(json.dumps(key), "utf-8")
    study = {
        "format": 1,
        "id": key["study"],
        "title": title,
        "positive": POSITIVE,
        "created": "2025-01-01",
        "organs": ["liver"],
        "scale": list(SCALE),
        "readers": list(readers),
        "cases": dict(sorted(cases.items())),
        "orders": orders,
        "time_limit_s": time_limit_s,
        "key_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    (folder / "study.json").write_text(json.dumps(study), "utf-8")
    return folder


def make_answer(study, reader: str, block: str, shown, **changes) -> dict:
    """An answer as a session writes it."""
    given = {"synthetic": "left", "confidence": 2} if block == "pairs" else 5
    answer = {
        "presentation": shown.id, "cases": list(shown.cases), "block": block, "answer": given,
        "seconds": 9.5, "window": 150.0, "level": 90.0, "window_changes": [[2.0, 400.0, 40.0]],
        "comment": "", "mark_ras_mm": None, "mark_case": None, "at": "2025-01-01T10:00:00+00:00",
        "reader": reader, "study": study.id, "version": "0.1.0",
    }  # fmt: skip
    return answer | changes


def _id(rng: np.random.Generator) -> str:
    return rng.bytes(8).hex()


def _order(rng: np.random.Generator, ids: list, roles: list, repeats: int) -> tuple[dict, dict]:
    order, again = {}, {}
    for block in BLOCKS:
        names = [name for name, role in zip(ids, roles, strict=True) if role == block]
        if block == "pairs":
            groups = [[names[at], names[at + 1]] for at in range(0, len(names), 2)]
            groups = [pair[::-1] if rng.random() < 0.5 else pair for pair in groups]
        else:
            groups = [[name] for name in rng.permutation(names).tolist()]
        order[block] = [{"id": _id(rng), "cases": group} for group in groups]
    for shown in order["main"][:repeats]:
        order["main"].append({"id": _id(rng), "cases": shown["cases"]})
        again[order["main"][-1]["id"]] = shown["cases"][0]
    return order, again


def _made_ct(seed: int) -> tuple[Volume, np.ndarray]:
    """A block of liver in fat with a dark ball, and where the ball is, RAS mm."""
    rng = np.random.default_rng(seed)
    affine = np.diag([-SPACING[2], -SPACING[1], SPACING[0], 1.0])
    affine[:3, 3] = (60.0, 40.0, -25.0)
    geometry = Geometry(SHAPE, affine)
    index = np.indices(SHAPE)
    middle = np.array(SHAPE) / 2 + rng.uniform(-3, 3, 3)
    distance = np.sqrt(sum(((index[a] - middle[a]) * SPACING[a]) ** 2 for a in range(3)))
    hu = np.where(distance < 9, 60.0, 110.0)
    hu[:, :6] = -100.0
    hu += rng.normal(0, 12, SHAPE)
    return Volume(np.rint(hu).astype(np.int16), geometry), geometry.index_to_ras(middle)
