"""A small synthetic scene for the module's self test: no download, a second of work."""

import numpy as np
import slicer
from freetumor.volume import Geometry, Volume
from FreeTumorSlicerLib.volumes import nodeFromVolume, segmentFromMask

from FreeTumorSynthLib.parameters import BY_DIAMETER, SAMPLE

_SIZE, _RADIUS_MM, _SPACING = 64, 48.0, 2.0
_LIVER_HU, _FAT_HU, _NOISE_HU = 105.0, -100.0, 12.0


def ballOfLiver(parameters) -> None:
    """A CT of a ball of liver in fat and its segment, chosen in `parameters` to sample a tumor of 20 mm."""
    index = (np.indices((_SIZE,) * 3) - (_SIZE - 1) / 2) * _SPACING
    ball = np.linalg.norm(index, axis=0) < _RADIUS_MM
    hu = np.where(ball, _LIVER_HU, _FAT_HU) + np.random.default_rng(0).normal(0, _NOISE_HU, ball.shape)
    hu[:2], hu[-2:] = -1000, -1000
    geometry = Geometry(ball.shape, np.diag([-_SPACING, -_SPACING, _SPACING, 1.0]))
    ct = nodeFromVolume(Volume(np.rint(hu).astype(np.int16), geometry), "Ball of liver")
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Organs")
    segmentation.CreateDefaultDisplayNodes()
    parameters.organSegmentID = segmentFromMask(segmentation, ball, ct, "Liver")
    parameters.inputVolume, parameters.organSegmentation = ct, segmentation
    parameters.organ, parameters.mode, parameters.size, parameters.diameter = (
        "liver",
        SAMPLE,
        BY_DIAMETER,
        20.0,
    )
