"""The embedded segment editor: strokes of the mouse change the real segmentation and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import vtk
from PySide6.QtCore import Qt
from slicerhost import driving


@pytest.fixture
def editor(scene, sampleVolume, host):
    manager = host.layoutManager()
    for name in manager.sliceViewNames():
        manager.sliceWidget(name).resize(400, 422)
        manager.sliceWidget(name).sliceView().renderWindow()
        manager.sliceWidget(name).sliceView().resize(400, 400)
    slicer.util.setSliceViewerLayers(background=sampleVolume, fit=True)
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Tumor")
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(sampleVolume)
    widget = slicer.qMRMLSegmentEditorWidget()
    widget.setMRMLSegmentEditorNode(scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode"))
    widget.setMRMLScene(scene)
    widget.setSegmentationNode(segmentation)
    widget.setSourceVolumeNode(sampleVolume)
    for name in ("one", "two"):
        segmentation.GetSegmentation().AddEmptySegment(name, name)
    widget.setCurrentSegmentID("one")
    widget.setupViewObservations()
    yield widget
    widget.removeViewObservations()
    widget.deleteLater()


def mask(editor, segmentID="one") -> np.ndarray:
    return slicer.util.arrayFromSegmentBinaryLabelmap(
        editor.segmentationNode(), segmentID, editor.sourceVolumeNode()
    ).astype(bool)


def middle(volume) -> np.ndarray:
    bounds = [0.0] * 6
    volume.GetRASBounds(bounds)
    return np.array([(bounds[i] + bounds[i + 1]) / 2 for i in (0, 2, 4)])


def spacing_product(volume) -> float:
    return float(np.prod(volume.GetSpacing()))


def paint(editor, points, effect="Paint", diameter=12, sphere=1, view="Red"):
    editor.setActiveEffectByName(effect)
    editor.activeEffect().setParameter("BrushAbsoluteDiameter", diameter)
    editor.activeEffect().setParameter("BrushSphere", sphere)
    driving.jumpTo(points[0], view)
    driving.drag(points, view)


def test_a_click_with_the_sphere_brush_paints_a_ball_of_the_asked_size(editor, sampleVolume):
    paint(editor, [middle(sampleVolume)], diameter=20)
    volume = mask(editor).sum() * spacing_product(sampleVolume)
    assert volume == pytest.approx(4 / 3 * np.pi * 10**3, rel=0.15)


@pytest.mark.parametrize("view", ["Red", "Green", "Yellow"])
def test_a_stroke_with_the_flat_brush_stays_in_its_slice_and_has_no_gaps(editor, sampleVolume, view):
    start = middle(sampleVolume)
    along = {"Red": (30, 0, 0), "Green": (30, 0, 0), "Yellow": (0, 30, 0)}[view]
    paint(editor, [start, start + np.array(along)], sphere=0, view=view)
    painted = mask(editor)
    filled = [np.unique(axis) for axis in np.nonzero(painted)]
    assert min(len(axis) for axis in filled) == 1
    assert all((np.diff(axis) == 1).all() for axis in filled)


def test_the_eraser_takes_away_what_it_touches(editor, sampleVolume):
    paint(editor, [middle(sampleVolume)], diameter=30)
    before = mask(editor)
    paint(editor, [middle(sampleVolume)], "Erase", diameter=10)
    after = mask(editor)
    assert after.sum() < before.sum()
    assert not (after & ~before).any()


def test_undo_and_redo_go_back_and_forth_one_stroke_at_a_time(editor, sampleVolume):
    start = middle(sampleVolume)
    paint(editor, [start], diameter=10)
    first = mask(editor)
    paint(editor, [start + np.array((15, 0, 0))], diameter=10)
    second = mask(editor)
    editor.undo()
    np.testing.assert_array_equal(mask(editor), first)
    editor.undo()
    assert not mask(editor).any()
    editor.redo()
    editor.redo()
    np.testing.assert_array_equal(mask(editor), second)


def test_painting_leaves_the_neighbour_alone_where_overwriting_is_off(editor, sampleVolume):
    start = middle(sampleVolume)
    paint(editor, [start], diameter=16)
    neighbour = mask(editor)
    editor.mrmlSegmentEditorNode().SetOverwriteMode(slicer.vtkMRMLSegmentEditorNode.OverwriteNone)
    editor.setCurrentSegmentID("two")
    paint(editor, [start + np.array((8, 0, 0))], diameter=16)
    np.testing.assert_array_equal(mask(editor), neighbour)
    assert (mask(editor, "two") & neighbour).any()


def test_painting_takes_voxels_from_the_neighbour_where_overwriting_is_on(editor, sampleVolume):
    start = middle(sampleVolume)
    paint(editor, [start], diameter=16)
    editor.mrmlSegmentEditorNode().SetOverwriteMode(slicer.vtkMRMLSegmentEditorNode.OverwriteAllSegments)
    editor.setCurrentSegmentID("two")
    paint(editor, [start + np.array((8, 0, 0))], diameter=16)
    assert not (mask(editor) & mask(editor, "two")).any()


def test_an_outline_is_filled_after_a_right_click(editor, sampleVolume):
    start = middle(sampleVolume)
    corners = [
        start,
        start + np.array((40, 0, 0)),
        start + np.array((40, 30, 0)),
        start + np.array((0, 30, 0)),
    ]
    editor.setActiveEffectByName("Draw")
    driving.jumpTo(start)
    driving.drag(corners)
    assert not mask(editor).any()
    driving.click(corners[-1], button=Qt.RightButton)
    drawn = mask(editor)
    assert len(np.unique(np.nonzero(drawn)[0])) == 1
    area = drawn.sum() * np.prod(sampleVolume.GetSpacing()[:2])
    assert area == pytest.approx(40 * 30, rel=0.15)


def test_threshold_selects_the_voxels_of_a_range_of_hu(editor, sampleVolume):
    editor.setActiveEffectByName("Threshold")
    effect = editor.activeEffect()
    effect.setParameter("MinimumThreshold", 20)
    effect.setParameter("MaximumThreshold", 90)
    effect.self().onApply()
    values = slicer.util.arrayFromVolume(sampleVolume)
    np.testing.assert_array_equal(mask(editor), (values >= 20) & (values <= 90))
    editor.undo()
    assert not mask(editor).any()


def test_islands_keep_the_largest_piece_or_the_one_that_is_clicked(editor, sampleVolume):
    start = middle(sampleVolume)
    other = start + np.array((45, 0, 0))
    paint(editor, [start], diameter=20)
    large = mask(editor)
    paint(editor, [other], diameter=10)
    both = mask(editor)
    editor.setActiveEffectByName("Islands")
    editor.activeEffect().setParameter("Operation", "KEEP_LARGEST_ISLAND")
    editor.activeEffect().self().onApply()
    np.testing.assert_array_equal(mask(editor), large)
    editor.undo()
    editor.activeEffect().setParameter("Operation", "KEEP_SELECTED_ISLAND")
    driving.click(other)
    np.testing.assert_array_equal(mask(editor), both & ~large)


def test_islands_split_into_segments_of_their_own(editor, sampleVolume):
    start = middle(sampleVolume)
    paint(editor, [start], diameter=20)
    large = mask(editor)
    paint(editor, [start + np.array((45, 0, 0))], diameter=10)
    editor.setActiveEffectByName("Islands")
    editor.activeEffect().setParameter("Operation", "SPLIT_ISLANDS_TO_SEGMENTS")
    editor.activeEffect().self().onApply()
    np.testing.assert_array_equal(mask(editor), large)
    names = [editor.segmentationNode().GetSegmentation().GetNthSegment(i).GetName() for i in range(3)]
    assert names == ["one", "two", "one_2"]


def test_without_an_effect_the_mouse_paints_nothing(editor, sampleVolume):
    paint(editor, [middle(sampleVolume)])
    before = mask(editor)
    editor.setActiveEffectByName("")
    driving.drag([middle(sampleVolume), middle(sampleVolume) + np.array((40, 0, 0))])
    np.testing.assert_array_equal(mask(editor), before)


def test_a_module_that_was_left_paints_nothing(editor, sampleVolume):
    editor.setActiveEffectByName("Paint")
    editor.removeViewObservations()
    driving.drag([middle(sampleVolume), middle(sampleVolume) + np.array((20, 0, 0))])
    assert not mask(editor).any()


def test_an_effect_needs_a_segmentation_and_a_volume(editor):
    editor.setSourceVolumeNode(None)
    editor.setActiveEffectByName("Paint")
    assert editor.activeEffect() is None


def test_closing_the_scene_leaves_the_editor_empty_and_idle(editor, scene):
    editor.setActiveEffectByName("Paint")
    scene.Clear(0)
    assert editor.segmentationNode() is None
    assert editor.activeEffect() is None


def test_unknown_effects_and_parameters_are_refused(editor):
    with pytest.raises(ValueError, match="Paint"):
        editor.setActiveEffectByName("Piant")
    editor.setActiveEffectByName("Paint")
    with pytest.raises(ValueError, match="BrushSphere"):
        editor.activeEffect().setParameter("BrushRound", 1)


def test_a_segmentation_under_a_transform_is_painted_where_the_mouse_is(editor, scene, sampleVolume):
    shift = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 3, 12.0)
    shift.SetMatrixTransformToParent(matrix)
    for node in (sampleVolume, editor.segmentationNode()):
        node.SetAndObserveTransformNodeID(shift.GetID())
    start = middle(sampleVolume)
    paint(editor, [start], diameter=14)
    centre = np.mean(np.argwhere(mask(editor)), axis=0)[::-1]
    toRAS = vtk.vtkMatrix4x4()
    sampleVolume.GetIJKToRASMatrix(toRAS)
    world = np.array(toRAS.MultiplyPoint([*centre, 1.0])[:3]) + np.array((12, 0, 0))
    np.testing.assert_allclose(world, start, atol=2.0)
