"""The quality test: every judge looks at every lesion, and one bad finding throws it away."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from freetumor.anatomy import Organ
from freetumor.errors import BadInput
from freetumor.models import Model
from freetumor.quality.findings import Finding, Verdict
from freetumor.quality.learned import THRESHOLD, LearnedJudge
from freetumor.quality.model_free import Evidence
from freetumor.quality.model_free import judge as model_free
from freetumor.synthesis.engines import Log, Options, warn

# Any function from evidence to findings; one with a method record() also goes into the provenance with it.
Judge = Callable[[Evidence], list[Finding]]
MODEL_FREE: Mapping[str, Judge] = MappingProxyType({"model-free": model_free})
JUDGES = ("model-free", "learned")


def judges_of(
    names: Sequence[str],
    organ: Organ,
    options: Options,
    threshold: float = THRESHOLD,
    generator: Model | None = None,
    log: Log = warn,
) -> Mapping[str, Judge]:
    """The judges `names` (of :data:`JUDGES`) of tumors of `organ`; cheap.

    Args:
        options: the learned judge's. threshold: its T. generator: the model that makes the tumors.
        log: takes what the user should know, such as a judge that is not independent.

    Raises:
        BadInput: kind "usage": no such judge; kind "no_model", "wrong_organ" or "wrong_part": its model.
    """
    unknown = [name for name in names if name not in JUDGES]
    if unknown or not names:
        got = ", ".join(map(repr, unknown)) or "none"
        raise BadInput(f"judges of {', '.join(JUDGES)}", got, kind="usage")
    made: dict[str, Judge] = {}
    for name in names:
        if name == "learned":
            made[name] = LearnedJudge.of(organ, options, threshold, generator, log)
        else:
            made[name] = MODEL_FREE[name]
    return made


def quality_test(evidence: Evidence, judges: Mapping[str, Judge] = MODEL_FREE) -> Verdict:
    """The verdict of `judges` on one lesion."""
    return Verdict(
        tuple(replace(finding, judge=name) for name, look in judges.items() for finding in look(evidence))
    )


__all__ = [
    "JUDGES",
    "MODEL_FREE",
    "THRESHOLD",
    "Evidence",
    "Finding",
    "Judge",
    "LearnedJudge",
    "Verdict",
    "judges_of",
    "quality_test",
]
