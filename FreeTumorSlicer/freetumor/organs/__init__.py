"""Organ masks from label maps of any convention; lungs from the CT alone. More: :mod:`freetumor.labelers`."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from freetumor.anatomy import Organ
from freetumor.organs.labels import CONVENTIONS, OrganLabels, check_convention, missing_labels, organ_labels
from freetumor.organs.lung import label_lungs
from freetumor.volume import Volume

# Organ (by SNOMED code of its site) -> what labels it by thresholds, in freetumor's ids.
BY_THRESHOLDS: MappingProxyType[str, Callable[[Volume], Volume]] = MappingProxyType({"39607008": label_lungs})


def label_organ(ct: Volume, organ: Organ) -> Volume:
    """Label `organ` on `ct` by thresholds (uint8, ids of the ``freetumor`` convention).

    Raises:
        BadInput: thresholds do not find this organ (the message names what does), or it is absent.
    """
    if organ.site.value not in BY_THRESHOLDS:
        raise missing_labels(organ)
    return BY_THRESHOLDS[organ.site.value](ct)


__all__ = [
    "BY_THRESHOLDS",
    "CONVENTIONS",
    "OrganLabels",
    "check_convention",
    "label_organ",
    "missing_labels",
    "organ_labels",
]
