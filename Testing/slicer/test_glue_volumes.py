"""Nodes to volumes and back: nothing shifted, nothing flipped, nobody else's voxels touched."""

from __future__ import annotations

import numpy as np
import pytest
from freetumor.anatomy import ORGANS
from freetumor.errors import BadInput
from freetumor.volume import Geometry, Storage, Volume

TURN = 0.4


def oblique() -> np.ndarray:
    turned = np.array([[np.cos(TURN), -np.sin(TURN), 0], [np.sin(TURN), np.cos(TURN), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turned @ np.diag([-0.8, -0.9, 2.5])
    affine[:3, 3] = (31.0, -17.5, 240.25)
    return affine


def a_volume(affine=None, dtype=np.int16) -> Volume:
    array = np.random.default_rng(1).integers(-900, 900, (12, 20, 30)).astype(dtype)
    return Volume(array, Geometry(array.shape, oblique() if affine is None else affine))


def a_mask(shape=(12, 20, 30), at=(3, 5, 7), size=(4, 6, 8)) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[tuple(slice(a, a + n) for a, n in zip(at, size, strict=True))] = True
    return mask


def a_segmentation(node, **masks):
    import slicer
    from FreeTumorSlicerLib.volumes import segmentFromMask

    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Organs")
    segmentation.CreateDefaultDisplayNodes()
    ids = {name: segmentFromMask(segmentation, mask, node, name) for name, mask in masks.items()}
    return segmentation, ids


def a_transform(matrix: np.ndarray):
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Registration")
    node.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
    return node


@pytest.fixture
def moved() -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    matrix[:3, 3] = (5, -8, 13)
    return matrix


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.uint8, np.float32, np.int32])
def test_an_oblique_volume_comes_back_voxel_by_voxel_on_its_grid(scene, dtype):
    from FreeTumorSlicerLib.volumes import nodeFromVolume, volumeFromNode

    volume = a_volume(dtype=dtype)
    back = volumeFromNode(nodeFromVolume(volume, "CT"))
    assert back.array.dtype == dtype
    assert np.array_equal(back.array, volume.array)
    assert np.allclose(back.geometry.affine, volume.geometry.affine)


def test_stored_values_with_a_scale_appear_as_hounsfield_units(scene):
    from FreeTumorSlicerLib.volumes import nodeFromVolume, volumeFromNode

    volume = a_volume(dtype=np.uint16)
    volume.storage = Storage(slope=2.0, intercept=-1024.0)
    assert np.array_equal(volumeFromNode(nodeFromVolume(volume, "CT")).array, volume.hu())


def test_the_array_of_a_volume_is_the_nodes_own_memory(scene):
    from FreeTumorSlicerLib.volumes import nodeFromVolume, volumeFromNode

    node = nodeFromVolume(a_volume(), "CT")
    volumeFromNode(node).array[3, 4, 5] = 777
    assert volumeFromNode(node).array[3, 4, 5] == 777


def test_a_linear_transform_becomes_part_of_the_affine_and_a_copy_stays_under_it(scene, moved):
    from FreeTumorSlicerLib.volumes import nodeFromVolume, volumeFromNode

    volume = a_volume()
    node = nodeFromVolume(volume, "CT")
    node.SetAndObserveTransformNodeID(a_transform(moved).GetID())
    seen = volumeFromNode(node)
    assert np.allclose(seen.geometry.affine, moved @ volume.geometry.affine)
    copy = nodeFromVolume(seen, "copy", like=node)
    assert copy.GetParentTransformNode() is node.GetParentTransformNode()
    assert np.allclose(volumeFromNode(copy).geometry.affine, seen.geometry.affine)


def test_a_nonlinear_transform_is_refused_with_its_name_and_the_way_out(scene):
    import slicer
    import vtk
    from FreeTumorSlicerLib.volumes import nodeFromVolume, volumeFromNode

    node = nodeFromVolume(a_volume(), "CT")
    bent = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode", "Warp")
    spline = vtk.vtkThinPlateSplineTransform()
    points = vtk.vtkPoints()
    for point in np.random.default_rng(2).uniform(-50, 50, (6, 3)):
        points.InsertNextPoint(point)
    moved = vtk.vtkPoints()
    moved.DeepCopy(points)
    moved.SetPoint(0, 90, 90, 90)
    spline.SetSourceLandmarks(points)
    spline.SetTargetLandmarks(moved)
    spline.SetBasisToR()
    bent.SetAndObserveTransformToParent(spline)
    node.SetAndObserveTransformNodeID(bent.GetID())
    with pytest.raises(BadInput, match=r"Warp.*Harden") as said:
        volumeFromNode(node)
    assert said.value.kind == "nonlinear_transform"


def test_an_empty_node_and_no_node_are_refused(scene):
    import slicer
    from FreeTumorSlicerLib.volumes import volumeFromNode

    empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Nothing")
    for node in (empty, None):
        with pytest.raises(BadInput, match="voxels"):
            volumeFromNode(node)


def test_a_segment_is_where_its_mask_is_and_carries_terminology_and_color(scene):
    import slicer
    from FreeTumorSlicerLib.terminology import colorOf
    from FreeTumorSlicerLib.volumes import labelsFromSegmentation, nodeFromVolume, segmentFromMask

    node = nodeFromVolume(a_volume(), "CT")
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Tumors")
    mask = a_mask()
    segmentID = segmentFromMask(segmentation, mask, node, "Tumor 1", organRow=ORGANS["liver"])
    assert np.array_equal(labelsFromSegmentation(segmentation, [segmentID], node).array == 1, mask)
    slicers_own = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, segmentID, node)
    assert np.array_equal(slicers_own > 0, mask)
    segment = segmentation.GetSegmentation().GetSegment(segmentID)
    assert segment.GetColor() == pytest.approx(colorOf(ORGANS["liver"], "lesion"))
    entry = slicer.vtkSlicerTerminologyEntry()
    assert slicer.vtkSlicerTerminologiesModuleLogic.DeserializeTerminologyEntry(
        segment.GetTerminology(), entry
    )
    assert entry.GetTypeObject().GetCodeValue() == "108369006"
    assert entry.GetRegionObject().GetCodeMeaning() == "Liver"
    reference = segmentation.GetNodeReference(
        slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    )
    assert reference is node


