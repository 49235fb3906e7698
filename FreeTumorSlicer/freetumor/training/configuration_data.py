"""What can be configured of the data of a training, with the default of each value and its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated


@dataclass(frozen=True)
class Why:
    """The reason of a default, and what values are allowed (each of a list of them)."""

    reason: str
    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Grid:
    """``[grid]``: what a network sees; sizes run along (k, j, i) = (superior, anterior, right)."""

    spacing: Annotated[
        tuple[float, float, float] | None,
        Why("mm; None: the working spacing of the organ's row, the paper's", above=0),
    ] = None
    patch: Annotated[
        tuple[int, int, int] | None,
        Why(
            "voxels; None: the patch of the organ's row, the paper's; 64^3 costs 3.4 times less than 96^3",
            least=16,
        ),
    ] = None
    window: Annotated[
        tuple[float, float] | None, Why("HU scaled to 0..1; None: of the organ's row, the paper's")
    ] = None


@dataclass(frozen=True)
class Data:
    """``[data]``: which CTs, and how they are divided."""

    root: Annotated[Path | None, Why("folder of the sources; None: the folder of the configuration file")] = (
        None
    )
    sources: Annotated[
        tuple[Mapping, ...], Why("tables with a kind and a path; there is no data by default")
    ] = ()
    folds: Annotated[int, Why("as many parts of the patients; one of them validates", least=2)] = 5
    fold: Annotated[int, Why("which of the parts validates", least=0)] = 0
    split_seed: Annotated[
        int, Why("of the division; not of the training, so that three seeds see one division", least=0)
    ] = 0
    cache: Annotated[
        Path | None, Why("folder of prepared cases; None: 'cache' beside the run, shared by its stages")
    ] = None


@dataclass(frozen=True)
class Sampling:
    """``[sampling]``: what the patches show."""

    real: Annotated[float, Why("share of patches at real tumors", least=0)] = 1.0
    synthetic: Annotated[float, Why("share of patches with a tumor made online", least=0)] = 1.0
    tumor_free: Annotated[
        float, Why("share of patches without a tumor: what teaches not to see them", least=0)
    ] = 0.5
    mode: Annotated[
        str, Why("'real' is the baseline without any synthetic tumor", choices=("mixed", "real"))
    ] = "mixed"
    foreground: Annotated[
        float, Why("of patches without a tumor, this share lies at the organ", least=0, most=1)
    ] = 0.7
    small: Annotated[
        float,
        Why(
            "share of tumors below the median of real ones; more of the small ones, which are missed",
            least=0,
            most=1,
        ),
    ] = 0.6
    engine: Annotated[
        str,
        Why(
            "what makes synthetic tumors; 'cases': those of case folders",
            choices=("procedural", "learned", "cases"),
        ),
    ] = "procedural"
    model: Annotated[str, Why("of the engine 'learned'; empty: what stage 'generator' of this file made")] = (
        ""
    )
    quality_test: Annotated[bool, Why("only tumors that pass are trained on, as in the paper")] = True
    judge: Annotated[
        str, Why("a segmenter's model that judges too; empty: measurements alone, which cost nothing")
    ] = ""
    threshold: Annotated[float, Why("T of that judge, the paper's", least=0, below=1)] = 0.7
    tries: Annotated[int, Why("at a tumor that fails, before the patch goes without one", least=1)] = 4


@dataclass(frozen=True)
class Augmentation:
    """``[augment]``: what happens to a patch, the same to image and labels; see ``training/augment.py``."""

    flip: Annotated[tuple[bool, bool, bool], Why("along (k, j, i): tumors have no side")] = (True, True, True)
    turn: Annotated[bool, Why("quarter turns in the axial plane: tumors have no direction")] = True
    scale: Annotated[float, Why("up to this share larger or smaller: as people are", least=0, most=0.5)] = 0.1
    noise_hu: Annotated[float, Why("up to: between a low and a full dose", least=0)] = 10.0
    shift_hu: Annotated[float, Why("up to: between contrast phases and scanners", least=0)] = 15.0
    gain: Annotated[float, Why("up to: between tube voltages", least=0, most=0.5)] = 0.05
    blur_mm: Annotated[float, Why("sigma, up to: between kernels and slice thicknesses", least=0)] = 0.8
    chance: Annotated[
        float, Why("of each of scale, noise, brightness, blur: most patches keep most", least=0, most=1)
    ] = 0.3
