"""Consent to the terms of research weights (:mod:`freetumor.models.use`), remembered by their SHA-256.

``accepted.json`` in the folder of the user's models holds it. ``FREETUMOR_ACCEPT_RESEARCH=1`` stands for it
in one process and those that it starts: for clusters, and for ``--accept-research``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from freetumor.errors import BadInput
from freetumor.files import os_errors, write_json
from freetumor.models.model import Model
from freetumor.models.places import models_folder
from freetumor.models.use import FREE

ENVIRONMENT = "FREETUMOR_ACCEPT_RESEARCH"
_ACCEPTED = "accepted.json"


def is_usable(model: Model) -> bool:
    """Whether it may be used: free, or its terms were accepted."""
    return model.use == FREE or os.environ.get(ENVIRONMENT) == "1" or model.facts["sha256"] in _accepted()


def preferred(models: Sequence[Model]) -> Model:
    """The first of `models` that may be used; where none may, the first."""
    return next(filter(is_usable, models), models[0])


def check_consent(model: Model) -> Model:
    """The model itself.

    Raises:
        BadInput: kind "consent": they are research weights, and nobody accepted their terms.
    """
    if is_usable(model):
        return model
    raise BadInput(
        f"consent to the terms of {model.name}",
        f"none yet: these are research weights ({' '.join(terms(model)[:2])})",
        f"Accept them once with 'freetumor models accept {model.name}', or for one run with "
        "--accept-research; or use another model.",
        kind="consent",
    )


def terms(model: Model) -> list[str]:
    """Licence, the data that the weights saw, and their limits, in sentences."""
    facts, data = model.facts, model.facts.get("training_data", "not stated")
    seen = data if isinstance(data, str) else "; ".join(_told(entry) for entry in data)
    return [
        f"Licence: {facts.get('licence', 'not stated')}.",
        f"Trained on: {seen or 'not stated'}.",
        *facts.get("limits", ()),
    ]


def accept(model: Model) -> Path:
    """Remember that the user accepted the terms of `model`; the file that does."""
    file = models_folder() / _ACCEPTED
    with os_errors(file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
        said = {"model": model.name, "licence": model.facts.get("licence"), "on": date.today().isoformat()}
        write_json(file, {**_accepted(), model.facts["sha256"]: said})
    return file


@contextmanager
def accepted_for_now() -> Iterator[None]:
    """All terms are accepted in this process, and in those that it starts, until the end of the block."""
    before = os.environ.get(ENVIRONMENT)
    os.environ[ENVIRONMENT] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[ENVIRONMENT]
        else:
            os.environ[ENVIRONMENT] = before


def _accepted() -> dict:
    """By SHA-256. A file that cannot be read proves no consent: the question is asked again."""
    try:
        said = json.loads((models_folder() / _ACCEPTED).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def _told(data: dict) -> str:
    cases = f" ({data['cases']} case{'s' * (data['cases'] > 1)})" if "cases" in data else ""
    return f"{data['name']}{cases}, licence {data.get('licence', 'not stated')}"
