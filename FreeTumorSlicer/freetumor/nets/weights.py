"""Weights of our models: safetensors, tensors named ``PART.KEY``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from freetumor.errors import BadInput
from freetumor.models.model import Model
from freetumor.models.weights_file import looks_like_page
from freetumor.nets.architectures import build

_SAID = 3  # tensors named in a message: a few tell as much as all
_AGAIN = "Import or download the model again."


def write_network_weights(path: Path | str, networks: Mapping[str, nn.Module], half: bool = False) -> None:
    """See :func:`freetumor.nets.write_network_weights`."""
    tensors = {
        f"{part}.{key}": _stored(value, half)
        for part, network in networks.items()
        for key, value in network.state_dict().items()
    }
    path = Path(path)
    part_file = path.with_name(f".{path.name}.{uuid4().hex[:8]}.part")
    try:
        save_file(tensors, part_file, metadata={"format": "pt"})
        part_file.replace(path)
    finally:
        part_file.unlink(missing_ok=True)


def _stored(value: Tensor, half: bool) -> Tensor:
    if value.is_floating_point():
        value = value.to(torch.float16 if half else torch.float32)
    # A copy: safetensors refuses tensors that share memory.
    return value.detach().cpu().clone(memory_format=torch.contiguous_format)


def load_network(model: Model, part: str) -> nn.Module:
    """See :func:`freetumor.nets.load_network`."""
    network = build(model.network(part))
    tensors = read_tensors(model.weights, f"{part}.")
    check_fit(tensors, network, f"{part} of {model.name}, a {model.network(part).architecture}")
    network.load_state_dict(tensors)
    return network


def read_tensors(path: Path, prefix: str = "") -> dict[str, Tensor]:
    """Tensors of a safetensors file whose names begin with `prefix`, without it.

    Raises :class:`BadInput`, kind "no_weights" or "corrupt_weights".
    """
    try:
        with safe_open(path, framework="pt") as file:
            names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118
            return {name.removeprefix(prefix): file.get_tensor(name) for name in names}
    except FileNotFoundError as error:
        raise BadInput(f"a weights file {path}", "no such file", _AGAIN, kind="no_weights") from error
    except SafetensorError as error:
        raise BadInput(
            f"weights as safetensors in {path}", what_it_is(path), _AGAIN, kind="corrupt_weights"
        ) from error


def what_it_is(path: Path) -> str:
    """What a file that does not hold weights seems to hold instead."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(64)
    if not size:
        return "an empty file"
    if looks_like_page(start):
        return "a web page (HTML): the download was refused or needs a login"
    if start.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, not the file that it points to"
    return f"{size} bytes that cannot be read: the file is cut short or damaged"


def check_fit(tensors: Mapping[str, Tensor], network: nn.Module, what: str) -> None:
    """Raise :class:`BadInput`, kind "wrong_architecture", unless names and shapes are those of `network`."""
    expected = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    came = {key: tuple(value.shape) for key, value in tensors.items()}
    wrong = [(k, f"shape {s}", f"{k} {came[k]}") for k, s in expected.items() if k in came and came[k] != s]
    missing = [(k, f"shape {s}", f"no {k}") for k, s in expected.items() if k not in came]
    surplus = [(k, "no such tensor", f"{k} {s}") for k, s in came.items() if k not in expected]
    problems = wrong + missing + surplus
    if not problems:
        return
    few, more = problems[:_SAID], len(problems) - _SAID
    raise BadInput(
        f"the tensors of the {what}: " + ", ".join(f"{key} ({want})" for key, want, _ in few),
        ", ".join(got for *_, got in few) + (f" and {more} more that differ" if more > 0 else ""),
        "The weights belong to another architecture or other settings.",
        kind="wrong_architecture",
    )
