"""What a run computes on: device, processes, precision and threads, through Lightning Fabric.

Several processes (GPUs, nodes) are started by ``torchrun``; each finds its place in the environment.
"""

from __future__ import annotations

import logging
import os
import platform
import sys
import warnings
from collections.abc import Collection
from pathlib import Path

import torch
from lightning.fabric import Fabric
from lightning.fabric.strategies import DDPStrategy

from freetumor.errors import BadInput
from freetumor.nets.backends import BACKENDS
from freetumor.nets.devices import choose_device
from freetumor.training.configuration import Loop

_PRECISION = {"float32": "32-true", "bfloat16": "bf16-mixed"}
_GPU_WORKERS = 8


def fabric_of(loop: Loop, widths: Collection[int] = ()) -> Fabric:
    """Fabric on the device, for the processes and with the precision of `loop`.

    Args:
        widths: voxels along x on all levels of the networks that are trained.

    Raises:
        BadInput: kind "no_gpu": a GPU is asked for and does not work; "usage": bfloat16 is asked for where
            it cannot be used.
    """
    for name in ("lightning.fabric", "lightning.pytorch"):  # of its messages only warnings
        logging.getLogger(name).setLevel(logging.WARNING)
    device = choose_device(loop.device)
    refusal = _refusal(device.name, widths)
    if loop.precision == "bfloat16" and refusal:
        raise BadInput("loop.precision auto or float32", f"bfloat16, but {refusal}", kind="usage")
    precision = ("float32" if refusal else "bfloat16") if loop.precision == "auto" else loop.precision
    world, local = processes()
    # Of a 1x1x1 convolution: its strides in channels-last are ambiguous, and nothing is lost.
    warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
    return Fabric(
        accelerator=device.name,
        devices=local,
        num_nodes=world // local,
        strategy=DDPStrategy() if world > 1 else "auto",
        precision=_PRECISION[precision],
    )


def _refusal(device: str, widths: Collection[int]) -> str | None:
    """Why bfloat16 is not used, or None."""
    if device == "cuda":
        return None if torch.cuda.is_bf16_supported() else "the GPU has no bfloat16 of its own"
    if 2 in widths:
        # Seen with PyTorch 2.13 (oneDNN 3.12): parts of that gradient are memory that nobody wrote.
        return "on a CPU gradients of convolutions over 2 voxels are wrong in it (take a larger grid.patch)"
    return BACKENDS["torch-bf16"].refusal()


def processes() -> tuple[int, int]:
    """Number of processes that train together, and of those on this computer (as torchrun says)."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    return world, int(os.environ.get("LOCAL_WORLD_SIZE", world))


def workers_of(loop: Loop, on_gpu: bool) -> int:
    """Processes that make samples."""
    if in_application():
        return 0
    if loop.workers >= 0:
        return loop.workers
    return min(_GPU_WORKERS, max(1, cores() // processes()[1] - 1)) if on_gpu else 1


def in_application() -> bool:
    """Whether this is 3D Slicer or its Python, or another application, whose processes of their own hang."""
    name = Path(sys.executable or "python").name.lower()
    return "slicer" in sys.modules or "slicer" in name or "python" not in name


def set_threads(loop: Loop, workers: int, on_gpu: bool) -> int:
    """Set and give the number of threads that this process computes with."""
    share = cores() // processes()[1]
    threads = loop.threads or max(1, share if on_gpu or share < 3 else share - workers)
    torch.set_num_threads(threads)
    return threads


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def hardware(on_gpu: bool) -> str:
    """The machine, in words."""
    if on_gpu:
        return f"{processes()[0]} x {torch.cuda.get_device_name()}"
    return f"{cores()} CPU cores ({_processor()})"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
