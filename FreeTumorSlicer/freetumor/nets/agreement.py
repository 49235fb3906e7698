"""How far the results of a backend are from those of plain PyTorch in float32."""

from __future__ import annotations

import numpy as np

from freetumor.models.model import Model
from freetumor.nets.backends import PLAIN, Log, say
from freetumor.nets.predictors import predictor


def difference(
    model: Model,
    part: str,
    backend: str,
    *inputs: np.ndarray,
    device: str = "cpu",
    log: Log = say,
) -> dict:
    """Compare `backend` with float32 on `inputs`, float32 arrays (C, k, j, i) or (K,).

    Returns:
        ``{"backend", "argmax", "max", "mean", "relative"}``: the backend that computed in the end; the share
        of voxels whose largest channel is the same (None for one channel); the largest and the mean absolute
        difference of the outputs; and the mean difference as a share of the outputs' mean size.
    """
    exact = predictor(model, part, device=device, backend=PLAIN, log=log)(*inputs)
    computed = predictor(model, part, device=device, backend=backend, log=log)
    made = computed(*inputs)
    away, size = np.abs(made - exact), np.abs(exact).mean()
    same = float((made.argmax(0) == exact.argmax(0)).mean()) if len(exact) > 1 else None
    return {
        "backend": computed.backend,
        "argmax": same,
        "max": float(away.max()),
        "mean": float(away.mean()),
        "relative": float(away.mean() / size) if size else 0.0,
    }
