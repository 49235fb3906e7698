"""Volume: array + geometry; reading, writing, checks. The first room of the pipeline."""

from freetumor.volume.checks import (
    aligned,
    check_ct,
    check_geometry,
    check_same_grid,
    on_grid,
    resample_labels,
)
from freetumor.volume.distances import distance_up_to
from freetumor.volume.geometry import Box, Geometry
from freetumor.volume.reading import read_volume
from freetumor.volume.volume import Storage, Volume
from freetumor.volume.working_grid import WorkingGrid
from freetumor.volume.writing import check_output, write_volume

__all__ = [
    "Box",
    "Geometry",
    "Storage",
    "Volume",
    "WorkingGrid",
    "aligned",
    "check_ct",
    "check_geometry",
    "check_output",
    "check_same_grid",
    "distance_up_to",
    "on_grid",
    "read_volume",
    "resample_labels",
    "write_volume",
]
