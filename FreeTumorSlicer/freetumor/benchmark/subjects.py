"""What runs in the workers: generator functions that prepare, and then do one piece of work in each turn.

They take the folder with the models that :meth:`Case.write_models` wrote. Piece by piece, so that several of
them can be measured in turns, and a piece of a long one stand for the whole.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np

from freetumor.anatomy import organ
from freetumor.benchmark.cases import ORGAN, Case, centred, computed, saved, scaled
from freetumor.volume import Box

_DEVICE = "cpu"


def models(case: Case, folder: Path) -> Generator:
    """Write the models."""
    case.write_models(folder)
    yield


def naive(case: Case, folder: Path, sides: Sequence[int]) -> Generator:
    """The naive schedule over the organ's box, with the released networks.

    Takes the name of a network and a number of windows: runs them and gives how many they were; or "part"
    and a number: gives the classes of a part of the CT. Yields first the numbers of windows, and what the
    networks say of patches of `sides` in the middle of the liver.
    """
    from freetumor.nets import load_network
    from freetumor.nets.naive import NaiveSchedule, windows

    networks = {
        part: load_network(saved(folder, f"released-{part}"), part) for part in ("generator", "segmenter")
    }
    ct, _ = case.ct()
    tile = (case.window,) * 3

    def schedule(part: str, box: Box) -> NaiveSchedule:
        return NaiveSchedule(networks[part], scaled(ct, box), tile, case.overlap)

    running = {part: schedule(part, case.organ_box) for part in networks}
    value = {
        "windows": {part: len(schedule.windows) for part, schedule in running.items()},
        "of_volume": len(windows(case.ct_shape, tile, case.overlap)),
        "outputs": {
            side: outputs(*(computed(network, case.patch(ct, side)) for network in networks.values()))
            for side in sides
        },
    }
    while True:
        what, batch = yield value
        if what == "part":
            part = schedule("segmenter", centred(case.ct_shape, case.part_shape))
            value = {"classes": part.run(batch).argmax(axis=0), "windows": part.done}
        else:
            value = running[what].step(batch)


def tumor(case: Case, folder: Path, engine: str, generator: str, segmenter: str, backend: str) -> Generator:
    """One lesion by the product's own way, judged; yields what ran, and what it had to say.

    Takes "tumor"; or "networks" and a side: runs both networks on a patch of it, and nothing else; or
    "outputs" and a side: gives what they say of that patch in the middle of the liver.
    """
    from freetumor.nets import predictor
    from freetumor.pipeline import synthesize

    ct, labels = case.ct()
    request = case.request(engine, folder / generator, folder / segmenter, backend, _DEVICE)
    said: list[str] = []

    def make() -> dict:
        result = synthesize(ct, labels, request, in_place=True, log=said.append)
        result.undo()
        lesion = result.lesions[0]
        return {
            "backend": lesion.parameters["backend"],
            "patch": lesion.parameters["patch_kji"],
            "looks": 2 if any(f.name == "cause" for f in lesion.verdict.findings) else 1,
            "said": tuple(said),
        }

    def run(side: int) -> list[np.ndarray]:
        image = case.patch(ct, side)
        parts = (("generator", generator), ("segmenter", segmenter))
        return [
            predictor(saved(folder, name), part, device=_DEVICE, backend=backend, log=said.append)(image)
            for part, name in parts
        ]

    value = make()
    while True:
        what = yield value
        if what == "tumor":
            value = make()
        else:
            kind, side = what
            both = run(side)
            value = outputs(*both) if kind == "outputs" else None


def volume(case: Case, folder: Path, segmenter: str, backend: str) -> Generator:
    """Segmentation of the whole CT; yields what runs.

    Takes "part": gives the classes of a part of the CT and the number of windows; or "volume": segments the
    CT by the product's own way and gives the facts of it.
    """
    from freetumor.nets import predictor
    from freetumor.nets.naive import windows
    from freetumor.nets.sliding_window import sliding
    from freetumor.segmentation.whole_volume import OVERLAP, segment_volume

    model = saved(folder, segmenter)
    said: list[str] = []
    predict = predictor(model, "segmenter", device=_DEVICE, backend=backend, log=said.append)
    ct, _ = case.ct()
    tile = (case.window,) * 3
    classes = len(model.network("segmenter").settings["classes"])
    predict(case.patch(ct, case.window))
    value = {
        "backend": predict.backend,
        "said": tuple(said),
        "of_volume": len(windows(case.ct_shape, tile, OVERLAP)),
    }
    while True:
        what = yield value
        if what == "part":
            image = scaled(ct, centred(case.ct_shape, case.part_shape))
            slid = sliding(predict, image, classes, tile, OVERLAP, multiple=predict.multiple)
            value = {"classes": slid.probabilities.argmax(axis=0), "windows": slid.windows}
        else:
            value = segment_volume(ct, organ(ORGAN), model, device=_DEVICE, backend=backend).facts


def outputs(generated: np.ndarray, segmented: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is compared: the generator's difference in -1..1, and the segmenter's classes; (k, j, i)."""
    return np.tanh(generated[0].astype(np.float32)), segmented.argmax(axis=0).astype(np.uint8)
