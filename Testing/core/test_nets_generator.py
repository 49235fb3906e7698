"""Our generator: each of the things that it is told decides what it makes."""

from __future__ import annotations

import pytest
import torch
from freetumor.anatomy import ORGANS
from freetumor.errors import BadInput
from freetumor.models import NetworkSpec
from freetumor.nets import build, multiple
from made_models import fill
from torch import Tensor, nn

SPEC = NetworkSpec("conditional-unet", {"features": [8, 8, 16, 16]})
SHAPE = (16, 24, 16)
IMAGE, ORGAN, SOFT, NOISE = range(4)


@pytest.fixture(scope="module")
def generator() -> nn.Module:
    return fill(build(SPEC))


def one_hot(organ: str) -> Tensor:
    return torch.tensor([[float(name == organ) for name in ORGANS]])


def inputs(seed: int = 0, shape: tuple[int, ...] = SHAPE) -> Tensor:
    """(1, 4, ...): random image, the middle as organ, a soft ball in it as tumor, noise."""
    rng = torch.Generator().manual_seed(seed)
    axes = [torch.linspace(-1, 1, n) for n in shape]
    radius = sum(a**2 for a in torch.meshgrid(*axes, indexing="ij")).sqrt()
    channels = [
        torch.rand(shape, generator=rng),
        (radius < 0.9).float(),
        (3 * (0.6 - radius)).clamp(0, 1),
        torch.randn(shape, generator=rng),
    ]
    return torch.stack(channels)[None]


@torch.inference_mode()
def made(generator: nn.Module, x: Tensor, organ: str = "liver") -> Tensor:
    return generator(x, one_hot(organ))


def mean_change(x: Tensor, residual: Tensor) -> float:
    """Mean of the absolute residual where the tumor is, HU."""
    return float(residual[x[:, SOFT : SOFT + 1] > 0.5].abs().mean())


def test_outside_the_tumor_mask_the_residual_is_exactly_zero(generator):
    x = inputs()
    residual = made(generator, x)
    assert residual.shape == (1, 1, *SHAPE)
    assert not residual[x[:, SOFT : SOFT + 1] == 0].any()
    assert mean_change(x, residual) > 1
    x[:, SOFT] = 0
    assert not made(generator, x).any()


def test_another_noise_field_makes_another_tumor(generator):
    x = inputs()
    tumors = []
    for seed in range(6):
        x[:, NOISE] = inputs(seed)[:, NOISE]
        tumors.append(made(generator, x)[x[:, SOFT : SOFT + 1] > 0.5])
    tumors = torch.stack(tumors)
    # The spread between tumors is a fifth of the change itself or more: in each voxel and of the whole.
    assert tumors.std(0).mean() > 0.2 * tumors.abs().mean()
    assert tumors.mean(1).std() > 0.02 * tumors.abs().mean()


def test_the_same_inputs_make_the_same_tumor(generator):
    torch.testing.assert_close(made(generator, inputs()), made(generator, inputs()), rtol=0, atol=0)


def test_each_organ_has_its_own_tumors_beyond_another_scale(generator):
    x = inputs()
    inside = x[:, SOFT : SOFT + 1] > 0.5
    shapes = torch.stack(
        [made(generator, x, organ)[inside] / generator.scale_hu[k] for k, organ in enumerate(ORGANS)]
    )
    assert torch.pdist(shapes).min() > 0.05 * shapes.norm(dim=1).mean()
    assert len({round(float(scale)) for scale in generator.scale_hu}) > 2


@pytest.mark.parametrize("channel", [IMAGE, ORGAN, SOFT, NOISE])
def test_every_input_matters_and_gets_a_gradient(generator, channel):
    x = inputs().requires_grad_()
    organ = one_hot("kidney").requires_grad_()
    generator(x, organ).square().mean().backward()
    assert x.grad[:, channel].abs().max() > 0
    assert (organ.grad != 0).all()


def test_the_level_of_the_organ_and_the_size_of_the_tumor_matter(generator):
    """Both are what a normalised feature cannot carry."""
    x = inputs()
    brighter, smaller = x.clone(), x.clone()
    brighter[:, IMAGE] = brighter[:, IMAGE] + 0.3
    smaller[:, SOFT] *= 0.9
    deep = x[:, SOFT : SOFT + 1] > 0.8
    change = made(generator, x)[deep]
    assert (made(generator, brighter)[deep] - change).abs().mean() > 0.01 * change.abs().mean()
    assert (made(generator, smaller)[deep] / 0.9 - change).abs().mean() > 1e-4 * change.abs().mean()


def test_a_tumor_does_not_depend_on_what_else_is_in_the_batch(generator):
    batch = torch.cat([inputs(seed) for seed in range(3)])
    organs = torch.cat([one_hot(name) for name in ("liver", "lung", "kidney")])
    with torch.inference_mode():
        together = generator(batch, organs)
    for k, organ in enumerate(("liver", "lung", "kidney")):
        torch.testing.assert_close(
            together[k : k + 1], made(generator, batch[k : k + 1], organ), atol=0.02, rtol=1e-4
        )


@pytest.mark.parametrize("shape", [(8, 8, 8), (40, 8, 16)])
def test_sizes_are_multiples_of_the_stated_one(generator, shape):
    assert multiple(SPEC) == 8
    assert made(generator, inputs(shape=shape)).shape == (1, 1, *shape)
    with pytest.raises(RuntimeError):
        made(generator, inputs(shape=(*shape[:2], shape[2] + 4)))


def test_the_residual_stays_within_the_scale_of_its_organ(generator):
    loud = fill(build(SPEC), seed=1)
    loud.out.weight.data *= 1000
    for k, organ in enumerate(ORGANS):
        residual = made(loud, inputs(), organ)
        assert 0.9 * loud.scale_hu[k] < residual.abs().max() <= loud.scale_hu[k]


def test_rows_of_the_one_hot_and_scale_can_be_given(generator):
    spec = NetworkSpec(
        "conditional-unet", {"features": [4, 4, 4, 4], "organs": ["kidney", "lung"], "scale_hu": [50, 800]}
    )
    network = build(spec)
    with torch.inference_mode():
        assert network(inputs(), torch.eye(2)[:1]).shape == (1, 1, *SHAPE)
    assert network.state_dict()["scale_hu"].tolist() == [50, 800]
    with pytest.raises(BadInput, match="settings") as error:
        build(NetworkSpec("conditional-unet", {"colour": 1}))
    assert error.value.kind == "wrong_architecture"