@pytest.mark.parametrize("name", list(ORGANS))
@pytest.mark.parametrize("kind", ["lesion", "organ"])
def test_terminology_of_every_organ_is_what_slicers_own_logic_writes(scene, name, kind):
    import slicer
    from FreeTumorSlicerLib.terminology import terminologyEntry

    logic = slicer.vtkSlicerTerminologiesModuleLogic
    entry = slicer.vtkSlicerTerminologyEntry()
    text = terminologyEntry(ORGANS[name], kind)
    assert logic.DeserializeTerminologyEntry(text, entry)
    assert logic.SerializeTerminologyEntry(entry) == text


def test_a_new_segment_leaves_its_neighbours_alone_even_where_it_overlaps_them(scene):
    from FreeTumorSlicerLib.volumes import labelsFromSegmentation, nodeFromVolume, segmentFromMask

    node = nodeFromVolume(a_volume(), "CT")
    liver, spleen = a_mask(size=(6, 10, 12)), a_mask(at=(0, 0, 20), size=(5, 5, 5))
    segmentation, ids = a_segmentation(node, liver=liver, spleen=spleen)
    segmentFromMask(segmentation, a_mask(at=(4, 6, 8), size=(2, 2, 2)), node, "Tumor")
    assert segmentation.GetSegmentation().GetNumberOfSegments() == 3
    for name, mask in (("liver", liver), ("spleen", spleen)):
        assert np.array_equal(labelsFromSegmentation(segmentation, [ids[name]], node).array > 0, mask)


def test_segments_of_the_same_name_get_ids_of_their_own(scene):
    from FreeTumorSlicerLib.volumes import nodeFromVolume, segmentFromMask

    node = nodeFromVolume(a_volume(), "CT")
    segmentation, ids = a_segmentation(node, Tumor=a_mask())
    assert segmentFromMask(segmentation, a_mask(), node, "Tumor") != ids["Tumor"]


