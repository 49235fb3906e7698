"""MRML nodes to volumes of the core and back: the only place that converts between the two.

Volumes of the core are in world coordinates (RAS mm): linear parent transforms become part of the affine.
"""

from dataclasses import replace

import numpy as np
import slicer
import vtk
from freetumor.errors import BadInput
from freetumor.volume import Box, Geometry, Volume
from slicer.i18n import tr as _
from vtk.util import numpy_support

from FreeTumorSlicerLib.terminology import colorOf, terminologyEntry

BINARY_LABELMAP = "Binary labelmap"
_INTEGERS_OF_VTK = {np.dtype(np.int64): np.int32, np.dtype(np.uint64): np.uint32}


def volumeFromNode(node) -> Volume:
    """The volume of a scalar or label map node. Its array is the node's own memory, not a copy.

    Raises:
        BadInput: the node holds no voxels or no scalars ("not_3d", "vector"), or is under a transform that is
            not linear ("nonlinear_transform").
    """
    _checkScalar(node)
    return Volume(slicer.util.arrayFromVolume(node), geometryOfNode(node), name=node.GetName())


def geometryOfNode(node) -> Geometry:
    """The grid of a volume node in world coordinates, its parent transforms applied. Raises as above."""
    _checkScalar(node)
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    shape = tuple(reversed(node.GetImageData().GetDimensions()))
    return Geometry(shape, worldFromNode(node) @ slicer.util.arrayFromVTKMatrix(matrix))


def worldFromNode(node) -> np.ndarray:
    """4 x 4 from the node's own coordinates to the world; BadInput for a transform that is not linear."""
    matrix = vtk.vtkMatrix4x4()
    transform = node.GetParentTransformNode()
    if not slicer.vtkMRMLTransformNode.GetMatrixTransformBetweenNodes(transform, None, matrix):
        raise BadInput(
            _("a volume without a transform, or under a linear one"),
            _("{name} under the non-linear transform {transform}").format(
                name=node.GetName(), transform=transform.GetName()
            ),
            _("Harden the transform in the Transforms module first (this resamples the volume)."),
            kind="nonlinear_transform",
        )
    return slicer.util.arrayFromVTKMatrix(matrix)


def nodeFromVolume(volume: Volume, name: str, like=None, className: str = "vtkMRMLScalarVolumeNode"):
    """A new node in the scene with the values of `volume` (in HU) on the same grid.

    Args:
        like: a node whose parent transform and display (window, color table) the new one shares.
    """
    node = slicer.mrmlScene.AddNewNodeByClass(className, name)
    matrix = volume.geometry.affine
    if like is not None and like.GetParentTransformNode() is not None:
        matrix = np.linalg.inv(worldFromNode(like)) @ matrix
        node.SetAndObserveTransformNodeID(like.GetParentTransformNode().GetID())
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(matrix))
    slicer.util.updateVolumeFromArray(node, _inHu(volume))
    node.CreateDefaultDisplayNodes()
    if like is not None and like.GetDisplayNode() is not None:
        node.GetDisplayNode().CopyContent(like.GetDisplayNode())
    return node


def rightHanded(volume: Volume) -> Volume:
    """The same image with its slices in the order in which 3D Slicer's own readers keep them.

    They turn a left-handed grid round. A node made from one would have another order of voxels once its scene
    was saved and loaded, and would no longer be the CT that a result was made from.
    """
    geometry = volume.geometry
    if np.linalg.det(geometry.affine[:3, :3]) > 0:
        return volume
    affine = geometry.affine.copy()
    affine[:3, 3] += affine[:3, 2] * (geometry.shape[0] - 1)
    affine[:3, 2] *= -1.0
    turned = np.ascontiguousarray(volume.array[::-1])
    return replace(volume, array=turned, geometry=Geometry(geometry.shape, affine))


