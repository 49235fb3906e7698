import json
import os
import re
import subprocess
import sys

import freetumor
import pytest
from freetumor import __main__ as main_module
from runs import COMMAND, array, command, tree

LAZY = """
import sys
from freetumor.__main__ import main
try:
    main()
except SystemExit as end:
    assert end.code == 0, end.code
print([m for m in ("scipy", "SimpleITK", "torch", "PIL", "jinja2") if m in sys.modules])
"""


class Captured:
    """Stands in for a finished job; what the command asked for is in `job`."""

    def __init__(self, job):
        self.job = job

    def to_dict(self):
        return {"status": "done", "case": str(self.job.out), "lesions": []}


@pytest.fixture
def asked(monkeypatch):
    """Run ``synthesize`` up to the job it would run."""
    jobs = []

    def run(job, progress):
        progress("reading", 0.0)
        jobs.append(job)
        return Captured(job)

    monkeypatch.setattr("freetumor.job.run", run)

    def ask(*options):
        said = command("synthesize", "ct.nii.gz", "--organ", "kidney", "--out", "case", "--json", *options)
        assert said.code == 0, said
        assert said.json == {"status": "done", "case": "case", "lesions": []}
        assert said.err == ""
        return jobs.pop()

    return ask


def test_version_and_help_exit_with_0():
    said = command("--version")
    assert (said.code, said.out, said.err) == (0, f"freetumor {freetumor.__version__}\n", "")
    said = command("--help")
    assert said.code == 0
    names = ("synthesize", "label-organs", "export", "demo", "synthesize-batch", "--version")
    assert all(name in said.out for name in names)
    assert command().out == said.out
    for name in names[:-1]:
        assert command(name, "--help").code == 0
        assert "--json" in command(name, "-h").out


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_version_and_help_answer_without_the_heavy_libraries(option):
    done = subprocess.run([sys.executable, "-c", LAZY, option], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("\n[]\n")
    assert freetumor.__version__ in done.stdout or "synthesize" in done.stdout


def test_the_command_in_a_process_of_its_own_prints_pure_json(inputs, tmp_path):
    done = subprocess.run(
        [*COMMAND, *inputs.of("liver"), "--out", str(tmp_path / "case"), "--json"],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"FORCE_COLOR": "1"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["status"] == "done"
    done = subprocess.run([*COMMAND, "--version"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, f"freetumor {freetumor.__version__}\n")


def test_the_json_of_a_synthesis_tells_what_was_asked_and_got(inputs, tmp_path):
    said = command(*inputs.of("liver"), "--seed", 3, "--out", tmp_path / "case", "--json")
    result = said.json
    assert said.code == 0
    assert said.err == ""
    assert result["status"] == "done"
    assert result["case"] == str(tmp_path / "case")
    assert (result["organ"], result["seed"], result["engine"]) == ("liver", 3, "procedural")
    assert result["passed"] is True
    (lesion,) = result["lesions"]
    assert lesion["id"] == 1
    assert lesion["asked"]["diameter_mm"] == 20.0
    assert 18.0 <= lesion["got"]["diameter_mm"] <= 22.0
    assert lesion["verdict"]["passed"] is True
    assert set(result["seconds"]) == {"read", "hash", "synthesize", "write"}


def test_without_json_stdout_says_the_same_in_words(inputs, tmp_path):
    said = command(*inputs.of("liver"), "--seed", 3, "--out", tmp_path / "case")
    assert said.code == 0
    first, last = said.out.splitlines()
    assert re.fullmatch(
        r"lesion 1: \d+\.\d mm \(asked 20\.0\) at -?\d+,-?\d+,-?\d+, -\d+ HU, passed", first
    ), first
    assert last == f"case: {tmp_path / 'case'}"


@pytest.mark.parametrize(
    "values",
    [
        ("--organ-value", "2", "--organ-value", "3"),
        ("--organ-value", "2", "3"),
        ("--organ-value", "2,3"),
        ("--organ-value", "2 3"),
        ("--organ-value=2", "--organ-value=3"),
    ],
)
def test_organ_values_are_given_in_any_common_way(asked, values):
    assert asked(*values, "--seed", "5").organ_values == (2, 3)
    assert asked("--seed", "5", *values).request.seed == 5


@pytest.mark.parametrize("value", ["0", "-1", "liver", "2;3", "2.5"])
def test_an_organ_value_that_is_no_label_is_refused(value):
    said = command("synthesize", "ct", "--organ", "liver", "--out", "case", "--organ-value", value)
    assert said.code == 2
    assert repr(value) in said.line


def test_points_may_begin_with_a_minus(asked):
    assert asked("--at", "-30,20,5").request.at == ((-30.0, 20.0, 5.0),)
    request = asked("--at=-30,20,5", "--at", "-1.5,-2,-3e1").request
    assert request.at == ((-30.0, 20.0, 5.0), (-1.5, -2.0, -30.0))
    assert request.count == 2


def test_options_arrive_where_they_belong(asked):
    job = asked(
        *("--labels", "l.nii.gz", "--label-convention", "totalsegmentator", "--size-class", "small"),
        *("--count", "3", "--seed", "9", "--engine", "e", "--no-gate", "--contrast", "-30", "--rim"),
        *("--no-core", "--exophytic", "--tries", "5", "--series", "1.2", "--resample-labels", "--assume-hu"),
    )
    assert (str(job.ct), job.organ, str(job.out), str(job.labels)) == (
        "ct.nii.gz",
        "kidney",
        "case",
        "l.nii.gz",
    )
    assert (job.label_convention, job.series, job.resample_labels) == ("totalsegmentator", "1.2", True)
    request = job.request
    assert (request.size_class, request.count, request.seed, request.engine) == ("small", 3, 9, "e")
    assert (request.gate, request.exophytic, request.tries, request.assume_hu) == (False, True, 5, True)
    style = request.style
    assert (style.contrast_hu, style.rim, style.core) == (-30.0, True, False)
    usual = asked()
    assert (usual.request.gate, usual.request.count, usual.request.seed) == (True, 1, 0)
    assert (usual.label_convention, usual.request.engine) == ("freetumor", "procedural")
    assert asked("--mask", "m.nii.gz").mask.name == "m.nii.gz"


def test_models_and_judges_are_chosen_by_options(asked):
    request = asked(
        *("--engine", "learned", "--model", "m", "--device", "cpu", "--backend", "torch"),
        *("--judge", "model-free", "--judge", "learned", "--judge-model", "j", "--judge-threshold", "0.5"),
    ).request
    assert (request.engine, request.model, request.device, request.backend) == (
        "learned",
        "m",
        "cpu",
        "torch",
    )
    assert (request.judges, request.judge_model) == (("model-free", "learned"), "j")
    assert request.judge_threshold == 0.5
    usual = asked().request
    assert (usual.model, usual.device, usual.backend) == (None, "auto", "auto")
    assert (usual.judges, usual.judge_model) == (("model-free",), None)
    assert usual.judge_threshold == 0.7


def test_warnings_go_to_stderr_or_into_the_object(monkeypatch):
    class Warned(Captured):
        def to_dict(self):
            return super().to_dict() | {"warnings": ["plain torch computes"]}

    monkeypatch.setattr("freetumor.job.run", lambda job, progress: Warned(job))
    arguments = ("synthesize", "ct.nii.gz", "--organ", "kidney", "--out", "case")
    said = command(*arguments)
    assert (said.code, said.out) == (0, "case: case\n")
    assert said.err == "freetumor: warning: plain torch computes\n"
    said = command(*arguments, "--json")
    assert (said.err, said.json["warnings"]) == ("", ["plain torch computes"])


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["nonsense"], "nonsense"),
        (["synthesize"], "CT"),
        (["synthesize", "ct", "--organ", "liver"], "--out"),
        (["synthesize", "ct", "--organ", "liver", "--out", "c", "--bogus"], "--bogus"),
        (["synthesize", "ct", "--organ", "liver", "--out", "c", "--diameter", "big"], "big"),
        (["synthesize", "ct", "--organ", "liver", "--out", "c", "--seed"], "--seed"),
        (["synthesize", "ct", "--organ", "liver", "--out", "c", "--count", "0"], "count"),
        (["synthesize", "ct", "--organ", "liver", "--out", "c", "--seed", "-1"], "-1"),
        (["synthesize", "ct", "--organ", "liver", "--out", "c", "--at", "1,2"], "'1,2'"),
        (["synthesize", "ct", "--organ", "liver", "--out", "c", "--at", "1,nan,3"], "'1,nan,3'"),
        (["synthesize", "ct", "--organ", "liver", "--out", "c", "--diameter", "nan"], "nan"),
        (["synthesize", "ct", "--organ", "liver", "--out", "c", "--size-class", "tiny", "--diameter", "5"],
         "both"),
        (["synthesize", "ct", "--organ", "brain", "--out", "c"], "liver, pancreas, kidney, lung, covid"),
        (["label-organs", "ct", "--organ", "brain", "--out", "c.nii.gz"], "'brain'"),
        (["export", "--format", "msd", "--out", "d"], "CASE"),
        (["demo", "--ct", "ct"], "--labels"),
        (["demo", "--labels", "l"], "--ct"),
        (["synthesize-batch", "no.csv"], "no.csv"),
        (["synthesize-batch", "no.csv", "--workers", "0"], "0"),
    ],
)  # fmt: skip
def test_wrong_usage_is_told_in_one_line(arguments, word, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = command(*arguments)
    assert (said.code, said.out) == (2, "")
    assert word in said.line
    in_json = command(*arguments, "--json")
    assert in_json.code == 2
    assert in_json.json["status"] == "error"
    assert in_json.line == f"freetumor: {in_json.json['message']}"
    assert tree(tmp_path) == []


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (MemoryError(), "out_of_memory"),
        (KeyboardInterrupt(), "stopped"),
        (OSError(5, "Input/output error"), "os"),
        (ZeroDivisionError("a bug"), "internal"),
    ],
)
def test_anything_else_exits_with_1_and_still_gives_its_object(monkeypatch, error, kind):
    def fails(*_):
        raise error

    monkeypatch.setattr("freetumor.job.run", fails)
    said = command("synthesize", "ct", "--organ", "liver", "--out", "case", "--json")
    assert said.code == 1
    assert (said.json["status"], said.json["kind"]) == ("error", kind)
    assert said.err.splitlines()[-1] == f"freetumor: {said.json['message']}"
    assert ("Traceback" in said.err) == (kind == "internal")


