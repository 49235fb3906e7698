"""The demo on a scan of one's own, and its report."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from freetumor import demo
from freetumor.errors import Rejected
from freetumor.report.html import histogram
from freetumor.sample_data import ATTRIBUTION, Sample
from freetumor.volume import read_volume, write_volume
from PIL import Image
from runs import command, tree

ORGANS = ("liver", "pancreas", "kidney", "lung", "covid")


class Page(HTMLParser):
    """All tags with their attributes, and the text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += " ".join(data.split()) + " "

    def of(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def shown(inputs, tmp_path_factory):
    """What a demo said, its folder and its page; the folder's name must be escaped."""
    out = tmp_path_factory.mktemp("demo") / "<script>alert(1)&"
    maps = ("--labels", inputs.maps["totalsegmentator"])
    said = command("demo", "--ct", inputs.ct, *maps, "--out", out, "--json")
    assert said.code == 0, said
    return said, out, (out / "report.html").read_text("utf-8")


def test_the_demo_puts_a_tumor_into_each_organ(shown):
    said, out, _ = shown
    assert said.err == ""
    assert said.json["report"] == str(out / "report.html")
    assert [o["organ"] for o in said.json["organs"]] == list(ORGANS)
    for organ in said.json["organs"]:
        assert organ["done"]
        assert organ["passed"]
        assert organ["case"] == str(out / "cases" / organ["organ"])
        lesion = organ["lesions"][0]
        asked, got = lesion["asked"]["diameter_mm"], lesion["got"]["diameter_mm"]
        assert f"asked {asked:.1f} mm, got {got:.1f} mm" in organ["said"]
        assert (out / "cases" / organ["organ"] / "ct.nii.gz").is_file()


def test_the_demo_exports_pairs_in_both_formats(shown):
    said, out, _ = shown
    found = [(e["format"], e["group"], e["cases"]) for e in said.json["exports"]]
    assert sorted(found) == [
        ("msd", "abdomen", 3), ("msd", "chest", 2), ("nnunet", "abdomen", 3), ("nnunet", "chest", 2),
    ]  # fmt: skip
    image = read_volume(out / "export" / "nnunet" / "chest" / "imagesTr" / "lung_0000.nii.gz")
    np.testing.assert_array_equal(image.array, read_volume(out / "cases" / "lung" / "ct.nii.gz").array)
    assert (out / "export" / "msd" / "abdomen" / "dataset.json").is_file()


def test_the_report_is_one_page_that_needs_nothing_else(shown):
    page = Page(shown[2])
    assert not page.of("script")
    assert not page.of("link")
    assert not page.of("iframe")
    links = [a[key] for _, a in page.tags for key in ("src", "href", "xlink:href", "data") if a.get(key)]
    assert len(links) == len(ORGANS)
    assert all(link.startswith("data:image/png;base64,") for link in links)
    assert "@import" not in shown[2]
    assert "url(" not in shown[2]
    for link in links:
        picture = Image.open(io.BytesIO(base64.b64decode(link.partition(",")[2], validate=True)))
        assert np.asarray(picture).std() > 30


def test_the_report_shows_and_judges_every_tumor(shown):
    said, _, text = shown
    page = Page(text)
    assert "Not for clinical use" in page.text
    for organ in said.json["organs"]:
        lesion = organ["lesions"][0]
        title = {"covid": "COVID-19 lesion"}.get(organ["organ"], f"{organ['organ']} tumor")
        got = lesion["got"]
        numbers = (
            f"{lesion['asked']['diameter_mm']:.1f} {got['diameter_mm']:.1f} {got['lesion_hu']:.0f} "
            f"{got['organ_hu']:.0f} {got['contrast_hu']:+.0f} passed"
        )
        assert f"{title} {numbers}" in re.sub(" +", " ", page.text.replace("−", "-"))
        for finding in lesion["verdict"]["findings"]:
            assert finding["name"] in page.text
    assert page.text.count("quality test passed") == len(ORGANS)
    plots = page.of("svg")
    assert len(plots) == len(ORGANS)
    assert len([path for path in page.of("path") if path["d"].startswith("M")]) == 3 * len(ORGANS)


def test_text_of_the_user_is_escaped_in_the_report(shown):
    _, out, text = shown
    assert "<script>" not in text
    assert "&lt;script&gt;alert(1)&amp;" in text
    assert str(out / "export" / "msd" / "chest") in Page(text).text


def test_organs_that_are_absent_are_named_and_left_out(inputs, phantom, tmp_path):
    labels = phantom.totalsegmentator()
    labels.array[~np.isin(labels.array, [5, 7])] = 0
    labels.array[(labels.array == 7) & (np.cumsum(labels.array == 7).reshape(labels.array.shape) > 40)] = 0
    write_volume(labels, tmp_path / "labels.nii.gz")
    maps = ("--labels", tmp_path / "labels.nii.gz")
    said = command("demo", "--ct", inputs.ct, *maps, "--out", tmp_path / "out")
    assert said.code == 0, said
    assert re.search(r"^liver +asked 15\.0 mm", said.out)
    page = Page((tmp_path / "out" / "report.html").read_text("utf-8"))
    for name, title in (("pancreas", "pancreas tumor"), ("kidney", "kidney tumor"), ("lung", "lung tumor")):
        assert re.search(rf"^{name} +left out: expected at least ", said.out, re.MULTILINE)
        assert f"{title} — left out: expected at least" in page.text
    assert len(page.of("img")) == 1
    assert sorted(p.name for p in (tmp_path / "out" / "cases").iterdir()) == ["liver"]
    assert sorted(p.name for p in (tmp_path / "out" / "export" / "msd").iterdir()) == ["abdomen"]


def test_a_scan_without_any_organ_or_in_other_units_is_refused_and_leaves_nothing(inputs, phantom, tmp_path):
    nothing = phantom.ct.like(np.zeros(phantom.ct.array.shape, np.uint8))
    write_volume(nothing, tmp_path / "labels.nii.gz")
    maps = ("--labels", tmp_path / "labels.nii.gz")
    said = command("demo", "--ct", inputs.ct, *maps, "--out", tmp_path / "out", "--json")
    assert (said.code, said.json["kind"]) == (2, "organ_absent")
    assert all(f"{organ}: left out" in said.line for organ in ORGANS)
    maps = ("--labels", inputs.maps["totalsegmentator"])
    said = command("demo", "--ct", tmp_path / "labels.nii.gz", *maps, "--out", tmp_path / "out", "--json")
    assert (said.code, said.json["kind"]) == (2, "not_hu")
    assert tree(tmp_path) == ["labels.nii.gz"]


def test_a_demo_that_fails_midway_leaves_nothing(inputs, tmp_path, monkeypatch):
    real = demo.run

    def run(job):
        if job.organ == "kidney":
            raise OSError(5, "Input/output error")
        return real(job)

    monkeypatch.setattr(demo, "run", run)
    maps = ("--labels", inputs.maps["totalsegmentator"])
    said = command("demo", "--ct", inputs.ct, *maps, "--out", tmp_path / "out")
    assert said.code == 1
    assert "Input/output error" in said.line
    assert tree(tmp_path) == []


def test_an_old_demo_is_not_overwritten(inputs, tmp_path):
    (tmp_path / "precious").write_text("")
    maps = ("--labels", inputs.maps["totalsegmentator"])
    said = command("demo", "--ct", inputs.ct, *maps, "--out", tmp_path, "--json")
    assert (said.code, said.json["kind"]) == (2, "exists")
    assert tree(tmp_path) == ["precious"]


def test_without_a_scan_the_sample_is_used_and_its_makers_are_named(shown, inputs, tmp_path, monkeypatch):
    def run(job):
        if job.organ != "liver":
            raise Rejected("the quality test rejected lesion 1", [])
        return real(job)

    real = demo.run
    monkeypatch.setattr(demo, "run", run)
    monkeypatch.setattr(demo, "fetch_sample", lambda: Sample(inputs.ct, inputs.maps["totalsegmentator"]))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo-output").mkdir()  # of another demo: this one goes beside it
    said = command("demo", "--json")
    assert said.code == 0, said
    assert not tree(tmp_path / "demo-output")
    assert [o["done"] for o in said.json["organs"]] == [True, False, False, False, False]
    page = Page((tmp_path / "demo-output-2" / "report.html").read_text("utf-8"))
    assert ATTRIBUTION in page.text
    assert ATTRIBUTION not in Page(shown[2]).text
    assert "lung tumor — left out: the quality test rejected lesion 1" in page.text


def test_the_histogram_spans_its_values_with_round_ticks():
    rng = np.random.default_rng(0)
    plot = histogram(rng.normal(110, 10, 500), rng.normal(60, 10, 500), rng.normal(112, 10, 5000))
    assert list(plot["paths"]) == ["organ", "before", "after"]
    points = {name: np.array(re.findall(r"([\d.]+),([\d.]+)", d), float) for name, d in plot["paths"].items()}
    for xy in points.values():
        assert xy[:, 0].min() == 0
        assert xy[:, 0].max() == plot["width"]
        assert xy[:, 1].min() == 8  # each reaches the same height
        assert xy[:, 1].max() == plot["height"]
    peak = {name: xy[xy[:, 1].argmin(), 0] for name, xy in points.items()}
    assert peak["after"] < peak["before"]
    ticks = [int(label) for _, label in plot["ticks"]]
    assert len(ticks) >= 4
    assert set(np.diff(ticks)) in ({20}, {50})
    hu_per_pixel = np.diff(ticks)[0] / np.diff([x for x, _ in plot["ticks"]])[0]
    at_60 = plot["ticks"][0][0] + (60 - ticks[0]) / hu_per_pixel
    assert abs(peak["after"] - at_60) * hu_per_pixel < 12
    assert histogram(np.full(5, 7.0), np.full(5, 7.0), np.full(5, 7.0))["ticks"]
