"""What the patches of a training show."""

from __future__ import annotations

from dataclasses import dataclass, field

from freetumor.anatomy import ORGANS, Organ
from freetumor.errors import BadInput
from freetumor.quality import THRESHOLD
from freetumor.request import Request
from freetumor.synthesis import ENGINES
from freetumor.training.augment import Augment

NO_ENGINE = "none"  # masks are sampled, nothing is put in: for the training of a generator
IN_CASES = "cases"  # tumors that case folders hold


@dataclass(frozen=True)
class PatchSettings:
    """What patches show.

    Attributes:
        patch: voxels, (k, j, i). organs: rows of the organ table that are trained, of one group.
        real, synthetic, tumor_free: how often a patch is drawn for a labelled tumor, a synthetic one, or
            none, in proportion.
        foreground: of the patches without a tumor, this share lies at the organ, the rest anywhere.
        avoid_lesions: they show none of the labelled lesions, if they can. False where a network knows
            organs only: to it a lesion is organ.
        small: of the tumors, this share is from the two smallest size classes of the organ (below the
            median of real ones); None leaves real tumors as they are, and gives synthetic ones 1/2.
        augment: None leaves patches as they are.
        engine: of synthetic tumors, in :data:`freetumor.synthesis.ENGINES`, or :data:`NO_ENGINE` or
            :data:`IN_CASES`. model: of the engine.
        quality_test: tumors that fail it are thrown away. judge_model: a segmenter that judges too, with
            threshold T: of tumors that more than this share is found of.
        tries: at one tumor.
        device: of engine and judge. Workers have the CPU.
    """

    patch: tuple[int, int, int]
    organs: tuple[str, ...]
    real: float = 1.0
    synthetic: float = 1.0
    tumor_free: float = 0.5
    foreground: float = 0.7
    avoid_lesions: bool = True
    small: float | None = None
    augment: Augment | None = field(default_factory=Augment)
    engine: str = "procedural"
    model: str | None = None
    quality_test: bool = True
    judge_model: str | None = None
    threshold: float = THRESHOLD
    tries: int = 4
    device: str = "cpu"

    def __post_init__(self) -> None:
        shares = (self.real, self.synthetic, self.tumor_free)
        if min(shares) < 0 or not sum(shares) > 0:
            raise BadInput("shares of 0 or more, not all 0", str(shares), kind="usage")
        if not (0 <= self.foreground <= 1 and 0 <= (self.small or 0.0) <= 1):
            raise BadInput("shares from 0 to 1", f"{self.foreground} and {self.small}", kind="usage")
        if len(self.patch) != 3 or min(self.patch) < 1:
            raise BadInput("a patch of three sizes in voxels", str(self.patch), kind="usage")
        groups = {ORGANS[name].group if name in ORGANS else name for name in self.organs}
        if len(groups) != 1 or set(self.organs) - set(ORGANS):
            raise BadInput(f"organs of one group of {', '.join(ORGANS)}", str(self.organs), kind="usage")
        engines = (*ENGINES, NO_ENGINE, IN_CASES)
        if self.engine not in engines:
            raise BadInput(f"an engine of {', '.join(engines)}", repr(self.engine), kind="usage")

    @property
    def rows(self) -> tuple[Organ, ...]:
        """The rows of :attr:`organs`."""
        return tuple(ORGANS[name] for name in self.organs)

    @property
    def small_of_synthetic(self) -> float:
        """Share of the two smallest size classes among synthetic tumors."""
        return 0.5 if self.small is None else self.small

    def request(self) -> Request:
        """What is asked of engine and judges; of an engine of :data:`freetumor.synthesis.ENGINES` only."""
        learned = self.quality_test and self.judge_model is not None
        network = learned or ENGINES[self.engine].generator is not None
        return Request(
            engine=self.engine,
            model=self.model,
            gate=self.quality_test,
            judges=("model-free", "learned") if learned else ("model-free",),
            judge_model=self.judge_model if learned else None,
            judge_threshold=self.threshold if learned else THRESHOLD,
            tries=self.tries,
            device=self.device,
            # One that every worker has at once, with the one thread it is given, and the same everywhere.
            backend="torch" if network else "auto",
        )
