"""Organs in a whole CT, by a segmenter: the learned half of the Organ Pseudo-Labeler."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from freetumor.anatomy import ORGANS, Organ
from freetumor.errors import BadInput
from freetumor.models.model import Model
from freetumor.segmentation.body import body_box
from freetumor.segmentation.class_probabilities import OVERLAP, ClassProbabilities, class_probabilities
from freetumor.segmentation.lesions import parts_of
from freetumor.volume import Volume

LEAST_SHARE = 0.1  # of the largest part: a second kidney may be small or cut off, a crumb is no kidney


def organ_classes(model: Model) -> set[str]:
    """Rows of the organ table whose organ the segmenter of `model` labels; none if it has no segmenter.

    Of its classes those count that its record names as its organs: a class may be there and not be learned.
    """
    spec = model.networks.get("segmenter")
    classes = spec.settings.get("classes", ()) if spec else ()
    rows = (ORGANS[name] for name in model.organs)
    return {row.name for row in rows if row.organ_label in classes}


def check_organs(model: Model, organs: Sequence[Organ]) -> None:
    """Raise :class:`BadInput`, kind "wrong_organ", unless the segmenter of `model` labels all of `organs`."""
    known = organ_classes(model)
    missing = [row.name for row in organs if row.name not in known]
    if missing:
        raise BadInput(
            f"a segmenter with a class for {', '.join(missing)}",
            f"{model.name}, which labels {', '.join(sorted(known)) or 'none that its record states'}",
            kind="wrong_organ",
        )


def segment_organs(
    ct: Volume,
    organs: Sequence[Organ],
    model: Model,
    *,
    lesions: bool = False,
    crumbs: bool = False,
    device: str = "auto",
    backend: str = "auto",
    overlap: float = OVERLAP,
    progress: Callable[[str, float], None] = lambda message, share: None,
    log: Callable[[str], None] | None = None,
) -> tuple[Volume, dict]:
    """Label `organs` in `ct`, of any spacing and orientation.

    A voxel gets the most probable class, on the CT's own grid; other organs that the model knows compete,
    whether they are asked for or not. Of each organ only its largest parts are kept, as many as it has.

    Args:
        ct: in HU. organs: of the model's group. model: one whose segmenter has a class for each of them.
        lesions: keep the classes of lesions, where the model has them; else a lesion is part of its organ.
        crumbs: keep parts of any size.
        device, backend, overlap, progress, log: as of ``segment_volume``.

    Returns:
        Labels, uint8 on the CT's grid, ids of the ``freetumor`` convention; and facts for the record.

    Raises:
        BadInput: kind "wrong_organ", "usage", "no_gpu", or what loading the model raises.
        FreeTumorError: kind "out_of_memory".
    """
    from freetumor.nets.backends import say

    started = time.perf_counter()
    check_organs(model, organs)
    box = body_box(ct)
    says = class_probabilities(
        ct, model, box, device=device, backend=backend, overlap=overlap, progress=progress, log=log or say
    )
    kept = {row.organ_label for row in organs} | {row.lesion_label for row in organs if lesions}
    found = _most_probable(says, _structures(says.classes, model.group, lesions), kept, progress)
    dropped = 0 if crumbs else sum(_drop_crumbs(found, row) for row in organs)
    made = np.zeros(ct.array.shape, np.uint8)
    made[box.slices] = found
    facts = {
        **says.facts,
        "organs": [row.name for row in organs],
        "lesions": "kept" if lesions else "part of their organ",
        "crumbs_left_out_ml": None if crumbs else round(dropped * ct.geometry.voxel_volume / 1000.0, 1),
        "seconds": round(time.perf_counter() - started, 2),
    }
    return ct.like(made, f"organs by {model.name}"), facts


def _structures(classes: Sequence[int], group: str, lesions: bool) -> dict[int, list[int]]:
    """Label ids that compete -> the channels whose probabilities add up to theirs."""
    organ_of = {r.lesion_label: r.organ_label for r in ORGANS.values() if r.group == group and not lesions}
    structures: dict[int, list[int]] = {}
    for channel, label in enumerate(classes):
        whole = organ_of.get(label, label)
        structures.setdefault(whole if whole in classes else label, []).append(channel)
    return structures


def _most_probable(
    says: ClassProbabilities,
    structures: dict[int, list[int]],
    kept: set[int],
    progress: Callable[[str, float], None],
) -> np.ndarray:
    found = np.zeros(says.box.shape, np.uint8)
    for part in says.slabs(progress):
        target = found[part.within(says.box)]
        best = np.full(part.shape, -1.0, np.float32)
        for label, channels in structures.items():
            share = sum(says.on_ct(channel, part) for channel in channels)
            wins = share > best
            best[wins] = share[wins]
            target[wins] = label if label in kept else 0
    return found


def _drop_crumbs(found: np.ndarray, organ: Organ) -> int:
    """Take all but the largest parts of an organ (with its lesions) out of `found`; how many voxels."""
    inside = (found == organ.organ_label) | (found == organ.lesion_label)
    parts = sorted(parts_of(inside), key=lambda part: -np.count_nonzero(part.inside))
    sizes = [np.count_nonzero(part.inside) for part in parts]
    dropped = 0
    for number, (part, size) in enumerate(zip(parts, sizes, strict=True)):
        if number >= organ.parts or size < LEAST_SHARE * sizes[0]:
            found[part.box.slices][part.inside] = 0
            dropped += size
    return dropped