def test_the_command_without_its_libraries_says_how_to_get_them(monkeypatch, capsys):
    monkeypatch.setattr(main_module.importlib.util, "find_spec", lambda name: None if name == "typer" else 1)
    with pytest.raises(SystemExit) as end:
        main_module.main()
    assert end.value.code == 1
    assert capsys.readouterr().err == "freetumor: the command needs typer: pip install 'freetumor[cli]'\n"


def test_lungs_are_labelled_from_the_ct_alone(inputs, phantom, tmp_path):
    out = tmp_path / "lungs.nii.gz"
    said = command("label-organs", inputs.ct, "--organ", "lung", "--out", out, "--json")
    assert (said.code, said.err) == (0, "")
    truth, found = phantom.organ("lung"), array(out)
    assert said.json["labeler"] == "thresholds"
    assert set(found.ravel()) == {0, 1}
    assert 2 * (truth & (found == 1)).sum() > 0.95 * (truth.sum() + found.sum())
    ml = found.sum() * phantom.ct.geometry.voxel_volume / 1000
    assert said.json["organs"] == [{"organ": "lung", "label": 1, "ml": pytest.approx(ml, abs=0.1)}]
    again = command("label-organs", inputs.ct, "--organ", "lung", "--out", out)
    assert again.code == 2
    assert "exists" in again.line


@pytest.mark.usefixtures("store")
def test_only_organs_with_a_labeler_are_labelled(inputs, tmp_path):
    said = command("label-organs", inputs.ct, "--organ", "liver", "--out", tmp_path / "liver.nii.gz")
    assert said.code == 2
    assert "TotalSegmentator" in said.line
    said = command("label-organs", inputs.ct, "--organ", "lung", "--out", tmp_path / "lung.xyz")
    assert said.code == 2
    assert ".nii.gz" in said.line
    assert tree(tmp_path) == []
