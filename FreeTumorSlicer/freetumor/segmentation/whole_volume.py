"""An organ and its lesions in a whole CT, by a segmenter."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from freetumor.anatomy import Organ
from freetumor.errors import BadInput
from freetumor.models.model import Model
from freetumor.organs import OrganLabels
from freetumor.segmentation.body import body_box
from freetumor.segmentation.class_probabilities import OVERLAP, ClassProbabilities, class_probabilities
from freetumor.segmentation.lesions import near_organ, parts_of
from freetumor.volume import Box, Storage, Volume, check_same_grid

SMALLEST_MM3 = 10.0  # a ball of 2.7 mm: smaller than what is reported as a lesion, and mostly noise
MARGIN_MM = 24.0  # around the organ: what a segmenter wants to see of its surroundings
NEAR_MM = 5.0  # a lesion this far from the given organ and farther is not one of this organ
_STEPS = 255  # of a stored probability


@dataclass(frozen=True, eq=False)
class Segmented:
    """What a segmenter found.

    Attributes:
        labels: uint8 on the CT's grid: the ids of the organ and of its lesions in the ``freetumor``
            convention, all else 0.
        probability: of the lesion, on the CT's grid, 0 outside of what was segmented. Stored as uint8 with
            a slope of 1/255, so that it takes a byte a voxel: ``probability.hu(box)`` gives 0..1.
        facts: for the record: model, sha256, device, backend, tile, overlap, windows, seconds, ...
    """

    labels: Volume
    probability: Volume
    facts: dict


def segment_volume(
    ct: Volume,
    organ: Organ,
    model: Model,
    *,
    labels: OrganLabels | None = None,
    device: str = "auto",
    backend: str = "auto",
    overlap: float = OVERLAP,
    smallest_mm3: float = SMALLEST_MM3,
    progress: Callable[[str, float], None] = lambda message, share: None,
    log: Callable[[str], None] | None = None,
) -> Segmented:
    """Segment `organ` and its lesions in `ct`, of any spacing and orientation.

    The labels are the most probable classes on the CT's own grid: probabilities are resampled, not labels,
    a few slices at a time. Lesions below `smallest_mm3` become what they would be if there were no lesions.

    Args:
        ct: in HU. model: one with a segmenter.
        labels: the organ on the CT's grid. With it only the organ and its surroundings are computed, and
            lesions farther than 5 mm from it are left out; without it the body is.
        device: auto, cpu or cuda. backend: auto or a name of ``freetumor.nets.backends.BACKENDS``.
        overlap: of neighbouring windows, 0 to below 1.
        progress: message and share done; called between windows, may raise to stop.
        log: gets lines such as a fallback; Python's logging by default.

    Raises:
        BadInput: kind "wrong_part", "wrong_organ", "usage", "no_gpu", "grid_mismatch", or what loading the
            model raises.
        FreeTumorError: kind "out_of_memory".
    """
    from freetumor.nets.backends import say

    started = time.perf_counter()
    _check_classes(model, organ)
    if not 0 <= overlap < 1:
        raise BadInput("an overlap of windows from 0 to below 1", f"{overlap:g}", kind="usage")
    if labels is not None:
        check_same_grid(ct, labels.labels, "the label map")
    box = body_box(ct) if labels is None else _organ_box(labels)
    says = class_probabilities(
        ct,
        model,
        box,
        device=device,
        backend=backend,
        overlap=overlap,
        progress=progress,
        log=log or say,
    )
    found, instead, chance = _on_ct(says, organ, progress)
    specks, strays = _drop(found, instead, organ, ct, box, labels, smallest_mm3)
    made, probability = np.zeros(ct.array.shape, np.uint8), np.zeros(ct.array.shape, np.uint8)
    made[box.slices], probability[box.slices] = found, chance
    facts = {
        **says.facts,
        "organ": organ.name,
        "cropped_to": "body" if labels is None else "organ",
        "smallest_mm3": smallest_mm3,
        "specks_left_out": specks,
        "lesions_far_from_organ_left_out": strays,
        "seconds": round(time.perf_counter() - started, 2),
    }
    chances = Volume(probability, ct.geometry, Storage(slope=1 / _STEPS), f"probability of {organ.title}")
    return Segmented(ct.like(made, f"segmented {organ.name}"), chances, facts)


def _check_classes(model: Model, organ: Organ) -> None:
    classes = list(model.network("segmenter").settings.get("classes", ()))
    if model.group != organ.group or organ.lesion_label not in classes:
        raise BadInput(
            f"a segmenter with a class for {organ.title} (id {organ.lesion_label} of the {organ.group})",
            f"{model.name}, {model.group} with classes {', '.join(map(str, classes)) or 'not stated'}",
            kind="wrong_organ",
        )


def _organ_box(labels: OrganLabels) -> Box:
    shape = labels.geometry.shape
    organ = labels.mask(Box.whole(shape))
    return Box.of(organ).grown(labels.geometry.margin(MARGIN_MM), shape)


def _on_ct(
    says: ClassProbabilities, organ: Organ, progress: Callable[[str, float], None]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, labels without lesions, and the lesion's probability in steps, on the box of the CT: uint8."""
    kept = (organ.organ_label, organ.lesion_label)
    ids = np.array([value if value in kept else 0 for value in says.classes], np.uint8)
    lesion = says.classes.index(organ.lesion_label)
    # The organ first: where a network is so sure of a lesion that all else is 0, the organ is around it.
    others = sorted((c for c in range(len(ids)) if c != lesion), key=lambda c: ids[c] != organ.organ_label)
    found, instead, chance = (np.zeros(says.box.shape, np.uint8) for _ in range(3))
    for part in says.slabs(progress):
        where = part.within(says.box)
        best = np.full(part.shape, -1.0, np.float32)  # the most probable class that is not the lesion
        for channel in others:
            share = says.on_ct(channel, part)
            wins = share > best
            best[wins] = share[wins]
            instead[where][wins] = ids[channel]
        share = says.on_ct(lesion, part)
        found[where] = np.where(share > best, organ.lesion_label, instead[where])
        chance[where] = np.rint(np.clip(share, 0, 1) * _STEPS)
    return found, instead, chance


def _drop(
    found: np.ndarray,
    instead: np.ndarray,
    organ: Organ,
    ct: Volume,
    box: Box,
    labels: OrganLabels | None,
    smallest_mm3: float,
) -> tuple[int, int]:
    """Take specks and lesions far from the given organ out of `found`; how many of each."""
    voxel, specks, strays = ct.geometry.voxel_volume, 0, 0
    for part in parts_of(found == organ.lesion_label):
        small = part.inside.sum() * voxel < smallest_mm3
        far = not small and labels is not None and not near_organ(part, box, labels, NEAR_MM)
        if small or far:
            target = found[part.box.slices]
            target[part.inside] = instead[part.box.slices][part.inside]
            specks, strays = specks + small, strays + far
    return int(specks), int(strays)
