"""Export of paired data: nnU-Net raw, Medical Segmentation Decathlon."""

from freetumor.export.dataset import FORMATS, Layout, export

__all__ = ["FORMATS", "Layout", "export"]
