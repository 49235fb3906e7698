"""The tumor as a surface inside a see-through organ."""

import numpy as np
import slicer
import vtk
from freetumor.organs import OrganLabels
from freetumor.volume import Box
from FreeTumorSlicerLib.terminology import colorOf
from slicer.i18n import tr as _
from vtk.util import numpy_support

ORGAN_OPACITY = 0.25
_MM = 2.5  # of the organ's surface: it is the surroundings, and must not freeze the window
_MARK = "FreeTumor.Organ"
_SMOOTH_PASS_BAND, _SMOOTH_ITERATIONS = 0.02, 40  # without the steps of thick slices


def showTumors(segmentationNode) -> None:
    """Show the segments of a result as surfaces."""
    segmentationNode.CreateClosedSurfaceRepresentation()
    segmentationNode.GetDisplayNode().SetVisibility3D(True)


def organModel(labels: OrganLabels, name: str):
    """The organ's surface as a model node, see-through, in world coordinates, not in the slices.

    All results on one organ share it: a node of ours of that name gets the new surface.
    """
    nodes = slicer.util.getNodesByClass("vtkMRMLModelNode")
    ours = [n for n in nodes if n.GetName() == name and n.GetAttribute(_MARK) == labels.organ.name]
    node = ours[0] if ours else slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", name)
    node.SetAttribute(_MARK, labels.organ.name)
    node.SetAndObservePolyData(organSurface(labels))
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetColor(*colorOf(labels.organ, "organ"))
    display.SetOpacity(ORGAN_OPACITY)
    display.SetScalarVisibility(False)
    display.SetBackfaceCulling(False)
    display.SetVisibility2D(False)
    node.SetDescription(_("See-through surface for orientation; not for measurements."))
    return node


def organSurface(labels: OrganLabels) -> vtk.vtkPolyData:
    """Surface of the organ in RAS mm, on the label map thinned to about 2.5 mm."""
    step = [max(1, round(_MM / s)) for s in labels.geometry.spacing]
    thinned = labels.strided(step)
    box = Box.of(thinned)
    # A border of zeros closes the surface where the organ is cut by the scan.
    padded = np.pad(thinned[box.slices], 1).astype(np.uint8)
    image = vtk.vtkImageData()
    image.SetDimensions(*reversed(padded.shape))
    image.GetPointData().SetScalars(numpy_support.numpy_to_vtk(padded.ravel(), deep=True))
    contour = vtk.vtkFlyingEdges3D()
    contour.SetInputData(image)
    contour.SetValue(0, 0.5)
    contour.ComputeScalarsOff()  # or the label's value would color the surface
    smooth = vtk.vtkWindowedSincPolyDataFilter()
    smooth.SetInputConnection(contour.GetOutputPort())
    smooth.SetNumberOfIterations(_SMOOTH_ITERATIONS)
    smooth.SetPassBand(_SMOOTH_PASS_BAND)
    smooth.NormalizeCoordinatesOn()
    affine = labels.geometry.strided(step).affine.copy()
    affine[:3, 3] += affine[:3, :3] @ (np.array(box.start[::-1]) - 1.0)
    transform = vtk.vtkTransform()
    transform.SetMatrix(slicer.util.vtkMatrixFromArray(affine))
    world = vtk.vtkTransformPolyDataFilter()
    world.SetTransform(transform)
    world.SetInputConnection(smooth.GetOutputPort())
    normals = vtk.vtkPolyDataNormals()
    normals.SetInputConnection(world.GetOutputPort())
    normals.SplittingOff()
    normals.AutoOrientNormalsOn()
    normals.Update()
    return normals.GetOutput()
