"""From the form of the training to a job: recipes, the configuration it gives, and what is still missing."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from freetumor.errors import BadInput
from freetumor.models import RESEARCH
from freetumor.training.built_on import without_consent
from freetumor.training.config_file import read_config
from freetumor.training.configuration import Config
from freetumor.training.following import Run, read_run
from slicer.i18n import tr as _

JOBS = "job"  # folder of the job's own files in that of the run
_SEPARATOR = ";"


@dataclass(frozen=True)
class Plan:
    """A training that can be started: its configuration, parameters of the job, the run that is there."""

    config: Config
    job: dict
    run: Run | None

    @property
    def folder(self) -> Path:
        """Of the run."""
        return self.config.out

    def words(self) -> str:
        """What would be done, in two lines."""
        grid, loop = self.config.grid, self.config.loop
        told = _(
            "{name}: {steps} steps on patches of {patch} voxels of {spacing} mm, for {organs}. Run: {folder}."
        ).format(
            name=self.config.model_name,
            steps=loop.steps,
            patch=" x ".join(map(str, grid.patch)),
            spacing=" x ".join(f"{side:g}" for side in grid.spacing),
            organs=", ".join(self.config.organs),
            folder=f"{self.folder.parent.name}/{self.folder.name}",
        )
        return f"{told} {self._state()}".strip()

    def _state(self) -> str:
        if self.run is None:
            return ""
        if self.run.model is not None:
            return _("It is finished, at step {step}; Resume does more steps (loop.steps).").format(
                step=self.run.step
            )
        return _("It was begun: Resume goes on at step {step}.").format(step=self.run.checkpoint)

    def waiting(self) -> list:
        """The models whose terms are to be accepted first; a missing one is told by the job."""
        try:
            return without_consent(self.config)
        except BadInput as error:
            if error.kind != "no_model":
                raise
            return []


@cache
def recipes() -> tuple:
    """The recipes that come with the extension."""
    folder = Path(__file__).resolve().parents[1] / "Resources" / "recipes"
    return tuple(sorted(folder.glob("*.toml")))


def headOf(file: Path) -> str:
    """What a configuration says of itself in the comment at its top."""
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return ""
    end = next((n for n, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return "\n".join(line.removeprefix("#").removeprefix(" ") for line in lines[:end])


def missing(p) -> str:
    """What is to be chosen before there is a plan; empty if nothing is."""
    if not isChosen(p.trainingConfig):
        return _("Choose a recipe or a configuration file first.")
    if _isRecipe(p.trainingConfig) and not isChosen(p.trainingData):
        return _("Choose the folder of the data first.")
    if not isChosen(p.trainingOut):
        return _("Choose a folder for the runs first.")
    return ""


def planOf(p) -> Plan:
    """The training that the form asks for.

    Raises:
        FreeTumorError: the configuration cannot be read, or a value in it is wrong.
    """
    config, stage = p.trainingConfig.resolve(), p.trainingStage
    changes = [change.strip() for change in p.trainingChanges.split(_SEPARATOR) if change.strip()]
    out = p.trainingOut.resolve()
    if isChosen(p.trainingData):
        changes.append(f"data.root={p.trainingData.resolve()}")
    if _isRecipe(config):  # it lies where 3D Slicer is installed: nothing is written there
        changes.append(f"data.cache={out / 'cache'}")
    name = read_config(config, stage, changes, out).model_name
    changes.append(f"out={out / name}")
    job = {"stage": stage, "config": str(config), "set": changes}
    made = read_config(config, stage, changes, out)
    return Plan(made, job, read_run(made.out))


def isChosen(path: Path) -> bool:
    """Whether the user chose a path."""
    return str(path) not in ("", ".")


def _isRecipe(config: Path) -> bool:
    return config.resolve() in recipes()


def triedInWords(result: dict, config: Config) -> str:
    """What a dry run of `config` has found, in a few lines."""
    cases, case, side = result["cases"], result["case"], result["case"]["shape"]
    seconds = result["step_seconds"] * config.loop.accumulate * config.loop.steps
    memory = result["memory_bytes"]
    lines = [
        _("It can be trained: {train} cases to learn from, {val} to validate, {test} left out.").format(
            train=cases.get("train", 0), val=cases.get("val", 0), test=cases.get("test", 0)
        ),
        _("{name} ({shape} voxels) was prepared in {seconds:.0f} s.").format(
            name=case["name"], shape=" x ".join(map(str, side)), seconds=case["seconds"]
        ),
        _("The first step took {step:.2g} s: at most {total} for {steps} steps.").format(
            step=result["step_seconds"], total=_duration(seconds), steps=config.loop.steps
        ),
        "" if memory is None else _("Memory: {size:.1f} GB.").format(size=memory / 1e9),
        _("Licences of the data: {licence}.").format(licence=result["licence"]),
        _("The model will be for RESEARCH ONLY.") if result["use"] == RESEARCH else "",
        *result["notes"],
    ]
    return " ".join(line for line in lines if line)


def _duration(seconds: float) -> str:
    if seconds < 5400:
        return _("{minutes:.0f} minutes").format(minutes=max(1.0, seconds / 60))
    return _("{hours:.0f} hours").format(hours=seconds / 3600)
