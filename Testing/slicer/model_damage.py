"""Damage to a model's file that its size does not tell."""

from __future__ import annotations

from freetumor.models import Model


def damage(model: Model) -> None:
    """Overwrite the start of the header that names the tensors."""
    weights = bytearray(model.weights.read_bytes())
    weights[8:16] = b"\0" * 8
    model.weights.write_bytes(weights)
