"""Versions of a pseudo-label: the original stays as it was, each correction is a new file.

Beside the original ``labels.nii.gz`` lie ``labels_v01.nii.gz``, ``labels_v02.nii.gz``, ... each with a
record ``labels_v01.json`` (author, comment, what it was based on, SHA-256, reviews). The record is written
last: a label map without one is what a killed process left, and is no version.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from freetumor.cases.case import LABELS
from freetumor.errors import BadInput
from freetumor.files import os_errors, write_json
from freetumor.volume import Volume, check_same_grid, on_grid, read_volume, write_volume

STATUSES = ("open", "approved", "flagged")
_SUFFIX = ".nii.gz"
_READ_ONLY = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH
_SCHEMA = 1


@dataclass(frozen=True)
class Review:
    """What one person said of a version: `status` is one of :data:`STATUSES`; `at` is UTC, ISO 8601."""

    status: str
    author: str
    comment: str
    at: str


@dataclass(frozen=True)
class Version:
    """One version. `number` 0 is the original, whose `author` and `comment` are empty.

    Attributes:
        based_on: the version that was corrected; None for the original.
        sha256: of the file; empty for an original that nobody has reviewed or corrected yet.
    """

    number: int
    path: Path
    author: str = ""
    comment: str = ""
    created: str = ""
    based_on: int | None = None
    sha256: str = ""
    reviews: tuple[Review, ...] = ()

    @property
    def name(self) -> str:
        """``"original"``, ``"v01"``, ``"v02"``, ..."""
        return f"v{self.number:02d}" if self.number else "original"

    @property
    def status(self) -> str:
        """What the last review said; ``"open"`` before any."""
        return self.reviews[-1].status if self.reviews else STATUSES[0]


class PseudoLabel:
    """The label map of a case folder and its versions; reads the folder anew at each call."""

    def __init__(self, case: str | Path, labels: str = LABELS) -> None:
        """`case`: folder with the label map `labels` (.nii.gz); raises :class:`BadInput` without one."""
        self.original = Path(case) / labels
        if not self.original.is_file() or not labels.endswith(_SUFFIX):
            raise BadInput(f"a case folder with {labels}", str(case), kind="not_a_case")
        self._stem = labels.removesuffix(_SUFFIX)

    def versions(self) -> list[Version]:
        """All versions, the original first; raises :class:`BadInput` for a damaged record."""
        numbers = [n for n in self._numbers(".json") if n and self._path(n).is_file()]
        return [self._read_record(number) for number in (0, *sorted(numbers))]

    def latest(self) -> Version:
        """The newest version."""
        return self.versions()[-1]

    def version(self, number: int) -> Version:
        """Version `number`; raises :class:`BadInput` naming those there are."""
        for version in self.versions():
            if version.number == number:
                return version
        names = ", ".join(v.name for v in self.versions())
        raise BadInput(f"a version of {names}", f"v{number:02d}", kind="no_such_version")

    def read(self, number: int) -> Volume:
        """The label map of a version.

        Raises:
            BadInput: no such version, or the file is not what was saved (kind "changed").
        """
        version = self.version(number)
        if version.sha256 and _sha256(version.path) != version.sha256:
            raise BadInput(
                f"{version.path.name} as it was saved",
                "a file that was changed since",
                "Restore it from a backup, or go on from another version.",
                kind="changed",
            )
        return read_volume(version.path)

    def save(self, labels: Volume, *, author: str, comment: str = "", based_on: int | None = None) -> Version:
        """Save `labels` as the next version; what is there already is never touched.

        Args:
            labels: on the grid of the original. based_on: the version corrected; the latest by default.

        Raises:
            BadInput: no author, another grid, no such `based_on`, or a folder that cannot be written.
            OutputError: the disk is full; nothing is left behind.
        """
        author = _checked_author(author)
        base = self.latest() if based_on is None else self.version(based_on)
        original = read_volume(self.original)
        labels = on_grid(labels, original.geometry)
        check_same_grid(original, labels, "the corrected label map", hint="Correct it on the CT of its case.")
        self._protect_original()
        partial = self.original.with_name(f".{self._stem}.new-{os.getpid()}{_SUFFIX}")
        try:
            write_volume(labels, partial)
            digest = _sha256(partial)
            with os_errors(self.original.parent):
                number, path = self._claim(partial)
        finally:
            partial.unlink(missing_ok=True)
        version = Version(number, path, author, comment.strip(), _now(), base.number, digest)
        try:
            self._write_record(version)
        except BaseException:
            path.unlink()
            raise
        return version

    def review(self, number: int, status: str, *, author: str, comment: str = "") -> Version:
        """Approve or flag a version (or set it back to open): added to its record, which keeps all reviews.

        Raises:
            BadInput: unknown status, no author, a flag without a comment, or no such version.
        """
        if status not in STATUSES:
            raise BadInput(f"a status of {', '.join(STATUSES)}", repr(status), kind="usage")
        if status == "flagged" and not comment.strip():
            raise BadInput("a comment that says what is wrong", "none", "Write one, then flag.", kind="usage")
        review = Review(status, _checked_author(author), comment.strip(), _now())
        self._protect_original()
        version = self.version(number)
        version = replace(version, reviews=(*version.reviews, review))
        self._write_record(version)
        return version

    def _claim(self, partial: Path) -> tuple[int, Path]:
        """Give `partial` the next free number. A link cannot overwrite, so two writers never collide."""
        while True:
            number = max((0, *self._numbers(_SUFFIX), *self._numbers(".json"))) + 1
            path = self._path(number)
            try:
                partial.chmod(_READ_ONLY)
                os.link(partial, path)
            except FileExistsError:
                continue
            except OSError:  # a file system without hard links (FAT, some network shares)
                try:
                    with path.open("xb") as target:
                        target.write(partial.read_bytes())
                except FileExistsError:
                    continue
                path.chmod(_READ_ONLY)
            return number, path

    def _protect_original(self) -> None:
        """Make the original read-only and note its hash, once."""
        if not self._record(0).exists():
            self._write_record(Version(0, self.original, sha256=_sha256(self.original)))
        with os_errors(self.original.parent):
            self.original.chmod(_READ_ONLY)

    def _numbers(self, suffix: str) -> list[int]:
        pattern = re.compile(rf"{re.escape(self._stem)}_v(\d+){re.escape(suffix)}")
        names = (pattern.fullmatch(path.name) for path in self.original.parent.iterdir())
        return [int(match[1]) for match in names if match]

    def _path(self, number: int) -> Path:
        return self.original.with_name(f"{self._stem}_v{number:02d}{_SUFFIX}") if number else self.original

    def _record(self, number: int) -> Path:
        return self.original.with_name(f"{self._stem}_v{number:02d}.json")

    def _read_record(self, number: int) -> Version:
        path = self._record(number)
        if number == 0 and not path.exists():
            return Version(0, self.original)
        try:
            record = json.loads(path.read_text("utf-8"))
            reviews = tuple(Review(**review) for review in record.pop("reviews"))
            if record.pop("schema") != _SCHEMA or record.pop("file") != self._path(number).name:
                raise ValueError("written by another version of FreeTumor, or renamed")
            return Version(number, self._path(number), **record, reviews=reviews)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            hint = "Restore it from a backup, or move it away together with its label map."
            raise BadInput("the record of a version", f"{path}: {error}", hint, kind="bad_record") from error

    def _write_record(self, version: Version) -> None:
        record = asdict(version)
        record.pop("number")
        record["file"] = record.pop("path").name
        with os_errors(self.original.parent):
            write_json(self._record(version.number), {"schema": _SCHEMA, **record})


def _checked_author(author: str) -> str:
    if not author.strip():
        raise BadInput("the name of who reviews", "none", "Fill in the author.", kind="no_author")
    return author.strip()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
