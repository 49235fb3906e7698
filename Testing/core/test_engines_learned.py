"""Engines with a generator: the same contract as ever, whatever the network answers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from freetumor.anatomy import ORGANS, organ
from freetumor.errors import BadInput, Rejected
from freetumor.live import LivePreview
from freetumor.models import NetworkSpec
from freetumor.nets import build
from freetumor.organs import organ_labels
from freetumor.pipeline import Request, synthesize
from freetumor.synthesis import Options, Patch, Style
from freetumor.synthesis.noise import noise_sigma
from freetumor.synthesis.provenance import provenance
from freetumor.volume import Volume, read_volume
from made_models import made_model, threshold_segmenter
from networks_seen import COARSE, Answers, Counted, small_generators
from phantom import make_phantom
from scipy import ndimage

TURN = np.deg2rad(20)
OBLIQUE = np.array([[np.cos(TURN), -np.sin(TURN), 0], [np.sin(TURN), np.cos(TURN), 0], [0, 0, 1]])
GRIDS = {
    "axial": {},
    "oblique": {
        "direction": OBLIQUE @ np.diag([-1.0, -1.0, 1.0]),
        "shape": (60, 110, 150), "spacing": (5.0, 2.2, 2.4),
    },
    "sagittal": {
        "direction": np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]),
        "shape": (80, 100, 75), "spacing": (4.0, 3.0, 4.0),
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def released(folder) -> str:
    spec = NetworkSpec("released-unet", {"out_channels": 3})
    return str(made_model(folder, "abdomen", {"generator": spec}, name="released", **COARSE).folder)


@pytest.fixture(scope="module")
def learned(folder) -> dict[str, str]:
    return small_generators(folder)


@pytest.fixture(scope="module")
def scans(phantom):
    return {name: make_phantom(**asked) if asked else phantom for name, asked in GRIDS.items()}


def lesion_of(scan, name: str = "liver", mask: Volume | None = None, **asked):
    row = organ(name)
    labels = organ_labels(scan.label_map(row.group), row)
    size = {} if mask else {"diameter": 22.0}
    usual = {"seed": 2, "gate": False, "backend": "torch"}
    return synthesize(scan.ct, labels, Request(**(size | usual | asked)), mask=mask)


def drawn(scan, name: str, radius: float = 10.0) -> Volume:
    """A ball at the deepest place of the organ."""
    deep = ndimage.distance_transform_edt(scan.organ(name), sampling=scan.ct.geometry.spacing)
    centre = scan.ct.geometry.index_to_ras(np.array(np.unravel_index(deep.argmax(), deep.shape)))
    places = scan.ct.geometry.index_to_ras(np.stack(np.indices(deep.shape), axis=-1))
    return scan.ct.like((np.linalg.norm(places - centre, axis=-1) < radius).astype(np.uint8))


def check_contract(scan, result) -> None:
    """Something changed, nothing farther than 5 mm from the mask, and it can be undone."""
    inside = result.instances() > 0
    distance = ndimage.distance_transform_edt(~inside, sampling=scan.ct.geometry.spacing)
    changed = result.ct.array != scan.ct.array
    assert changed[inside].mean() > 0.8
    assert distance[changed].max() <= 5.0
    result.undo()
    assert (result.ct.array == scan.ct.array).all()


@pytest.mark.parametrize(
    ("grid", "name"),
    [
        ("axial", "liver"),
        ("oblique", "kidney"),
        ("oblique", "lung"),
        ("sagittal", "liver"),
    ],
)
def test_engine_learned_changes_the_lesion_and_nothing_else(scans, learned, grid, name):
    asked = {"engine": "learned", "model": learned[organ(name).group]}
    one, same, other = (lesion_of(scans[grid], name, seed=s, **asked) for s in (2, 2, 3))
    assert one.ct.array.tobytes() == same.ct.array.tobytes() != other.ct.array.tobytes()
    check_contract(scans[grid], one)


@pytest.mark.parametrize("grid", ["axial", "oblique"])
def test_engine_released_changes_the_lesion_and_nothing_else(scans, released, grid):
    one = lesion_of(scans[grid], engine="released", model=released)
    check_contract(scans[grid], one)


def test_engine_released_gives_the_same_bytes_for_a_seed(phantom, released):
    asked = {"engine": "released", "model": released, "mask": drawn(phantom, "liver")}
    one, same = (lesion_of(phantom, seed=2, **asked).ct.array.tobytes() for _ in range(2))
    assert one == same


def test_another_seed_gives_another_tumor_in_the_same_mask(phantom, learned):
    mask = drawn(phantom, "liver")
    asked = {"engine": "learned", "model": learned["abdomen"], "mask": mask, "style": Style(-40.0)}
    made = [lesion_of(phantom, seed=s, **asked) for s in (1, 2)]
    inside = mask.array > 0
    first, second = (r.ct.hu()[inside] - phantom.ct.hu()[inside] for r in made)
    assert np.abs(first - second).mean() > 2.0


def test_our_generator_is_told_what_it_needs(phantom, learned, monkeypatch):
    counted = Counted(monkeypatch)
    mask = drawn(phantom, "kidney")
    lesion_of(phantom, "kidney", mask, engine="learned", model=learned["abdomen"])
    ((inputs, one_hot),) = counted.inputs
    image, body, soft, noise = inputs
    assert one_hot.tolist() == [float(name == "kidney") for name in ORGANS]
    assert 0 <= image.min() < image.max() <= 1
    assert set(np.unique(body)) == {0.0, 1.0}
    volume = soft.sum() * 4.0**3
    assert volume == pytest.approx(mask.array.sum() * phantom.ct.geometry.voxel_volume, rel=0.02)
    assert body[soft > 0.5].mean() > 0.9
    assert (noise.mean(), noise.std()) == pytest.approx((0.0, 1.0), abs=0.05)
    # Kidneys are bright: what lies under their mask must be them, not what lies beside.
    assert image[body > 0].mean() > image[body == 0].mean() + 0.2


@pytest.mark.parametrize("engine", ["released", "learned"])
@pytest.mark.parametrize("asked", [-25.0, -60.0])
def test_the_asked_contrast_is_what_the_lesion_gets(phantom, released, learned, engine, asked):
    model = {"released": released, "learned": learned["abdomen"]}[engine]
    result = lesion_of(phantom, engine=engine, model=model, style=Style(asked))
    assert result.lesions[0].measured["contrast_hu"] == pytest.approx(asked, abs=2.0)


@pytest.mark.parametrize(("name", "logit", "there_hu"), [("lung", 700.0, -80.0), ("liver", -90.0, 10.0)])
def test_what_lies_in_the_mask_does_not_become_what_no_tumor_is(
    phantom, learned, name, logit, there_hu, monkeypatch
):
    # A vessel in the lung, fluid in the liver: the change of the tissue around would be too much for it.
    Answers(monkeypatch, logit)
    row, mask, ct = organ(name), drawn(phantom, name, 14.0), phantom.ct.copy()
    inside = mask.array > 0
    vessel = inside & ((np.arange(inside.shape[2]) % 5 == 0) | (np.arange(inside.shape[1])[:, None] % 6 == 0))
    ct.array[vessel] = there_hu
    far = np.argwhere(inside & ~vessel)[0]
    beyond = 400.0 if logit > 0 else -300.0
    ct.array[tuple(far)] = beyond
    labels = organ_labels(phantom.label_map(row.group), row)
    request = Request(seed=2, gate=False, backend="torch", engine="learned", model=learned[row.group])
    result = synthesize(ct, labels, request, mask=mask)
    noise = Patch.around(ct, labels, result.lesions[0].mask, 14.0).noise
    after, change = result.ct.hu()[vessel], result.ct.hu()[vessel] - there_hu
    low, high = row.lesion_hu
    if logit > 0:
        assert high - 1 < after.max() <= high + 2 * noise + 1
        assert change.min() >= 0
    else:
        assert low - 2 * noise - 1 <= after.min()
        assert change.max() <= 0
    assert result.ct.hu()[tuple(far)] == beyond
    # The tissue of the organ itself is moved as the network says.
    deep = ndimage.binary_erosion(inside, iterations=2) & ~vessel
    moved = (result.ct.hu() - ct.hu())[deep]
    assert np.median(moved) == pytest.approx(logit, rel=0.05)


@pytest.mark.parametrize("name", ["liver", "lung"])
def test_the_released_generator_darkens_the_abdomen_and_brightens_the_chest(
    phantom, folder, name, monkeypatch
):
    row = organ(name)
    spec = NetworkSpec("released-unet", {"out_channels": 3 if row.group == "abdomen" else 1})
    record = {"name": f"plain-{row.group}", "networks": {"generator": build(spec)}}
    model = folder / record["name"]
    if not model.exists():
        made_model(folder, row.group, {"generator": spec}, **record)
    Answers(monkeypatch, 0.4)
    mask = drawn(phantom, name, 14.0)
    asked = {"mask": mask, "engine": "released", "model": str(model)}
    made = [lesion_of(phantom, name, seed=s, **asked).ct.hu() for s in range(4)]
    width, d = row.window[1] - row.window[0], np.tanh(0.4) if row.polarity < 0 else 1 / (1 + np.exp(-0.4))
    deep = ndimage.binary_erosion(mask.array > 0, iterations=3)
    changes = [(after - phantom.ct.hu())[deep] for after in made]
    # Half of the difference: the texture has a mean of 1/2.
    assert np.mean(changes) == pytest.approx(row.polarity * 0.5 * width * d, rel=0.15)
    assert all(change.std() < 0.25 * abs(change.mean()) for change in changes)


def test_the_noise_of_the_scan_stays(phantom, released):
    result = lesion_of(phantom, engine="released", model=released, style=Style(-40.0), diameter=30.0)
    lesion = result.lesions[0]
    patch = Patch.around(phantom.ct, result.labels, lesion.mask, 14.0)
    core = patch.inside & (patch.depth_mm > 3)
    after = result.ct.hu(patch.box)
    assert noise_sigma(after, core) == pytest.approx(noise_sigma(patch.hu, core), rel=0.15)


@pytest.mark.parametrize(
    ("case", "name", "contrast", "found_hu"),
    [
        ("abdomen/lidc0001_abdomen", "liver", -60.0, (-100.0, 38.0)),
        ("chest/lidc0001", "lung", 800.0, (-450.0, 500.0)),
    ],
)
def test_on_real_ct_a_generated_tumor_passes_both_judges(
    shared, folder, learned, case, name, contrast, found_hu
):
    ct = read_volume(shared / "data" / case / "ct.nii.gz")
    row, before = organ(name), ct.array.copy()
    labels = organ_labels(read_volume(shared / "data" / case / "labels.nii.gz"), row)
    judge = threshold_segmenter(folder, row.group, *found_hu, organ=name, name=f"finds-{name}")
    request = Request(
        diameter=24.0, seed=1, style=Style(contrast), engine="learned", model=learned[row.group],
        judges=("model-free", "learned"), judge_model=str(judge.folder), backend="torch",
    )  # fmt: skip
    result = synthesize(ct, labels, request, in_place=True)
    (lesion,) = result.lesions
    assert lesion.verdict.by_judge == {"model-free": True, "learned": True}
    patch = Patch.around(Volume(before, ct.geometry, ct.storage), labels, lesion.mask, 14.0)
    after = ct.hu(patch.box)
    assert (patch.outside_mm[after != patch.hu] <= 5.0).all()
    ct.array[patch.box.slices] = before[patch.box.slices]
    assert np.array_equal(ct.array, before)


def test_the_released_generator_runs_once_for_a_place(phantom, released, monkeypatch):
    counted = Counted(monkeypatch)
    asked = {"engine": "released", "model": released, "style": Style(-1.0), "gate": True, "tries": 3}
    with pytest.raises(Rejected) as caught:
        lesion_of(phantom, mask=drawn(phantom, "liver"), **asked)
    assert len(counted.inputs) == 1
    # Each try is another look.
    seen = {json.dumps(v["findings"]) for v in caught.value.verdicts}
    assert len(seen) == 3


def test_sliders_recompose_what_the_generator_said(phantom, released, monkeypatch):
    counted = Counted(monkeypatch)
    labels = organ_labels(phantom.label_map("abdomen"), organ("liver"))
    ct = phantom.ct.copy()
    preview = LivePreview(ct, labels, "released", Options(released, backend="torch"))
    at = (70.0, 10.0, -35.0)
    for diameter, contrast in ((20.0, -30.0), (21.0, -30.0), (21.0, -60.0), (22.0, -45.0)):
        preview.update(diameter=diameter, at=at, contrast=contrast, seed=5)
    assert len(counted.inputs) == 1
    style = Style(-45.0)
    made = lesion_of(
        phantom, diameter=22.0, at=(at,), seed=5, style=style, tries=1, engine="released", model=released
    )
    assert np.array_equal(ct.array, made.ct.array)
    preview.reset()
    assert np.array_equal(ct.array, phantom.ct.array)


def test_what_made_the_tumor_is_in_the_provenance(phantom, learned):
    result = lesion_of(phantom, engine="learned", model=learned["abdomen"])
    record = json.loads(json.dumps(provenance(result, {"ct": "0"})))
    model = result.engine.model
    weights = {"weights_sha256": model.facts["sha256"], "use": "free"}
    assert record["model"] == {"name": "ours-abdomen", **weights}
    assert record["request"]["model"] == "ours-abdomen"
    said = record["lesions"][0]["engine_parameters"]
    assert said["weights_sha256"] == model.facts["sha256"]
    assert (said["device"], said["patch_kji"], said["window_hu"]) == ("cpu", [32, 32, 32], [-175.0, 250.0])
    assert said["backend"]
    assert str(Path(learned["abdomen"]).parent) not in json.dumps(record)


def test_a_lesion_too_large_for_a_network_is_refused(phantom, learned, folder):
    spec = NetworkSpec("conditional-unet", {"features": [4, 8]})
    fine = made_model(folder, "abdomen", {"generator": spec}, name="fine", spacing=[0.5, 0.5, 0.5])
    with pytest.raises(BadInput, match="surroundings into") as caught:
        lesion_of(phantom, diameter=60.0, engine="learned", model=str(fine.folder))
    assert caught.value.kind == "too_large"
