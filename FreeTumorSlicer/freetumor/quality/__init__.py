"""The quality test: every judge looks at every lesion, and one bad finding throws it away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MappingProxyType

from freetumor.quality.findings import Finding, Verdict
from freetumor.quality.model_free import Evidence
from freetumor.quality.model_free import judge as model_free

# A judge is any function Evidence -> findings; a learned one is one more entry.
JUDGES: MappingProxyType[str, Callable[[Evidence], list[Finding]]] = MappingProxyType(
    {"model-free": model_free}
)


def quality_test(evidence: Evidence, judges: Sequence[str] = ("model-free",)) -> Verdict:
    """The verdict of `judges` (names in :data:`JUDGES`) on one lesion."""
    return Verdict(tuple(finding for name in judges for finding in JUDGES[name](evidence)))


__all__ = ["JUDGES", "Evidence", "Finding", "Verdict", "quality_test"]
