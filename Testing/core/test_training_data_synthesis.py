"""What training patches show: tumors made online, and every kind as often as asked."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from freetumor.anatomy import ORGANS
from freetumor.errors import BadInput
from freetumor.training import online
from freetumor.training.cache import Prepared, prepared
from freetumor.training.drawing import Drawing
from freetumor.training.patches import PatchSet, PatchSettings
from freetumor.training.sources import read_cases
from scipy import ndimage
from training_scans import lumpy, phantom_scan, prepare

LIVER = ORGANS["liver"]


@pytest.fixture(scope="module")
def lumps(tmp_path_factory) -> Prepared:
    return lumpy(tmp_path_factory.mktemp("lumps"))


@pytest.fixture(scope="module")
def scan(phantom, tmp_path_factory) -> Prepared:
    return phantom_scan(tmp_path_factory.mktemp("scan"), phantom)


def test_nothing_changes_outside_the_organ_and_away_from_the_tumor(scan):
    settings = PatchSettings((24, 40, 40), ("liver",), 0.0, 1.0, 0.0, augment=None)
    before = PatchSet([scan], replace(settings, engine="none"), seed=2, length=12)
    after = PatchSet([scan], replace(settings, quality_test=False), seed=2, length=12)
    spacing = scan.geometry.spacing[::-1]
    changes = 0
    for n in range(12):
        was, now = before[n], after[n]
        changed = was["image"] != now["image"]
        changes += changed.any()
        tumor = now["label"] == LIVER.lesion_label
        assert np.array_equal(was["mask"], now["mask"])
        assert np.array_equal(was["label"] != now["label"], tumor)
        away = ndimage.distance_transform_edt(~tumor[0], sampling=spacing)
        assert away[changed[0]].max(initial=0.0) <= 5.0
        organ = ndimage.binary_dilation(now["organ_mask"][0] > 0)  # its border voxels are part organ
        assert not (changed[0] & ~organ).any()
        # The label says tumor where the mask has most of the voxel, up to the border's ties.
        assert (now["mask"][tumor] > 0).all()
        assert not (tumor & (now["mask"] == 0)).any()
    assert changes == 12


def test_the_scan_is_never_written_to(scan):
    before = scan.ct.array.copy()
    patches = PatchSet([scan], PatchSettings((16, 16, 16), ("liver",), 0.0, 1.0, 0.0), length=5)
    for n in range(5):
        patches[n]
    assert np.array_equal(scan.ct.array, before)
    assert not scan.ct.array.flags.writeable


def test_a_rejected_tumor_is_tried_again_elsewhere_at_its_size_and_counted(scan, monkeypatch):
    maker = online.OnlineSynthesis(PatchSettings((8, 8, 8), ("liver",)).request(), tries=4)
    plain = maker.tumor(scan, LIVER, "medium", seed=7)
    assert plain.rejected == 0
    judged, test = [], online.quality_test

    def reject_two(evidence, judges):
        judged.append(evidence.patch.mask)
        verdict = test(evidence, judges)
        return reject(verdict) if len(judged) <= 2 else verdict

    monkeypatch.setattr(online, "quality_test", reject_two)
    third = maker.tumor(scan, LIVER, "medium", seed=7)
    assert third.rejected == 2
    assert judged[0].box == plain.mask.box
    assert third.mask.box != plain.mask.box
    assert {round(mask.asked_mm, 6) for mask in judged} == {round(plain.mask.asked_mm, 6)}
    monkeypatch.setattr(online, "quality_test", lambda *given: reject(test(*given)))
    sample = PatchSet([scan], PatchSettings((16, 16, 16), ("liver",), 0.0, 1.0, 0.0, tries=3))[0]
    assert (sample["kind"], sample["rejected"]) == (2, 3)
    assert not sample["mask"].any()
    assert not (sample["label"] == LIVER.lesion_label).any()


def reject(verdict):
    return replace(verdict, findings=(replace(verdict.findings[0], passed=False, reason="for the test"),))


def test_masks_alone_leave_ct_and_labels_as_they_are(scan):
    settings = PatchSettings((20, 24, 24), ("liver",), 0.0, 1.0, 0.0, engine="none", augment=None)
    for n in range(4):
        sample = PatchSet([scan], settings, length=4)[n]
        assert sample["kind"] == 1
        assert 0 < sample["mask"].max() <= 1
        assert not (sample["label"] == LIVER.lesion_label).any()


def test_kinds_come_as_often_as_asked_and_say_what_is_shown(lumps):
    settings = PatchSettings((8, 8, 8), ("liver",), 2.0, 1.0, 1.0, engine="none")
    patches = PatchSet([lumps], settings, length=200)
    samples = [patches[n] for n in range(200)]
    for sample in samples:
        shows = 1 if sample["mask"].any() else 0 if (sample["label"] == 2).any() else 2
        assert sample["kind"] == shows
    counts = Counter(sample["kind"] for sample in samples)
    assert counts[0] == pytest.approx(100, abs=25)
    assert counts[1] == pytest.approx(50, abs=20)
    assert counts[2] == pytest.approx(50, abs=20)


@pytest.mark.parametrize(("small", "expected"), [(0.9, 0.9), (0.1, 0.1), (None, 0.5)])
def test_small_tumors_come_as_often_as_asked(lumps, small, expected):
    drawing = Drawing([lumps], PatchSettings((8, 8, 8), ("liver",), 1.0, 0.0, 0.0, small=small))
    assert len(lumps.lesions) == 2
    rng = np.random.default_rng(0)
    near_small = np.array([18, 28, 32])
    share = np.mean([np.abs(drawing.plan(rng).centre - near_small).max() <= 2 for _ in range(400)])
    assert share == pytest.approx(expected, abs=0.08)


def test_small_classes_of_synthetic_tumors_come_as_often_as_asked(scan, monkeypatch):
    asked = Counter()

    def note(self, scan, organ, size_class, seed):
        asked[size_class] += 1
        return online.Made(None, 1)

    monkeypatch.setattr(online.OnlineSynthesis, "tumor", note)
    drawing = Drawing([scan], PatchSettings((8, 8, 8), ("liver",), 0.0, 1.0, 0.0, small=0.8))
    rng = np.random.default_rng(0)
    for _ in range(500):
        drawing.plan(rng)
    assert (asked["tiny"] + asked["small"]) / 500 == pytest.approx(0.8, abs=0.06)
    assert asked["tiny"] / 500 == pytest.approx(0.4, abs=0.07)


def test_each_organ_gets_tumors_of_its_own(scan):
    case = replace(scan.case, organs=("liver", "kidney"))
    settings = PatchSettings((16, 24, 24), ("liver", "kidney"), 0.0, 1.0, 0.0, augment=None)
    patches = PatchSet([replace(scan, case=case)], settings, length=12)
    seen = set()
    for n in range(12):
        sample = patches[n]
        row = list(ORGANS.values())[sample["organ"]]
        seen.add(row.name)
        assert (sample["mask"][sample["label"] == row.lesion_label] > 0).all()
        assert (sample["label"] == row.lesion_label).any()
        assert (sample["organ_mask"][sample["label"] == row.lesion_label] == 1).all()
        other = ORGANS["kidney" if row.name == "liver" else "liver"]
        assert not (sample["label"] == other.lesion_label).any()
    assert seen == {"liver", "kidney"}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"real": 1.0}, "labelled tumors"),
        ({"real": 0.0, "synthetic": 1.0, "engine": "cases"}, "case folders with synthetic tumors"),
        ({"real": 0.0, "organs": ("kidney",), "synthetic": 1.0}, "kidney 15 ml"),
    ],
)
def test_nothing_to_draw_from_is_said_at_once(tmp_path, settings, said):
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[5:15, 5:15, 5:15] = 1
    case = prepare(tmp_path, labels)
    given = {"patch": (8, 8, 8), "organs": ("liver",), **settings}
    with pytest.raises(BadInput, match=said) as error:
        PatchSet([case], PatchSettings(**given))
    assert error.value.kind == "no_cases"


@pytest.mark.parametrize(
    "wrong",
    [
        {"organs": ("liver", "lung")},
        {"organs": ("spleen",)},
        {"real": -1.0},
        {"real": 0.0, "synthetic": 0.0, "tumor_free": 0.0},
        {"engine": "magic"},
        {"small": 1.5},
    ],
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(BadInput):
        PatchSettings(**{"patch": (8, 8, 8), "organs": ("liver",), **wrong})


def test_tumors_of_case_folders_are_drawn_as_synthetic(case_of, tmp_path):
    (case,) = read_cases({"kind": "cases", "path": case_of("liver").parent, "names": ["liver"]})
    scan = prepared(case, (4.0, 2.5, 2.5), (-175.0, 250.0), "abdomen", tmp_path / "cache")
    settings = PatchSettings((16, 20, 20), ("liver",), 0.0, 1.0, 0.0, engine="cases", augment=None)
    patches = PatchSet([scan], settings, length=5)
    for n in range(5):
        sample = patches[n]
        assert sample["kind"] == 1
        assert np.array_equal(sample["mask"] > 0.5, sample["label"] == 2)
    with pytest.raises(BadInput, match="labelled tumors"):
        PatchSet([scan], replace(settings, real=1.0))
