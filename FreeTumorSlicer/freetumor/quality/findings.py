"""What a check says about a lesion, and the verdict over all checks."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Finding:
    """One check: what was measured, what was expected, and if it failed the reason in words.

    `judge`: who says so, as in :data:`freetumor.quality.JUDGES`.
    """

    name: str
    passed: bool
    value: float
    unit: str
    expected: str
    reason: str = ""
    judge: str = "model-free"

    def __post_init__(self) -> None:
        if self.passed:
            object.__setattr__(self, "reason", "")  # a reason is a reason to reject


@dataclass(frozen=True)
class Verdict:
    """The quality test's word on one lesion."""

    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether every finding passed."""
        return all(f.passed for f in self.findings)

    @property
    def reasons(self) -> list[str]:
        """Why the lesion is rejected, in words; empty if it passed."""
        return [f.reason for f in self.findings if not f.passed]

    @property
    def by_judge(self) -> dict[str, bool]:
        """Whether the lesion passed each judge."""
        names = dict.fromkeys(f.judge for f in self.findings)
        return {name: all(f.passed for f in self.findings if f.judge == name) for name in names}

    def to_dict(self) -> dict:
        """For JSON."""
        return {
            "passed": self.passed,
            "reasons": self.reasons,
            "judges": self.by_judge,
            "findings": [{**asdict(f), "value": round(f.value, 4)} for f in self.findings],
        }
