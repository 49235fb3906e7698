"""Provenance: how a synthetic CT came to be. Same seed, same bytes: no times, paths or names in it."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

import numpy as np
import scipy
import SimpleITK as sitk

import freetumor

if TYPE_CHECKING:
    from freetumor.models import Model
    from freetumor.pipeline import Lesion, Synthesis

SCHEMA = 1
NOTICE = "SYNTHETIC: this CT contains computer-generated tumors. Not for clinical use."


def provenance(synthesis: Synthesis, hashes: dict[str, str]) -> dict:
    """The record of a synthesis, ready for JSON; `hashes`: :meth:`Volume.fingerprint` of each input."""
    request = synthesis.request
    return {
        "schema": SCHEMA,
        "synthetic": True,
        "notice": NOTICE,
        "software": software(),
        "input": {
            **{f"{name}_sha256": value for name, value in hashes.items()},
            "label_source": synthesis.labels.source,
            "organ_ids": list(synthesis.labels.organ_ids),
            "lesion_ids": list(synthesis.labels.lesion_ids),
            "shape_kji": list(synthesis.ct.array.shape),
            "spacing_kji_mm": [round(s, 6) for s in synthesis.ct.geometry.spacing],
        },
        "organ": synthesis.labels.organ.name,
        "group": synthesis.labels.organ.group,
        "seed": request.seed,
        "engine": synthesis.engine.name,
        "model": _model_record(synthesis.engine.model),
        "judges": list(synthesis.judges),
        "request": {k: v for k, v in request.to_dict().items() if k not in ("seed", "engine")},
        "lesions": [lesion_record(lesion) for lesion in synthesis.lesions],
    }


def software() -> dict[str, str]:
    """Versions of what computes."""
    return {
        "freetumor": freetumor.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "SimpleITK": sitk.Version_VersionString(),
    }


def _model_record(model: Model | None) -> dict | None:
    if model is None:
        return None
    return {"name": model.name, "weights_sha256": model.facts["sha256"], "use": model.use}


def lesion_record(lesion: Lesion) -> dict:
    """Asked and got of one lesion, its verdict, and why earlier tries were thrown away."""
    mask = lesion.mask
    return {
        "id": lesion.number,
        "asked": {"diameter_mm": None if mask.asked_mm is None else round(mask.asked_mm, 3)},
        "got": {
            "diameter_mm": round(mask.diameter_mm, 3),
            "volume_mm3": round(mask.volume_mm3, 2),
            "voxels": int(mask.inside.sum()),
            "centre_ras_mm": [round(c, 2) for c in mask.centre_ras],
            **lesion.measured,
        },
        "mask": mask.details,
        "engine_parameters": lesion.parameters,
        "verdict": lesion.verdict.to_dict(),
        "rejected_tries": [v.reasons for v in lesion.rejected],
    }
