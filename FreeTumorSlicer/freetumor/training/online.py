"""Online synthesis: a tumor for one training patch, made by the product's own rooms on the working grid.

Mask, engine, composition and quality test are those of :func:`freetumor.pipeline.synthesize`; what is
another here is that nothing is written into the scan, which all patches share.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from freetumor.anatomy import SIZE_CLASSES, Organ
from freetumor.masks import DoesNotFit, TumorMask, largest_diameter, sample_diameter, sample_mask
from freetumor.masks.fitting import size_is_reachable
from freetumor.masks.placement import OrganMap
from freetumor.organs import OrganLabels
from freetumor.pipeline import JUDGE_CONTEXT_MM, LesionRandom
from freetumor.quality import Evidence, Judge, quality_test
from freetumor.request import Request, engine_and_judges
from freetumor.synthesis import Engine, Patch, Style, compose
from freetumor.training.cache import Prepared
from freetumor.volume import Box, Geometry, Volume

_MOST_MAPS = 128  # maps of organs that are kept; each takes about a megabyte


@dataclass(frozen=True, eq=False)
class Made:
    """A tumor on the working grid.

    Attributes:
        mask: where it is; None if no try gave one. rejected: tries that the quality test threw away, or that
            found no room.
        box: what was edited. after: its values then, as the scan stores them; None where nothing was put in.
    """

    mask: TumorMask | None
    rejected: int
    box: Box | None = None
    after: np.ndarray | None = None


class _Room(NamedTuple):
    """An organ of a scan: its maps, and the largest diameter in mm that finds room there."""

    maps: dict[bool, OrganMap]
    largest: float


class OnlineSynthesis:
    """Makes tumors; one for each process.

    Args:
        request: engine, model, judges, and whether they gate; None samples masks and puts nothing in.
        tries: at one tumor.
    """

    def __init__(self, request: Request | None, tries: int) -> None:
        self._request, self._tries = request, tries
        self._makers: dict[str, tuple[Engine, Mapping[str, Judge]]] = {}
        self._maps: OrderedDict[tuple[str, str], _Room] = OrderedDict()

    def check(self, organ: Organ) -> None:
        """Raise :class:`BadInput` where engine or judges cannot be had for `organ`; cheap."""
        if self._request is not None:
            self._maker(organ)

    def tumor(self, scan: Prepared, organ: Organ, size_class: str, seed: int) -> Made:
        """A tumor of `organ` in `scan`; of the largest size that fits where its own does not.

        Args:
            size_class: of :data:`freetumor.anatomy.SIZE_CLASSES`.
            seed: the only source of chance. Every try has the same size, another place, shape and look,
                so that what the test prefers does not change the sizes.
        """
        labels = OrganLabels(scan.labels, organ, (organ.organ_label,), (organ.lesion_label,), "freetumor")
        for attempt in range(self._tries):
            chance = LesionRandom.of(seed, organ, attempt=attempt)
            diameter = _resolvable(sample_diameter(organ, size_class, chance.size), scan.geometry)
            mask = self._mask(scan, labels, diameter, chance.mask)
            made = None if mask is None else self._made(scan, labels, mask, chance.look, attempt)
            if made is not None:
                return made
        return Made(None, self._tries)

    def _mask(
        self, scan: Prepared, labels: OrganLabels, diameter: float, rng: np.random.Generator
    ) -> TumorMask | None:
        """A mask; where the size does not fit, of the largest one that does. None if nothing does."""
        key = (str(scan.folder), labels.organ.name)
        if key not in self._maps:
            maps: dict[bool, OrganMap] = {}
            self._maps[key] = _Room(maps, largest_diameter(scan.ct, labels, maps))
            if len(self._maps) > _MOST_MAPS:
                self._maps.popitem(last=False)
        self._maps.move_to_end(key)
        maps, largest = self._maps[key].maps, self._maps[key].largest
        smallest = labels.organ.size_class(next(iter(SIZE_CLASSES)))[0]
        if largest < smallest:
            return None
        if diameter > largest:
            diameter = _resolvable(max(smallest, 0.95 * largest), scan.geometry)
        try:
            return sample_mask(scan.ct, labels, diameter, rng, maps=maps)
        except DoesNotFit as error:
            if error.largest_mm < smallest:
                return None
            diameter = _resolvable(max(smallest, 0.95 * error.largest_mm), scan.geometry)
        try:
            return sample_mask(scan.ct, labels, diameter, rng, maps=maps)
        except DoesNotFit:
            return None

    def _made(
        self,
        scan: Prepared,
        labels: OrganLabels,
        mask: TumorMask,
        rng: np.random.Generator,
        attempt: int,
    ) -> Made | None:
        if self._request is None:
            return Made(mask, attempt)
        maker, judges = self._maker(labels.organ)
        patch = Patch.around(scan.ct, labels, mask, max(maker.context_mm, JUDGE_CONTEXT_MM))
        edit = compose(scan.ct, patch, maker.residual(patch, rng, Style()).hu)
        after = Volume(edit.after, patch.geometry, scan.ct.storage)
        if self._request.gate and not quality_test(Evidence(patch, after.hu()), judges).passed:
            return None
        return Made(mask, attempt, edit.box, edit.after)

    def _maker(self, organ: Organ) -> tuple[Engine, Mapping[str, Judge]]:
        if organ.name not in self._makers:
            self._makers[organ.name] = engine_and_judges(self._request, organ)
        return self._makers[organ.name]


def _resolvable(diameter: float, geometry: Geometry) -> float:
    """The next larger diameter in mm that whole voxels of a coarse grid can have."""
    while not size_is_reachable(diameter, geometry):
        diameter *= 1.02
    return diameter
