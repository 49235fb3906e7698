"""Scene, files and views of the host: what is saved comes back, what is asked for is shown."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import vtk
from slicerhost import cornertext, driving, modulefiles


def seen(name: str) -> np.ndarray:
    """The pixels of a slice view, (rows, columns, 3)."""
    view = slicer.app.layoutManager().sliceWidget(name).sliceView()
    view.forceRender()
    image = view.picture()
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).astype(int)


@pytest.fixture
def views(host, sampleVolume):
    manager = host.layoutManager()
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    for name in manager.sliceViewNames():
        manager.sliceWidget(name).sliceView().renderWindow()
        manager.sliceWidget(name).sliceView().resize(300, 300)
    slicer.util.setSliceViewerLayers(background=sampleVolume, fit=True)
    return manager


@pytest.mark.parametrize("form", ["mrb", "mrml"])
def test_a_scene_comes_back_from_its_file_with_volume_and_segments(scene, sampleVolume, tmp_path, form):
    values = slicer.util.arrayFromVolume(sampleVolume).copy()
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Organs")
    node.SetReferenceImageGeometryParameterFromVolumeNode(sampleVolume)
    node.GetSegmentation().AddEmptySegment("liver", "Leber")
    mask = (values > 20).astype(np.uint8)
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, "liver", sampleVolume)
    if form == "mrml":
        slicer.util.saveNode(sampleVolume, str(tmp_path / "ct.nrrd"))
        slicer.util.saveNode(node, str(tmp_path / "organs.seg.nrrd"))
    file = tmp_path / f"scene.{form}"
    assert slicer.util.saveScene(str(file))
    scene.Clear(0)
    slicer.util.loadScene(str(file))
    ct, organs = slicer.util.getNode("Phantom CT"), slicer.util.getNode("Organs")
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(ct), values)
    np.testing.assert_array_equal(slicer.util.arrayFromSegmentBinaryLabelmap(organs, "liver", ct), mask)
    assert organs.GetSegmentation().GetSegment("liver").GetName() == "Leber"


def test_a_volume_written_to_a_file_is_read_back_with_its_geometry(scene, sampleVolume, tmp_path):
    file = str(tmp_path / "ct.nii.gz")
    assert slicer.util.saveNode(sampleVolume, file)
    back = slicer.util.loadVolume(file)
    np.testing.assert_array_equal(
        slicer.util.arrayFromVolume(back), slicer.util.arrayFromVolume(sampleVolume)
    )
    np.testing.assert_allclose(back.GetSpacing(), sampleVolume.GetSpacing(), rtol=1e-5)


def test_a_file_that_cannot_be_read_says_which(scene, tmp_path):
    with pytest.raises(RuntimeError, match=r"nowhere\.nii"):
        slicer.util.loadVolume(str(tmp_path / "nowhere.nii"))
    broken = tmp_path / "broken.nii.gz"
    broken.write_bytes(b"nothing")
    with pytest.raises(RuntimeError, match=r"broken\.nii"):
        slicer.util.loadVolume(str(broken))


def test_data_nodes_stand_in_the_subject_hierarchy_until_they_are_removed(scene, sampleVolume):
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    item = tree.GetItemByDataNode(sampleVolume)
    assert tree.GetItemName(item) == "Phantom CT"
    scene.RemoveNode(sampleVolume)
    assert tree.GetItemDataNode(item) is None


def test_modules_have_the_real_logics_and_slicers_terminologies(host):
    assert slicer.modules.volumes.logic().IsA("vtkSlicerVolumesLogic")
    names = vtk.vtkStringArray()
    slicer.modules.terminologies.logic().GetLoadedTerminologyNames(names)
    assert names.GetNumberOfValues() >= 2
    assert host.moduleManager().module("Segmentations").name == "Segmentations"


def test_settings_of_tests_stay_in_the_temporary_folder(host):
    host.settings().setValue("FreeTumor/probe", 3)
    host.settings().sync()
    assert host.settings().fileName().startswith(host.temporaryPath)
    assert slicer.util.settingsValue("FreeTumor/probe", 0, int) == 3


def test_slices_are_shown_in_radiological_convention(views):
    letters = {
        name: cornertext.edges(views.sliceWidget(name).mrmlSliceNode()) for name in ("Red", "Green", "Yellow")
    }
    assert letters["Red"] == {"left": "R", "right": "L", "top": "A", "bottom": "P"}
    assert letters["Green"] == {"left": "R", "right": "L", "top": "S", "bottom": "I"}
    assert letters["Yellow"] == {"left": "A", "right": "P", "top": "S", "bottom": "I"}


def test_pixels_are_as_wide_as_they_are_high_in_mm(views):
    for name in views.sliceViewNames():
        node = views.sliceWidget(name).mrmlSliceNode()
        field, pixels = node.GetFieldOfView(), node.GetDimensions()
        assert field[0] / pixels[0] == pytest.approx(field[1] / pixels[1], rel=0.01)


def test_the_wheel_moves_by_one_slice_and_the_picture_changes(views, sampleVolume):
    before, offset = seen("Red"), views.sliceWidget("Red").sliceLogic().GetSliceOffset()
    driving.scroll(1)
    moved = views.sliceWidget("Red").sliceLogic().GetSliceOffset() - offset
    assert abs(moved) == pytest.approx(sampleVolume.GetSpacing()[2], rel=1e-3)
    driving.scroll(8)
    assert np.abs(seen("Red") - before).max() > 0


def test_window_and_level_change_what_is_seen(views, sampleVolume):
    display = sampleVolume.GetDisplayNode()
    display.SetAutoWindowLevel(0)
    display.SetWindowLevel(400, 40)
    soft = seen("Red").mean()
    display.SetWindowLevel(400, -900)
    assert seen("Red").mean() > soft


def test_a_segment_shows_in_slices_and_as_a_surface_in_3d(views, scene, sampleVolume):
    plain = seen("Red")
    values = slicer.util.arrayFromVolume(sampleVolume)
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Organs")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(sampleVolume)
    node.GetSegmentation().AddEmptySegment("s", "s", (0.0, 1.0, 0.0))
    slicer.util.updateSegmentBinaryLabelmapFromArray((values > 0).astype(np.uint8), node, "s", sampleVolume)
    assert (seen("Red")[..., 1] - plain[..., 1]).max() > 20
    node.CreateClosedSurfaceRepresentation()
    views.resetThreeDViews()
    view = views.threeDWidget(0).threeDView()
    view.resize(200, 200)
    view.forceRender()
    middle = view.picture().pixelColor(100, 100)
    assert middle.green() > middle.red() + 30


def test_layouts_bring_their_own_views(views):
    told = []
    views.layoutChanged.connect(told.append)
    for number in (
        slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView,
        slicer.vtkMRMLLayoutNode.SlicerLayoutSideBySideView,
    ):
        views.setLayout(number)
    assert told == [6, 29]
    assert views.layout == 29
    with pytest.raises(ValueError, match="12345"):
        views.setLayout(12345)


def test_an_own_layout_can_be_added_and_shown(views):
    text = (
        '<layout type="horizontal"><item><view class="vtkMRMLSliceNode" singletontag="Before">'
        '<property name="orientation" action="default">Axial</property></view></item>'
        '<item><view class="vtkMRMLSliceNode" singletontag="After">'
        '<property name="orientation" action="default">Axial</property></view></item></layout>'
    )
    views.layoutLogic().GetLayoutNode().AddLayoutDescription(9001, text)
    views.setLayout(9001)
    assert views.sliceWidget("Before").mrmlSliceNode().GetOrientation() == "Axial"
    assert views.sliceWidget("After") is not None


def test_views_work_again_after_the_scene_was_closed(views, scene, phantom):
    scene.Clear(0)
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "again")
    slicer.util.updateVolumeFromArray(node, phantom.ct.array)
    node.CreateDefaultDisplayNodes()
    slicer.util.setSliceViewerLayers(background=node, fit=True)
    assert views.layout == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
    assert seen("Red").max() > 100


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("Synth", "FreeTumorSynth"),
        ("FreeTumor", "FreeTumorSlicer"),
        ("freetumor segment", "FreeTumorSegment"),
    ],
)
def test_a_module_is_found_by_what_people_call_it(said, meant):
    assert modulefiles.moduleNamed(said) == meant
    assert modulefiles.moduleFile(meant).is_file()
