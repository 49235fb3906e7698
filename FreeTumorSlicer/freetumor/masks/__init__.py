"""Tumor Mask Generator: where the tumor is, from a drawn mask or sampled in mm."""

from freetumor.masks.drawn import drawn_masks
from freetumor.masks.sampling import DoesNotFit, largest_diameter, sample_diameter, sample_mask
from freetumor.masks.tumor_mask import TumorMask, sphere_diameter, sphere_volume

__all__ = [
    "DoesNotFit",
    "TumorMask",
    "drawn_masks",
    "largest_diameter",
    "sample_diameter",
    "sample_mask",
    "sphere_diameter",
    "sphere_volume",
]
