"""Segmentations under review: imported label maps, lesions as instances, versions of a pseudo-label."""

from freetumor.segmentation.case_list import CaseList, ReviewCase
from freetumor.segmentation.imports import Imported, import_labels
from freetumor.segmentation.lesions import Lesion, find_lesions, lesion_rows
from freetumor.segmentation.versions import STATUSES, PseudoLabel, Review, Version

__all__ = [
    "STATUSES",
    "CaseList",
    "Imported",
    "Lesion",
    "PseudoLabel",
    "Review",
    "ReviewCase",
    "Version",
    "find_lesions",
    "import_labels",
    "lesion_rows",
]