def test_a_segmentation_on_another_grid_is_resampled_to_the_volume(scene):
    from FreeTumorSlicerLib.volumes import labelsFromSegmentation, nodeFromVolume

    fine = a_volume(np.diag([1.0, 1.0, 1.0, 1.0]))
    coarse = Volume(np.zeros((6, 10, 15), np.int16), Geometry((6, 10, 15), np.diag([2.0, 2.0, 2.0, 1.0])))
    segmentation, ids = a_segmentation(nodeFromVolume(coarse, "coarse"), liver=a_mask((6, 10, 15), (1, 2, 3)))
    labels = labelsFromSegmentation(segmentation, [ids["liver"]], nodeFromVolume(fine, "CT"))
    assert labels.geometry.same_grid(fine.geometry)
    where = np.argwhere(labels.array)
    # the coarse voxels 1..4, 2..7, 3..10 span twice these indices, half a coarse voxel around their centres
    assert np.abs(where.min(axis=0) - np.array([1.5, 3.5, 5.5])).max() <= 1
    assert np.abs(where.max(axis=0) - np.array([8.5, 14.5, 20.5])).max() <= 1


def test_a_segment_that_reaches_beyond_the_volume_is_cut_at_its_border(scene):
    from FreeTumorSlicerLib.volumes import labelsFromSegmentation, nodeFromVolume

    large = a_volume()
    shifted = oblique()
    shifted[:3, 3] = (oblique() @ [10, 6, 4, 1])[:3]
    small = Volume(large.array[4:9, 6:12, 10:20].copy(), Geometry((5, 6, 10), shifted))
    mask = a_mask(at=(2, 2, 2), size=(9, 15, 25))
    segmentation, ids = a_segmentation(nodeFromVolume(large, "large"), liver=mask)
    labels = labelsFromSegmentation(segmentation, [ids["liver"]], nodeFromVolume(small, "small"))
    assert np.array_equal(labels.array > 0, mask[4:9, 6:12, 10:20])


def test_transforms_of_volume_and_segmentation_are_both_taken_into_account(scene, moved):
    from FreeTumorSlicerLib.volumes import labelsFromSegmentation, nodeFromVolume, segmentFromMask

    node = nodeFromVolume(a_volume(), "CT")
    mask = a_mask()
    segmentation, ids = a_segmentation(node, liver=mask)
    transform = a_transform(moved)
    node.SetAndObserveTransformNodeID(transform.GetID())
    assert not np.array_equal(labelsFromSegmentation(segmentation, [ids["liver"]], node).array > 0, mask)
    added = segmentFromMask(segmentation, mask, node, "in place")
    assert np.array_equal(labelsFromSegmentation(segmentation, [added], node).array > 0, mask)
    segmentation.SetAndObserveTransformNodeID(transform.GetID())
    assert np.array_equal(labelsFromSegmentation(segmentation, [ids["liver"]], node).array > 0, mask)


def test_a_segmentation_of_surfaces_is_read_as_well(scene):
    from FreeTumorSlicerLib.volumes import labelsFromSegmentation, nodeFromVolume

    node = nodeFromVolume(a_volume(), "CT")
    segmentation, ids = a_segmentation(node, liver=a_mask())
    segmentation.CreateClosedSurfaceRepresentation()
    segmentation.GetSegmentation().SetSourceRepresentationName("Closed surface")
    segmentation.GetSegmentation().RemoveRepresentation("Binary labelmap")
    labels = labelsFromSegmentation(segmentation, [ids["liver"]], node).array > 0
    both = labels & a_mask()
    assert 2 * both.sum() / (labels.sum() + a_mask().sum()) > 0.7


def test_a_removed_segment_is_named_in_the_error(scene):
    from FreeTumorSlicerLib.volumes import labelsFromSegmentation, nodeFromVolume

    node = nodeFromVolume(a_volume(), "CT")
    segmentation, ids = a_segmentation(node, liver=a_mask())
    segmentation.GetSegmentation().RemoveSegment(ids["liver"])
    with pytest.raises(BadInput, match="liver in Organs"):
        labelsFromSegmentation(segmentation, [ids["liver"]], node)
