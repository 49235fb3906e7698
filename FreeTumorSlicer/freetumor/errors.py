"""Errors that tell the user what was expected, what came, and what to do."""

from __future__ import annotations


class FreeTumorError(Exception):
    """Base of every error raised on purpose. ``kind`` is stable and machine-readable."""

    exit_code = 1

    def __init__(self, message: str, *, kind: str = "error") -> None:
        super().__init__(" ".join(message.split()))
        self.kind = kind


class BadInput(FreeTumorError):
    """The input or the usage is wrong.

    Args:
        expected: what would have been right.
        got: what came instead.
        hint: what the user can do about it.
        kind: stable identifier such as ``"not_hu"`` or ``"grid_mismatch"``.
    """

    exit_code = 2

    def __init__(self, expected: str, got: str, hint: str = "", *, kind: str) -> None:
        self.hint = hint
        message = f"expected {expected}; got {got}"
        super().__init__(f"{message}. {hint}" if hint else message, kind=kind)


class OutputError(FreeTumorError):
    """The result could not be written (disk full, ...). Nothing half-written is left."""


class Rejected(FreeTumorError):
    """The quality test threw the result away; ``verdicts`` holds the reasons per lesion."""

    exit_code = 3

    def __init__(self, message: str, verdicts: list[dict]) -> None:
        super().__init__(message, kind="rejected")
        self.verdicts = verdicts
