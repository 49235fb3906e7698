"""The cache of prepared cases: never stale, never half, and the labels arrive where they belong."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from freetumor.errors import BadInput
from freetumor.training import cache
from freetumor.training.cache import prepared
from freetumor.training.sources import AUTOMATIC, Case, read_cases
from freetumor.volume import Geometry, Volume, write_volume
from scipy import ndimage

SPACING, WINDOW = (3.0, 3.0, 3.0), (-175.0, 250.0)
GRID = Geometry((20, 24, 28), np.diag([-2.0, -2.0, 2.5, 1.0]))


def write_case(folder, seed=0, labels=None) -> Case:
    """A body with an organ (1) and two lesions (2), the smaller one of a single voxel."""
    rng = np.random.default_rng(seed)
    hu = np.full(GRID.shape, -1000, np.int16)
    hu[3:-3, 3:-3, 3:-3] = rng.integers(30, 80, (14, 18, 22))
    if labels is None:
        labels = np.zeros(GRID.shape, np.uint8)
        labels[4:-4, 4:-4, 4:-4] = 1
        labels[8:12, 8:12, 8:12] = 2
        labels[14, 18, 20] = 2
    folder.mkdir(exist_ok=True)
    write_volume(Volume(hu, GRID), folder / "ct.nii.gz")
    write_volume(Volume(labels, GRID), folder / "labels.nii.gz")
    return Case("c", "p", folder / "ct.nii.gz", folder / "labels.nii.gz", "abdomen", ("liver",), True)


@pytest.fixture
def case(tmp_path):
    return write_case(tmp_path / "scan")


def make(case, folder, spacing=SPACING, window=WINDOW):
    return prepared(case, spacing, window, "abdomen", folder)


def test_an_entry_is_taken_again_and_any_change_makes_another(case, tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    first = make(case, folder)
    stamp = (first.folder / "hu.npy").stat().st_mtime_ns
    assert make(case, folder).folder == first.folder
    assert (first.folder / "hu.npy").stat().st_mtime_ns == stamp
    # The same bytes elsewhere are the same case.
    assert make(write_case(tmp_path / "copy"), folder).folder == first.folder
    entries = {first.folder}
    changed = [
        (case, (3.0, 3.0, 2.9)),
        (replace(case, label_map=((0, 0), (1, 1), (2, 1))), SPACING),
        (replace(case, labels=None), SPACING),
        (replace(case, labels=None, organ_labels=case.labels), SPACING),
        (replace(case, labels=None, organ_labels=case.labels, organ_convention="totalsegmentator"), SPACING),
        (write_case(tmp_path / "other", seed=1), SPACING),
        (write_case(tmp_path / "bare", labels=np.ones(GRID.shape, np.uint8)), SPACING),
    ]
    for other, spacing in changed:
        entry = make(other, folder, spacing).folder
        assert entry not in entries
        entries.add(entry)
    monkeypatch.setattr(cache, "code_version", lambda: "another")
    assert make(case, folder).folder not in entries


def test_another_window_changes_what_patches_show_though_the_voxels_are_shared(case, tmp_path):
    from freetumor.training.patches import PatchSet, PatchSettings

    settings = PatchSettings((8, 8, 8), ("liver",), 1.0, 0.0, 0.0, augment=None)
    shown = []
    for window in ((-100.0, 100.0), (-200.0, 200.0)):
        scan = make(case, tmp_path / "cache", window=window)
        image = PatchSet([scan], settings)[0]["image"]
        shown.append(image * (window[1] - window[0]) + window[0])
    inside = (shown[0] > -99) & (shown[0] < 99)
    assert inside.any()
    assert np.abs(shown[0] - shown[1])[inside].max() < 1e-3


def test_a_killed_process_leaves_no_entry_and_the_next_one_makes_it(case, tmp_path):
    folder = tmp_path / "cache"
    program = (
        "import os, pickle, signal, sys\n"
        "from freetumor.training import cache\n"
        "cache.write_json = lambda *a: os.kill(os.getpid(), signal.SIGKILL)\n"
        "cache.fingerprints = lambda *a: ()\n"
        "case, folder = pickle.load(sys.stdin.buffer)\n"
        f"cache.prepared(case, {SPACING}, {WINDOW}, 'abdomen', folder)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], input=pickle.dumps((case, folder)), check=False)
    assert done.returncode != 0
    (left,) = [path for path in folder.iterdir() if path.name.startswith(".partial")]
    assert (left / "hu.npy").exists()
    assert make(case, folder).ct.array.shape == make(case, tmp_path / "other").ct.array.shape
    # What was abandoned long ago goes when the entry is made the next time.
    entry = make(case, folder).folder
    for path in entry.iterdir():
        path.unlink()
    entry.rmdir()
    os.utime(left, (0, 0))
    make(case, folder)
    assert not left.exists()


def test_two_writers_at_the_same_time_agree(case, tmp_path, monkeypatch):
    folder, prepare, others = tmp_path / "cache", cache.prepare, []

    def slow(*arguments):
        arrays = prepare(*arguments)
        if not others:  # while we are at it, somebody else makes the same entry
            others.append(None)
            others[0] = make(case, folder)
        return arrays

    monkeypatch.setattr(cache, "prepare", slow)
    ours = make(case, folder)
    assert ours.folder == others[0].folder
    assert [path.name for path in folder.iterdir() if path.is_dir() and path.name != "fingerprints"] == [
        ours.folder.name
    ]


def test_a_failure_halfway_leaves_nothing(case, tmp_path, monkeypatch):
    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cache, "write_json", fail)
    with pytest.raises(KeyboardInterrupt):
        make(case, tmp_path / "cache")
    assert not [path for path in (tmp_path / "cache").iterdir() if path.name != "fingerprints"]


def test_a_damaged_entry_says_what_to_do(case, tmp_path):
    entry = make(case, tmp_path / "cache").folder
    (entry / "hu.npy").write_bytes((entry / "hu.npy").read_bytes()[:200])
    with pytest.raises(BadInput, match="Remove this folder"):
        _ = make(case, tmp_path / "cache").ct


def test_at_the_scans_own_spacing_every_voxel_is_kept(case, tmp_path):
    scan = make(case, tmp_path / "cache", (2.5, 2.0, 2.0))
    ct = cache.read_volume(case.ct)
    labels = cache.read_volume(case.labels)
    # The scan's rows run to the left and to the back.
    assert np.array_equal(scan.ct.array, ct.array[:, ::-1, ::-1])
    assert np.array_equal(scan.labels.array, labels.array[:, ::-1, ::-1])


def test_a_lesion_smaller_than_a_voxel_of_the_grid_is_not_lost(case, tmp_path):
    scan = make(case, tmp_path / "cache", (6.0, 6.0, 6.0))
    assert [lesion.label for lesion in scan.lesions] == [2, 2]
    for lesion in scan.lesions:
        places = scan.places[lesion.first : lesion.last]
        assert (scan.labels.array[tuple(places.T)] == 2).all()
    index = GRID.index_to_ras(np.array([14, 18, 20]))
    small = min(scan.lesions, key=lambda lesion: lesion.voxels)
    place = scan.geometry.index_to_ras(scan.places[small.first])
    assert np.abs(place - index).max() <= 6.0


def test_the_volume_of_organ_and_lesion_survives_resampling(case, tmp_path):
    scan = make(case, tmp_path / "cache", (1.5, 1.5, 1.5))
    native = cache.read_volume(case.labels)
    for label in (1, 2):
        ml = (native.array == label).sum() * native.geometry.voxel_volume
        got = (scan.labels.array == label).sum() * 1.5**3
        assert got == pytest.approx(ml, rel=0.1)  # corners of a block are rounded


def test_organ_labels_fill_in_what_the_labels_leave_out(case, tmp_path):
    lesions = np.zeros(GRID.shape, np.uint8)
    lesions[8:12, 8:12, 8:12] = 1
    lesion_case = write_case(tmp_path / "lesions", labels=lesions)
    organ = np.zeros(GRID.shape, np.uint8)
    organ[4:-4, 4:-4, 4:-4] = 5  # TotalSegmentator's liver
    write_volume(Volume(organ, GRID), tmp_path / "organs.nii.gz")
    both = replace(
        lesion_case,
        label_map=((0, 0), (1, 2)),
        organ_labels=tmp_path / "organs.nii.gz",
        organ_convention="totalsegmentator",
    )
    scan = make(both, tmp_path / "cache", (2.5, 2.0, 2.0))
    inside = ndimage.binary_dilation(scan.labels.array == 2) & (scan.labels.array != 2)
    assert (scan.labels.array[inside] == 1).all()
    assert scan.organ_ml(1) * 1000 == pytest.approx(((organ == 5) & (lesions == 0)).sum() * 10.0)


def test_organ_labels_made_from_the_ct(phantom, tmp_path):
    write_volume(phantom.ct, tmp_path / "ct.nii.gz")
    case = Case("c", "p", tmp_path / "ct.nii.gz", None, "chest", ("lung",), False, organ_labels=AUTOMATIC)
    scan = prepared(case, (5.0, 5.0, 5.0), (-1000.0, 500.0), "chest", tmp_path / "cache")
    true_ml = phantom.organ("lung").sum() * phantom.ct.geometry.voxel_volume / 1000.0
    assert scan.organ_ml(1) == pytest.approx(true_ml, rel=0.1)


def test_a_label_that_nobody_explained_is_refused_with_the_case(case, tmp_path):
    labels = np.zeros(GRID.shape, np.uint8)
    labels[5:9, 5:9, 5:9] = 7
    other = write_case(tmp_path / "other", labels=labels)
    with pytest.raises(BadInput, match=r"case c to be usable.*also 7") as error:
        make(other, tmp_path / "cache")
    assert error.value.kind == "unknown_labels"
    with pytest.raises(BadInput, match="cases of the chest"):
        prepared(case, SPACING, WINDOW, "chest", tmp_path / "cache")


def test_a_prepared_case_travels_to_a_worker_without_its_voxels(case, tmp_path):
    scan = make(case, tmp_path / "cache")
    _ = scan.ct, scan.labels, scan.places
    sent = pickle.dumps(scan)
    assert len(sent) < 20_000
    assert np.array_equal(pickle.loads(sent).ct.array, scan.ct.array)


def test_a_synthetic_case_keeps_its_tumor_apart_from_real_ones(case_of, tmp_path):
    folder = case_of("liver")
    (case,) = read_cases({"kind": "cases", "path": folder.parent, "names": ["liver"]})
    scan = prepared(case, (4.0, 2.5, 2.5), WINDOW, "abdomen", tmp_path / "cache")
    assert [lesion.synthetic for lesion in scan.lesions] == [True]
    assert np.array_equal(scan.mask > 0, scan.labels.array == 2)


def test_a_real_ct_keeps_its_lesion(shared, tmp_path):
    source = {"kind": "list", "path": shared / "data" / "manifest.json", "names": ["ibsi_pat3"]}
    (case,) = read_cases(source)
    scan = prepared(case, (5.0, 1.25, 1.25), (-1000.0, 500.0), "chest", tmp_path / "cache")
    (lesion,) = scan.lesions
    assert lesion.diameter_mm == pytest.approx(28.1, rel=0.03)
