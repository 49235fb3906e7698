"""Engine "procedural": the synthesis equation without a trained generator.

The equation of the paper is ``x' = x - B * d * t`` (chest: ``+``): B the blurred mask, d how much, t the
texture. Here the change is written as the way to a target, in HU: with the scan's noise n and the target
T = organ level + contrast + texture (rim, core),

    x' = x + B * (T + n - x)

so that inside (B = 1) the lesion is T + n: vessels of the organ do not shine through, and the scan's own
noise stays (see :mod:`freetumor.synthesis.noise`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from freetumor.anatomy import Appearance, Organ
from freetumor.synthesis.engines import Residual, Style
from freetumor.synthesis.noise import fine_detail, scan_noise, spread_of
from freetumor.synthesis.patch import Patch
from freetumor.synthesis.texture import smooth_noise
from freetumor.volume import Box, distance_up_to

EDIT_REACH_MM = 4.5  # no edit farther than this from the mask (the contract allows 5)
_MEAN_BLEND = 0.85  # mean of B over the mask of a lesion of 30 mm
_BORDER_MM = 1.8  # not yet the inside of a lesion
_LEAST_FOR_GAIN = 60  # voxels; the noise of fewer cannot be measured
_WALL_HU = -200.0  # from here on it is chest wall, mediastinum or a large vessel, not lung
_GAP_MM = 3.5  # widest gap between a tumor at the pleura and the wall
_RIM_HU = 60.0  # what a rim adds at most
_CORE_FROM_MM = 15.0  # smaller lesions have no necrotic core


class ProceduralEngine:
    """Tumors from the organ table's figures: no training, exact, a few milliseconds each.

    What the look does not change is kept for the last patch: another contrast only recomposes it.
    """

    name = "procedural"
    context_mm = 14.0
    model = None

    def __init__(self) -> None:
        self._ground: _Ground | None = None

    def residual(self, patch: Patch, rng: np.random.Generator, style: Style) -> Residual:
        """See :class:`freetumor.synthesis.engines.Engine`."""
        ground = self._ground
        if ground is None or ground.patch is not patch or ground.chance != rng.bit_generator.state:
            ground = self._ground = _Ground.of(patch, rng)
        look, near, level = patch.organ.appearance, ground.near, ground.level
        contrast = ground.contrast if style.contrast_hu is None else style.contrast_hu
        target, parts = _target(ground, contrast, style)
        if style.contrast_hu is None:
            target = np.clip(target, *patch.organ.lesion_hu)
        change = target + _noise_gain(ground, target) * ground.noise - near.hu
        if look.keeps_bright:
            change = np.where((target - near.hu) * patch.organ.polarity > 0, change, 0.0)
        # Beyond the organ's own border only towards the lesion's side: a bright lesion may meet the wall.
        outside = np.maximum(change, 0.0) if patch.organ.polarity > 0 else 0.0
        change = np.where(near.beyond, outside, change)
        residual = np.zeros(patch.box.shape, np.float32)
        within = ground.blend * ground.filling * change
        within[near.outside_mm > EDIT_REACH_MM] = 0.0
        residual[near.box.within(patch.box)] = within
        parameters = {
            "organ_level_hu": round(level, 2),
            "contrast_hu": round(float(contrast), 2),
            "edge_mm": round(ground.edge_mm, 3),
            "filling": round(ground.filling, 3),
            "noise_sigma_hu": round(ground.sigma, 2),
            **parts,
        }
        return Residual(residual, parameters)


@dataclass(frozen=True, eq=False)
class _Ground:
    """All of a lesion but its contrast, rim and core: measured on the patch, or drawn.

    Attributes:
        chance: state of the generator before anything was drawn. near: the patch as far as it is edited.
        level, sigma: median and noise of the organ around, HU. contrast: drawn, HU.
        blend: B. noise, slow, fine: fields on `near`. draws: chances of rim and core, and their looks.
    """

    patch: Patch
    chance: dict
    near: Patch
    level: float
    sigma: float
    noise: np.ndarray
    contrast: float
    edge_mm: float
    blend: np.ndarray
    filling: float
    slow: np.ndarray
    fine: np.ndarray
    draws: dict

    @classmethod
    def of(cls, patch: Patch, rng: np.random.Generator) -> _Ground:
        """Everything is drawn, whatever will be asked for: a wish changes nothing but itself."""
        chance, look, diameter = rng.bit_generator.state, patch.organ.appearance, patch.mask.diameter_mm
        near = patch.near
        sigma, level = patch.noise, patch.level
        noise = scan_noise(patch.hu, patch.shell, level, sigma, near.box.relative_to(patch.box), rng)
        noise -= noise[near.inside].mean()
        edge_mm = _edge(look, diameter, rng)
        length = float(np.clip(look.texture_mm, 1.5, max(diameter / 2.5, 1.5)))
        # No finer than four pixels: what is finer would pass for noise that the scan does not have.
        finer = max(length / 2.0, 4.0 * patch.spacing[-1])
        return cls(
            patch=patch,
            chance=chance,
            near=near,
            level=level,
            sigma=sigma,
            noise=noise,
            contrast=_draw_contrast(patch.organ, level, rng),
            edge_mm=edge_mm,
            blend=soft_edge(near, edge_mm),
            filling=float(rng.uniform(*look.filling)),
            slow=smooth_noise(near.hu.shape, near.spacing, length, rng),
            fine=smooth_noise(near.hu.shape, near.spacing, finer, rng),
            draws={
                "rim": rng.random(),
                "rim_strength": rng.uniform(1.0, 1.6),
                "core": rng.random(),
                "core_start": rng.uniform(0.35, 0.6),
                "core_depth": rng.uniform(0.5, 0.95),
            },
        )


def soft_edge(patch: Patch, edge_mm: float) -> np.ndarray:
    """B: the mask's partial volume, blurred by `edge_mm` (sigma), ending at the organ's border. 0..1."""
    sigma = [edge_mm / s for s in patch.spacing]
    soft = patch.soft
    if patch.organ.polarity > 0:
        gap = _gap_to_wall(patch)
        soft = np.where(gap, np.float32(1.0), soft)
    blend = ndimage.gaussian_filter(soft, sigma, mode="nearest", truncate=3.0)
    # A small lesion has no plateau: steepen its border until the mean over the mask is that of a large one.
    # The sine keeps B = 1/2 where it is, and the border's slope from reaching far into the lesion.
    blend = np.sin(np.pi / 2.0 * np.minimum(blend, 1.0)) ** 2
    mean = max(float(blend[patch.inside].mean()), 1e-3)
    blend = np.minimum(blend * np.clip(_MEAN_BLEND / mean, 1.0, 2.0), 1.0)
    region = ~patch.beyond
    if patch.organ.polarity > 0:
        # The border voxels of a dark organ are part wall: without them a dark seam would stay.
        region = ndimage.binary_dilation(region, ndimage.generate_binary_structure(3, 1) & _IN_PLANE)
        return blend * (region | gap)
    # Border voxels of a soft organ are part fat: fade over them, or the label's staircase would show.
    faded = ndimage.gaussian_filter(region.astype(np.float32), [0.0, 0.8, 0.8], mode="nearest")
    return blend * np.clip(2.0 * faded - 1.0, 0.0, 1.0)


def _gap_to_wall(patch: Patch) -> np.ndarray:
    """Air between the mask and the wall of the lung that the organ's label leaves out, bool.

    Labels of the lung end a voxel or more before the pleura; a tumor at the pleura touches it.
    """
    wall = (patch.hu > _WALL_HU) & ~patch.organ_mask
    if not wall.any():
        return wall
    to_wall = distance_up_to(_GAP_MM, wall, patch.spacing)
    near = (patch.outside_mm > 0) & (patch.outside_mm <= _GAP_MM)
    # Between the two: not farther from mask and wall together than a gap is wide.
    between = near & (patch.outside_mm + to_wall <= _GAP_MM + max(patch.spacing[1:]))
    return between & ~wall


_IN_PLANE = np.array([False, True, False])[:, None, None]


def _draw_contrast(organ: Organ, level: float, rng: np.random.Generator) -> float:
    rule = organ.contrast
    lesion = rule.baseline + rng.uniform(*rule.keep) * (level - rule.baseline)
    size = np.clip((lesion - level) * organ.polarity, *rule.limits)
    return float(organ.polarity * size)


def _edge(look: Appearance, diameter: float, rng: np.random.Generator) -> float:
    """Width of the border in mm; never so wide that it would wash out a small lesion."""
    return float(min(rng.uniform(*look.edge_mm), diameter / 9.0))


def _noise_gain(ground: _Ground, target: np.ndarray) -> float:
    """Factor on the noise that gives the composed lesion the noise of its surroundings."""
    near = ground.near
    core = near.inside & (near.depth_mm > _BORDER_MM)
    if core.sum() < _LEAST_FOR_GAIN:
        return 1.0
    # Only what the Laplacian sees of the core.
    box = Box.of(core).grown((0, 1, 1), core.shape).slices
    hu, blend, core = near.hu[box], ground.blend[box], core[box]
    # What the measure sees is linear in the two parts: each is filtered once.
    smooth = fine_detail(hu + blend * (target[box] - hu))[core]
    noise = fine_detail(blend * ground.noise[box])[core]
    gain = 1.0
    for _ in range(3):
        found = spread_of(smooth + np.float32(gain) * noise)
        gain = float(np.clip(gain * ground.sigma / max(found, 1e-3), 0.5, 1.5))
    return gain


def _target(ground: _Ground, contrast: float, style: Style) -> tuple[np.ndarray, dict]:
    """T in HU on the near patch, and what it is made of."""
    look, diameter = ground.patch.organ.appearance, ground.patch.mask.diameter_mm
    slow, depth, draws = ground.slow, ground.near.depth_mm, ground.draws
    lesion = ground.level + contrast
    target = lesion + look.texture_hu * (0.8 * slow + 0.6 * ground.fine)
    has_rim = bool(draws["rim"] < look.rim if style.rim is None else style.rim)
    has_core = draws["core"] < look.core if style.core is None else style.core
    has_core = bool(has_core and diameter >= _CORE_FROM_MM)
    if has_rim:
        width = float(np.clip(0.1 * diameter, 1.2, 3.5))
        # An incomplete rim that takes up contrast medium: brighter than the lesion in every organ.
        strength = min(abs(contrast) * draws["rim_strength"], _RIM_HU) * np.clip(0.8 + 0.4 * slow, 0.0, 1.3)
        target += strength * np.exp(-0.5 * ((depth - width / 2.0) / (width / 2.0)) ** 2)
    if has_core:
        start = draws["core_start"] * float(depth.max())
        share = 1.0 / (1.0 + np.exp(-(depth + 1.2 * slow - start) / 0.8))
        # Towards fluid, but in proportion to the contrast: a faint lesion has no black hole in it.
        deeper = min(max(lesion - 15.0, 0.0), 1.2 * abs(contrast))
        target -= share * draws["core_depth"] * deeper
    # Texture, rim and core shape the lesion; its mean stays what was asked.
    target += lesion - target[ground.near.inside].mean()
    return target.astype(np.float32), {"rim": has_rim, "core": has_core}
