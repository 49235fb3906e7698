"""Lungs by thresholds: no network, nothing to install."""

from __future__ import annotations

from collections.abc import Sequence

import freetumor
from freetumor.anatomy import Organ
from freetumor.labelers.labeler import Labelled, Options
from freetumor.organs import label_organ
from freetumor.volume import Volume


def obstacle(organs: Sequence[Organ], options: Options) -> None:
    """It needs nothing."""
    return


def label(ct: Volume, organs: Sequence[Organ], options: Options) -> Labelled:
    """See :mod:`freetumor.organs.lung`."""
    options.progress("labeling", 0.0)
    labels = label_organ(ct, organs[0])
    return Labelled(labels, {"name": "thresholds", "version": freetumor.__version__, "licence": "Apache-2.0"})
