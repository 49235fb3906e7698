"""Engines of OpenVINO. A network is converted once and kept in the user's cache folder.

Most networks are converted for any size of the input. Those that compute with their sizes in Python end up
with these sizes as constants, so they are converted for each shape. Each conversion is compared with PyTorch
before it is used.

PyTorch's front end is called directly: ``openvino.convert_model`` would report its use to Intel.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import warnings
from collections import OrderedDict
from pathlib import Path

import numpy as np
import openvino

from freetumor.errors import FreeTumorError
from freetumor.files import appearing
from freetumor.models.model import Model
from freetumor.nets.backends import Engine, Log, Unavailable
from freetumor.nets.devices import is_out_of_memory, threads
from freetumor.sample_data import cache_folder

# Checked by a test for sizes that they were not converted with. OpenVINO is also no faster with fixed sizes.
_ANY_SIZE = frozenset({"conditional-unet", "light-unet", "released-unet", "voxelwise"})
_EXAMPLE = 32  # voxels a side of the input that such a network is converted with
_FORMAT = 2  # of the cache
_CACHE_BYTES = 4_000_000_000
_KEPT_SHAPES = 2  # each holds its buffers
_FILE = "network.xml"


def float32(model: Model, part: str, device: str, log: Log) -> Engine:
    """Float32 throughout."""
    return _OpenVino(model, part, "f32", log)


def bfloat16(model: Model, part: str, device: str, log: Log) -> Engine:
    """Convolutions and products in bfloat16."""
    return _OpenVino(model, part, "bf16", log)


class _OpenVino:
    def __init__(self, model: Model, part: str, precision: str, log: Log) -> None:
        self._model, self._part, self._precision, self._log = model, part, precision, log
        self._core = openvino.Core()
        self._any_size = model.network(part).architecture in _ANY_SIZE
        self._compiled: OrderedDict[tuple, openvino.CompiledModel] = OrderedDict()

    def __call__(self, *arrays: np.ndarray) -> np.ndarray:
        shapes = tuple(_example_shape(a) if self._any_size else a.shape for a in arrays)
        if shapes not in self._compiled:
            self._compiled[shapes] = self._ready(shapes)
            while len(self._compiled) > _KEPT_SHAPES:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(shapes)
        return self._compiled[shapes](list(arrays), share_inputs=True)[0]

    def _ready(self, shapes: tuple) -> openvino.CompiledModel:
        folder = cache_folder() / "openvino" / self._key(shapes)
        try:
            if (folder / _FILE).exists():
                os.utime(folder)
                return self._compile(folder / _FILE, self._precision, keep=os.access(folder, os.W_OK))
        except (RuntimeError, OSError) as error:
            if is_out_of_memory(error):
                raise
            self._log(f"the converted network in {folder} cannot be read; it is converted again")
            shutil.rmtree(folder, ignore_errors=True)
        self._log(f"converting the {self._part} of {self._model.name} for OpenVINO; this is done once")
        try:
            return self._converted(shapes, folder)
        except (RuntimeError, ImportError) as error:
            if is_out_of_memory(error):
                raise
            reason = next((line for line in reversed(str(error).splitlines()) if line.strip()), "no reason")
            raise Unavailable(f"the conversion failed: {reason}") from error

    def _converted(self, shapes: tuple, folder: Path) -> openvino.CompiledModel:
        rng = np.random.default_rng(0)
        example = [rng.random(shape, dtype=np.float32) for shape in shapes]
        converted, expected = _convert(self._model, self._part, example, self._any_size)
        exact = self._compile(converted, "f32")
        away = np.abs(exact(example)[0] - expected).max()
        if not away <= 1e-2 * np.abs(expected).max() + 1e-4:
            raise Unavailable(f"the converted network differs from the original by {away:.3g}")
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with appearing(folder) as partial:
                openvino.save_model(converted, partial / _FILE, compress_to_fp16=False)
            _trim(folder.parent, keep=folder)
        except (FreeTumorError, OSError) as error:
            if not (folder / _FILE).exists():  # else another process was first
                self._log(f"the converted network is not kept: {error}")
        return exact if self._precision == "f32" else self._compile(converted, self._precision)

    def _compile(
        self, network: openvino.Model | Path, precision: str, keep: bool = False
    ) -> openvino.CompiledModel:
        """Compile; `keep`: beside the file, which is five seconds less for a SwinUNETR the next time."""
        options = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
        if threads():
            options["INFERENCE_NUM_THREADS"] = threads()
        if keep:
            options["CACHE_DIR"] = str(network.parent)
        return self._core.compile_model(network, "CPU", options)

    def _key(self, shapes: tuple) -> str:
        spec = self._model.network(self._part)
        told = {
            "weights": self._model.facts["sha256"],
            "part": self._part,
            "architecture": spec.architecture,
            "settings": dict(spec.settings),
            "shapes": shapes,
            "versions": [_FORMAT, openvino.__version__],
        }
        return hashlib.sha256(json.dumps(told, sort_keys=True, default=list).encode()).hexdigest()[:32]


def _example_shape(array: np.ndarray) -> tuple[int, ...]:
    return (*array.shape[:2], *(_EXAMPLE for _ in array.shape[2:]))


def _convert(
    model: Model, part: str, example: list[np.ndarray], any_size: bool
) -> tuple[openvino.Model, np.ndarray]:
    """The network as a model of OpenVINO, and what PyTorch computes from `example`."""
    import torch
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    from freetumor.nets.weights import load_network

    network, tensors = load_network(model, part), tuple(torch.from_numpy(a) for a in example)
    for layer in network.modules():
        if isinstance(layer, torch.nn.InstanceNorm3d):
            layer.register_forward_pre_hook(_centred)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing tells what it takes as constant; the comparison decides
        expected = network(*tensors).numpy()
        traced = torch.jit.trace(network, tensors, check_trace=False)
        decoder = TorchScriptPythonDecoder(traced, example_input=tensors)  # must outlive the conversion
        front = FrontEndManager().load_by_framework("pytorch")
        converted = front.convert(front.load(decoder))
    sizes = {n: [*a.shape[:2], *(-1 if any_size else s for s in a.shape[2:])] for n, a in enumerate(example)}
    converted.reshape(sizes)
    return converted, expected


def _centred(layer: object, inputs: tuple) -> tuple:
    """The input of a normalisation less its mean, which changes nothing.

    OpenVINO's own loses digits where a channel's mean is far from 0 for its spread, as it is inside an organ:
    25 times the error of SwinUNETR there.
    """
    (x,) = inputs
    return (x - x.mean(dim=(2, 3, 4), keepdim=True),)


def _trim(cache: Path, keep: Path) -> None:
    """Remove the networks that were not used for longest until the cache is within its limit."""
    folders = sorted((f for f in cache.iterdir() if f.is_dir()), key=lambda f: f.stat().st_mtime)
    sizes = {f: sum(p.stat().st_size for p in f.iterdir()) for f in folders}
    total = sum(sizes.values())
    for folder in folders:
        if total <= _CACHE_BYTES:
            break
        if folder != keep:
            shutil.rmtree(folder, ignore_errors=True)
            total -= sizes[folder]
