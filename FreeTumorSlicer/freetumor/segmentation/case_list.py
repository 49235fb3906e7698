"""The cases of a folder, one after the other, as a reviewer works through them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from freetumor.anatomy import ORGANS
from freetumor.cases.case import CT, LABELS, PROVENANCE
from freetumor.errors import BadInput
from freetumor.segmentation.versions import STATUSES, PseudoLabel


@dataclass(frozen=True)
class ReviewCase:
    """A folder with a CT and its label map; synthetic cases also have a provenance."""

    path: Path

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def ct(self) -> Path:
        """Path of the CT."""
        return self.path / CT

    @property
    def pseudo_label(self) -> PseudoLabel:
        """Its label map with all versions."""
        return PseudoLabel(self.path)

    @property
    def organ(self) -> str | None:
        """Organ by its provenance; None where there is none (a pseudo-labelled real CT)."""
        try:
            name = json.loads((self.path / PROVENANCE).read_text("utf-8")).get("organ")
        except FileNotFoundError:
            return None
        except (ValueError, AttributeError) as error:
            raise BadInput("JSON", f"{self.path / PROVENANCE}: {error}", kind="not_a_case") from error
        return name if name in ORGANS else None


class CaseList:
    """Cases of `folder` (its sub-folders with a CT and a label map) in natural order, and a cursor."""

    def __init__(self, folder: str | Path) -> None:
        """Raises :class:`BadInput` if `folder` holds no case."""
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise BadInput("a folder of cases", f"{self.folder}, which is none", kind="not_a_folder")
        found = [p for p in self.folder.iterdir() if not p.name.startswith(".") and _is_case(p)]
        if not found:
            raise BadInput(
                f"a folder with cases (sub-folders with {CT} and {LABELS})",
                f"{self.folder} without any",
                "Choose the folder above the cases.",
                kind="no_cases",
            )
        self.cases = [ReviewCase(path) for path in sorted(found, key=_natural)]
        self.index = 0

    def __len__(self) -> int:
        return len(self.cases)

    @property
    def current(self) -> ReviewCase:
        """The case under the cursor."""
        return self.cases[self.index]

    def go(self, index: int) -> ReviewCase:
        """Set the cursor to `index`; raises :class:`BadInput` outside the list."""
        if not 0 <= index < len(self.cases):
            raise BadInput(f"a case from 1 to {len(self.cases)}", str(index + 1), kind="usage")
        self.index = index
        return self.current

    def next(self) -> ReviewCase | None:
        """The next case, or None at the end, where the cursor stays."""
        return self.go(self.index + 1) if self.index + 1 < len(self.cases) else None

    def previous(self) -> ReviewCase | None:
        """The case before, or None at the start, where the cursor stays."""
        return self.go(self.index - 1) if self.index > 0 else None

    def next_open(self) -> ReviewCase | None:
        """The next case, from the cursor on and around, whose latest version nobody has judged yet."""
        for step in range(1, len(self.cases) + 1):
            index = (self.index + step) % len(self.cases)
            if self.cases[index].pseudo_label.latest().status == STATUSES[0]:
                return self.go(index)
        return None


def _is_case(path: Path) -> bool:
    return (path / CT).is_file() and (path / LABELS).is_file()


def _natural(path: Path) -> list:
    """case2 before case10."""
    return [int(part) if part.isdecimal() else part.lower() for part in re.split(r"(\d+)", path.name)]
