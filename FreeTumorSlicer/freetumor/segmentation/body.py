"""Where the patient is in a CT: the box that needs to be segmented if no organ is given."""

from __future__ import annotations

import numpy as np

from freetumor.volume import Box, Volume

_TISSUE_HU = -500.0
_COARSE_MM = 4.0
_COUCH_MM = 12.0  # thinner things (couch, blanket, cables) are not the patient


def body_box(ct: Volume) -> Box:
    """The box of the patient's body; the whole CT where none is found.

    Every 4 mm a voxel is looked at. The body is the largest connected part denser than lung that is thicker
    than a couch; its box holds the lungs.
    """
    from scipy import ndimage

    step = [max(1, round(_COARSE_MM / s)) for s in ct.geometry.spacing]
    coarse = ct.array[tuple(slice(None, None, n) for n in step)]
    tissue = coarse * np.float64(ct.storage.slope) + ct.storage.intercept > _TISSUE_HU
    spacing = ct.geometry.strided(step).spacing
    # The depth of a voxel in the tissue; what the volume's border cuts off goes on behind it.
    depth = ndimage.distance_transform_edt(tissue, sampling=spacing)
    parts, count = ndimage.label(depth > _COUCH_MM / 2)
    if not count:
        return Box.whole(ct.array.shape)
    largest = 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    inner = Box.of(parts == largest)
    rim = [int(np.ceil(_COUCH_MM / 2 / s)) + 1 for s in spacing]  # eroded above, and between two samples
    box = inner.grown(rim, tissue.shape)
    start = tuple(a * n for a, n in zip(box.start, step, strict=True))
    stop = tuple(min(b * n, size) for b, n, size in zip(box.stop, step, ct.array.shape, strict=True))
    return Box(start, stop)
