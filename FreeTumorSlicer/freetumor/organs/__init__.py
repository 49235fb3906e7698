"""Organ Pseudo-Labeler: organ masks from label maps, or made from the CT where that is possible."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from freetumor.anatomy import Organ
from freetumor.organs.labels import CONVENTIONS, OrganLabels, check_convention, missing_labels, organ_labels
from freetumor.organs.lung import label_lungs
from freetumor.volume import Volume

# Organ (by SNOMED code of its site) -> what labels it from the CT alone, in freetumor's ids.
LABELERS: MappingProxyType[str, Callable[[Volume], Volume]] = MappingProxyType({"39607008": label_lungs})


def label_organ(ct: Volume, organ: Organ) -> Volume:
    """Label `organ` on `ct` (uint8, ids of the ``freetumor`` convention).

    Raises:
        BadInput: no labeler of ours makes this organ (the message names tools that do), or it is absent.
    """
    if organ.site.value not in LABELERS:
        raise missing_labels(organ)
    return LABELERS[organ.site.value](ct)


__all__ = [
    "CONVENTIONS",
    "LABELERS",
    "OrganLabels",
    "check_convention",
    "label_organ",
    "missing_labels",
    "organ_labels",
]
