"""The authors' checkpoints: opened safely, recognised, turned into models; everything else is refused."""

from __future__ import annotations

import os
from argparse import Namespace
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from freetumor.errors import BadInput
from freetumor.models import Model, NetworkSpec, check_weights, find_model
from freetumor.nets import build, import_checkpoint, load_network, write_network_weights
from made_models import fill
from torch import Tensor, nn

SMALL = 12  # the smallest feature size that a SwinUNETR can have; the published ones have 48


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("FREETUMOR_MODELS", str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture(scope="module")
def segmenter() -> nn.Module:
    return fill(build(NetworkSpec("swinunetr", {"out_channels": 7, "feature_size": SMALL})))


def with_output(segmenter: nn.Module, channels: int) -> dict[str, Tensor]:
    """The segmenter's tensors with a head of `channels`, under the published names."""
    state = dict(segmenter.state_dict())
    for key in ("out.conv.conv.weight", "out.conv.conv.bias"):
        state[key] = state[key][:channels].clone()
    return state


def u_net(channels: int) -> dict[str, Tensor]:
    """A U-Net's tensors, each one number many times: a small file."""
    shapes = build(NetworkSpec("released-unet", {"out_channels": channels})).state_dict()
    return {
        key: torch.full((1,), 0.01 * (k % 7) - 0.03).expand(value.shape)
        if value.is_floating_point()
        else value
        for k, (key, value) in enumerate(shapes.items())
    }


def prefixed(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + key: value for key, value in state.items()}


def saved(path: Path, content: object, **options: object) -> Path:
    torch.save(content, path, **options)
    return path


def same(model: Model, part: str, state: dict[str, Tensor]) -> None:
    """The model's network has these very tensors, and no others."""
    loaded = load_network(model, part).state_dict()
    assert list(loaded) == list(state)
    for key, value in state.items():
        torch.testing.assert_close(loaded[key], value, rtol=0, atol=0)


def refused(kind: str, path: Path, group: str = "abdomen", **options: object) -> str:
    with pytest.raises(BadInput) as error:
        import_checkpoint(path, group, **options)
    assert error.value.kind == kind, error.value
    store = Path(os.environ["FREETUMOR_MODELS"])
    assert not store.exists() or not [p for p in store.iterdir() if p.name.startswith(".")]
    return str(error.value)


@pytest.mark.parametrize(("group", "generator", "classes"), [("abdomen", 3, 7), ("chest", 1, 2)])
def test_all_networks_of_a_gan_checkpoint_come_into_one_model(tmp_path, segmenter, group, generator, classes):
    parts = {"netG.": u_net(generator), "netD.": u_net(3), "netSeg.": with_output(segmenter, classes)}
    state = OrderedDict()
    for prefix, tensors in parts.items():
        state |= prefixed(prefix, tensors)
    optimizer = {
        "state": {0: {"step": 3, "exp_avg": torch.zeros(2)}},
        "param_groups": [{"lr": 1e-4, "params": [0]}],
    }
    file = saved(tmp_path / "TGAN.pt", {"epoch": 100, "state_dict": state, "optimizer": optimizer})
    model = import_checkpoint(file, group)
    assert model.name == f"tgan-{group}"
    assert model.group == group
    check_weights(find_model(model.name))
    for part, prefix in (("generator", "netG."), ("classifier", "netD."), ("segmenter", "netSeg.")):
        same(model, part, parts[prefix])
    assert model.network("generator").settings == {"out_channels": generator, "legacy": True}
    assert model.network("segmenter").settings["classes"] == ([0, 2] if group == "chest" else list(range(7)))
    card = (model.folder / "README.md").read_text("utf-8")
    assert "epoch 100" in card
    assert "statistics of the batch" in card
    assert ("only the first was ever trained" in card) == (group == "abdomen")
    assert "research use" in card
    assert model.facts["source_sha256"] in card


@pytest.mark.parametrize(
    ("names", "nested"),
    [
        (lambda key: key, True),
        (lambda key: key, False),
        (lambda key: f"module.{key}", True),
        (lambda key: key.replace("swinViT", "swin_vit"), False),
        (lambda key: f"module.{key}".replace("swinViT", "swin_vit"), True),
        (lambda key: f"netSeg.module.{key}", False),
        (lambda key: f"module.netSeg.{key}", True),
    ],
    ids=["plain", "bare", "module", "swin_vit", "both", "netSeg.module", "module.netSeg"],
)
def test_a_segmenter_alone_is_recognised_under_all_its_names(tmp_path, segmenter, names, nested):
    state = {names(key): value for key, value in segmenter.state_dict().items()}
    file = saved(
        tmp_path / "model_baseline_segmentor.pt", {"state_dict": state, "epoch": 7} if nested else state
    )
    model = import_checkpoint(file, "abdomen", "teacher")
    assert list(model.networks) == ["segmenter"]
    assert model.organs == ("liver", "pancreas", "kidney")
    same(model, "segmenter", segmenter.state_dict())


def test_the_same_segmenter_in_two_files_is_known_to_be_the_same(tmp_path, segmenter):
    files = {
        "alone.pt": prefixed("module.", segmenter.state_dict()),
        "gan.pt": prefixed("netSeg.", segmenter.state_dict()),
        "other.pt": segmenter.state_dict() | {"out.conv.conv.bias": torch.zeros(7)},
    }
    alone, gan, other = (
        import_checkpoint(saved(tmp_path / file, state), "abdomen").facts["segmenter_sha256"]
        for file, state in files.items()
    )
    assert alone == gan != other


def test_what_training_scripts_put_beside_the_tensors_is_no_obstacle(tmp_path, segmenter):
    content = {
        "epoch": 3,
        "best_acc": np.float64(0.7),
        "scores": [np.float32(0.5), np.int64(2)],
        "arch": "swin",
        "state_dict": segmenter.state_dict(),
    }
    for name, options in {"new.pt": {}, "old.pt": {"_use_new_zipfile_serialization": False}}.items():
        same(
            import_checkpoint(saved(tmp_path / name, content, **options), "abdomen"),
            "segmenter",
            segmenter.state_dict(),
        )


def test_tensors_that_a_network_computes_itself_may_be_missing_and_halves_become_float32(tmp_path, segmenter):
    state = {
        key: value.half()
        for key, value in segmenter.state_dict().items()
        if not key.endswith("position_index")
    }
    model = import_checkpoint(saved(tmp_path / "half.pt", state), "abdomen")
    same(
        model,
        "segmenter",
        {key: state[key].float() if key in state else value for key, value in segmenter.state_dict().items()},
    )


@pytest.mark.parametrize(
    ("file", "group", "organ", "organs", "classes"),
    [
        ("leaderboard_Kidney.pt", "abdomen", None, ("kidney",), [0, 5, 6]),
        ("leaderboard.pt", "abdomen", "pancreas", ("pancreas",), [0, 3, 4]),
        ("leaderboard.pt", "chest", None, ("lung", "covid"), [0, 1, 2]),
    ],
)
def test_a_leaderboard_segmenter_of_one_organ(tmp_path, segmenter, file, group, organ, organs, classes):
    path = saved(tmp_path / file, {"state_dict": prefixed("module.", with_output(segmenter, 3))})
    model = import_checkpoint(path, group, organ=organ)
    assert model.organs == organs
    assert model.network("segmenter").settings["classes"] == classes


def test_a_leaderboard_segmenter_of_an_unknown_organ_is_refused(tmp_path, segmenter):
    message = refused("usage", saved(tmp_path / "best.pt", with_output(segmenter, 3)))
    assert "liver, pancreas, kidney" in message


@pytest.mark.parametrize("classes", [7, 2])
def test_a_segmenter_of_the_other_organs_is_refused(tmp_path, segmenter, classes):
    group, other = ("chest", "abdomen") if classes == 7 else ("abdomen", "chest")
    message = refused("wrong_organ", saved(tmp_path / "seg.pt", with_output(segmenter, classes)), group)
    assert f"for the {other}" in message


@pytest.mark.parametrize("channels", [3, 1])
def test_a_generator_of_the_other_organs_is_refused(tmp_path, channels):
    group, other = ("chest", "abdomen") if channels == 3 else ("abdomen", "chest")
    message = refused("wrong_organ", saved(tmp_path / "TGAN.pt", prefixed("netG.", u_net(channels))), group)
    assert f"for the {other}" in message


class Code:
    """Pickled, it is a command that makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.system, (f"touch '{self.path}'",)


@pytest.mark.parametrize("new", [True, False])
def test_a_file_with_code_is_refused_and_not_run(tmp_path, segmenter, new):
    content = {"state_dict": segmenter.state_dict(), "args": Code(tmp_path / "was run")}
    file = saved(tmp_path / "evil.pt", content, _use_new_zipfile_serialization=new)
    message = refused("unsafe_checkpoint", file)
    assert "system" in message
    assert "nothing in it was run" in message
    assert not (tmp_path / "was run").exists()
    torch.load(file, weights_only=False)
    assert (tmp_path / "was run").exists()  # that is what would have happened


@pytest.mark.filterwarnings("ignore:.*TorchScript:UserWarning", "ignore:.*torch.jit:DeprecationWarning")
def test_objects_and_programs_are_refused_by_name(tmp_path):
    assert "Namespace" in refused("unsafe_checkpoint", saved(tmp_path / "args.pt", {"args": Namespace(a=1)}))
    assert "Linear" in refused("unsafe_checkpoint", saved(tmp_path / "module.pt", nn.Linear(2, 2)))
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), tmp_path / "program.pt")
    assert "TorchScript" in refused("unsafe_checkpoint", tmp_path / "program.pt")


@pytest.mark.parametrize(
    ("content", "kind", "word"),
    [
        (b"", "corrupt_weights", "empty"),
        (b"\n<html><body>Please log in</body></html>", "corrupt_weights", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "corrupt_weights", "Git LFS"),
        (b"some text that is no checkpoint", "corrupt_weights", "cannot be read"),
        (b"PK\x03\x04 and then nothing", "corrupt_weights", "cut short"),
        (b"\x80\x02 and then nothing", "corrupt_weights", "cut short"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_named_for_what_it_is(tmp_path, content, kind, word):
    (tmp_path / "TGAN.pt").write_bytes(content)
    assert word in refused(kind, tmp_path / "TGAN.pt")


@pytest.mark.parametrize("new", [True, False])
def test_a_checkpoint_that_is_cut_short_is_refused(tmp_path, segmenter, new):
    file = saved(tmp_path / "cut.pt", segmenter.state_dict(), _use_new_zipfile_serialization=new)
    whole = file.read_bytes()
    for size in (40, len(whole) // 2, len(whole) - 10):
        file.write_bytes(whole[:size])
        assert "cut short" in refused("corrupt_weights", file)


def test_numbers_that_are_not_finite_are_refused(tmp_path, segmenter):
    state = dict(segmenter.state_dict())
    state["out.conv.conv.bias"] = state["out.conv.conv.bias"] * float("nan")
    assert "out.conv.conv.bias" in refused("corrupt_weights", saved(tmp_path / "nan.pt", state))


def test_a_safetensors_file_is_refused_with_a_hint(tmp_path, segmenter):
    write_network_weights(tmp_path / "w.safetensors", {"segmenter": segmenter})
    assert "model.json" in refused("wrong_architecture", tmp_path / "w.safetensors")


def change_shape(state: dict) -> None:
    state["encoder1.layer.conv1.conv.weight"] = torch.zeros(SMALL, 4, 3, 3, 3)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda state: state.pop("decoder1.conv_block.conv1.conv.weight"), "no decoder1.conv_block.conv1"),
        (lambda state: state.update(extra=torch.zeros(2)), "extra (2,)"),
        (change_shape, f"({SMALL}, 4, 3, 3, 3)"),
        (lambda state: state.pop("out.conv.conv.weight"), "out.conv.conv.weight"),
        (lambda state: state.update({"swin_vit.patch_embed.proj.bias": torch.zeros(2)}), "twice"),
        (lambda state: state.update({"netG.x": torch.zeros(2)}), "netG., netD., netSeg."),
        (lambda state: state.update(lr=0.1), "lr"),
        (lambda state: (state.clear(), state.update(w=torch.zeros(2))), "SwinUNETR"),
        (lambda state: state.clear(), "none"),
    ],
)
def test_another_architecture_is_refused_with_what_was_expected_and_what_came(
    tmp_path, segmenter, change, word
):
    state = dict(segmenter.state_dict())
    change(state)
    message = refused("wrong_architecture", saved(tmp_path / "other.pt", {"state_dict": state}))
    assert word in message
    assert len(message) < 900


def test_an_installed_model_is_never_overwritten(tmp_path, segmenter):
    file = saved(tmp_path / "seg abdomen.pt", segmenter.state_dict())
    first = import_checkpoint(file, "abdomen")
    assert first.name == "seg-abdomen"
    before = {p.name: p.read_bytes() for p in first.folder.iterdir()}
    assert "remove seg-abdomen" in refused("exists", file)
    assert {p.name: p.read_bytes() for p in first.folder.iterdir()} == before
    assert import_checkpoint(file, "abdomen", "another").name == "another"


def test_bad_requests_are_refused_before_the_file_is_read(tmp_path):
    assert "abdomen, chest" in refused("usage", tmp_path / "none.pt", "liver")
    refused("usage", tmp_path / "none.pt", name="../up")
    refused("no_weights", tmp_path / "none.pt")


def test_an_old_pytorch_that_would_run_code_is_not_trusted(tmp_path, segmenter, monkeypatch):
    file = saved(tmp_path / "seg.pt", segmenter.state_dict())
    monkeypatch.setattr(torch, "__version__", "2.5.1+cpu")
    assert "2.6" in refused("missing_dependency", file)
