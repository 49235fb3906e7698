import csv
import json

import freetumor.batch
import pytest
from freetumor import pipeline
from freetumor.batch_rows import read_rows
from freetumor.quality import Finding, Verdict
from freetumor.request import Request
from freetumor.volume import write_volume
from runs import array, command, contents, tree

COLUMNS = ("ct", "organ", "out", "labels", "diameter", "seed")


@pytest.fixture
def batch(inputs, tmp_path):
    """Write a CSV file with rows of columns, run it, and give back what the run said."""

    def run(*rows, columns=COLUMNS, workers=1):
        usual = {"ct": inputs.ct, "organ": "liver", "labels": inputs.maps["abdomen"], "diameter": 18}
        with (tmp_path / "list.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows({k: v for k, v in (usual | row).items() if k in columns} for row in rows)
        return again(workers)

    def again(workers=1):
        return command("synthesize-batch", tmp_path / "list.csv", "--workers", workers, "--json")

    run.again = again
    return run


def log(tmp_path):
    return [json.loads(line) for line in (tmp_path / "list.results.jsonl").read_text().splitlines()]


def counts(said):
    return tuple(said.json[k] for k in ("done", "kept", "rejected", "failed"))


def test_rows_give_the_cases_that_single_runs_give(batch, inputs, tmp_path):
    said = batch({"out": "out/a Ä"}, {"out": "out/b", "seed": 5})
    assert (said.code, counts(said), said.json["status"]) == (0, (2, 0, 0, 0), "done")
    assert said.err == f"line 2: done {tmp_path / 'out/a Ä'}\nline 3: done {tmp_path / 'out/b'}\n"
    assert [line["status"] for line in log(tmp_path)] == ["done", "done"]
    assert [line["out"] for line in log(tmp_path)] == [str(tmp_path / "out" / n) for n in ("a Ä", "b")]
    for name, seed in (("a Ä", 0), ("b", 5)):
        single = tmp_path / f"single {seed}"
        command(*inputs.of("liver", "--diameter", 18, "--seed", seed), "--out", single)
        assert contents(tmp_path / "out" / name) == contents(single)


def test_finished_cases_are_kept(batch, tmp_path):
    batch({"out": "a"})
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "a").iterdir()}
    said = batch({"out": "a"}, {"out": "b", "seed": 1})
    assert (said.code, counts(said)) == (0, (1, 1, 0, 0))
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "a").iterdir()} == before
    (tmp_path / "list.results.jsonl").unlink()
    assert counts(batch.again()) == (0, 2, 0, 0)


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"diameter": 19}, {"organ": "kidney"}, {"count": 2}, {"ct": "other.nii.gz"}],
)
def test_a_case_made_with_other_settings_is_neither_kept_nor_overwritten(
    batch, inputs, phantom, tmp_path, change
):
    columns = (*COLUMNS, "count")
    batch({"out": "a"}, columns=columns)
    before = contents(tmp_path / "a")
    other = phantom.ct.copy()
    other.array[0, 0, 0] += 1
    write_volume(other, tmp_path / "other.nii.gz")
    said = batch({"out": "a"} | change, columns=columns)
    assert (said.code, counts(said)) == (2, (0, 0, 0, 1))
    assert "other settings" in said.err
    assert contents(tmp_path / "a") == before


def test_a_folder_that_is_no_case_fails_alone(batch, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "precious").write_text("")
    said = batch({"out": "a"}, {"out": "b"})
    assert (said.code, counts(said)) == (2, (1, 0, 0, 1))
    assert tree(tmp_path / "a") == ["precious"]


def test_bad_rows_fail_alone_and_are_tried_again(batch, tmp_path):
    rows = ({"out": "a", "ct": "nowhere.nii.gz"}, {"out": "b", "organ": "brain"}, {"out": "c"})
    said = batch(*rows)
    assert (said.code, counts(said), said.json["status"]) == (2, (1, 0, 0, 2), "incomplete")
    assert [(line["line"], line.get("kind")) for line in log(tmp_path)] == [
        (2, "not_found"), (3, "usage"), (4, None),
    ]  # fmt: skip
    said = batch(*rows)
    assert counts(said) == (0, 1, 0, 2)
    assert len(log(tmp_path)) == 5
    assert not list(tmp_path.glob("[.ab]*"))


@pytest.mark.parametrize(("error", "message"), [(MemoryError(), "out of memory"), (OSError(5, "I/O"), "I/O")])
def test_a_row_that_the_machine_fails_on_fails_alone(batch, monkeypatch, error, message):
    real = freetumor.batch.run

    def run(job):
        if job.out.name == "a":
            raise error
        return real(job)

    monkeypatch.setattr(freetumor.batch, "run", run)
    said = batch({"out": "a"}, {"out": "b"})
    assert (said.code, counts(said)) == (1, (1, 0, 0, 1))
    assert message in said.err


