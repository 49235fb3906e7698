"""The published architectures: what they compute, and their quirks."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from freetumor.models import NetworkSpec
from freetumor.nets import build
from made_models import fill
from torch import nn
from torch.nn import functional as F

GENERATOR = NetworkSpec("released-unet", {"out_channels": 3, "legacy": True})
CHEST_GENERATOR = NetworkSpec("released-unet", {"out_channels": 1, "legacy": True})
SEGMENTER = NetworkSpec("swinunetr", {"classes": [0, 1, 2, 3, 4, 5, 6]})


@pytest.fixture(scope="module")
def generator() -> nn.Module:
    """The abdominal generator with made-up weights: read only."""
    return fill(build(GENERATOR), "netG.")


@pytest.fixture(scope="module")
def pinned(shared) -> dict:
    """Outputs of the published networks with these weights, every 4th voxel."""
    file = shared / "parity" / "released_networks.npz"
    if not file.exists():
        pytest.skip(f"no outputs of the published networks at {file}")
    return dict(np.load(file))


@pytest.fixture(scope="module")
def published_shapes(shared) -> dict:
    file = shared / "parity" / "released_checkpoint_keys.json"
    if not file.exists():
        pytest.skip(f"no keys of a published checkpoint at {file}")
    return {key: tuple(shape) for key, shape in json.loads(file.read_text("utf-8"))["tensors"].items()}


def difference(logits: torch.Tensor, expected: np.ndarray) -> float:
    return float(np.abs(logits[0, :, ::4, ::4, ::4].numpy() - expected).max())


def test_the_generator_computes_what_the_published_one_does(generator, pinned):
    seen = []
    handle = generator.out_tr.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    with torch.inference_mode():
        logits = generator(torch.from_numpy(pinned["input"])[None, None])
        handle.remove()
        # A chest generator differs in its last layer only.
        chest_logits = fill(build(CHEST_GENERATOR), "netG.").out_tr(seen[0])
    assert difference(logits, pinned["netG_abdomen_logits"]) < 1e-3
    assert difference(chest_logits, pinned["netG_chest_logits"]) < 1e-3


def test_the_segmenter_computes_what_the_published_one_does(pinned):
    with torch.inference_mode():
        logits = fill(build(SEGMENTER), "netSeg.")(torch.from_numpy(pinned["input"])[None, None])
    assert difference(logits, pinned["netSeg_logits"]) < 1e-4


def test_names_and_shapes_of_the_tensors_are_the_published_ones(generator, published_shapes):
    networks = {"netG.": generator, "netD.": generator, "netSeg.": build(SEGMENTER)}
    ours = {
        prefix + key: tuple(value.shape)
        for prefix, network in networks.items()
        for key, value in network.state_dict().items()
    }
    assert ours == published_shapes


def test_the_generator_is_the_u_net_that_its_description_says(generator):
    """Once more from the description, with plain functions: needs no published outputs."""
    state = generator.state_dict()
    image = torch.rand((1, 1, 16, 24, 8), generator=torch.Generator().manual_seed(0))

    def twice(x: torch.Tensor, name: str) -> torch.Tensor:
        for step in (f"{name}.ops.0", f"{name}.ops.1"):
            x = F.conv3d(x, state[f"{step}.conv1.weight"], state[f"{step}.conv1.bias"], padding=1)
            mean = x.mean((2, 3, 4), keepdim=True)
            deviation = (x.var((2, 3, 4), keepdim=True, unbiased=False) + 1e-5).sqrt()
            scale, shift = (state[f"{step}.bn1.{key}"][:, None, None, None] for key in ("weight", "bias"))
            x = ((x - mean) / deviation * scale + shift).clamp(min=0)
        return x

    x, skips = image, []
    for name in ("down_tr64", "down_tr128", "down_tr256", "down_tr512"):
        x = twice(x if not skips else F.max_pool3d(x, 2), name)
        skips.append(x)
    for name, skip in zip(("up_tr256", "up_tr128", "up_tr64"), skips[2::-1], strict=True):
        up = (state[f"{name}.up_conv.{key}"] for key in ("weight", "bias"))
        x = twice(torch.cat([F.conv_transpose3d(x, *up, stride=2), skip], 1), name)
    x = F.conv3d(x, state["out_tr.final_conv.weight"], state["out_tr.final_conv.bias"])
    with torch.inference_mode():
        torch.testing.assert_close(generator(image), x, atol=1e-3, rtol=1e-3)


def test_the_networks_have_the_published_size(generator):
    assert sum(p.numel() for p in generator.parameters()) == 19_073_795
    swin = build(SEGMENTER)
    assert len(swin.state_dict()) == 167
    assert round(sum(p.numel() for p in swin.parameters()) / 1e6, 1) == 72.8


def test_in_a_batch_the_published_network_mixes_samples_and_ours_does_not(generator):
    apart = build(NetworkSpec("released-unet", {"out_channels": 3, "legacy": False}))
    apart.load_state_dict(generator.state_dict())
    images = torch.rand((2, 1, 8, 16, 8), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        alone = generator(images[:1])
        torch.testing.assert_close(apart(images[:1]), alone)
        torch.testing.assert_close(apart(images)[:1], alone, atol=1e-3, rtol=1e-3)
        assert (generator(images)[:1] - alone).abs().max() > 0.1


def test_running_statistics_are_neither_used_nor_changed(generator):
    before = {k: v.clone() for k, v in generator.state_dict().items() if "running" in k or "batches" in k}
    generator.train()(torch.rand(1, 1, 8, 8, 16))
    generator.eval()
    assert before
    for key, value in before.items():
        torch.testing.assert_close(generator.state_dict()[key], value, rtol=0, atol=0)
