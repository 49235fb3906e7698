"""What a labeler is: a way to label organs in a CT."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from freetumor.anatomy import Organ
from freetumor.errors import BadInput
from freetumor.volume import Volume


def _silent(*_: object) -> None:
    return None


@dataclass(frozen=True)
class Options:
    """What may be said to a labeler; it takes what concerns it.

    Attributes:
        model: of "learned", a name or a folder; None: the first installed one that fits.
        lesions: of "learned": keep a model's classes of lesions; else a lesion is part of its organ.
        crumbs: of "learned": keep parts of an organ that lie apart, however small.
        fast: of "totalsegmentator": its network for voxels of 3 mm, in place of 1.5 mm; None: where there
            is no GPU.
        device: auto, cpu or cuda. backend: of "learned", see ``freetumor.nets.backends``.
        progress: message and share done; may raise to stop. log: gets lines such as a fallback.
    """

    model: str | None = None
    lesions: bool = False
    crumbs: bool = False
    fast: bool | None = None
    device: str = "auto"
    backend: str = "auto"
    progress: Callable[[str, float], None] = _silent
    log: Callable[[str], None] = _silent


@dataclass(frozen=True, eq=False)
class Labelled:
    """Labels on the CT's grid (uint8, ids of the ``freetumor`` convention), and how they were made.

    `record`: labeler, version, licence, and what else tells these labels from those of another run.
    """

    labels: Volume
    record: Mapping


@dataclass(frozen=True)
class Labeler:
    """One way to label organs.

    Attributes:
        name: what ``--labeler`` takes. title: for people.
        organs: rows of the organ table that it could ever label. takes: options that are of it alone.
        obstacle: why it cannot label these organs here and now, with what to do about it; None if it can.
            Cheap: nothing is loaded.
        label: labels these organs in a CT; raises :class:`BadInput` or another error of ours.
    """

    name: str
    title: str
    organs: tuple[str, ...]
    takes: tuple[str, ...]
    obstacle: Callable[[Sequence[Organ], Options], BadInput | None]
    label: Callable[[Volume, Sequence[Organ], Options], Labelled]

    def can(self, organs: Sequence[Organ]) -> bool:
        """Whether it is a labeler for all of `organs`, once what it needs is there."""
        return all(row.name in self.organs for row in organs)

    def strangers(self, options: Options) -> list[str]:
        """Options that are said and are of another labeler."""
        said = [name for name in ("model", "lesions", "crumbs", "fast") if getattr(options, name)]
        return [name for name in said if name not in self.takes]
