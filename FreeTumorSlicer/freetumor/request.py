"""What is asked of a synthesis, and who is to make and to judge it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from freetumor.anatomy import Organ
from freetumor.errors import BadInput
from freetumor.nets.devices import choose_device
from freetumor.quality import THRESHOLD, Judge, judges_of
from freetumor.synthesis.engines import ENGINES, Engine, Log, Options, Style, engine, warn


@dataclass(frozen=True)
class Request:
    """What to synthesize. Sizes and points are in mm, points in RAS.

    Attributes:
        diameter: equivalent-sphere diameter; or `size_class`; neither draws a class by chance.
        at: centres, one for each lesion, or none.
        count: number of sampled lesions (a drawn mask brings its own).
        seed: same seed, same bytes.
        exophytic: None lets the organ's row decide.
        gate: False records a failed quality test instead of rejecting.
        tries: how often a lesion that fails the quality test is made anew.
        model: name or folder of the engine's model; None: the first installed one that fits.
        device, backend: of the networks of engine and judge.
        judges: names in :data:`freetumor.quality.JUDGES`.
        judge_model: name or folder of the learned judge's model; None: the first independent segmenter.
        judge_threshold: T; more of the lesion than this share has to be found.
    """

    diameter: float | None = None
    size_class: str | None = None
    at: tuple[tuple[float, float, float], ...] = ()
    count: int = 1
    seed: int = 0
    engine: str = "procedural"
    style: Style = field(default_factory=Style)
    exophytic: bool | None = None
    gate: bool = True
    tries: int = 3
    judges: tuple[str, ...] = ("model-free",)
    assume_hu: bool = False
    model: str | None = None
    device: str = "auto"
    backend: str = "auto"
    judge_model: str | None = None
    judge_threshold: float = THRESHOLD

    def __post_init__(self) -> None:
        if self.diameter is not None and self.size_class is not None:
            raise BadInput("a diameter or a size class", "both", "Leave one out.", kind="usage")
        if self.diameter is not None and not 0 < self.diameter <= 300:
            raise BadInput("a diameter between 0 and 300 mm", f"{self.diameter:g}", kind="usage")
        if self.count < 1 or self.tries < 1:
            raise BadInput("a count and tries of at least 1", f"{self.count} and {self.tries}", kind="usage")
        if self.seed < 0:
            raise BadInput("a seed of 0 or more", f"{self.seed}", kind="usage")
        if self.at and len(self.at) != self.count:
            raise BadInput(f"one --at for each of {self.count} lesions", f"{len(self.at)}", kind="usage")
        if not (math.isfinite(self.judge_threshold) and 0 <= self.judge_threshold < 1):
            got = f"{self.judge_threshold:g}"
            raise BadInput("a judge's threshold from 0 to below 1", got, kind="usage")
        if "learned" not in self.judges and (self.judge_model or self.judge_threshold != THRESHOLD):
            raise BadInput(
                "a learned judge with a judge's model or threshold",
                f"judges {', '.join(self.judges) or 'none'}",
                "Ask for it too (--judge learned).",
                kind="usage",
            )
        Options(self.model, self.device, self.backend)
        if (self.device == "cuda" or self.backend != "auto") and not self.runs_network:
            raise BadInput(
                "an engine or a judge with a network, for a device or a backend",
                f"engine {self.engine}, judges {', '.join(self.judges)}",
                "These compute on the CPU: leave --device and --backend out.",
                kind="usage",
            )

    @property
    def runs_network(self) -> bool:
        """Whether the engine or a judge is a network."""
        entry = ENGINES.get(self.engine)
        return "learned" in self.judges or (entry is not None and entry.generator is not None)

    def to_dict(self) -> dict:
        """For the provenance: models by name, wherever their folders are."""
        record = asdict(self)
        for field_ in ("model", "judge_model"):
            if record[field_] is not None:
                record[field_] = Path(record[field_]).name
        return record


def engine_and_judges(request: Request, organ: Organ, log: Log = warn) -> tuple[Engine, Mapping[str, Judge]]:
    """Who makes and who judges; cheap, so that it also serves to check a request before any work.

    Raises:
        BadInput: kind "no_gpu"; see also :func:`freetumor.synthesis.engine` and
            :func:`freetumor.quality.judges_of`.
    """
    if request.device == "cuda":
        choose_device(request.device)
    options = Options(request.model, request.device, request.backend)
    maker = engine(request.engine, options, organ, request.style, log)
    judged = Options(request.judge_model, request.device, request.backend)
    judges = judges_of(request.judges, organ, judged, request.judge_threshold, maker.model, log)
    return maker, judges
