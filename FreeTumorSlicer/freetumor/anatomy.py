"""The organ table. Adding an organ is adding a row; no other file names organs.

Figures and their sources
* ``window``, ``working_spacing``, ``patch`` and label ids: the paper (arXiv 2502.18519) and its released
  program, which has two label groups, abdomen (7 classes) and chest (3 classes).
* ``size_percentiles``: equivalent-sphere diameters of real tumors, 5/25/50/75/95 % (LiTS lesions, MSD
  pancreas, KiTS23, MSD lung). No labelled COVID-19 CT was at hand: that row is an assumption.
* HU ranges: the usual attenuation on CT from unenhanced to portal-venous phase. `contrast` was checked
  against the expert-labelled lesions of LiTS case 0 (lesion minus liver: -10 to -51, mean -30 HU).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from freetumor.errors import BadInput

PERCENTILES = (5, 25, 50, 75, 95)
SIZE_CLASSES = MappingProxyType({"tiny": (0, 1), "small": (1, 2), "medium": (2, 3), "large": (3, 4)})


@dataclass(frozen=True)
class Code:
    """A SNOMED CT code as DICOM writes it (coding scheme SCT)."""

    value: str
    meaning: str


NEOPLASM = Code("108369006", "Neoplasm")
LESION = Code("52988006", "Lesion")


@dataclass(frozen=True)
class Contrast:
    """HU of a lesion relative to the organ around it.

    ``lesion = baseline + keep * (organ - baseline)`` with `keep` drawn from its range, so that the
    contrast follows the organ's enhancement; its size is then held within `limits` (HU, positive).
    """

    baseline: float
    keep: tuple[float, float]
    limits: tuple[float, float]


@dataclass(frozen=True)
class Appearance:
    """What the inside of a lesion looks like; read by the procedural engine.

    Attributes:
        texture_hu: standard deviation of the slow texture, HU.
        texture_mm: correlation length of the texture, mm.
        edge_mm: range of the width (sigma) of the lesion's border, mm.
        rim: probability of an enhancing rim; `core` of a necrotic core (lesions above 15 mm only).
        filling: share of the change that is taken: 1 replaces the tissue, less lets it shine through.
        keeps_bright: structures brighter than the lesion (vessels) stay visible, as in ground glass.
    """

    texture_hu: float
    texture_mm: float
    edge_mm: tuple[float, float]
    rim: float = 0.0
    core: float = 0.0
    filling: tuple[float, float] = (1.0, 1.0)
    keeps_bright: bool = False


@dataclass(frozen=True)
class Organ:
    """One row: an organ with its kind of lesion.

    Attributes:
        name: what ``--organ`` takes. `title`: the organ with its lesion, for people.
        group: label group, "abdomen" or "chest".
        organ_label, lesion_label: ids in the ``freetumor`` convention of the group.
        totalsegmentator: ids of the organ in TotalSegmentator v2's "total" task.
        window: HU window (low, high). `working_spacing`: mm, (k, j, i). `patch`: voxels, (k, j, i).
        polarity: -1 where lesions are darker than the organ, +1 where they are brighter.
        organ_hu: plausible range of the organ's median HU. `lesion_hu`: of the lesion's.
        size_percentiles: diameters in mm at :data:`PERCENTILES`.
        shapes: key of the shape statistics (``masks/shape_statistics.json``).
        exophytic: probability that a sampled lesion may bulge out of the organ.
        subpleural: probability that a sampled lesion sits at the organ's border.
        minimum_ml: an organ mask smaller than this is taken for an error. parts: connected parts that it has.
        site, finding: SNOMED CT codes.
        labelers: what makes labels of this organ, for the message when they are missing.
    """

    name: str
    title: str
    group: str
    organ_label: int
    lesion_label: int
    totalsegmentator: tuple[int, ...]
    window: tuple[float, float]
    working_spacing: tuple[float, float, float]
    patch: tuple[int, int, int]
    polarity: int
    organ_hu: tuple[float, float]
    lesion_hu: tuple[float, float]
    contrast: Contrast
    appearance: Appearance
    size_percentiles: tuple[float, float, float, float, float]
    shapes: str
    site: Code
    finding: Code
    exophytic: float = 0.0
    subpleural: float = 0.0
    minimum_ml: float = 5.0
    parts: int = 1
    labelers: str = "'freetumor label-organs' (with TotalSegmentator), VISTA3D or manual segmentation"

    def size_class(self, name: str) -> tuple[float, float]:
        """Range of diameters in mm of a size class, between two size percentiles of real tumors."""
        if name not in SIZE_CLASSES:
            raise BadInput(f"a size class of {', '.join(SIZE_CLASSES)}", repr(name), kind="usage")
        low, high = SIZE_CLASSES[name]
        return self.size_percentiles[low], self.size_percentiles[high]


_ABDOMEN = {
    "group": "abdomen",
    "window": (-175.0, 250.0),
    "working_spacing": (1.5, 1.5, 1.5),
    "patch": (96, 96, 96),
    "polarity": -1,
}
_CHEST = {
    "group": "chest",
    "window": (-1000.0, 500.0),
    "working_spacing": (5.0, 1.25, 1.25),
    "patch": (32, 192, 192),
    "polarity": +1,
    "organ_label": 1,
    "lesion_label": 2,
    "totalsegmentator": (10, 11, 12, 13, 14),
    "organ_hu": (-980.0, -350.0),
    "site": Code("39607008", "Lung"),
    "minimum_ml": 100.0,
    "parts": 2,
    "labelers": "'freetumor label-organs', TotalSegmentator (task 'total') or manual segmentation",
}

_ROWS = (
    Organ(
        name="liver",
        title="liver tumor",
        organ_label=1,
        lesion_label=2,
        totalsegmentator=(5,),
        organ_hu=(0.0, 220.0),
        lesion_hu=(-20.0, 160.0),
        contrast=Contrast(baseline=30.0, keep=(0.3, 0.65), limits=(22.0, 60.0)),
        appearance=Appearance(6.0, 4.0, (0.6, 1.4), rim=0.35, core=0.45),
        size_percentiles=(4.0, 7.0, 10.0, 16.0, 41.0),
        shapes="liver",
        site=Code("10200004", "Liver"),
        finding=NEOPLASM,
        minimum_ml=50.0,
        **_ABDOMEN,
    ),
    Organ(
        name="pancreas",
        title="pancreas tumor",
        organ_label=3,
        lesion_label=4,
        totalsegmentator=(7,),
        organ_hu=(-40.0, 200.0),
        lesion_hu=(-20.0, 140.0),
        contrast=Contrast(baseline=30.0, keep=(0.2, 0.5), limits=(28.0, 60.0)),
        appearance=Appearance(6.0, 4.0, (0.7, 1.5), core=0.25),
        size_percentiles=(13.0, 17.0, 22.0, 27.0, 42.0),
        shapes="pancreas",
        site=Code("15776009", "Pancreas"),
        finding=NEOPLASM,
        exophytic=0.6,
        **_ABDOMEN,
    ),
    Organ(
        name="kidney",
        title="kidney tumor",
        organ_label=5,
        lesion_label=6,
        totalsegmentator=(2, 3),
        organ_hu=(0.0, 320.0),
        lesion_hu=(-20.0, 200.0),
        contrast=Contrast(baseline=35.0, keep=(0.25, 0.6), limits=(18.0, 120.0)),
        appearance=Appearance(10.0, 5.0, (0.5, 1.1), rim=0.3, core=0.5),
        size_percentiles=(17.0, 26.0, 42.0, 64.0, 109.0),
        shapes="kidney",
        site=Code("64033007", "Kidney"),
        finding=NEOPLASM,
        exophytic=0.75,
        minimum_ml=15.0,
        parts=2,
        **_ABDOMEN,
    ),
    Organ(
        name="lung",
        title="lung tumor",
        lesion_hu=(-650.0, 150.0),
        contrast=Contrast(baseline=35.0, keep=(-0.03, 0.06), limits=(150.0, 1000.0)),
        appearance=Appearance(14.0, 3.0, (0.5, 1.0), core=0.2),
        size_percentiles=(4.0, 14.0, 21.0, 29.0, 54.0),
        shapes="lung",
        finding=NEOPLASM,
        subpleural=0.3,
        **_CHEST,
    ),
    Organ(
        name="covid",
        title="COVID-19 lesion",
        lesion_hu=(-780.0, 100.0),
        contrast=Contrast(baseline=0.0, keep=(0.6, 0.78), limits=(100.0, 500.0)),
        appearance=Appearance(45.0, 5.0, (1.5, 2.5), filling=(0.85, 1.0), keeps_bright=True),
        size_percentiles=(8.0, 15.0, 25.0, 38.0, 65.0),
        shapes="covid",
        finding=LESION,
        subpleural=0.85,
        **_CHEST,
    ),
)

ORGANS = MappingProxyType({row.name: row for row in _ROWS})


def organ(name: str) -> Organ:
    """The row of `name`; raises :class:`BadInput` naming the organs there are."""
    if name.lower() not in ORGANS:
        raise BadInput(f"an organ of {', '.join(ORGANS)}", repr(name), kind="usage")
    return ORGANS[name.lower()]


def group_labels(group: str) -> dict[str, int]:
    """Names and ids of all labels of a group, background first (nnU-Net's ``labels``)."""
    labels = {"background": 0}
    for row in ORGANS.values():
        if row.group == group:
            labels.setdefault(row.site.meaning.lower(), row.organ_label)
            labels.setdefault("lesion" if group == "chest" else row.title, row.lesion_label)
    return dict(sorted(labels.items(), key=lambda item: item[1]))
