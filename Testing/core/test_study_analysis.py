"""From answers and key to the report: what counts, what is said, what is refused."""

from __future__ import annotations

import ast
import csv
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from freetumor.errors import BadInput
from freetumor.study import plots, read_key, read_study
from freetumor.study.analysis import analyze, measure
from freetumor.study.answers import read_answers
from freetumor.study.cautions import warnings
from freetumor.study.key import default_key_path
from freetumor.study.reads import join
from made_studies import BALANCE, make_answer, make_study

READERS = ("reader-01", "reader-02", "reader-03", "reader-04")
COMMENT = "=edge <script>alert(1)</script>"


def answer_all(folder, *, knows=0.7, stop=None, seed=0, **changes):
    """Write the answers of all readers; `stop`: number of answers after which a reader stopped."""
    study = read_study(folder)
    key = read_key(default_key_path(folder), study)
    rng = np.random.default_rng(seed)
    (folder / "answers").mkdir(exist_ok=True)
    for reader in study.readers:
        lines = []
        for block, shown in study.order(reader):
            synthetic = [key.cases[case].synthetic for case in shown.cases]
            right = rng.random() < knows
            if block == "pairs":
                given = {"synthetic": ("left", "right")[synthetic.index(right)], "confidence": 1 + 2 * right}
            else:
                given = int(rng.integers(4, 7) if synthetic[0] == right else rng.integers(1, 4))
            lines.append(make_answer(study, reader, block, shown, answer=given, **changes))
        lines = lines[: (stop or {}).get(reader)]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / "answers" / f"{reader}.jsonl").write_text(text, "utf-8")
    return folder


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = make_study(
        tmp_path_factory.mktemp("made") / "study", readers=READERS, main=24, pairs=4, repeats=4, alike=True
    )
    return answer_all(folder, comment=COMMENT, mark_ras_mm=[1.0, 2.0, 3.0], stop={"reader-04": 9})


@pytest.fixture(scope="module")
def report(study, tmp_path_factory):
    out = tmp_path_factory.mktemp("reports") / "report"
    result = analyze(study, default_key_path(study), out, samples=200)
    return out, result


def numbers(folder, **options):
    """All numbers of a study's report, with the warnings, without writing it."""
    study = read_study(folder)
    reads = join(study, read_key(default_key_path(folder), study), read_answers(folder))
    result = measure(study, reads, **({"seed": 0, "margin": 0.1, "samples": 200} | options))
    return result | {"warnings": warnings(result, 0)}


def test_few_repeats_are_marked_and_no_legend_lies_on_boxes(study, report):
    _, result = report
    reads = join(read_study(study), read_key(default_key_path(study)), read_answers(study))
    cells = [text.get_text() for text in plots.kappas(result, reads, plots.LIGHT).axes[0].texts]
    assert all("n = 4" in cell for cell in cells[0:11:5])
    assert "n =" not in cells[1]
    figure = plots.times(result, reads, plots.LIGHT)
    figure.canvas.draw()
    (axis,) = figure.axes
    assert axis.get_legend().get_window_extent().y0 >= axis.get_window_extent().y1


def test_rates_are_counted_from_first_reads_of_the_main_block(study, report):
    _, result = report
    made, key = read_study(study), read_key(default_key_path(study))
    for reader in READERS:
        first = {shown.id for shown in made.orders[reader]["main"]} - set(key.repeats[reader])
        own = [a for a in read_answers(study) if a["reader"] == reader and a["presentation"] in first]
        called = [a["answer"] >= 4 for a in own]
        truth = [key.cases[a["cases"][0]].synthetic for a in own]
        right = np.equal(called, truth)
        one = result["readers"][reader]
        assert one["cases"] == len(own)
        assert one["accuracy"]["value"] == pytest.approx(right.mean())
        assert one["sensitivity"]["value"] == pytest.approx(right[np.array(truth)].mean())
        assert one["specificity"]["value"] == pytest.approx(right[~np.array(truth)].mean())
    finished = [result["readers"][reader]["accuracy"]["value"] for reader in READERS[:3]]
    assert result["pooled"]["accuracy"]["value"] == pytest.approx(np.mean(finished))
    assert sum(result["confusion"].values()) == result["counts"]["reads_pooled"] == 3 * 24


