"""What a user sees when a module is opened: what can be known is chosen, the rest is empty and says so."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import slicerhost
from conftest import HUB, SEGMENT, SYNTH
from freetumor.volume import Geometry, Volume
from synth_steps import choose, load

PATHS = {
    HUB / "FreeTumorSlicer.py": (
        "casesFolderEdit",
        "exportFolderEdit",
        "jobFileEdit",
        "packFolderEdit",
        "modelFileEdit",
        "trainingConfigEdit",
        "trainingDataEdit",
        "trainingOutEdit",
    ),
    SYNTH / "FreeTumorSynth.py": ("caseFolderLineEdit", "exportFolderLineEdit"),
    SEGMENT / "FreeTumorSegment.py": ("casesFolderEdit", "labelFileEdit"),
}


@pytest.mark.parametrize("file", PATHS, ids=lambda file: file.stem)
def test_a_path_that_was_not_chosen_is_an_empty_line_with_a_hint(scene, file):
    module = slicerhost.loadModule(file)
    try:
        module.widgetRepresentation().enter()
        module.widget.logic.getParameterNode().Modified()  # as any other choice does
        for name in PATHS[file]:
            edit = getattr(module.widget.ui, name)
            assert edit.currentPath == "", name
            assert edit.comboBox().lineEdit().placeholderText, name
    finally:
        slicerhost.unloadModule(module.name)


def test_segment_takes_up_the_ct_that_is_there(segment, sampleVolume):
    segment.exit()
    segment.enter()
    assert segment.ui.ctSelector.currentNode() is sampleVolume


def test_the_editor_takes_room_only_while_there_is_a_drawing_to_edit(synth, phantom):
    choose(synth, *load(phantom))
    editor = synth.ui.segmentEditor
    assert editor.isHidden()
    synth.ui.drawButton.click()
    assert not editor.isHidden()
    assert synth.ui.diameterSlider.isHidden()  # a drawn tumor has the size that was drawn
    synth.ui.modeTabs.currentIndex = 2
    assert editor.isHidden()
    assert not synth.ui.diameterSlider.isHidden()


def test_a_left_handed_ct_keeps_its_voxels_when_it_is_saved_and_loaded(scene, tmp_path):
    from FreeTumorSlicerLib.volumes import nodeFromVolume, rightHanded

    array = np.arange(2 * 3 * 4, dtype=np.int16).reshape(2, 3, 4)
    affine = np.array([[-1.0, 0, 0, 5], [0, 1, 0, 6], [0, 0, 2, 7], [0, 0, 0, 1]])
    given = Volume(array, Geometry(array.shape, affine))
    turned = rightHanded(given)
    assert np.array_equal(turned.array[::-1], array)
    assert np.allclose(turned.geometry.index_to_ras([1, 2, 3]), given.geometry.index_to_ras([0, 2, 3]))
    node = nodeFromVolume(turned, "CT")
    assert slicer.util.saveNode(node, str(tmp_path / "ct.nrrd"))
    again = slicer.util.loadVolume(str(tmp_path / "ct.nrrd"))
    assert np.array_equal(slicer.util.arrayFromVolume(again), turned.array)
