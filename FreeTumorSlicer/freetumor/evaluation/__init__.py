"""Evaluation: overlap, surface distances, and detection lesion by lesion, with intervals over cases."""

from freetumor.evaluation.evaluation import CaseResult, Evaluation, Rules, evaluate, evaluate_case
from freetumor.evaluation.lesions import Matching, TrueLesion, match_lesions
from freetumor.evaluation.overlap import SurfaceDistance, dice, surface_distance
from freetumor.evaluation.statistics import Estimate, pooled

__all__ = [
    "CaseResult",
    "Estimate",
    "Evaluation",
    "Matching",
    "Rules",
    "SurfaceDistance",
    "TrueLesion",
    "dice",
    "evaluate",
    "evaluate_case",
    "match_lesions",
    "pooled",
    "surface_distance",
]