def test_readers_who_stopped_early_are_listed_and_not_pooled(report):
    _, result = report
    assert not result["readers"]["reader-04"]["pooled"]
    assert result["counts"]["readers_pooled"] == 3
    said = " ".join(result["warnings"])
    assert "reader-04 answered 7 of 24 cases" in said
    assert "3 readers" in said
    assert "only 12 synthetic cases" in said
    assert "0 to 4 repeats a reader" in said


def test_every_output_states_the_positive_class(report):
    out, result = report
    assert result["positive"] == "synthetic"
    # What the command prints with --json.
    assert json.loads(json.dumps(result)) == json.loads((out / "report.json").read_text("utf-8"))
    assert "The positive class is <b>synthetic</b>" in (out / "report.html").read_text("utf-8")
    for name in ("estimates.csv", "reads.csv", "cases.csv"):
        with (out / name).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert rows
        assert {row["positive_class"] for row in rows} == {"synthetic"}


def test_tables_hold_every_read_and_the_pages_numbers(study, report):
    out, result = report
    with (out / "reads.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(a["block"] != "training" for a in read_answers(study))
    assert sum(row["repeat"] == "1" for row in rows) == 3 * 4
    # A spreadsheet must not take a comment for a formula.
    assert {row["comment"] for row in rows} == {f"'{COMMENT}"}
    with (out / "estimates.csv").open(encoding="utf-8", newline="") as file:
        pooled = {
            row["measure"]: row
            for row in csv.DictReader(file)
            if (row["scope"], row["name"]) == ("pooled", "all")
        }
    for name, one in result["pooled"].items():
        assert float(pooled[name]["value"]) == pytest.approx(one["value"], rel=1e-5)
        assert float(pooled[name]["low"]) == pytest.approx(one["low"], rel=1e-5)
    assert set(pooled) >= {"forced_choice", "fleiss_kappa", "krippendorff_alpha", "intra_reader_kappa"}


def test_the_report_shows_what_real_and_synthetic_cases_differ_in(report):
    out, result = report
    assert result["balance"] == BALANCE
    page = (out / "report.html").read_text("utf-8")
    table = page.partition("Real and synthetic cases")[2].partition("</section>")[0]
    rows = [re.findall("<td[^>]*>(.*?)</td>", row) for row in table.split("</tr>")[1:3]]
    assert rows == [
        ["liver", "diameter, mm", "3", "18", "19.5", "0.61", ""],
        ["liver", "organ&#39;s HU (contrast phase), HU", "3", "−12", "110", "1.00", "tells them apart"],
    ]
    with (out / "balance.csv").open(encoding="utf-8", newline="") as file:
        assert [row["covariate"] for row in csv.DictReader(file)] == [row["covariate"] for row in BALANCE]


def test_page_stands_alone_and_runs_nothing_of_a_comment(report):
    out, _ = report
    page = (out / "report.html").read_text("utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert all(
        source.startswith("data:image/svg+xml;base64,") for source in re.findall(r'src="([^"]*)"', page)
    )
    assert page.count("data:image/svg+xml") == len(list((out / "figures").glob("*.pdf"))) == 6
    for picture in (out / "figures").glob("*.png"):
        assert picture.read_bytes().startswith(b"\x89PNG")


def test_of_a_changed_answer_the_last_counts(study, tmp_path):
    folder = answer_all(make_study(tmp_path / "study", readers=READERS[:1], main=8, alike=True))
    before = numbers(folder)
    made, key = read_study(folder), read_key(default_key_path(folder))
    shown = next(s for s in made.orders["reader-01"]["main"] if s.id not in key.repeats["reader-01"])
    was = next(a for a in read_answers(folder) if a["presentation"] == shown.id)
    changed = was | {"answer": 7 - was["answer"], "changes": True}
    with (folder / "answers" / "reader-01.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(changed) + "\n")
    after = numbers(folder)
    assert after["readers"]["reader-01"]["changed_answers"] == 1
    assert abs(after["pooled"]["accuracy"]["value"] - before["pooled"]["accuracy"]["value"]) == pytest.approx(
        1 / 8
    )
    assert any("1 answers were changed" in said for said in after["warnings"])


def test_training_answers_change_nothing(study, tmp_path):
    folder = answer_all(make_study(tmp_path / "study", readers=READERS[:2], main=8, training=4, alike=True))
    before = numbers(folder)
    for path in (folder / "answers").glob("*.jsonl"):
        lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        for line in lines:
            if line["block"] == "training":
                line["answer"], line["comment"] = 7 - line["answer"], "training"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    assert numbers(folder) == before


def test_forced_choices_are_counted_by_the_side_of_the_synthetic_one(tmp_path):
    folder = make_study(tmp_path / "study", readers=READERS[:3], main=4, pairs=10, alike=True)
    result = numbers(answer_all(folder, knows=1.0))
    assert result["forced_choice"]["pooled"]["value"] == 1.0
    assert result["forced_choice"]["by_confidence"]["certain"] == {"count": 30, "right": 30}
    assert result["pooled"]["auc"]["value"] == 1.0
    assert numbers(answer_all(folder, knows=0.0))["forced_choice"]["pooled"]["value"] == 0.0


def test_a_single_pair_is_counted_and_not_pooled(tmp_path, monkeypatch):
    monkeypatch.setattr("freetumor.study.figures.draw_figures", lambda *_: [])  # seconds
    folder = answer_all(make_study(tmp_path / "study", readers=READERS[:3], main=4, pairs=1, alike=True))
    out = tmp_path / "report"
    result = analyze(folder, default_key_path(folder), out, samples=100)
    choice = result["forced_choice"]
    assert (choice["pairs"], choice["readers"], choice["choices"]) == (1, 3, 3)
    assert sum(one["right"] for one in choice["by_confidence"].values()) == choice["right"]
    assert choice["pooled"]["value"] is None
    assert any("one pair in the pairs block" in said for said in result["warnings"])
    page = (out / "report.html").read_text("utf-8")
    assert f"{choice['right']} of 3 choices</b> (3 readers, 1 pair)" in page


def test_same_seed_same_numbers(study):
    assert numbers(study) == numbers(study)
    assert (
        numbers(study)["readers"]["reader-01"]["auc"] != numbers(study, seed=1)["readers"]["reader-01"]["auc"]
    )


def test_no_lesion_is_among_the_recognised_and_the_convincing(report):
    out, _ = report
    page = (out / "report.html").read_text("utf-8")
    first, second = (
        set(re.findall(r"<code>(\w+)</code>", page.partition(title)[2].partition("</table>")[0]))
        for title in ("most often recognised", "that convinced most")
    )
    assert len(first) == len(second) == 6
    assert not first & second


@pytest.mark.parametrize("margin", [0.0, 0.5, -0.1])
def test_margins_that_mean_nothing_are_refused(study, tmp_path, margin):
    with pytest.raises(BadInput, match="margin"):
        analyze(study, default_key_path(study), tmp_path / "out", margin=margin)


def test_another_key_is_refused_and_nothing_is_written(study, tmp_path):
    other = tmp_path / "key.json"
    other.write_text(default_key_path(study).read_text("utf-8").replace("true", "false", 1), "utf-8")
    with pytest.raises(BadInput) as error:
        analyze(study, other, tmp_path / "out")
    assert error.value.kind == "other_key"
    assert not (tmp_path / "out").exists()


def test_a_study_without_answers_is_refused(tmp_path):
    folder = make_study(tmp_path / "study", main=4, alike=True)
    with pytest.raises(BadInput) as error:
        analyze(folder, default_key_path(folder), tmp_path / "out")
    assert error.value.kind == "no_answers"


def test_a_missing_library_is_named_with_the_command(study, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "krippendorff", None)
    with pytest.raises(BadInput, match=r"krippendorff.*pip install 'freetumor\[study\]'"):
        analyze(study, default_key_path(study), tmp_path / "out")


def test_importing_the_room_loads_no_library():
    code = "import sys, freetumor.study.analysis, freetumor.study.simulation; print(list(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ast.literal_eval(ran.stdout))
    assert not {"sklearn", "statsmodels", "pandas", "matplotlib", "krippendorff", "torch"} & loaded