def labelsFromSegmentation(segmentationNode, segmentIDs, referenceVolumeNode) -> Volume:
    """Segments as a label map (1, 2, ... in the order of `segmentIDs`) on the grid of a volume node.

    Where segments overlap the later one wins. The segmentation is not changed, except that a binary label map
    is made where it holds surfaces only.

    Raises:
        BadInput: no such segment ("segment_missing"), or a transform that is not linear.
    """
    geometry = geometryOfNode(referenceVolumeNode)
    labels = np.zeros(geometry.shape, np.uint8 if len(segmentIDs) < 256 else np.uint16)
    world = worldFromNode(segmentationNode)
    _ensureLabelmaps(segmentationNode, referenceVolumeNode)
    for value, segmentID in enumerate(segmentIDs, start=1):
        image = slicer.vtkOrientedImageData()
        if segmentationNode.GetSegmentation().GetSegment(segmentID) is None:
            raise BadInput(
                _("a segment that exists"),
                _("{segment} in {name}").format(segment=segmentID, name=segmentationNode.GetName()),
                _("It may have been removed: choose another."),
                kind="segment_missing",
            )
        if segmentationNode.GetBinaryLabelmapRepresentation(segmentID, image) and not _isEmpty(image):
            _placeInWorld(image, world)
            box, inside = _onGrid(image, geometry)
            labels[box.slices][inside] = value
    return Volume(labels, geometry, name=segmentationNode.GetName())


def segmentFromMask(
    segmentationNode, mask, referenceVolumeNode, name, color=None, organRow=None, kind="lesion", box=None
):
    """Add a segment that covers `mask`; all other segments stay as they are, overlap or not.

    Args:
        mask: bool, (k, j, i), on the grid of `referenceVolumeNode`, or only on `box` of it.
        color: RGB in 0..1; that of the organ's row if None.
        organRow: row of the organ table; its terminology is written on the segment.
        kind: what of it, "lesion" or "organ".

    Returns:
        The ID of the new segment.
    """
    geometry = geometryOfNode(referenceVolumeNode)
    outer = Box.whole(geometry.shape) if box is None else box
    if mask.shape != outer.shape:
        raise BadInput(f"a mask of {outer.shape} voxels", f"{mask.shape}", kind="grid_mismatch")
    inner = Box.of(mask)
    placed = Box(
        *(tuple(a + o for a, o in zip(end, outer.start, strict=True)) for end in (inner.start, inner.stop))
    )
    affine = np.linalg.inv(worldFromNode(segmentationNode)) @ geometry.affine
    segmentationNode.SetReferenceImageGeometryParameterFromVolumeNode(referenceVolumeNode)
    segment = slicer.vtkSegment()
    segment.SetName(name)
    if color is None and organRow is not None:
        color = colorOf(organRow, kind)
    if color is not None:
        segment.SetColor(*color)
    if organRow is not None:
        segment.SetTerminology(terminologyEntry(organRow, kind))
    # A layer of its own: in a layer shared with others it would take voxels from them.
    segment.AddRepresentation(BINARY_LABELMAP, _imageOf(mask[inner.slices], placed, affine))
    segmentation = segmentationNode.GetSegmentation()
    if segmentation.GetNumberOfSegments() == 0:
        segmentation.SetSourceRepresentationName(BINARY_LABELMAP)
    segmentID = segmentation.GenerateUniqueSegmentID(name)
    if not segmentation.AddSegment(segment, segmentID):
        raise RuntimeError(f"the segment {name} could not be added to {segmentationNode.GetName()}")
    return segmentID


def _checkScalar(node) -> None:
    if node is None or node.GetImageData() is None or min(node.GetImageData().GetDimensions()) < 1:
        name = _("no volume") if node is None else _("{name}, which is empty").format(name=node.GetName())
        raise BadInput(_("a volume with voxels"), name, _("Load a CT and choose it."), kind="not_3d")
    if node.GetImageData().GetNumberOfScalarComponents() != 1:
        raise BadInput(
            _("one number per voxel"),
            _("{name}, which has several").format(name=node.GetName()),
            _("Choose a scalar volume."),
            kind="vector",
        )


