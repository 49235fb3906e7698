"""What runs a network: all backends agree, fall back with a word, and convert once."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from freetumor.errors import BadInput
from freetumor.files import sha256
from freetumor.models import Model, NetworkSpec
from freetumor.nets import load_network
from freetumor.nets.agreement import difference
from freetumor.nets.backends import BACKENDS, _bf16_refusal
from freetumor.nets.devices import choose_device, gpu, is_out_of_memory, threads
from freetumor.nets.predictors import forget, predictor
from made_models import LIGHT, made_model

TINY_UNET = NetworkSpec("released-unet", {"out_channels": 3, "legacy": True})
TINY_SWIN = NetworkSpec("swinunetr", {"classes": [0, 1, 2], "feature_size": 12})
CONDITIONED = NetworkSpec("conditional-unet", {"features": [4, 8, 8, 8]})


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch, tmp_path):
    """Conversions go to a folder of the test, and no network stays in memory after it."""
    monkeypatch.setenv("FREETUMOR_CACHE", str(tmp_path / "cache"))
    forget()
    yield
    forget()


@pytest.fixture
def light(tmp_path) -> Model:
    return made_model(tmp_path, "abdomen", {"segmenter": LIGHT})


def image(shape: tuple[int, ...] = (16, 32, 48), channels: int = 1) -> np.ndarray:
    return np.random.default_rng(1).random((channels, *shape), dtype=np.float32)


def here(name: str) -> bool:
    return BACKENDS[name].refusal() is None


def test_an_array_of_slices_rows_and_columns_reaches_the_network_as_right_anterior_superior(light):
    given = image()
    with torch.inference_mode():
        tensor = torch.from_numpy(given.transpose(0, 3, 2, 1)[None].copy())
        expected = load_network(light, "segmenter")(tensor)[0].numpy()
    made = predictor(light, "segmenter", backend="torch", device="cpu")(given)
    assert made.shape == (7, 16, 32, 48)
    assert np.allclose(made, expected.transpose(0, 3, 2, 1), atol=1e-5)


@pytest.mark.skipif(not here("openvino"), reason="openvino is not installed")
@pytest.mark.parametrize(
    ("part", "spec", "shapes"),
    [
        ("segmenter", LIGHT, [(16, 32, 48), (32, 32, 32)]),
        ("segmenter", TINY_SWIN, [(32, 32, 64)]),
        ("generator", TINY_UNET, [(16, 24, 16)]),
        ("generator", CONDITIONED, [(16, 24, 16), (32, 48, 32)]),
        ("segmenter", NetworkSpec("voxelwise", {"classes": [0, 1, 2]}), [(5, 6, 7)]),
    ],
    ids=["light-unet", "swinunetr", "released-unet", "conditional-unet", "voxelwise"],
)
def test_openvino_agrees_with_float32_for_sizes_that_it_was_not_converted_with(tmp_path, part, spec, shapes):
    model = made_model(tmp_path, "abdomen", {part: spec})
    for shape in shapes:
        inputs = (image(shape),)
        if spec is CONDITIONED:
            inputs = (image(shape, 4), np.eye(5, dtype=np.float32)[1])
        told = difference(model, part, "openvino", *inputs)
        assert told["backend"] == "openvino"
        assert told["relative"] < 1e-3
        assert told["argmax"] is None or told["argmax"] >= 0.999


@pytest.mark.skipif(not here("openvino"), reason="openvino is not installed")
def test_openvino_is_as_exact_inside_an_organ_where_all_voxels_are_nearly_the_same(tmp_path):
    model = made_model(tmp_path, "abdomen", {"segmenter": TINY_SWIN})
    told = difference(model, "segmenter", "openvino", 0.67 + 0.02 * image((32, 32, 32)))
    assert told["relative"] < 5e-5


def test_without_a_tumor_mask_there_is_no_residual_with_any_backend(tmp_path):
    model = made_model(tmp_path, "abdomen", {"generator": CONDITIONED})
    given = image((16, 16, 16), 4)
    given[2] = 0
    for backend in filter(here, ("torch", "torch-bf16", "openvino", "openvino-bf16")):
        made = predictor(model, "generator", device="cpu", backend=backend)(given, np.eye(5)[0])
        assert not made.any(), backend


@pytest.mark.parametrize("backend", ["torch-bf16", "openvino-bf16"])
def test_lower_precision_is_near_but_is_only_taken_when_asked_for(light, backend):
    if not here(backend):
        pytest.skip(BACKENDS[backend].refusal())
    told = difference(light, "segmenter", backend, image((32, 32, 32)))
    assert told["backend"] == backend
    assert 1e-4 < told["relative"] < 0.1
    assert predictor(light, "segmenter", device="cpu").backend in ("openvino", "torch")


def test_a_missing_package_is_said_and_plain_pytorch_computes(light, monkeypatch):
    monkeypatch.setattr("freetumor.nets.backends.find_spec", lambda name: None)
    for backend in ("auto", "openvino"):
        said = []
        made = predictor(light, "segmenter", device="cpu", backend=backend, log=said.append)
        assert made.backend == "torch"
        assert len(said) == 1
        assert "openvino is not installed" in said[0]


@pytest.mark.skipif(not here("openvino"), reason="openvino is not installed")
def test_a_conversion_that_fails_is_said_and_plain_pytorch_computes(light, monkeypatch):
    def fail(*_):
        raise RuntimeError("first line\nno such operation\n")

    expected = predictor(light, "segmenter", device="cpu", backend="torch")(image())
    monkeypatch.setattr("freetumor.nets.openvino_engine._convert", fail)
    said = []
    made = predictor(light, "segmenter", device="cpu", log=said.append)
    assert np.array_equal(made(image()), expected)
    assert made.backend == "torch"
    assert "no such operation" in said[-1]


@pytest.mark.skipif(not here("openvino"), reason="openvino is not installed")
def test_a_conversion_that_computes_something_else_is_not_used(light, monkeypatch):
    from freetumor.nets import openvino_engine

    convert = openvino_engine._convert
    monkeypatch.setattr(
        openvino_engine, "_convert", lambda *a: (lambda made: (made[0], made[1] * 1.2))(convert(*a))
    )
    made = predictor(light, "segmenter", device="cpu", backend="openvino", log=lambda message: None)
    made(image())
    assert made.backend == "torch"


@pytest.mark.skipif(not here("openvino"), reason="openvino is not installed")
def test_a_network_is_converted_once_and_again_if_its_file_is_damaged(light, tmp_path):
    def run() -> tuple[list[str], np.ndarray]:
        forget()
        said = []
        return said, predictor(light, "segmenter", device="cpu", backend="openvino", log=said.append)(image())

    first, expected = run()
    assert any("converting" in line for line in first)
    again, made = run()
    assert again == []
    assert np.allclose(made, expected, atol=1e-5)
    (xml,) = (tmp_path / "cache" / "openvino").rglob("*.xml")
    xml.write_bytes(xml.read_bytes()[:1000])
    damaged, made = run()
    assert "converted again" in damaged[0]
    assert np.allclose(made, expected, atol=1e-5)
    assert run()[0] == []


@pytest.mark.skipif(not here("openvino"), reason="openvino is not installed")
def test_other_weights_of_the_same_name_are_another_network(tmp_path):
    models = [made_model(tmp_path / str(seed), "abdomen", {"segmenter": LIGHT}, seed=seed) for seed in (0, 1)]
    assert sha256(models[0].weights) != sha256(models[1].weights)
    made = [predictor(model, "segmenter", device="cpu", backend="openvino")(image()) for model in models]
    assert not np.allclose(*made, atol=0.01)


@pytest.mark.skipif(not here("openvino"), reason="openvino is not installed")
def test_the_cache_of_conversions_does_not_grow_without_bound(light, tmp_path, monkeypatch):
    old = tmp_path / "cache" / "openvino" / "old"
    old.mkdir(parents=True)
    (old / "network.bin").write_bytes(bytes(2000))
    monkeypatch.setattr("freetumor.nets.openvino_engine._CACHE_BYTES", 1000)
    predictor(light, "segmenter", device="cpu", backend="openvino", log=lambda message: None)(image())
    assert not old.exists()
    assert len(list(old.parent.rglob("*.xml"))) == 1


@pytest.mark.skipif(not here("openvino"), reason="openvino is not installed")
def test_a_cache_that_cannot_be_written_costs_only_a_line(light, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("FREETUMOR_CACHE", str(tmp_path / "file"))
    said = []
    made = predictor(light, "segmenter", device="cpu", backend="openvino", log=said.append)
    made(image())
    assert made.backend == "openvino"
    assert "not kept" in said[-1]


def test_bfloat16_is_refused_where_the_cpu_only_emulates_it(light, monkeypatch):
    _bf16_refusal.cache_clear()
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    said = []
    made = predictor(light, "segmenter", device="cpu", backend="torch-bf16", log=said.append)
    _bf16_refusal.cache_clear()
    assert made.backend == "torch"
    assert "bfloat16" in said[0]


def test_a_compilation_that_fails_is_said_and_pytorch_computes_as_it_is(light, monkeypatch):
    def broken(network, dynamic):
        def run(tensor):
            raise RuntimeError("no compiler")

        return run

    monkeypatch.setattr(torch, "compile", broken)
    monkeypatch.setenv("CXX", "ls")  # any program: it is only looked for
    said = []
    made = predictor(light, "segmenter", device="cpu", backend="compile", log=said.append)(image())
    plain = predictor(light, "segmenter", device="cpu", backend="torch")(image())
    assert np.allclose(made, plain, atol=1e-5)
    assert "no compiler" in said[-1]


def test_the_same_network_is_loaded_once(light):
    first = predictor(light, "segmenter", device="cpu", backend="torch")
    assert predictor(light, "segmenter", device="cpu", backend="torch") is first


@pytest.mark.skipif(not here("openvino"), reason="openvino is not installed")
def test_openvino_takes_as_many_threads_as_pytorch(light):
    made = predictor(light, "segmenter", device="cpu", backend="openvino", log=lambda message: None)
    made(image())
    (compiled,) = made._engine._compiled.values()
    assert compiled.get_property("INFERENCE_NUM_THREADS") == torch.get_num_threads() == threads()


@pytest.mark.parametrize(("device", "backend"), [("abacus", "auto"), ("cpu", "steam")])
def test_unknown_names_are_refused_with_those_there_are(light, device, backend):
    with pytest.raises(BadInput, match="auto") as refused:
        predictor(light, "segmenter", device=device, backend=backend)
    assert refused.value.kind == "usage"


@pytest.mark.skipif(gpu().name == "cuda", reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused_and_auto_says_why_the_cpu_computes():
    with pytest.raises(BadInput, match="PyTorch") as refused:
        choose_device("cuda")
    assert refused.value.kind == "no_gpu"
    assert choose_device().name == "cpu"
    assert "GPU" in choose_device().words


def test_a_size_that_the_network_cannot_take_is_an_error(light):
    with pytest.raises(ValueError, match="multiples of 16"):
        predictor(light, "segmenter", device="cpu", backend="torch")(image((16, 16, 24)))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), True),
        (RuntimeError("std::bad_alloc"), True),
        (RuntimeError("sizes do not match"), False),
        (ValueError("out of memory lane"), False),
    ],
)
def test_errors_for_want_of_memory_are_told_from_others(error, said):
    assert is_out_of_memory(error) is said


def test_importing_the_room_costs_nothing():
    code = "import sys, freetumor.nets; print({'torch', 'monai', 'openvino'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.stdout.strip() == "set()"
