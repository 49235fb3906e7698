"""Label maps against expert ones: what of the lesions and of the organ was found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from freetumor.anatomy import SIZE_CLASSES, Organ
from freetumor.errors import BadInput
from freetumor.evaluation.lesions import LEAST_IOU, Matching, match_lesions
from freetumor.evaluation.overlap import SurfaceDistance, dice, surface_distance
from freetumor.evaluation.statistics import RESAMPLES, Estimate, pooled
from freetumor.organs.labels import as_integers
from freetumor.volume import Volume, check_same_grid, on_grid

SMALL_MM = 20.0  # small tumors of the paper


@dataclass(frozen=True)
class Rules:
    """How it is counted.

    Attributes:
        organ: the row. organ_ids, lesion_ids: in both label maps; empty: those of the row.
        least_iou, smallest_mm3: see :func:`freetumor.evaluation.lesions.match_lesions`.
    """

    organ: Organ
    organ_ids: tuple[int, ...] = ()
    lesion_ids: tuple[int, ...] = ()
    least_iou: float = LEAST_IOU
    smallest_mm3: float = 0.0

    def __post_init__(self) -> None:
        if not (0.0 <= self.least_iou <= 1.0 and self.smallest_mm3 >= 0.0):
            got = f"{self.least_iou:g} and {self.smallest_mm3:g}"
            raise BadInput("an overlap from 0 to 1, and a smallest volume in mm3", got, kind="usage")

    def lesions(self, labels: np.ndarray) -> np.ndarray:
        """Lesions in a label map, bool."""
        return _is_one_of(labels, self.lesion_ids or (self.organ.lesion_label,))

    def healthy(self, labels: np.ndarray) -> np.ndarray:
        """The organ without its lesions, bool."""
        return _is_one_of(labels, self.organ_ids or (self.organ.organ_label,))


@dataclass(frozen=True)
class CaseResult:
    """One scan.

    Attributes:
        dice, surface: of all lesions together; None where the truth holds none (surface: or nothing was
            found). organ_dice: of the organ with its lesions; None where the truth has no organ.
        true_ml, found_ml: volume of lesions. lesions: how they were matched.
    """

    name: str
    dice: float | None
    surface: SurfaceDistance | None
    organ_dice: float | None
    true_ml: float
    found_ml: float
    lesions: Matching


@dataclass(frozen=True)
class Evaluation:
    """All scans. `numbers`: estimates over them by name; `seed` of their intervals."""

    rules: Rules
    cases: tuple[CaseResult, ...]
    numbers: dict[str, Estimate]
    seed: int

    def to_dict(self) -> dict:
        """For JSON."""
        rules = asdict(self.rules) | {"organ": self.rules.organ.name}
        numbers = {name: asdict(estimate) for name, estimate in self.numbers.items()}
        cases = [asdict(case) for case in self.cases]
        return {"rules": rules, "seed": self.seed, "resamples": RESAMPLES, "numbers": numbers, "cases": cases}


def evaluate_case(name: str, truth: Volume, found: Volume, rules: Rules) -> CaseResult:
    """Compare one label map with the truth, on the truth's grid.

    Raises:
        BadInput: kind "grid_mismatch" or "not_labels"; names the case.
    """
    try:
        true_map = as_integers(truth)
        found_map = on_grid(as_integers(found), true_map.geometry)
        check_same_grid(true_map, found_map, "the prediction")
    except BadInput as error:
        raise BadInput(f"label maps of {name} that can be compared", str(error), kind=error.kind) from error
    geometry = true_map.geometry
    true, ours = rules.lesions(true_map.array), rules.lesions(found_map.array)
    ml = geometry.voxel_volume / 1000.0
    return CaseResult(
        name=name,
        dice=dice(true, ours),
        surface=surface_distance(true, ours, geometry),
        organ_dice=_organ_dice(true_map.array, found_map.array, rules),
        true_ml=float(true.sum()) * ml,
        found_ml=float(ours.sum()) * ml,
        lesions=match_lesions(
            true, ours, geometry, rules.organ, least_iou=rules.least_iou, smallest_mm3=rules.smallest_mm3
        ),
    )


def evaluate(
    cases: Iterable[tuple[str, Volume, Volume]], rules: Rules, *, seed: int = 0, resamples: int = RESAMPLES
) -> Evaluation:
    """Compare label maps with the truth, case by case: (name, truth, prediction).

    The numbers: ``dice``, ``surface_mm`` and ``hd95_mm`` of the lesions (means over scans with lesions; the
    distances over those where something was found); ``organ_dice``; ``sensitivity``, that of lesions below
    20 mm, and by size class (shares of all lesions); ``precision`` (share of true ones among what was
    found); ``false_positives`` per scan, and per scan without a lesion.
    """
    results = tuple(evaluate_case(*case, rules) for case in cases)
    if not results:
        raise BadInput("cases to evaluate", "none", kind="no_cases")

    def ratio(above: Sequence[float], below: Sequence[float]) -> Estimate:
        return pooled(above, below, seed=seed, resamples=resamples)

    def mean(values: Sequence[float | None]) -> Estimate:
        return ratio([v or 0.0 for v in values], [float(v is not None) for v in values])

    surfaces = [r.surface for r in results]
    false = [float(len(r.lesions.false_mm)) for r in results]
    free = [float(not r.lesions.lesions) for r in results]
    numbers = {
        "dice": mean([r.dice for r in results]),
        "surface_mm": mean([s and s.mean_mm for s in surfaces]),
        "hd95_mm": mean([s and s.hd95_mm for s in surfaces]),
        "organ_dice": mean([r.organ_dice for r in results]),
    }
    groups = {"": lambda x: True, f"_below_{SMALL_MM:g}_mm": lambda x: x.diameter_mm < SMALL_MM}
    groups |= {f"_{name}": lambda x, name=name: x.size_class == name for name in SIZE_CLASSES}
    for suffix, belongs in groups.items():
        lesions = [[x for x in r.lesions.lesions if belongs(x)] for r in results]
        hit = [float(sum(x.found for x in of_case)) for of_case in lesions]
        if not suffix:
            numbers["precision"] = ratio(hit, [h + f for h, f in zip(hit, false, strict=True)])
        numbers[f"sensitivity{suffix}"] = ratio(hit, [float(len(of_case)) for of_case in lesions])
    numbers["false_positives"] = ratio(false, [1.0] * len(results))
    in_free = [f * without for f, without in zip(false, free, strict=True)]
    numbers["false_positives_without_lesion"] = ratio(in_free, free)
    return Evaluation(rules, results, numbers, seed)


def _organ_dice(truth: np.ndarray, found: np.ndarray, rules: Rules) -> float | None:
    healthy = rules.healthy(truth)
    if not healthy.any():  # lesions alone are labelled
        return None
    return dice(healthy | rules.lesions(truth), rules.healthy(found) | rules.lesions(found))


def _is_one_of(labels: np.ndarray, ids: Sequence[int]) -> np.ndarray:
    return np.logical_or.reduce([labels == value for value in ids])