def test_rejected_rows_are_recorded_and_not_tried_again(batch, tmp_path, monkeypatch):
    columns = (*COLUMNS, "gate")
    rejects(monkeypatch)
    said = batch({"out": "a", "gate": "yes"}, {"out": "b", "gate": "no"}, columns=columns)
    assert (said.code, counts(said)) == (3, (1, 0, 1, 0))
    first, second = log(tmp_path)
    assert (first["status"], len(first["verdicts"])) == ("rejected", 3)
    assert (second["status"], second["passed"]) == ("done", False)
    monkeypatch.undo()  # what was rejected stays rejected
    said = batch.again()
    assert (said.code, counts(said)) == (3, (0, 1, 1, 0))
    assert "is too quiet" in said.err
    assert len(log(tmp_path)) == 2
    said = batch({"out": "a", "seed": 1}, {"out": "b", "gate": "no"}, columns=columns)
    assert counts(said) == (1, 1, 0, 0)


def rejects(monkeypatch):
    bad = Verdict((Finding("volume", False, 1.0, "", "loud", "the lesion is too quiet"),))
    monkeypatch.setattr(pipeline, "quality_test", lambda *_: bad)


def test_a_log_line_cut_off_by_a_kill_costs_no_other(batch, tmp_path, monkeypatch):
    rejects(monkeypatch)
    batch({"out": "a"})
    with (tmp_path / "list.results.jsonl").open("ab") as file:
        file.write(b'{"line": 3, "digest": "77", "out": "\xc3')
    said = batch({"out": "a"}, {"out": "b", "seed": 1})
    assert counts(said) == (0, 0, 2, 0)
    monkeypatch.undo()
    assert counts(batch.again()) == (0, 0, 2, 0)


def test_all_columns_reach_the_case(batch, inputs, tmp_path):
    columns = (*COLUMNS, "label_convention", "organ_value", "size_class", "at", "count", "engine", "gate")
    row = {
        "organ": "kidney", "out": "a", "labels": inputs.maps["totalsegmentator"], "diameter": "",
        "label_convention": "totalsegmentator", "organ_value": "2 3", "size_class": "tiny", "count": 2,
        "at": "64,-44,-88 -64,-44,-78", "engine": "procedural", "gate": "no", "seed": 3,
    }  # fmt: skip
    said = batch(row, columns=columns)
    assert counts(said) == (1, 0, 0, 0), said
    record = json.loads((tmp_path / "a" / "provenance.json").read_text("utf-8"))
    assert record["input"]["organ_ids"] == [2, 3]
    assert record["request"]["at"] == [[64, -44, -88], [-64, -44, -78]]
    assert (record["request"]["size_class"], record["request"]["gate"], record["seed"]) == ("tiny", False, 3)
    assert array(tmp_path / "a" / "tumor_mask.nii.gz").max() == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ct,organ\nct.nii.gz,liver\n", ("missing: out",)),
        ("ct,organ,out,color\nct.nii.gz,liver,a,red\n", ("color",)),
        ("", ("ct, organ, out",)),
        ("ct,organ,out\n,liver,a\n", ("line 2", "column ct")),
        ("ct,organ,out\nct.nii.gz,liver,a\nct.nii.gz,lung,./a\n", ("lines 2 and 3",)),
        ("ct,organ,out,seed\nct.nii.gz,liver,a,x\n", ("line 2", "'x'")),
        ("ct,organ,out,seed\nct.nii.gz,liver,a,-1\n", ("line 2", "seed of 0 or more")),
        ("ct,organ,out,at\nct.nii.gz,liver,a,1;2;3\n", ("line 2", "1;2;3")),
        ("ct,organ,out,at\nct.nii.gz,liver,a,1,2,3\n", ("line 2", "quotes")),
        ("ct,organ,out,gate\nct.nii.gz,liver,a,maybe\n", ("line 2", "'maybe'")),
        ("ct,organ,out,organ_value\nct.nii.gz,liver,a,five\n", ("line 2", "'five'")),
        ("ct,organ,out,diameter,size_class\nct.nii.gz,liver,a,5,tiny\n", ("line 2", "both")),
        (b"ct,organ,out\n\xff\xfe\x00,liver,a\n", ("UTF-8",)),
        ('ct,organ,out\n"' + "x" * 200_000, ("CSV",)),
    ],
)
def test_a_list_that_cannot_be_read_is_refused_before_any_work(tmp_path, text, words):
    path = tmp_path / "list.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    said = command("synthesize-batch", path, "--json")
    assert said.code == 2, said
    assert said.json["kind"] == "usage"
    assert said.line.startswith("freetumor: expected ")
    for word in words:
        assert word in said.line
    assert tree(tmp_path) == ["list.csv"]


def test_models_and_judges_are_chosen_by_columns(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text(
        "ct,organ,out,engine,model,device,backend,judge,judge_model,judge_threshold\n"
        "ct.nii,liver,a,learned,mine,cpu,torch,model-free learned,models/other,0.5\n"
        "ct.nii,liver,b,,,,,,,\n"
    )
    first, second = (row.job.request for row in read_rows(path))
    assert (first.engine, first.model, first.device, first.backend) == ("learned", "mine", "cpu", "torch")
    assert (first.judges, first.judge_threshold) == (("model-free", "learned"), 0.5)
    assert first.judge_model == str(tmp_path / "models" / "other")
    assert second == Request()
