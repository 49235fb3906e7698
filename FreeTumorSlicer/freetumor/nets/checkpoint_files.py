"""Open a PyTorch checkpoint from anywhere: numbers come out, and nothing that it holds is run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, serialization

from freetumor.errors import BadInput
from freetumor.nets.weights import what_it_is

# Older ones can be made to run code by a checkpoint even with weights_only=True (CVE-2025-32434).
_SAFE_FROM = (2, 6)
_AGAIN = "Get the file again from where it was published."


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict]:
    """Tensors by name, and the numbers and texts that stand beside them in the file (epoch, ...).

    The file holds the tensors themselves or a dictionary with them as "state_dict".

    Raises:
        BadInput: kind "no_weights" (no such file), "corrupt_weights" (empty, cut short, a web page,
            numbers that are not finite), "unsafe_checkpoint" (it holds code or objects: not opened),
            "wrong_architecture" (something else than tensors), "missing_dependency" (an old PyTorch).
    """
    if not path.is_file():
        raise BadInput(f"a checkpoint {path}", "no such file", kind="no_weights")
    version = tuple(int(n) for n in re.findall(r"\d+", torch.__version__)[:2])
    if version < _SAFE_FROM:
        raise BadInput(
            "PyTorch 2.6 or newer, which opens a checkpoint without running what is in it",
            torch.__version__,
            "Update it with: pip install --upgrade torch",
            kind="missing_dependency",
        )
    content = _load(path)
    if not isinstance(content, Mapping):
        raise _other(path, f"a {type(content).__name__}")
    inner = content.get("state_dict")
    state = inner if isinstance(inner, Mapping) else content
    beside = {k: v for k, v in content.items() if isinstance(v, int | float | str)} if inner else {}
    others = [str(name) for name, value in state.items() if not isinstance(value, Tensor)]
    if not state or others:
        raise _other(path, f"other things too ({', '.join(others[:5])})" if others else "none")
    return {str(name): _checked(path, name, value) for name, value in state.items()}, beside


def _load(path: Path) -> object:
    with path.open("rb") as file:
        start = file.read(16)
    if start[8:9] == b"{":
        raise BadInput(
            f"a PyTorch checkpoint in {path}",
            "a safetensors file",
            "A model of FreeTumor is imported by its folder, the one with model.json.",
            kind="wrong_architecture",
        )
    # A zip archive, or what PyTorch before 1.6 wrote (a pickle).
    if not start.startswith((b"PK", b"\x80")):
        raise BadInput(f"a PyTorch checkpoint in {path}", what_it_is(path), _AGAIN, kind="corrupt_weights")
    try:
        # Best scores stand in such files as numpy's numbers, which are plain data.
        with serialization.safe_globals(_numbers_of_numpy()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except serialization.pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL (\S+)", str(error))
        if found is None:
            raise _damaged(path, error) from error
        raise _unsafe(path, f"an object {found.group(1)}") from error
    except RuntimeError as error:
        if "TorchScript" in str(error):
            raise _unsafe(path, "a TorchScript program") from error
        raise _damaged(path, error) from error
    except (OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, AssertionError) as error:
        raise _damaged(path, error) from error


def _numbers_of_numpy() -> list:
    scalar = np.float64(0).__reduce__()[0]
    # The same function by the name that numpy had for it before 2.0, too.
    names = [(scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")]
    kinds = [type(np.dtype(code)) for code in ("f8", "f4", "f2", "i8", "i4", "?")]
    return [np.dtype, *names, *kinds]


def _checked(path: Path, name: str, value: Tensor) -> Tensor:
    if value.layout != torch.strided or value.is_complex() or value.is_quantized:
        raise _other(path, f"{name} of another kind")
    if not bool(torch.isfinite(value).all()):
        raise BadInput(
            f"finite numbers in {path}", f"NaN or infinity in {name}", _AGAIN, kind="corrupt_weights"
        )
    return value


def _damaged(path: Path, error: Exception) -> BadInput:
    said = (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
    return BadInput(
        f"a whole PyTorch checkpoint in {path}",
        f"{path.stat().st_size} bytes that cannot be read: the file is cut short or damaged ({said})",
        _AGAIN,
        kind="corrupt_weights",
    )


def _unsafe(path: Path, what: str) -> BadInput:
    return BadInput(
        f"tensors and numbers only in {path}",
        what,
        "Loading that could run a program, so the file was not opened any further; nothing in it was run. "
        "Ask its authors for the plain state_dict.",
        kind="unsafe_checkpoint",
    )


def _other(path: Path, what: str) -> BadInput:
    return BadInput(f"tensors by name in {path}", what, kind="wrong_architecture")
