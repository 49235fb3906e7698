"""The case folder, the unit of data: written whole or not at all, never over another."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from freetumor.errors import BadInput
from freetumor.files import appearing, write_json
from freetumor.pipeline import Synthesis
from freetumor.report.preview import preview
from freetumor.synthesis.provenance import provenance
from freetumor.volume import write_volume

CT, LABELS, TUMOR_MASK = "ct.nii.gz", "labels.nii.gz", "tumor_mask.nii.gz"
PROVENANCE, PREVIEW = "provenance.json", "preview.png"
FILES = (CT, LABELS, TUMOR_MASK, PROVENANCE, PREVIEW)


@dataclass(frozen=True)
class Case:
    """A finished case folder."""

    path: Path
    provenance: dict

    @property
    def name(self) -> str:
        """The folder's name: the case's id in exports."""
        return self.path.resolve().name


def write_case(folder: str | Path, synthesis: Synthesis, hashes: dict[str, str]) -> Case:
    """Write a synthesis as a case folder.

    Args:
        folder: must not exist yet; its parent is made.
        hashes: fingerprints of the inputs ("ct", "labels", perhaps "mask"), taken before the synthesis.

    Raises:
        BadInput: the folder exists, or cannot be made there.
        OutputError: the disk is full. Nothing is left behind.
    """
    folder = Path(folder)
    record = provenance(synthesis, hashes)
    with appearing(folder) as partial:
        write_volume(synthesis.ct, partial / CT)
        instances = synthesis.instances()
        labels = synthesis.labels.in_group_convention()
        labels[instances > 0] = synthesis.labels.organ.lesion_label
        write_volume(synthesis.ct.like(labels), partial / LABELS)
        write_volume(synthesis.ct.like(instances), partial / TUMOR_MASK)
        preview(synthesis).save(partial / PREVIEW)
        write_json(partial / PROVENANCE, record)
    return Case(folder, record)


def read_case(folder: str | Path) -> Case:
    """A case folder written by :func:`write_case`; raises :class:`BadInput` if it is not one."""
    folder = Path(folder)
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise BadInput(
            f"a case folder with {', '.join(FILES)}",
            f"{folder} without {', '.join(missing)}",
            "Make one with 'freetumor synthesize'.",
            kind="not_a_case",
        )
    try:
        record = json.loads((folder / PROVENANCE).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BadInput("JSON", f"{folder / PROVENANCE}: {error}", kind="not_a_case") from error
    return Case(folder, record)
