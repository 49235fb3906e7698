"""Before, after, outline and difference of a lesion in three planes, as one picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from freetumor.pipeline import Lesion, Synthesis
from freetumor.report.slices import PLANES, View, diverging, gray, outline
from freetumor.volume import Box, Geometry, Volume

COLUMNS = ("Before", "After", "After, outlined", "Difference")
_OUTLINE = (255, 208, 0)
_BACKGROUND, _TEXT, _FAINT = (16, 18, 22), (235, 238, 242), (150, 156, 165)
_GAP, _HEAD, _FOOT = 6, 48, 26
_MAX_LESIONS = 3


def preview(synthesis: Synthesis, pixels: int = 240) -> Image.Image:
    """One row of tiles per plane and lesion (the first three lesions)."""
    blocks = [lesion_picture(synthesis, lesion, pixels) for lesion in synthesis.lesions[:_MAX_LESIONS]]
    if len(synthesis.lesions) > len(blocks):
        strip = Image.new("RGB", (blocks[0].width, _FOOT), _BACKGROUND)
        said = f"{len(blocks)} of {len(synthesis.lesions)} lesions shown"
        ImageDraw.Draw(strip).text((_GAP + 2, 3), said, _TEXT, _font(13))
        blocks.append(strip)
    return stacked(blocks)


def lesion_picture(
    synthesis: Synthesis, lesion: Lesion, pixels: int = 240, planes: Sequence[str] = tuple(PLANES)
) -> Image.Image:
    """Before, after, outline and difference of one lesion; one row per plane."""
    organ = synthesis.labels.organ
    window = display_window(organ.group)
    size = float(np.clip(4.0 * lesion.mask.diameter_mm, 80.0, 240.0))
    limit = _difference_limit(synthesis, lesion)
    width = len(COLUMNS) * (pixels + _GAP) + _GAP
    picture = Image.new("RGB", (width, _HEAD + len(planes) * (pixels + _GAP) + _FOOT), _BACKGROUND)
    draw = ImageDraw.Draw(picture)
    title = f"{organ.title}, {lesion.mask.diameter_mm:.1f} mm, {lesion.measured['contrast_hu']:+.0f} HU"
    verdict = "quality test passed" if lesion.verdict.passed else "quality test FAILED"
    draw.text((_GAP + 2, 6), title, _TEXT, _font(15))
    draw.text((width - _GAP - 2, 8), f"SYNTHETIC · {verdict}", _FAINT, _font(12), anchor="ra")
    for row, plane in enumerate(planes):
        view = View(plane, lesion.mask.centre_ras, size, pixels)
        top = _HEAD + row * (pixels + _GAP)
        for column, tile in enumerate(_tiles(synthesis, lesion, view, window, limit)):
            left = _GAP + column * (pixels + _GAP)
            picture.paste(Image.fromarray(tile), (left, top))
            if row == 0:
                draw.text((left + 2, _HEAD - 18), COLUMNS[column], _FAINT, _font(13))
            _letters(draw, plane, left, top, pixels)
        _plate(draw, (_GAP + pixels - 5, top + 12), plane, "rm")
        if row == 0:
            _scale_bar(draw, _GAP + 10, top + pixels - 12, size, pixels)
    low, high = window
    colors = f"difference ±{limit:g} HU (blue darker, orange brighter)"
    foot = f"window {low:g} to {high:g} HU · {colors} · not for clinical use"
    draw.text((_GAP + 2, picture.height - _FOOT + 3), foot, _FAINT, _font(13))
    return picture


def _difference_limit(synthesis: Synthesis, lesion: Lesion) -> float:
    """Color scale of the difference in HU: all but the largest 2 % of the changes lie within."""
    edit, geometry = lesion.edit, synthesis.ct.geometry.cropped(lesion.edit.box)
    before, after = (Volume(a, geometry, synthesis.ct.storage).hu() for a in (edit.before, edit.after))
    changes = np.abs(after - before)[edit.changed]
    largest = float(np.percentile(changes, 98)) if changes.size else 0.0
    return max(20.0, float(np.ceil(largest / 20.0) * 20.0))


def stacked(blocks: Sequence[Image.Image]) -> Image.Image:
    """Pictures below each other."""
    picture = Image.new("RGB", (max(b.width for b in blocks), sum(b.height for b in blocks)), _BACKGROUND)
    top = 0
    for block in blocks:
        picture.paste(block, (0, top))
        top += block.height
    return picture


def display_window(group: str) -> tuple[float, float]:
    """The reading room's window (low, high) in HU: soft tissue, or lung for the chest group."""
    return (-1100.0, 300.0) if group == "chest" else (-110.0, 240.0)


