"""What can be configured, with the default of each value and its reason.

A configuration is a TOML file; see :func:`freetumor.training.config_file.read_config` for how it is read.
Nothing here is read from a file, and nothing imports torch: a wrong key is told at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

from freetumor.anatomy import ORGANS
from freetumor.training.configuration_data import Augmentation, Data, Grid, Sampling, Why

STAGES = ("segmenter", "generator", "target")


@dataclass(frozen=True)
class Network:
    """``[segmenter]``, ``[generator]``, ``[classifier]``: an architecture of ``freetumor.nets``."""

    architecture: Annotated[str, Why("the fastest on a CPU: SwinUNETR costs seven times as much there")] = (
        "light-unet"
    )
    settings: Annotated[Mapping, Why("its own defaults")] = field(default_factory=dict)


@dataclass(frozen=True)
class Losses:
    """``[losses]``: weights of the terms; see :mod:`freetumor.training.losses`."""

    dice: Annotated[float, Why("as the paper: Dice and cross-entropy alike", least=0)] = 1.0
    cross_entropy: Annotated[float, Why("as the paper", least=0)] = 1.0
    critic: Annotated[
        float, Why("the frozen segmenter shall find the tumor: the paper's first term", least=0)
    ] = 1.0
    real: Annotated[
        float | None,
        Why(
            "the classifier shall take it for real; None: the paper's, 0.1 in the abdomen, 0.5 in the chest",
            least=0,
        ),
    ] = None
    adversarial: Annotated[
        str,
        Why(
            "how the classifier's answer counts: its probability, as in the paper; or its logarithm, which "
            "still teaches a generator that is seen through (few real tumors)",
            choices=("probability", "logarithm"),
        ),
    ] = "probability"
    plausible: Annotated[
        float,
        Why(
            "distance of the lesion's HU from what its organ's tumors have: 0 for each that one could meet",
            least=0,
        ),
    ] = 1.0
    diversity: Annotated[
        float,
        Why(
            "another noise shall give another texture; half a term, as it only has to break the tie", least=0
        ),
    ] = 0.5


@dataclass(frozen=True)
class Loop:
    """``[loop]``: steps, optimizer, precision, and what is said and kept on the way."""

    steps: Annotated[int, Why("an hour of a light segmenter on two CPU cores", least=1)] = 10_000
    batch: Annotated[int, Why("patches per process and step: what fits a laptop", least=1)] = 2
    accumulate: Annotated[
        int,
        Why("batches per step: as one batch so many times larger, in less memory (no batch norms)", least=1),
    ] = 1
    device: Annotated[str, Why("a GPU where there is one", choices=("auto", "cpu", "cuda"))] = "auto"
    precision: Annotated[
        str,
        Why(
            "bfloat16 where the hardware has it: half the time; else float32",
            choices=("auto", "float32", "bfloat16"),
        ),
    ] = "auto"
    threads: Annotated[int, Why("of the CPU; 0: all cores but those of the workers", least=0)] = 0
    workers: Annotated[
        int,
        Why(
            "processes that make samples; -1: 1 for a CPU, up to 8 for a GPU, 0 in Slicer, where they hang",
            least=-1,
        ),
    ] = -1
    channels_last: Annotated[bool, Why("the memory layout that CPUs convolve fastest in bfloat16")] = True
    optimizer: Annotated[str, Why("the paper's", choices=("adam", "adamw"))] = "adamw"
    learning_rate: Annotated[float, Why("the paper's", above=0)] = 3e-4
    betas: Annotated[tuple[float, float], Why("usual", least=0, below=1)] = (0.9, 0.999)
    weight_decay: Annotated[
        float, Why("small: there are few cases, but synthesis multiplies them", least=0)
    ] = 1e-5
    schedule: Annotated[str, Why("as the paper", choices=("cosine", "constant"))] = "cosine"
    warmup: Annotated[
        int, Why("steps in which the rate rises: the first moments of Adam are noise", least=0)
    ] = 100
    clip: Annotated[
        float, Why("largest norm of a gradient: a rare huge one must not undo hours; 0: none", least=0)
    ] = 5.0
    ema: Annotated[float, Why("decay of the averaged weights, which are kept; 0: none", least=0, below=1)] = (
        0.999
    )
    checkpoint_minutes: Annotated[float, Why("at most so much is lost in a crash", least=0)] = 10.0
    keep: Annotated[int, Why("checkpoints: should the last one be damaged, there is one before", least=1)] = 2
    log_every: Annotated[int, Why("steps between two lines of the log", least=1)] = 20
    epoch: Annotated[int, Why("steps between two pictures", least=1)] = 250
    validate_every: Annotated[int, Why("steps between two validations", least=1)] = 250
    validation_patches: Annotated[int, Why("fixed patches: cheap, and the same for every run", least=0)] = 16
    tensorboard: Annotated[bool, Why("event files, if the package tensorboard is there")] = True


@dataclass(frozen=True)
class Watch:
    """``[watch]``: when a run is given up; see :mod:`freetumor.training.signatures`."""

    abort: Annotated[bool, Why("False warns only: a run that has failed otherwise costs hours")] = True
    after: Annotated[
        int, Why("steps before which nothing is judged: every generator begins with ghosts", least=1)
    ] = 500
    window: Annotated[int, Why("steps that are judged together", least=1)] = 200


@dataclass(frozen=True)
class Config:
    """All of it, for one stage."""

    name: Annotated[str, Why("of the models, which become NAME-segmenter and so on; has to be given")] = ""
    stage: Annotated[str, Why("given by the command", choices=STAGES)] = "segmenter"
    organs: Annotated[tuple[str, ...], Why("rows of the organ table; have to be given")] = ()
    title: Annotated[str, Why("for the model's card")] = ""
    licence: Annotated[str, Why("of the weights; empty: the licences of what they were trained on")] = ""
    limits: Annotated[tuple[str, ...], Why("sentences for the model's card")] = ()
    seed: Annotated[int, Why("same seed, same samples, same losses", least=0)] = 0
    out: Annotated[Path | None, Why("folder of the run; None: runs/NAME-STAGE")] = None
    critic: Annotated[
        str, Why("the frozen segmenter's model; empty: what stage 'segmenter' of this file made")
    ] = ""
    half: Annotated[bool, Why("weights are stored as float16: half the size, rounded to three digits")] = True
    grid: Grid = field(default_factory=Grid)
    data: Data = field(default_factory=Data)
    sampling: Sampling = field(default_factory=Sampling)
    augment: Augmentation = field(default_factory=Augmentation)
    segmenter: Network = field(default_factory=Network)
    generator: Network = field(default_factory=lambda: Network("conditional-unet"))
    classifier: Network = field(default_factory=Network)
    losses: Losses = field(default_factory=Losses)
    loop: Loop = field(default_factory=Loop)
    watch: Watch = field(default_factory=Watch)

    @property
    def model_name(self) -> str:
        """Of the model that the stage makes."""
        return f"{self.name}-{self.stage}"

    @property
    def group(self) -> str:
        """The label group of the organs."""
        return ORGANS[self.organs[0]].group

    @property
    def classes(self) -> tuple[int, ...]:
        """Label id of each output channel of the segmenter: background, organs, lesions."""
        rows = [ORGANS[name] for name in self.organs]
        found = sorted({0, *(r.organ_label for r in rows), *(r.lesion_label for r in rows)})
        return tuple(self.segmenter.settings.get("classes", found))

    @property
    def organ_parts(self) -> dict[int, int]:
        """Lesions without a class of their own -> their organ: a segmenter of organs takes them for organ."""
        rows = [ORGANS[name] for name in self.organs]
        return {r.lesion_label: r.organ_label for r in rows if r.lesion_label not in self.classes}

    @property
    def lesion_classes(self) -> tuple[int, ...]:
        """Output channels of the segmenter that are lesions."""
        lesions = {ORGANS[name].lesion_label for name in self.organs}
        return tuple(channel for channel, label in enumerate(self.classes) if label in lesions)


# What differs between the stages, and why.
STAGE_DEFAULTS = MappingProxyType(
    {
        "segmenter": {
            # The teacher learns from real tumors only.
            "sampling": {"synthetic": 0.0},
        },
        "generator": {
            # The paper's. Without momentum, as the two networks chase each other; constant, as there is no
            # minimum to settle in.
            "loop": {
                "optimizer": "adam",
                "betas": [0.0, 0.999],
                "learning_rate": 1e-4,
                "weight_decay": 0.0,
                "schedule": "constant",
            },
        },
        "target": {},
    }
)
