"""What a check says about a lesion, and the verdict over all checks."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Finding:
    """One check: what was measured, what was expected, and if it failed the reason in words."""

    name: str
    passed: bool
    value: float
    unit: str
    expected: str
    reason: str = ""

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

    def to_dict(self) -> dict:
        """For JSON."""
        return {
            "passed": self.passed,
            "reasons": self.reasons,
            "findings": [{**asdict(f), "value": round(f.value, 4)} for f in self.findings],
        }
