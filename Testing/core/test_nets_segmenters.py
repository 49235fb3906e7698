"""Segmenters and classifiers: one interface, whatever the network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from freetumor.anatomy import ORGANS
from freetumor.errors import BadInput
from freetumor.models import NetworkSpec
from freetumor.nets import ARCHITECTURES, build, load_network, multiple, write_network_weights
from made_models import LIGHT, fill, threshold_segmenter
from safetensors import safe_open

SWIN = NetworkSpec("swinunetr", {"classes": [0, 2], "feature_size": 12})
SEGMENTERS = {
    "light": LIGHT,
    "light, instance": NetworkSpec("light-unet", {**LIGHT.settings, "norm": "instance"}),
    "swin": SWIN,
    "voxelwise": NetworkSpec("voxelwise", {"classes": [0, 1, 2]}),
}


def image(shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    return torch.rand((1, 1, *shape), generator=torch.Generator().manual_seed(seed))


def test_the_paper_s_segmenter_takes_a_patch_of_its_smallest_size():
    with torch.inference_mode():
        logits = fill(build(SWIN))(image((32, 32, 32)))
    assert logits.isfinite().all()
    assert logits.std() > 0.1


@pytest.mark.parametrize("spec", SEGMENTERS.values(), ids=SEGMENTERS)
def test_a_segmenter_gives_a_logit_for_each_class_and_voxel(spec):
    network, least = fill(build(spec)), multiple(spec)
    assert not network.training
    shape = (2 * least, least, least)
    with torch.inference_mode():
        alone = network(image(shape))
        together = network(torch.cat([image(shape, 1), image(shape)]))
    assert alone.shape == (1, len(spec.settings["classes"]), *shape)
    assert alone.dtype == torch.float32
    torch.testing.assert_close(together[1:], alone, atol=1e-3, rtol=1e-3)


def test_the_light_network_sees_a_voxel_alike_in_a_small_and_in_a_large_patch():
    """So that a judge's small patch tells what a whole volume would."""
    spec = NetworkSpec("light-unet", {"classes": [0, 1], "features": [4, 4, 4, 4, 4]})
    network = fill(build(spec))
    large = image((160, 32, 32))
    with torch.inference_mode():
        cropped = network(large[:, :, 32:])
        whole = network(large)[:, :, 32:]
    torch.testing.assert_close(cropped[:, :, 100:], whole[:, :, 100:], atol=1e-4, rtol=1e-3)
    assert (cropped[:, :, 0] - whole[:, :, 0]).abs().max() > 1e-3


def test_the_default_light_network_fits_an_extension(tmp_path):
    """25 MB with float16, one stored tensor for each layer's weights."""
    network = build(NetworkSpec("light-unet", {"classes": list(range(7))}))
    write_network_weights(tmp_path / "w", {"segmenter": network}, half=True)
    numbers = sum(value.numel() for value in network.state_dict().values())
    assert (tmp_path / "w").stat().st_size < min(25e6, 2 * numbers + 50_000)
    with safe_open(tmp_path / "w", framework="np") as file:
        assert len(file.keys()) == len(network.state_dict())


def test_a_classifier_has_one_logit():
    assert build(NetworkSpec("light-unet", {"out_channels": 1, "features": [4] * 5}))(
        image((16, 16, 16))
    ).shape == (1, 1, 16, 16, 16)


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        (NetworkSpec("resnet", {}), "resnet"),
        (NetworkSpec("light-unet", {}), "out_channels"),
        (NetworkSpec("light-unet", {"classes": [0, 1], "out_channels": 3}), "3 output channels"),
        (NetworkSpec("swinunetr", {"classes": [0, 1], "width": 3}), "width"),
    ],
)
def test_settings_that_a_network_has_not_are_refused(spec, word):
    with pytest.raises(BadInput, match=word) as error:
        build(spec)
    assert error.value.kind == "wrong_architecture"


def test_each_architecture_says_what_it_is():
    for row in ARCHITECTURES.values():
        assert row.title
        assert set(row.parts) <= {"generator", "classifier", "segmenter"}


@pytest.mark.parametrize(
    ("organ", "low", "high"), [("liver", 0.5, 60.5), ("kidney", -20.5, 30.5), ("lung", -500.5, 20.5)]
)
def test_the_threshold_segmenter_is_exact_to_a_hounsfield_unit(tmp_path, organ, low, high):
    row = ORGANS[organ]
    organ_hu = (low - 40, high + 80)
    model = threshold_segmenter(tmp_path, row.group, low, high, organ=organ, organ_hu=organ_hu)
    hu = np.arange(int(row.window[0]), int(row.window[1]) + 1, dtype=np.float32)
    x = (hu - row.window[0]) / (row.window[1] - row.window[0])
    with torch.inference_mode():
        logits = load_network(model, "segmenter")(torch.from_numpy(x)[None, None, :, None, None])
    found = np.array(model.network("segmenter").settings["classes"])[logits[0, :, :, 0, 0].argmax(0).numpy()]
    expected = np.where((hu > organ_hu[0]) & (hu < organ_hu[1]), row.organ_label, 0)
    expected[(hu > low) & (hu < high)] = row.lesion_label
    np.testing.assert_array_equal(found, expected)
