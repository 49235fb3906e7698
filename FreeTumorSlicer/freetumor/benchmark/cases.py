"""What the benchmark works on, all made up and reproducible: a CT with a liver, and models.

The weights are random. Speed, memory and numerical error do not depend on what a network has learned; how
good its tumors and labels are cannot be told from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy import ndimage

from freetumor.anatomy import organ
from freetumor.models import Model, NetworkSpec, read_model, save_model
from freetumor.organs import OrganLabels, organ_labels
from freetumor.pipeline import Request
from freetumor.volume import Box, Geometry, Volume

ORGAN = "liver"
_CLASSES = tuple(range(7))
_BODY_HU, _FAT_HU, _LIVER_HU, _NOISE_HU = 50.0, -95.0, 110.0, 12.0
_SEED = 20250218


def _models() -> Mapping[str, tuple[str, NetworkSpec]]:
    return {
        "released-generator": ("generator", NetworkSpec("released-unet", {"out_channels": 3})),
        "released-segmenter": ("segmenter", NetworkSpec("swinunetr")),
        "light-generator": ("generator", NetworkSpec("conditional-unet")),
        "light-segmenter": ("segmenter", NetworkSpec("light-unet")),
    }


@dataclass(frozen=True)
class Case:
    """The test case. Shapes are voxels along (k, j, i); the defaults are those of the reference point.

    Attributes:
        ct_shape: the CT. organ_shape: the box of its liver, in the middle. spacing: mm, along each axis,
            of the CT and of the networks.
        diameter: of the lesion in the liver's middle, mm.
        window, overlap, batch: of the naive schedule. small: side of the smaller patch that is compared.
        part_shape: part of the CT in which whole-volume segmentations are compared.
        models: by name: part and network.
    """

    ct_shape: tuple[int, int, int] = (224, 202, 244)
    organ_shape: tuple[int, int, int] = (91, 124, 136)
    spacing: float = 1.5
    diameter: float = 20.0
    window: int = 96
    overlap: float = 0.75
    batch: int = 4
    small: int = 64
    part_shape: tuple[int, int, int] = (96, 96, 144)
    models: Mapping[str, tuple[str, NetworkSpec]] = field(default_factory=_models)

    @property
    def organ_box(self) -> Box:
        """The box of the liver in the CT."""
        return centred(self.ct_shape, self.organ_shape)

    def ct(self) -> tuple[Volume, OrganLabels]:
        """The CT (int16) and its liver."""
        affine = np.diag([self.spacing] * 3 + [1.0])
        affine[:3, 3] = -self.spacing * (np.array(self.ct_shape[::-1]) - 1) / 2
        geometry = Geometry(self.ct_shape, affine)
        hu = np.full(self.ct_shape, -1000.0, np.float32)
        z, y, x = np.ogrid[tuple(slice(-1.0, 1.0, complex(n)) for n in self.ct_shape)]
        body = (x / 0.95) ** 2 + (y / 0.9) ** 2 + 0 * z
        hu[body <= 1] = _FAT_HU
        hu[body <= 0.85] = _BODY_HU
        box = self.organ_box
        steps = [(np.arange(n) - (n - 1) / 2) / (n / 2) for n in box.shape]
        z, y, x = np.ix_(*steps)
        liver = x**2 + y**2 + z**2 <= 1
        hu[box.slices][liver] = _LIVER_HU
        noise = np.random.default_rng(_SEED).standard_normal(self.ct_shape, dtype=np.float32)
        noise = ndimage.gaussian_filter(noise, 0.8)
        hu += noise * (_NOISE_HU / noise.std())
        stored = np.rint(np.clip(hu, -1024, 3071)).astype(np.int16)
        ids = np.zeros(self.ct_shape, np.uint8)
        ids[box.slices][liver] = organ(ORGAN).organ_label
        labels = organ_labels(Volume(ids, geometry), organ(ORGAN))
        return Volume(stored, geometry, name="made-up CT"), labels

    def patch(self, ct: Volume, side: int) -> np.ndarray:
        """The cube of `side` voxels in the middle of the liver as networks see it: (1, k, j, i), 0..1."""
        return scaled(ct, centred(self.ct_shape, (side,) * 3))

    def write_models(self, folder: Path) -> None:
        """Write the models into `folder`.

        The channel that a segmenter calls most voxels by becomes the lesion's: it finds some.
        """
        from freetumor.nets.naive import made_up

        middle = self.patch(self.ct()[0], self.small)
        for seed, (name, (part, spec)) in enumerate(self.models.items()):
            classes = {"classes": list(_CLASSES)} if part == "segmenter" else {}
            network = made_up(NetworkSpec(spec.architecture, {**spec.settings, **classes}), seed)
            if classes:
                found = np.bincount(computed(network, middle).argmax(axis=0).ravel(), minlength=len(_CLASSES))
                others = [c for c in _CLASSES if c != organ(ORGAN).lesion_label]
                others.insert(int(found.argmax()), organ(ORGAN).lesion_label)
                classes = {"classes": others}
            spec = NetworkSpec(spec.architecture, {**spec.settings, **classes})
            _save(self, folder, name, part, spec, network)

    def request(self, engine: str, generator: Path, judge: Path, backend: str, device: str) -> Request:
        """One lesion in the middle of the liver, judged by both judges, kept whatever they say."""
        return Request(
            diameter=self.diameter,
            at=((0.0, 0.0, 0.0),),
            exophytic=False,
            engine=engine,
            gate=False,
            tries=1,
            judges=("model-free", "learned"),
            model=str(generator),
            judge_model=str(judge),
            # A random judge shall look once, as one that knows tumor from organ does.
            judge_threshold=0.99,
            backend=backend,
            device=device,
        )


def computed(network: object, image: np.ndarray) -> np.ndarray:
    """What a torch network gives for one image by itself, float32: (1, k, j, i) -> (C, k, j, i)."""
    from freetumor.nets.naive import NaiveSchedule

    return NaiveSchedule(network, image, image.shape[1:]).run()


def scaled(ct: Volume, box: Box) -> np.ndarray:
    """A box of `ct` in the organ's window, scaled to 0..1: (1, k, j, i), float32."""
    low, high = organ(ORGAN).window
    return ((np.clip(ct.hu(box), low, high) - low) / (high - low)).astype(np.float32)[None]


def centred(shape: tuple[int, ...], inner: tuple[int, ...]) -> Box:
    """The box of `inner` voxels in the middle of `shape`."""
    start = tuple((n - m) // 2 for n, m in zip(shape, inner, strict=True))
    return Box(start, tuple(a + m for a, m in zip(start, inner, strict=True)))


def _save(case: Case, folder: Path, name: str, part: str, spec: NetworkSpec, network: object) -> Model:
    from freetumor.nets import write_network_weights

    row = organ(ORGAN)
    record = {
        "name": name,
        "title": "random weights, made up for a benchmark",
        "networks": {part: spec},
        "group": row.group,
        "organs": [row.name],
        "window": list(row.window),
        "spacing": [case.spacing] * 3,
        "patch": [case.window] * 3,
        "use": "free",  # they saw nothing
        "training_data": "none",
    }
    return save_model(folder, record, lambda path: write_network_weights(path, {part: network}))


def saved(folder: Path, name: str) -> Model:
    """The model `name` that :meth:`Case.write_models` wrote into `folder`."""
    return read_model(folder / name)
