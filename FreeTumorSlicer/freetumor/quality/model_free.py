"""The model-free judge: does this look like a tumor of this organ, by plain measurement?

Each check returns one finding; the names are the failure signatures users meet.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from freetumor.masks.fitting import SIZE_TOLERANCE
from freetumor.quality.findings import Finding
from freetumor.synthesis.patch import Patch
from freetumor.volume import Box, distance_up_to

MIN_CNR = 1.0
MAX_LEAKAGE = 0.02
MIN_CHANGE_HU = 5.0
_BORDER_MM = 1.5  # labels are no better than this: not yet leakage


@dataclass(frozen=True, eq=False)
class Evidence:
    """A patch before (``patch.hu``) and after the edit (`after`, HU, same box)."""

    patch: Patch
    after: np.ndarray

    @cached_property
    def change(self) -> np.ndarray:
        """HU after minus before."""
        return self.after - self.patch.hu

    @cached_property
    def core(self) -> np.ndarray:
        """The lesion without its blurred border, where there is enough of it."""
        core = self.patch.inside & (self.patch.soft > 0.9) & (self.patch.depth_mm > 1.0)
        return core if core.sum() >= 8 else self.patch.inside

    @property
    def organ_level(self) -> float:
        """Median HU of the organ around the lesion."""
        return self.patch.level

    @cached_property
    def level(self) -> float:
        """Mean HU of the lesion's core."""
        return float(self.after[self.core].mean())

    @cached_property
    def contrast(self) -> float:
        """HU of the lesion's core minus the organ around it."""
        return self.level - self.organ_level

    @property
    def noise(self) -> float:
        """Noise of the organ around the lesion, HU."""
        return self.patch.noise


def contrast(e: Evidence) -> Finding:
    """Right sign, and at least half of the least contrast of the organ's tumors."""
    organ = e.patch.organ
    least = 0.5 * organ.contrast.limits[0]
    side = "darker" if organ.polarity < 0 else "brighter"
    reason = (
        f"the lesion differs from the organ by {e.contrast:+.0f} HU; "
        f"a {organ.title} is at least {least:.0f} HU {side}"
    )
    return Finding(
        "contrast", e.contrast * organ.polarity >= least, e.contrast, "HU", f"{side} by {least:.0f}", reason
    )


def lesion_hu(e: Evidence) -> Finding:
    """The lesion's mean HU is one that tumors of the organ have."""
    low, high = e.patch.organ.lesion_hu
    value = e.level
    reason = f"the lesion's mean is {value:.0f} HU, outside {low:g} to {high:g} HU"
    return Finding("lesion HU", low <= value <= high, value, "HU", f"{low:g} to {high:g}", reason)


def leakage(e: Evidence) -> Finding:
    """Little of the change lies outside the organ (and outside the mask)."""
    share, changed = 0.0, (e.change != 0) & e.patch.beyond
    if changed.any():
        border = max(_BORDER_MM, e.patch.spacing[-1])
        box = Box.of(changed).grown(e.patch.geometry.margin(border), changed.shape).slices
        far = np.isinf(distance_up_to(border, ~e.patch.beyond[box], e.patch.spacing))
        share = float(np.abs(e.change[box][far]).sum() / np.abs(e.change).sum())
    reason = f"{share:.1%} of the change lies outside the organ (at most {MAX_LEAKAGE:.0%})"
    return Finding("leakage", share <= MAX_LEAKAGE, share, "", f"≤ {MAX_LEAKAGE}", reason)


def visibility(e: Evidence) -> Finding:
    """Contrast-to-noise ratio: can it be seen at all?"""
    cnr = abs(e.contrast) / max(e.noise, 1.0)
    reason = f"contrast {e.contrast:+.0f} HU drowns in noise of {e.noise:.0f} HU (CNR {cnr:.1f} < {MIN_CNR})"
    return Finding("visibility (CNR)", cnr >= MIN_CNR, cnr, "", f"≥ {MIN_CNR}", reason)


def size_reached(e: Evidence) -> Finding:
    """The mask has the asked size (a drawn mask has none to reach)."""
    got, asked = e.patch.mask.diameter_mm, e.patch.mask.asked_mm
    passed = asked is None or abs(got / asked - 1.0) <= SIZE_TOLERANCE
    expected = "as drawn" if asked is None else f"{asked:.1f} ± {SIZE_TOLERANCE:.0%}"
    reason = f"the lesion measures {got:.1f} mm" + (f" where {asked:.1f} mm were asked for" if asked else "")
    return Finding("size", passed, got, "mm", expected, reason)


def ghost(e: Evidence) -> Finding:
    """A ghost tumor: the mask says tumor, the CT hardly changed."""
    value = float(np.abs(e.change[e.patch.inside]).mean())
    least = max(MIN_CHANGE_HU, 0.3 * e.noise)
    reason = f"ghost tumor: the CT changed by only {value:.1f} HU inside the mask (at least {least:.1f})"
    return Finding("ghost tumor", value >= least, value, "HU", f"≥ {least:.1f}", reason)


CHECKS = (contrast, lesion_hu, leakage, visibility, size_reached, ghost)


def judge(evidence: Evidence) -> list[Finding]:
    """All model-free findings on one lesion."""
    return [check(evidence) for check in CHECKS]