def _tiles(
    synthesis: Synthesis, lesion: Lesion, view: View, window: tuple[float, float], limit: float
) -> list[np.ndarray]:
    before, after, mask, geometry = _around(synthesis, lesion, view)
    old = view.sample(before, geometry, fill=-1024.0)
    new = view.sample(after, geometry, fill=-1024.0)
    drawn = view.sample(mask, geometry, fill=0.0)
    gray_after = _rgb(gray(new, window))
    outlined = gray_after.copy()
    outlined[outline(drawn)] = _OUTLINE
    return [_rgb(gray(old, window)), gray_after, outlined, diverging(new - old, limit)]


def _around(
    synthesis: Synthesis, lesion: Lesion, view: View
) -> tuple[np.ndarray, np.ndarray, np.ndarray, Geometry]:
    """CT before and after this lesion and its mask, in the box of voxels that the view needs."""
    ct = synthesis.ct
    index = ct.geometry.ras_to_index(view.corners())
    start = tuple(int(v) for v in np.clip(np.floor(index.min(0)) - 1, 0, np.array(ct.geometry.shape) - 1))
    stop = tuple(
        max(a + 1, int(v))
        for a, v in zip(start, np.minimum(np.ceil(index.max(0)) + 2, ct.geometry.shape), strict=True)
    )
    box = Box(start, stop)
    mask = np.zeros(box.shape, np.float32)
    common = box.common(lesion.mask.box)
    if common.size:
        mask[common.within(box)] = lesion.mask.inside[common.within(lesion.mask.box)]
    geometry = ct.geometry.cropped(box)
    before = Volume(synthesis.original(box), geometry, ct.storage).hu()
    return before, ct.hu(box), mask, geometry


def _rgb(levels: np.ndarray) -> np.ndarray:
    return np.repeat(levels[..., None], 3, axis=-1)


def _letters(draw: ImageDraw.ImageDraw, plane: str, left: int, top: int, pixels: int) -> None:
    side, above = PLANES[plane][2:]
    for at, letter, anchor in (
        ((left + 4, top + pixels // 2), side, "lm"),
        ((left + pixels // 2, top + 3), above, "ma"),
    ):
        _plate(draw, at, letter, anchor)


def _scale_bar(draw: ImageDraw.ImageDraw, left: int, top: int, size_mm: float, pixels: int) -> None:
    length = 20.0 / size_mm * pixels
    draw.rectangle([(left - 1, top - 2), (left + length + 1, top + 2)], _BACKGROUND)
    draw.line([(left, top), (left + length, top)], _TEXT, 2)
    _plate(draw, (left + length + 6, top), "20 mm", "lm")


def _plate(draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, anchor: str) -> None:
    """Text on a dark plate: readable on bright tissue too."""
    left, top, right, bottom = draw.textbbox(at, text, _font(12), anchor=anchor)
    draw.rectangle([(left - 3, top - 2), (right + 2, bottom + 2)], _BACKGROUND)
    draw.text(at, text, _TEXT, _font(12), anchor=anchor)


def _font(size: int) -> ImageFont.ImageFont:
    return ImageFont.load_default(size)
