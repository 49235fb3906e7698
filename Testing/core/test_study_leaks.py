"""Nothing in a study folder tells real from synthetic: no name, no byte, no time, no size, no noise."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from complete_study import labelled_cases
from file_features import features, features_of, guessed
from freetumor.files import sha256
from freetumor.study import Key, Study, StudyCase, read_key, read_study
from freetumor.study.design import Design, new_study
from freetumor.study.key import default_key_path
from freetumor.volume import read_volume, write_volume
from scipy import ndimage
from scipy.stats import rankdata
from study_pools import HOSPITAL, PATIENT, WARD, Pool, Scan, write_pool

_HEADER = slice(0, 352)
# What a header may differ in: size, voxel size (twice), place of the middle (twice).
_GRID = [range(42, 48), range(80, 92), range(268, 280), range(280, 328)]
_BEST_GUESS = 0.6
_OTHER_SCANNER_HU = 30.0
# Small ones: the test has to be quick.
_REAL_CTS = ("ibsi_pat2", "ibsi_pat3", "lidc0003_slab", "pyrad_lung1", "pyrad_lung2")
_STUDIES, _CANDIDATES = 3, 3


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Pool:
    """Scans of many noise levels: with both kinds of lesions, with one, and some of a far noisier scanner."""
    rng = np.random.default_rng(3)
    scans = []
    for n in range(14):
        noise, size = rng.uniform(8, 16), rng.uniform(16, 22)
        real = size if n < 11 else None
        synthetic = size * rng.uniform(0.95, 1.05) if n not in (9, 10) else None
        scans.append(Scan(n, real, synthetic, noise if n < 13 else _OTHER_SCANNER_HU, count=2))
    return write_pool(tmp_path_factory.mktemp("pool"), scans)


@pytest.fixture(scope="module")
def study(pool: Pool, tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("studies") / "study"
    design = Design(organs=("lung",), readers=3, training=1, pairs=1, repeats=0.15)
    new_study([pool.real], [pool.synthetic], design, folder)
    return read_study(folder)


def key_of(study: Study) -> Key:
    return read_key(default_key_path(study.folder), study)


def everything(folder: Path) -> dict[str, bytes]:
    """All bytes of a folder and all names, what is compressed in both forms."""
    found = {"names": "\n".join(str(p.relative_to(folder)) for p in sorted(folder.rglob("*"))).encode()}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        found[path.name] = path.read_bytes()
        if path.suffix == ".gz":
            found[f"{path.name}, inflated"] = gzip.decompress(found[path.name])
    return found


def secrets(pool: Pool, key: Key, key_path: Path) -> dict[str, bytes]:
    """What must not be found: names of files, folders, cases, patients, and digests of all sources."""
    words = {HOSPITAL, PATIENT, "okapi", *WARD.decode().split(), "provenance", "tumor_mask", "seed"}
    words |= {str(pool.real), str(pool.real.parent), str(pool.synthetic), pool.real.name, key_path.name}
    for entry in json.loads(pool.real.read_text("utf-8")):
        words |= {entry["name"], entry["patient"], entry["ct"]}
        ct = pool.real.parent / entry["ct"]
        words |= {sha256(ct), read_volume(ct).fingerprint()}
    for folder in pool.synthetic.iterdir():
        words |= {folder.name, sha256(folder / "ct.nii.gz"), read_volume(folder / "ct.nii.gz").fingerprint()}
        words.add(json.loads((folder / "provenance.json").read_text("utf-8"))["input"]["ct_sha256"])
    for known in key.cases.values():
        words |= {known.patient, known.source}
    found = {word: word.lower().encode() for word in words}
    # Digests also as bytes, not only as text.
    found |= {f"{w} (raw)": bytes.fromhex(w) for w in words if re.fullmatch(r"[0-9a-f]{64}", w)}
    return found


def test_no_byte_of_the_folder_names_a_source_a_patient_or_a_digest(study, pool):
    hidden = secrets(pool, key_of(study), default_key_path(study.folder))
    assert len(hidden) > 100
    for where, content in everything(study.folder).items():
        lower = content.lower()
        for what, secret in hidden.items():
            assert secret not in (content if what.endswith("(raw)") else lower), f"{what} in {where}"


def test_the_hunt_finds_what_is_hidden_in_a_header(study, pool, tmp_path):
    (case, *_) = study.cases.values()
    content = bytearray(gzip.decompress(case.file.read_bytes()))
    content[148 : 148 + len(WARD)] = WARD
    (tmp_path / "x.nii.gz").write_bytes(gzip.compress(bytes(content)))
    hidden = secrets(pool, key_of(study), default_key_path(study.folder))
    assert any(
        secret in content.lower() for content in everything(tmp_path).values() for secret in hidden.values()
    )


def test_the_study_file_says_of_each_case_the_same_things(study):
    record = json.loads((study.folder / "study.json").read_text("utf-8"))
    assert {tuple(sorted(case)) for case in record["cases"].values()} == {
        ("center_ras_mm", "file", "organ", "presets", "radius_mm")
    }
    assert len({json.dumps(case["presets"]) for case in record["cases"].values()}) == 1
    assert list(record["cases"]) == sorted(record["cases"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", record["created"])
    presentations = [one for blocks in record["orders"].values() for some in blocks.values() for one in some]
    assert {tuple(sorted(one)) for one in presentations} == {("cases", "id")}
    ids = [one["id"] for one in presentations]
    assert len(set(ids)) == len(ids)
    assert len({len(name) for name in [*ids, *record["cases"]]}) == 1


def test_files_differ_in_their_grid_and_voxels_only(study):
    headers, raw = [], []
    for case in study.cases.values():
        raw.append(case.file.read_bytes()[:10])
        header = bytearray(gzip.decompress(case.file.read_bytes())[_HEADER])
        for places in _GRID:
            for place in places:
                header[place] = 0
        headers.append(bytes(header))
    assert len(set(headers)) == 1
    # The gzip header: no name, no time, one level, one system.
    assert len(set(raw)) == 1
    stats = [path.stat() for path in study.folder.rglob("*") if path.is_file()]
    assert len({one.st_mtime_ns for one in stats}) == 1
    assert len({one.st_mode for one in stats}) == 1


def test_a_scan_is_never_seen_with_and_without_a_lesion(study):
    """Where two cases show the same place of one patient they show the same voxels."""
    known = key_of(study).cases
    shared = 0
    for a in study.cases.values():
        for b in study.cases.values():
            if a.id < b.id and known[a.id].patient == known[b.id].patient:
                first, second = (read_volume(case.file).array for case in (a, b))
                # The crops of one scan overlap by a shift in whole voxels: found on the middle of one.
                shared += _overlap_is_equal(first, second)
    assert shared


def _overlap_is_equal(first: np.ndarray, second: np.ndarray) -> bool:
    block = tuple(slice(n // 2 - 3, n // 2 + 3) for n in first.shape)
    corner = first[block][0, 0, 0]
    for start in np.argwhere(second == corner):
        there = tuple(slice(s, s + 6) for s in start)
        if np.array_equal(second[there], first[block]):
            shift = start - [b.start for b in block]
            low = np.maximum(0, -shift)
            high = np.minimum(first.shape, np.array(second.shape) - shift)
            ours = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
            theirs = tuple(slice(a, b) for a, b in zip(low + shift, high + shift, strict=True))
            assert np.array_equal(first[ours], second[theirs])
            return True
    return False


def test_no_program_tells_the_classes_by_their_files(study):
    rows, classes, patients = features(study)
    assert len(classes) >= 16
    assert max(guessed(rows, classes, patients).values()) <= _BEST_GUESS
    # No single feature does either, files' sizes and compression among them.
    for column in rows.T:
        ranks = rankdata(column)
        n = classes.sum()
        auc = (ranks[classes].sum() - n * (n + 1) / 2) / (n * (len(classes) - n))
        assert 0.2 < auc < 0.8


def test_a_program_would_tell_another_write_path(study):
    """The classifier is not blind: a hint of smoothing, or another rounding, of one class gives it away."""
    rows, classes, patients = features(study)
    for change in (
        lambda hu: ndimage.gaussian_filter(hu, (0, 0.35, 0.35)),
        lambda hu: 2 * np.rint(hu / 2),
    ):
        changed = rows.copy()
        names = [name for name, known in key_of(study).cases.items() if known.role == "main"]
        for place, (name, synthetic) in enumerate(zip(sorted(names), classes, strict=True)):
            if synthetic:
                changed[place] = features_of(_rewritten(study.cases[name], change, study.folder.parent))
        assert max(guessed(changed, classes, patients).values()) > 0.9


def _rewritten(case: StudyCase, change: Callable, folder: Path) -> StudyCase:
    volume = read_volume(case.file)
    path = folder / case.file.name
    volume.array = np.rint(change(volume.hu())).astype(np.int16)
    write_volume(volume, path)
    return replace(case, file=path)


def test_lesions_of_another_scanner_are_not_matched(study, pool):
    key = key_of(study)
    shown = {known.patient for known in key.cases.values()}
    assert not shown & {f"{PATIENT}-13"}
    reasons = {entry["what"]: entry["why"] for entry in key.unmatched}
    noisy = [why for what, why in reasons.items() if "okapi-13" in what]
    assert len(noisy) == 2
    assert all("noise" in why for why in noisy)


def test_no_program_tells_real_cts_by_their_files(shared, tmp_path):
    """The mean of studies that share no synthetic tumor: of one, so few cases say little."""
    cases = labelled_cases(shared / "data", tmp_path, 0, only=_REAL_CTS, candidates=_STUDIES * _CANDIDATES)
    rates = []
    for n in range(_STUDIES):
        some = range(n * _CANDIDATES, (n + 1) * _CANDIDATES)
        made = [cases.synthetic / f"{name}-{candidate}" for name in _REAL_CTS for candidate in some]
        design = Design(organs=("lung",), readers=1, training=0, seed=n)
        new_study([cases.real], [path for path in made if path.is_dir()], design, tmp_path / f"study-{n}")
        study = read_study(tmp_path / f"study-{n}")
        rows, classes, patients = features(study)
        assert len(classes) >= 8
        rates.append(guessed(rows, classes, patients))
        content = everything(study.folder)
        assert not any(
            name.encode() in bytes_ for bytes_ in content.values() for name in [*_REAL_CTS, "manifest"]
        )
    for name in rates[0]:
        assert np.mean([rate[name] for rate in rates]) <= _BEST_GUESS, rates
