"""The curves of a run as a small picture: losses against the left edge, the validation's score against the
right one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from freetumor.training.following import SCORE

Points = Sequence[tuple[int, float]]
_BACKGROUND, _GRID, _TEXT = (16, 18, 22), (52, 56, 64), (200, 204, 212)
_COLORS = ((110, 180, 255), (255, 170, 90), (150, 220, 130))
_SCORE = (240, 120, 200)
_LEFT, _RIGHT, _TOP, _BOTTOM = 38, 34, 20, 18
_SCALE = 2  # drawn larger, then reduced: smooth lines


def write_curves(path: Path, curves: Mapping[str, Points], wanted: int, size: tuple[int, int]) -> None:
    """Write `curves` by name, (step, value) each, over 0 to `wanted` steps as a PNG of `size` pixels."""
    picture = Image.new("RGB", (_SCALE * size[0], _SCALE * size[1]), _BACKGROUND)
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(_SCALE * 10)
    place = _Place(size, max(wanted, *(step for points in curves.values() for step, _ in points), 1))
    losses = {name: points for name, points in curves.items() if name != SCORE}
    left = _range(losses.values())
    right = _range([curves.get(SCORE, ())])
    for part in range(3):
        y = place.y(part / 2, (0.0, 1.0))
        draw.line([(place.x(0), y), (place.x(place.last), y)], _GRID, 1)
        _write(draw, (_SCALE * (_LEFT - 4), y), f"{left[0] + part / 2 * (left[1] - left[0]):.2g}", font, "rm")
        if SCORE in curves:
            text = f"{right[0] + part / 2 * (right[1] - right[0]):.2g}"
            _write(draw, (_SCALE * (size[0] - _RIGHT + 4), y), text, font, "lm", _SCORE)
    bottom = _SCALE * (size[1] - _BOTTOM / 2)
    _write(draw, (place.x(0), bottom), "0", font, "lm")
    _write(draw, (place.x(place.last), bottom), f"step {place.last}", font, "rm")
    at = place.x(0)
    for number, (name, points) in enumerate([*losses.items(), (SCORE, curves.get(SCORE, ()))]):
        if not points:
            continue
        color = _SCORE if name == SCORE else _COLORS[number % len(_COLORS)]
        limits = right if name == SCORE else left
        line = [(place.x(step), place.y(value, limits)) for step, value in points]
        draw.line(line, color, _SCALE + 1, joint="curve")
        for x, y in line if name == SCORE or len(line) == 1 else ():
            draw.ellipse([x - 2 * _SCALE, y - 2 * _SCALE, x + 2 * _SCALE, y + 2 * _SCALE], color)
        text = f"{name} {points[-1][1]:.3g}"
        _write(draw, (at, _SCALE * _TOP / 2), text, font, "lm", color)
        at += draw.textlength(text, font) + _SCALE * 12
    picture.resize(size, Image.Resampling.LANCZOS).save(path, "PNG")


class _Place:
    """From steps and values to pixels of the large picture."""

    def __init__(self, size: tuple[int, int], last: int) -> None:
        self._size, self.last = size, last

    def x(self, step: int) -> float:
        return _SCALE * (_LEFT + (self._size[0] - _LEFT - _RIGHT) * step / self.last)

    def y(self, value: float, limits: tuple[float, float]) -> float:
        share = (value - limits[0]) / (limits[1] - limits[0])
        return _SCALE * (self._size[1] - _BOTTOM - (self._size[1] - _TOP - _BOTTOM) * share)


def _range(curves: Sequence[Points]) -> tuple[float, float]:
    """From 0 or below to what is above all values."""
    values = [value for points in curves for _, value in points]
    low, high = min(0.0, *values, 0.0), max(values, default=1.0)
    return low, high if high > low else low + 1.0


def _write(
    draw: ImageDraw.ImageDraw, place: tuple, text: str, font: object, anchor: str, color=_TEXT
) -> None:
    draw.text(place, text, color, font, anchor=anchor)
