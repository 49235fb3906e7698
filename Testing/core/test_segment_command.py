"""``freetumor segment``: options, table, warnings; and a threshold that finds a lesion in the phantom."""

import numpy as np
import pytest
from freetumor.anatomy import ORGANS
from freetumor.cases.case import CT, TUMOR_MASK
from made_models import threshold_segmenter
from runs import array, command

LESION = {
    "number": 1, "voxels": 10, "volume_mm3": 4188.79, "diameter_mm": 20.0, "mean_hu": 41.6,
    "centre_ras": (1.2, -30.0, 5.5), "organ": "liver", "label": 2, "probability": 0.934,
}  # fmt: skip


@pytest.fixture
def asked(monkeypatch):
    """What the command asks of the core, and an answer with `lesions`."""

    def answer(lesions=(), log=()):
        calls = []

        def segment_file(ct, organ, out, **options):
            calls.append((str(ct), organ, str(out), options))
            options["progress"]("segmenting", 0.5)
            for line in log:
                options["log"](line)
            return {"status": "done", "organ": organ, "out": str(out), "model": "m", "lesions": list(lesions)}

        monkeypatch.setattr("freetumor.segmentation_job.segment_file", segment_file)
        return calls

    return answer


def test_options_arrive_where_they_belong(asked):
    calls = asked()
    said = command(
        *("segment", "ct.nii", "--organ", "kidney", "--out", "o.nii", "--model", "m", "--labels", "l.nii"),
        *("--label-convention", "totalsegmentator", "--organ-value", "2", "3", "--device", "cpu"),
        *("--backend", "torch", "--overlap", "0.5", "--smallest", "20", "--probabilities", "p.nii"),
        *("--series", "1.2", "--assume-hu", "--json"),
    )
    assert (said.code, said.err, said.json["status"]) == (0, "", "done")
    *names, options = calls.pop()
    assert names == ["ct.nii", "kidney", "o.nii"]
    assert (options["model"], str(options["labels"]), str(options["probabilities"])) == (
        "m",
        "l.nii",
        "p.nii",
    )
    assert (options["label_convention"], options["organ_values"]) == ("totalsegmentator", (2, 3))
    assert (options["device"], options["backend"], options["overlap"]) == ("cpu", "torch", 0.5)
    assert (options["smallest_mm3"], options["series"], options["assume_hu"]) == (20.0, "1.2", True)
    command("segment", "ct.nii", "--organ", "liver", "--out", "o.nii")
    *_, options = calls.pop()
    assert (options["model"], options["labels"], options["device"]) == (None, None, "auto")
    assert not {"overlap", "smallest_mm3"} & set(options)


def test_lesions_are_a_table_and_warnings_go_to_stderr(asked):
    asked([LESION, LESION | {"number": 2, "mean_hu": -5.4}], ["plain torch", "plain torch"])
    said = command("segment", "ct.nii", "--organ", "liver", "--out", "o.nii")
    assert (said.code, said.err) == (0, "freetumor: warning: plain torch\n")
    head, first, second, last = said.out.splitlines()
    assert head.split() == ["lesion", "ml", "mm", "HU", "probability", "centre", "R,A,S", "in", "mm"]
    assert first.split() == ["1", "4.19", "20.0", "42", "0.93", "1,-30,6"]
    assert second.split()[3] == "-5"
    assert len({len(head), len(first), len(second)}) == 1
    assert last == "labels: o.nii, by m"
    said = command("segment", "ct.nii", "--organ", "liver", "--out", "o.nii", "--json")
    assert (said.json["lesions"][0]["volume_mm3"], said.json["warnings"]) == (4188.79, ["plain torch"])
    asked()
    assert "no lesion found" in command("segment", "ct.nii", "--organ", "liver", "--out", "o.nii").out


def test_without_a_model_it_says_how_to_get_one(tmp_path, monkeypatch, inputs):
    monkeypatch.setenv("FREETUMOR_MODELS", str(tmp_path / "models"))
    arguments = ("segment", inputs.ct, "--organ", "liver", "--out", tmp_path / "o.nii", "--json")
    said = command(*arguments)
    assert (said.code, said.json["kind"]) == (2, "no_model")
    assert "freetumor models import" in said.line
    said = command(*arguments, "--model", "nonsense")
    assert (said.code, said.json["kind"]) == (2, "no_model")
    assert list(tmp_path.iterdir()) == []


def test_a_threshold_finds_the_synthetic_tumor_of_a_case(tmp_path, monkeypatch, inputs, case_of):
    """From files to files: the lesion found is the one that was put in."""
    monkeypatch.setenv("FREETUMOR_MODELS", str(tmp_path / "models"))
    case = case_of("liver")
    tumor, hu = array(case / TUMOR_MASK) > 0, array(case / CT)
    level = float(np.median(hu[tumor]))
    threshold_segmenter(tmp_path / "models", "abdomen", -150.0, level + 15.0, organ="liver")
    files = ("--out", tmp_path / "l.nii.gz", "--probabilities", tmp_path / "p.nii.gz")
    arguments = ("segment", case / CT, "--organ", "liver", "--labels", inputs.maps["abdomen"], *files)
    said = command(*arguments, "--smallest", "500", "--device", "cpu", "--json")
    assert said.code == 0, said
    assert said.json["model"] == "threshold-abdomen"
    found, probability = array(tmp_path / "l.nii.gz"), array(tmp_path / "p.nii.gz")
    row = ORGANS["liver"]
    assert set(np.unique(found)) <= {0, row.organ_label, row.lesion_label}
    lesion = found == row.lesion_label
    assert (lesion & tumor).sum() > 0.5 * tumor.sum()
    assert probability[lesion & tumor].mean() > probability[~lesion].mean()
    assert said.json["lesions"]
    again = command(*arguments)
    assert again.code == 2
    assert "exists" in again.line
