"""Terminology and color of segments, from the organ table: what DICOM SEG and other modules read."""

from freetumor.anatomy import Code

CONTEXT = "Segmentation category and type - DICOM master list"
REGIONS = "Anatomic codes - DICOM master list"
_LESION_CATEGORY = Code("49755003", "Morphologically Altered Structure")
_ORGAN_CATEGORY = Code("123037004", "Anatomical Structure")
_NONE = "^^"

# Organ colors of Slicer's general anatomy color table; lesions stand out from every one of them.
_ORGAN_COLORS = {
    "Liver": (0.87, 0.51, 0.40),
    "Pancreas": (0.98, 0.98, 0.88),
    "Kidney": (0.73, 0.40, 0.30),
    "Lung": (0.77, 0.64, 0.57),
}
_OTHER_ORGAN = (0.80, 0.68, 0.58)
_LESION_COLORS = {"covid": (0.20, 0.75, 0.95)}
_OTHER_LESION = (0.98, 0.82, 0.10)


def terminologyEntry(organRow, kind: str) -> str:
    """Entry of an organ's row as vtkSlicerTerminologiesModuleLogic serialises it; `kind`: lesion or organ."""
    if kind == "lesion":
        category, what, region = _LESION_CATEGORY, organRow.finding, _coded(organRow.site)
    elif kind == "organ":
        category, what, region = _ORGAN_CATEGORY, organRow.site, _NONE
    else:
        raise ValueError(f"kind must be 'lesion' or 'organ'; got {kind!r}")
    return "~".join((CONTEXT, _coded(category), _coded(what), _NONE, REGIONS, region, _NONE))


def colorOf(organRow, kind: str) -> tuple[float, float, float]:
    """RGB in 0..1 of a segment of an organ or of its lesion."""
    if kind == "lesion":
        return _LESION_COLORS.get(organRow.name, _OTHER_LESION)
    return _ORGAN_COLORS.get(organRow.site.meaning, _OTHER_ORGAN)


def _coded(code: Code) -> str:
    return f"SCT^{code.value}^{code.meaning}"
