"""Weights of our models: stored, loaded, and refused with a reason."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from freetumor.errors import BadInput
from freetumor.models import NetworkSpec
from freetumor.nets import build, load_network, write_network_weights
from made_models import fill, made_model
from safetensors.torch import load_file, save_file

SPEC = NetworkSpec("light-unet", {"classes": [0, 1, 2], "features": [2, 2, 4, 4, 4]})
GENERATOR = NetworkSpec("conditional-unet", {"features": [4, 4, 4, 4]})


@pytest.fixture
def model(tmp_path):
    return made_model(tmp_path, "chest", {"segmenter": SPEC, "generator": GENERATOR})


def states(network) -> dict[str, torch.Tensor]:
    return network.state_dict()


def refused(kind: str, model, part: str = "segmenter") -> str:
    with pytest.raises(BadInput) as error:
        load_network(model, part)
    assert error.value.kind == kind, error.value
    return str(error.value)


@pytest.mark.parametrize(("part", "spec"), [("segmenter", SPEC), ("generator", GENERATOR)])
def test_each_network_of_a_model_comes_back_as_it_was(model, part, spec):
    made, loaded = states(fill(build(spec), f"{part}.")), load_network(model, part)
    assert not loaded.training
    assert list(states(loaded)) == list(made)
    for key, value in made.items():
        torch.testing.assert_close(states(loaded)[key], value, rtol=0, atol=0)


def test_half_precision_halves_the_file_and_is_computed_with_in_float32(model, tmp_path):
    network = fill(build(SPEC))
    write_network_weights(tmp_path / "full", {"segmenter": network})
    write_network_weights(model.weights, {"segmenter": network}, half=True)
    floats = 2 * sum(v.numel() for v in states(network).values() if v.is_floating_point())
    assert (tmp_path / "full").stat().st_size - model.weights.stat().st_size >= floats
    loaded = load_network(model, "segmenter")
    for key, value in states(network).items():
        assert states(loaded)[key].dtype == value.dtype
        torch.testing.assert_close(states(loaded)[key], value, rtol=1e-3, atol=1e-6)


def test_networks_that_share_tensors_or_layouts_are_written(tmp_path):
    network = fill(build(SPEC)).to(memory_format=torch.channels_last_3d)
    write_network_weights(tmp_path / "w", {"segmenter": network, "classifier": network})
    stored = load_file(tmp_path / "w")
    for key, value in states(network).items():
        torch.testing.assert_close(stored[f"classifier.{key}"], value)


def test_weights_that_cannot_be_written_leave_nothing(tmp_path):
    (tmp_path / "w").write_text("before")
    network = build(SPEC)
    network.register_buffer("sparse", torch.eye(3).to_sparse())
    with pytest.raises((ValueError, RuntimeError)):
        write_network_weights(tmp_path / "w", {"segmenter": network})
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("w", "before")]


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html>Sign in</html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "Git LFS"),
        (b"\x80\x02}q\x00." * 20, "cannot be read"),
    ],
)
def test_a_file_that_holds_no_weights_is_named_for_what_it_is(model, content, word):
    model.weights.write_bytes(content)
    assert word in refused("corrupt_weights", model)


def test_weights_that_are_cut_short_or_missing_are_refused(model):
    whole = model.weights.read_bytes()
    for size in (5, 500, len(whole) - 3):
        model.weights.write_bytes(whole[:size])
        assert "cut short" in refused("corrupt_weights", model)
    model.weights.unlink()
    refused("no_weights", model)


def test_tensors_of_another_network_are_refused_with_a_few_of_the_differences(model):
    tensors = load_file(model.weights)
    wider = {**SPEC.settings, "features": [2, 2, 4, 4, 8]}
    message = refused(
        "wrong_architecture", replace(model, networks={"segmenter": NetworkSpec("light-unet", wider)})
    )
    assert "(shape (8, 4, 3, 3, 3))" in message
    assert "(4, 4, 3, 3, 3)" in message
    assert "more that differ" in message
    assert len(message) < 900

    gone = next(key for key in tensors if key.startswith("segmenter."))
    save_file({key: value for key, value in tensors.items() if key != gone}, model.weights)
    assert f"no {gone.removeprefix('segmenter.')}" in refused("wrong_architecture", model)
    save_file({**tensors, "segmenter.extra": torch.zeros(2)}, model.weights)
    assert "extra" in refused("wrong_architecture", model)


def test_a_part_that_the_model_has_not_is_refused(model):
    refused("wrong_part", model, "classifier")


def test_importing_the_package_imports_no_learning_library():
    code = "import sys, json, freetumor.nets; print(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "monai", "openvino", "safetensors"} & set(json.loads(done.stdout))


def test_without_pytorch_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "freetumor.nets.voxelwise", raising=False)
    with pytest.raises(BadInput, match=r"freetumor\[learned\]") as error:
        build(NetworkSpec("voxelwise", {"classes": [0, 1]}))
    assert error.value.kind == "missing_dependency"