def _inHu(volume: Volume) -> np.ndarray:
    if volume.storage.slope == 1.0 and volume.storage.intercept == 0.0:
        array = volume.array
        # Slicer does not render 64-bit integers.
        return array.astype(_INTEGERS_OF_VTK[array.dtype]) if array.dtype in _INTEGERS_OF_VTK else array
    return volume.hu()


def _ensureLabelmaps(segmentationNode, referenceVolumeNode) -> None:
    if segmentationNode.GetSegmentation().ContainsRepresentation(BINARY_LABELMAP):
        return
    if segmentationNode.GetSegmentation().GetNumberOfSegments() == 0:
        return
    segmentationNode.SetReferenceImageGeometryParameterFromVolumeNode(referenceVolumeNode)
    segmentationNode.CreateBinaryLabelmapRepresentation()


def _isEmpty(image) -> bool:
    extent = image.GetExtent()
    return any(extent[2 * axis] > extent[2 * axis + 1] for axis in range(3))


def _placeInWorld(image, world: np.ndarray) -> None:
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    image.SetGeometryFromImageToWorldMatrix(
        slicer.util.vtkMatrixFromArray(world @ slicer.util.arrayFromVTKMatrix(matrix))
    )


def _imageOf(inside: np.ndarray, box: Box, affine: np.ndarray):
    """A vtkOrientedImageData of `inside` that keeps the index of the whole grid as its extent."""
    image = slicer.vtkOrientedImageData()
    extent = [bound for axis in (2, 1, 0) for bound in (box.start[axis], box.stop[axis] - 1)]
    image.SetExtent(extent)
    values = numpy_support.numpy_to_vtk(inside.astype(np.uint8).ravel(), deep=True)
    image.GetPointData().SetScalars(values)
    image.SetGeometryFromImageToWorldMatrix(slicer.util.vtkMatrixFromArray(affine))
    return image


def _onGrid(image, geometry: Geometry) -> tuple[Box, np.ndarray]:
    """The voxels of `geometry` that `image` covers: a box and a bool array on it."""
    start = _offset(image, geometry)
    if start is None:
        image, start = _resampled(image, geometry), np.zeros(3, int)
    extent = image.GetExtent()
    array = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    array = array.reshape([extent[2 * axis + 1] - extent[2 * axis] + 1 for axis in (2, 1, 0)])
    start = start + np.array([extent[4], extent[2], extent[0]])
    first = np.maximum(start, 0)
    last = np.maximum(np.minimum(start + array.shape, geometry.shape), first)
    box = Box(tuple(int(v) for v in first), tuple(int(v) for v in last))
    source = Box(tuple(int(v) for v in first - start), tuple(int(v) for v in last - start))
    return box, array[source.slices] != 0


def _offset(image, geometry: Geometry) -> np.ndarray | None:
    """Voxels (k, j, i) from the grid's index to the image's; None if it lies on another lattice."""
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    affine = slicer.util.arrayFromVTKMatrix(matrix)
    # Over the whole grid the two lattices may part by no more than a hundredth of a voxel.
    relative = np.linalg.inv(geometry.affine) @ affine
    drift = np.abs(relative[:3, :3] - np.eye(3)) * np.array(geometry.shape)[::-1]
    shift = relative[:3, 3]
    if drift.max() > 0.01 or np.abs(shift - np.rint(shift)).max() > 0.01:
        return None
    return np.rint(shift).astype(int)[::-1]


def _resampled(image, geometry: Geometry):
    """The image on the grid of `geometry`, nearest neighbour."""
    reference = slicer.vtkOrientedImageData()
    extent = [bound for size in reversed(geometry.shape) for bound in (0, size - 1)]
    reference.SetExtent(extent)
    reference.SetGeometryFromImageToWorldMatrix(slicer.util.vtkMatrixFromArray(geometry.affine))
    out = slicer.vtkOrientedImageData()
    resample = slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage
    if not resample(image, reference, out):
        raise RuntimeError("the segment could not be resampled to the volume's grid")
    return out
