"""What computes: the GPU that PyTorch sees, tried with a tiny convolution, or the CPU; said in words."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import lru_cache

from freetumor.errors import BadInput

DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class Device:
    """`name` is "cpu" or "cuda"; `words` say why, for people."""

    name: str
    words: str


def choose_device(name: str = "auto") -> Device:
    """The device to compute on.

    Args:
        name: of :data:`DEVICES`; "auto" takes the GPU if it works.

    Raises:
        BadInput: kind "usage": no such name; kind "no_gpu": "cuda" was asked for and does not work.
    """
    if name not in DEVICES:
        raise BadInput(f"a device of {', '.join(DEVICES)}", repr(name), kind="usage")
    if name == "cpu":
        return Device("cpu", "CPU, as asked for.")
    found = gpu()
    if name == "cuda" and found.name != "cuda":
        raise BadInput("a GPU that works (--device cuda)", found.words, "Use --device auto.", kind="no_gpu")
    return found


@lru_cache(maxsize=1)
def gpu() -> Device:
    """The GPU, or the CPU with the reason why there is none; tried once in a process."""
    try:
        import torch
    except ImportError:
        return Device("cpu", "CPU. PyTorch is not installed; the built-in engine does not need it.")
    if not torch.cuda.is_available():
        return Device("cpu", f"CPU. PyTorch {torch.__version__} sees no GPU.")
    card = torch.cuda.get_device_name(0)
    try:
        image, kernel = torch.ones(1, 1, 4, 4, 4), torch.ones(1, 1, 3, 3, 3)
        torch.nn.functional.conv3d(image.cuda(), kernel.cuda()).sum().item()
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        return Device("cpu", f"CPU. The GPU {card} cannot be used by this PyTorch: {reason}")
    memory = torch.cuda.get_device_properties(0).total_memory / 1e9
    return Device("cuda", f"GPU {card}, {memory:.1f} GB.")


def threads() -> int | None:
    """CPU threads to use: PyTorch's where it is loaded, else OMP_NUM_THREADS; None if nobody said."""
    if "torch" in sys.modules:
        return sys.modules["torch"].get_num_threads()
    said = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    return int(said) if said.isdecimal() and int(said) > 0 else None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the memory was not enough; each library says it in its own way."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    text = str(error).lower()
    signs = ("out of memory", "can't allocate memory", "bad_alloc", "bad allocation")
    return isinstance(error, RuntimeError) and any(sign in text for sign in signs)


def free_memory() -> None:
    """Give back what the last network left in the GPU's cache."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
