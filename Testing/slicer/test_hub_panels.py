"""The hub as a user drives it: set-up, cases, export, jobs, and what survives in a saved scene."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path

import pytest
import slicer
from freetumor.anatomy import ORGANS
from freetumor.cases import write_case
from freetumor.organs import organ_labels
from freetumor.pipeline import Request, synthesize
from freetumor.segmentation import PseudoLabel
from reviewcases import makeCase
from waiting import alive, turn


@pytest.fixture(scope="session")
def syntheticCases(phantom, tmp_path_factory) -> Path:
    """A folder with one synthetic case, as FreeTumor Synth writes it."""
    folder = tmp_path_factory.mktemp("cases")
    labels = organ_labels(phantom.label_map("abdomen"), ORGANS["liver"])
    synthesis = synthesize(phantom.ct, labels, Request(diameter=20, seed=1))
    write_case(folder / "liver-001", synthesis, {"ct": "0", "labels": "0"})
    return folder


def choose(hub, **paths) -> None:
    """Fill path fields of the form, as a user who types or browses."""
    for name, path in paths.items():
        getattr(hub.ui, f"{name}Edit").setCurrentPath(str(path))


def texts(table) -> list[list[str]]:
    return [
        [table.item(row, column).text() for column in range(table.columnCount)]
        for row in range(table.rowCount)
    ]


def test_opening_the_hub_looks_at_nothing_and_installs_nothing(hub):
    assert hub.ui.packageTable.rowCount == 0
    assert hub.ui.deviceLabel.text == "not checked"


def test_check_tells_what_is_installed_and_what_computes(hub):
    hub.ui.checkButton.click()
    rows = {row[0]: row[1] for row in texts(hub.ui.packageTable)}
    assert rows["numpy"][0].isdigit()
    assert hub.ui.deviceLabel.text.startswith(("CPU", "GPU"))
    assert "procedural" in hub.ui.enginesLabel.text


def test_a_declined_or_impossible_installation_is_told_in_words(hub, monkeypatch):
    from FreeTumorSlicerLib import dependencies

    def declined(progress, optional):
        raise RuntimeError("The extension PyTorch is missing: install it.")

    monkeypatch.setattr(dependencies, "install", declined)
    hub.ui.installButton.click()
    assert hub.ui.statusLabel.text == "The extension PyTorch is missing: install it."


def test_cases_are_listed_with_their_review(hub, tmp_path):
    for name in ("case10", "case2"):
        makeCase(tmp_path / name, (6, 10, 10))
    PseudoLabel(tmp_path / "case2").review(0, "approved", author="Ada")
    choose(hub, casesFolder=tmp_path)
    assert texts(hub.ui.caseTable) == [["case2", "liver", "approved"], ["case10", "liver", "open"]]
    makeCase(tmp_path / "case11", (6, 10, 10))
    hub.ui.refreshButton.click()
    assert hub.ui.caseTable.rowCount == 3


def test_a_folder_without_cases_says_so_and_offers_no_export(hub, tmp_path):
    choose(hub, casesFolder=tmp_path, exportFolder=tmp_path / "out")
    assert "folder with cases" in hub.ui.statusLabel.text
    assert not hub.ui.exportButton.enabled
    assert "synthetic cases" in hub.ui.exportButton.toolTip
    assert not hub.ui.reviewButton.enabled


@pytest.mark.parametrize(
    ("form", "image"), [("nnunet", "liver-001_0000.nii.gz"), ("msd", "liver-001.nii.gz")]
)
def test_export_runs_as_a_job_and_the_data_set_is_there(hub, syntheticCases, tmp_path, form, image):
    hub.ui.formatCombo.setCurrentText(form)
    choose(hub, casesFolder=syntheticCases, exportFolder=tmp_path / "Dataset ü")
    assert hub.ui.exportButton.enabled
    hub.ui.exportButton.click()
    assert not hub.ui.exportButton.enabled
    assert hub.ui.stopButton.enabled
    turn(lambda: not hub.jobsPanel.runner.isRunning)
    assert hub.ui.progressLabel.text == "Done."
    assert (tmp_path / "Dataset ü" / "imagesTr" / image).is_file()
    assert hub.ui.exportButton.enabled


def test_an_export_into_a_foreign_folder_is_refused_and_the_hub_is_idle_again(hub, syntheticCases, tmp_path):
    (tmp_path / "dataset.json").write_text("{}")
    choose(hub, casesFolder=syntheticCases, exportFolder=tmp_path)
    hub.ui.exportButton.click()
    turn(lambda: not hub.jobsPanel.runner.isRunning)
    assert "It exists already" in hub.ui.progressLabel.text
    assert hub.ui.exportButton.enabled
    assert (tmp_path / "dataset.json").read_text() == "{}"


def writeJob(folder: Path, kind: str, **parameters) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "job.json").write_text(json.dumps({"kind": kind, "parameters": parameters}), "utf-8")
    return folder / "job.json"


def test_any_job_file_can_be_started_and_followed(hub, phantom, tmp_path):
    from freetumor.volume import write_volume

    write_volume(phantom.ct, tmp_path / "ct.nii")
    choose(hub, jobFile=writeJob(tmp_path, "label-organs", ct="ct.nii", organ="lung", out="lungs.nii"))
    assert hub.ui.jobLabel.text == "Kind of job: label-organs"
    hub.ui.startJobButton.click()
    turn(lambda: not hub.jobsPanel.runner.isRunning)
    assert hub.ui.progressLabel.text == "Done."
    assert hub.ui.progressBar.value == 1000
    assert (tmp_path / "lungs.nii").is_file()
    assert "lungs.nii" in hub.ui.logText.toPlainText()


def test_a_running_job_can_be_stopped_and_leaves_no_process(hub, phantom, tmp_path):
    from freetumor.volume import write_volume

    write_volume(phantom.ct, tmp_path / "ct.nii")
    choose(hub, jobFile=writeJob(tmp_path, "label-organs", ct="ct.nii", organ="lung", out="lungs.nii"))
    hub.ui.startJobButton.click()
    turn(lambda: hub.jobsPanel.runner.processId is not None)
    process = hub.jobsPanel.runner.processId
    hub.ui.stopButton.click()
    assert hub.ui.progressLabel.text == "Stopping..."
    assert not hub.ui.stopButton.enabled
    turn(lambda: not hub.jobsPanel.runner.isRunning)
    assert "Stopped" in hub.ui.progressLabel.text
    assert hub.ui.startJobButton.enabled
    assert not alive(process)


def test_closing_the_scene_ends_the_running_job(hub, phantom, tmp_path, scene):
    from freetumor.volume import write_volume

    write_volume(phantom.ct, tmp_path / "ct.nii")
    choose(hub, jobFile=writeJob(tmp_path, "label-organs", ct="ct.nii", organ="lung", out="lungs.nii"))
    hub.ui.startJobButton.click()
    turn(lambda: hub.jobsPanel.runner.processId is not None)
    process = hub.jobsPanel.runner.processId
    scene.Clear(0)
    assert not hub.jobsPanel.runner.isRunning
    assert not alive(process)
    assert hub.ui.progressLabel.text == "No job is running."


@pytest.mark.parametrize(
    ("kind", "words"), [("bake", "expected a kind of job of"), ("export", "Kind of job: export")]
)
def test_a_job_file_says_whether_it_can_be_run(hub, tmp_path, kind, words):
    choose(hub, jobFile=writeJob(tmp_path, kind))
    assert words in hub.ui.jobLabel.text
    assert hub.ui.startJobButton.enabled == (kind == "export")


def test_a_job_is_saved_for_another_computer(hub, tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "ct.nii").write_text("voxels")
    choose(hub, jobFile=writeJob(tmp_path / "here", "label-organs", ct="ct.nii", organ="lung"))
    assert "where to save" in hub.ui.saveJobButton.toolTip
    choose(hub, packFolder=tmp_path / "there")
    hub.ui.saveJobButton.click()
    assert "README.txt" in hub.ui.statusLabel.text
    assert (tmp_path / "there" / "inputs" / "001" / "ct.nii").read_text() == "voxels"
    hub.ui.saveJobButton.click()
    assert "exists" in hub.ui.statusLabel.text


def test_every_parameter_survives_a_saved_scene(hub, scene, tmp_path):
    makeCase(tmp_path / "cases" / "case1", (6, 10, 10))
    hub.ui.formatCombo.setCurrentText("msd")
    choose(
        hub,
        casesFolder=tmp_path / "cases",
        exportFolder=tmp_path / "set",
        jobFile=writeJob(tmp_path / "job", "export"),
        packFolder=tmp_path / "packed",
        modelFile=tmp_path / "checkpoint.pt",
    )
    hub.ui.modelGroupCombo.setCurrentText("chest")
    before = {
        name: hub.logic.getParameterNode().getValue(name)
        for name in hub.logic.getParameterNode().allParameters
    }
    slicer.util.saveScene(str(tmp_path / "scene.mrml"))
    scene.Clear(0)
    assert hub.ui.caseTable.rowCount == 0
    slicer.util.loadScene(str(tmp_path / "scene.mrml"))
    assert {name: hub.logic.getParameterNode().getValue(name) for name in before} == before
    assert hub.ui.formatCombo.currentText == "msd"
    assert hub.ui.casesFolderEdit.currentPath == str(tmp_path / "cases")
    assert texts(hub.ui.caseTable) == [["case1", "liver", "open"]]


def test_the_hub_leads_to_a_case_in_freetumor_segment(hub, segment, tmp_path):
    makeCase(tmp_path / "case1", (6, 10, 10))
    makeCase(tmp_path / "case2", (6, 10, 10), (12, 20, 30))
    choose(hub, casesFolder=tmp_path)
    hub.ui.caseTable.setCurrentCell(1, 0)
    hub.ui.reviewButton.click()
    assert segment.ui.statusLabel.text == "Opened case2."
    assert segment.ui.lesionTable.rowCount == 2


def test_a_missing_module_is_told(hub):
    hub.ui.openSegmentButton.click()
    assert "FreeTumorSegment is not loaded" in hub.ui.statusLabel.text


def test_the_sample_is_offered_with_its_checksums_and_loads_with_its_labels(hub, monkeypatch, inputs_sample):
    registered = {}
    logic = types.SimpleNamespace(registerCustomSampleDataSource=lambda **source: registered.update(source))
    monkeypatch.setitem(sys.modules, "SampleData", types.SimpleNamespace(SampleDataLogic=logic))
    from FreeTumorSlicerLib.sampledata import registerSampleData

    registerSampleData()
    assert all(checksum.startswith("SHA256:") and len(checksum) == 71 for checksum in registered["checksums"])
    lengths = {
        len(registered[key]) for key in ("uris", "fileNames", "nodeNames", "checksums", "loadFileTypes")
    }
    assert lengths == {2}
    assert Path(registered["thumbnailFileName"]).is_file()
    ct, labels = registered["customDownloader"](None)
    assert (ct.GetClassName(), labels.GetClassName()) == (
        "vtkMRMLScalarVolumeNode",
        "vtkMRMLLabelMapVolumeNode",
    )
    assert "CC BY 3.0" in ct.GetDescription()


@pytest.fixture
def inputs_sample(phantom, tmp_path, monkeypatch):
    """The phantom in place of the downloaded sample."""
    from freetumor import sample_data
    from freetumor.volume import write_volume

    write_volume(phantom.ct, tmp_path / "ct.nii.gz")
    write_volume(phantom.totalsegmentator(), tmp_path / "mask.nii.gz")
    sample = sample_data.Sample(tmp_path / "ct.nii.gz", tmp_path / "mask.nii.gz")
    monkeypatch.setattr(sample_data, "fetch_sample", lambda: sample)


def test_a_failed_download_is_told(hub, monkeypatch):
    from freetumor import sample_data

    def offline():
        raise sample_data.FetchError("the sample CT could not be downloaded", kind="download")

    monkeypatch.setattr(sample_data, "fetch_sample", offline)
    hub.ui.sampleButton.click()
    assert "could not be downloaded" in hub.ui.statusLabel.text


def test_the_self_test_passes(hub):
    slicer.modules.FreeTumorSlicerInstance.runTest(msec=0)
