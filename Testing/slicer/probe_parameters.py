"""A parameter node with a parameter of every kind, for the tests of the host."""

from __future__ import annotations

import enum
import pathlib
from typing import Annotated, Optional, Union

import slicer
from slicer.parameterNodeWrapper import (
    Choice,
    Decimals,
    Default,
    Maximum,
    Minimum,
    SingleStep,
    Validator,
    WithinRange,
    parameterNodeWrapper,
    parameterPack,
)


class Engine(enum.Enum):
    PROCEDURAL = 1
    DIFFUSION = 2

    def label(self):
        return self.name.title()


class Even(Validator):
    def validate(self, value):
        if value % 2:
            raise ValueError(f"expected an even number, got {value}")


@parameterPack
class Point:
    x: float
    y: Annotated[float, WithinRange(-10, 10), Default(3.0)]


@parameterPack
class Box:
    corner: Point
    size: Annotated[int, Minimum(1), Default(4)]


@parameterNodeWrapper
class Parameters:
    ct: slicer.vtkMRMLScalarVolumeNode
    either: Union[slicer.vtkMRMLModelNode, slicer.vtkMRMLSegmentationNode, None]  # noqa: UP007 - Slicer wants Union
    engine: Engine = Engine.DIFFUSION
    device: Annotated[str, Choice(["auto", "cpu"])] = "auto"
    contrast: Annotated[float, WithinRange(-100, 100), Decimals(1), SingleStep(0.5)] = -40.0
    pairs: Annotated[int, Minimum(0), Maximum(8), Even()] = 2
    unbounded: int = 1
    on: bool = True
    note: str
    folder: pathlib.Path
    box: Box
    seeds: list[int]
    ages: dict[str, int]
    corner: tuple[int, str]
    limit: Optional[int]  # noqa: UP045 - Slicer wants Optional
