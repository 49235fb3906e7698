"""Pictures of a training: what the networks make of the same patches, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from freetumor.report.preview import display_window
from freetumor.report.slices import diverging, gray, outline

_PIXELS, _GAP, _HEAD, _FOOT = 192, 4, 22, 20
_BACKGROUND, _TEXT = (16, 18, 22), (235, 238, 242)
_MASK, _FOUND = (255, 208, 0), (64, 220, 255)
_LEAST_HU = 20.0  # of the colors of a difference


def write_picture(
    path: Path, samples: Sequence[Mapping[str, np.ndarray]], window: Sequence[float], group: str, said: str
) -> None:
    """Write one row of axial slices per sample as PNG, whole or not at all.

    Args:
        samples: (x, y, z) arrays: ``after``, perhaps ``before``, both 0..1 in `window` (HU), ``mask`` of the
            synthetic tumor 0..1, ``found`` and perhaps ``truth``, bool. said: the line below.
    """
    changed = any("before" in sample for sample in samples)
    titles = ["before"] * changed + ["after", "mask (yellow), found (blue)"] + ["difference"] * changed
    width = len(titles) * (_PIXELS + _GAP) + _GAP
    picture = Image.new("RGB", (width, _HEAD + len(samples) * (_PIXELS + _GAP) + _FOOT), _BACKGROUND)
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(11)
    for column, title in enumerate(titles):
        draw.text((_GAP + column * (_PIXELS + _GAP) + 2, 4), title, _TEXT, font)
    for row, sample in enumerate(samples):
        for column, tile in enumerate(_tiles(sample, window, display_window(group))):
            place = (_GAP + column * (_PIXELS + _GAP), _HEAD + row * (_PIXELS + _GAP))
            picture.paste(Image.fromarray(tile).resize((_PIXELS, _PIXELS), Image.Resampling.NEAREST), place)
    draw.text((_GAP + 2, picture.height - _FOOT + 3), f"{said} · SYNTHETIC", _TEXT, font)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.part")
    picture.save(partial, "PNG")
    partial.replace(path)


def _tiles(
    sample: Mapping[str, np.ndarray], window: Sequence[float], shown: tuple[float, float]
) -> list[np.ndarray]:
    low, high = window
    tumor = np.maximum(sample["mask"], sample.get("truth", sample["mask"]))
    wanted = tumor if tumor.any() else sample["found"]
    z = int(np.argmax(wanted.sum((0, 1)))) if wanted.any() else wanted.shape[2] // 2
    cut = {name: _axial(array, z) for name, array in sample.items()}
    hu = {name: low + (high - low) * cut[name] for name in ("before", "after") if name in cut}
    tiles = [np.repeat(gray(values, shown)[..., None], 3, -1) for values in hu.values()]
    outlined = tiles[-1].copy()
    outlined[outline(_axial(tumor, z))] = _MASK
    outlined[outline(cut["found"].astype(float))] = _FOUND
    tiles.append(outlined)
    if "before" in hu:
        change = hu["after"] - hu["before"]
        tiles.append(diverging(change, max(_LEAST_HU, float(np.abs(change).max()))))
    return tiles


def _axial(array: np.ndarray, z: int) -> np.ndarray:
    """A slice (x, y) as it is read: rows to the back, columns to the patient's left."""
    return array[::-1, ::-1, z].T
