"""Live preview: what the sliders show is what Synthesize makes, and nothing stays behind."""

from __future__ import annotations

import numpy as np
import pytest
from freetumor.anatomy import ORGANS, organ
from freetumor.errors import BadInput
from freetumor.live import LivePreview
from freetumor.organs import organ_labels
from freetumor.pipeline import Request, synthesize
from freetumor.synthesis import Style
from scipy import ndimage


@pytest.fixture
def inputs(phantom):
    """A CT of its own and the liver's labels."""
    return phantom.ct.copy(), organ_labels(phantom.label_map("abdomen"), organ("liver"))


@pytest.mark.parametrize("name", ORGANS)
def test_the_preview_shows_the_very_lesion_that_synthesize_makes(phantom, name):
    row = organ(name)
    labels = organ_labels(phantom.label_map(row.group), row)
    ct = phantom.ct.copy()
    LivePreview(ct, labels).update(diameter=20.0, contrast=row.polarity * 60.0, seed=5)
    style = Style(row.polarity * 60.0)
    made = synthesize(phantom.ct, labels, Request(20.0, seed=5, style=style, gate=False, tries=1))
    assert np.array_equal(ct.array, made.ct.array)


def test_dragging_every_slider_and_letting_go_leaves_the_ct_as_it_was(phantom, inputs):
    ct, labels = inputs
    deep = np.argwhere(ndimage.binary_erosion(phantom.organ("liver"), iterations=7))
    preview = LivePreview(ct, labels)
    for n, index in enumerate(deep[:: len(deep) // 6]):
        at = tuple(ct.geometry.index_to_ras(index))
        step = preview.update(diameter=12.0 + n, at=at, contrast=-20.0 - 5 * n, seed=n)
        assert step.mask.diameter_mm == pytest.approx(12.0 + n, rel=0.1)
        assert np.linalg.norm(np.array(step.mask.centre_ras) - at) < 5.0
        # Only this step's lesion is in the CT.
        changed = np.argwhere(ct.array != phantom.ct.array)
        assert (changed >= step.edit.box.start).all()
        assert (changed < step.edit.box.stop).all()
    preview.reset()
    assert preview.step is None
    assert np.array_equal(ct.array, phantom.ct.array)


def test_a_contrast_step_keeps_the_mask_and_changes_the_lesion(inputs):
    ct, labels = inputs
    preview = LivePreview(ct, labels)
    faint = preview.update(diameter=20.0, contrast=-20.0, seed=1)
    strong = preview.update(diameter=20.0, contrast=-50.0, seed=1)
    assert strong.mask is faint.mask
    inside = strong.mask.on(strong.edit.box)
    assert strong.edit.after[inside].mean() < faint.edit.after[inside].mean() - 20


def test_a_size_that_does_not_fit_shows_no_lesion_and_says_the_largest(phantom, inputs):
    ct, labels = inputs
    preview = LivePreview(ct, labels)
    preview.update(diameter=15.0, seed=1)
    with pytest.raises(BadInput, match="the largest that fits"):
        preview.update(diameter=290.0, seed=1)
    assert np.array_equal(ct.array, phantom.ct.array)
    preview.update(diameter=15.0, seed=1)
    assert not np.array_equal(ct.array, phantom.ct.array)
