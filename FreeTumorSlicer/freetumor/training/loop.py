"""The training loop: steps, averages, validation, checkpoints, and an early end where it makes no sense.

All that is random follows from the seed and the number of the step, so that a run that was killed goes on
with the very losses that it would have had, on the same machine with as many processes.
"""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn
from torch.optim import Adam, AdamW, Optimizer
from torch.utils.data import default_collate

from freetumor.nets import write_network_weights
from freetumor.training.checkpoints import Kept, load_checkpoint, write_checkpoint
from freetumor.training.configuration import Config, Loop
from freetumor.training.drawing import SYNTHETIC
from freetumor.training.feeding import Feed
from freetumor.training.hardware import set_threads, workers_of
from freetumor.training.journal import BEST, CHECKPOINTS, Journal
from freetumor.training.loading import Steps, batches
from freetumor.training.pictures import write_picture
from freetumor.training.running import Averages, Networks
from freetumor.training.signatures import TrainingFailed, Watcher
from freetumor.training.stages import Stage

_PICTURED = 2  # samples in a picture, of validation and of training each
_LOOKED_AT = 8  # training samples, for a synthetic tumor
_LEFT_OUT = 5  # gradients in a row that are not finite


@dataclass(frozen=True)
class End:
    """How a run ended: its first and last step, all its seconds, and whether somebody stopped it."""

    first: int
    step: int
    seconds: float
    stopped: bool
    best: Mapping | None


def learning_rate(loop: Loop, step: int) -> float:
    """The rate of `step` (from 0): rising during the warm-up, then constant, or falling as a cosine to 0."""
    if step < loop.warmup:
        return loop.learning_rate * (step + 1) / loop.warmup
    if loop.schedule == "constant":
        return loop.learning_rate
    share = (step - loop.warmup) / max(1, loop.steps - loop.warmup)
    return loop.learning_rate * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))


class Trainer:
    """Trains the networks of a stage; :meth:`run` does it all."""

    def __init__(self, fabric: Fabric, stage: Stage, feed: Feed, config: Config, journal: Journal) -> None:
        self.fabric, self.stage, self.feed, self.config, self.journal = fabric, stage, feed, config, journal
        loop = config.loop
        on_gpu = fabric.device.type == "cuda"
        self.workers = workers_of(loop, on_gpu)
        set_threads(loop, self.workers, on_gpu)
        for network in (*stage.trained.values(), *stage.frozen.values()):
            network.to(fabric.device)
            if loop.channels_last:
                network.to(memory_format=torch.channels_last_3d)
        self.optimizers = {part: _optimizer(network, loop) for part, network in stage.trained.items()}
        self.averages = Averages(stage.trained, loop.ema)
        behind = {}
        for part, network in stage.trained.items():
            behind[part] = fabric.setup_module(network.train())
        self.steps = fabric.setup_optimizers(*self.optimizers.values())
        self.steps = self.steps if isinstance(self.steps, tuple) else (self.steps,)
        self.networks = Networks(behind, stage.trained, stage.frozen, fabric.autocast)
        averaged = self.averages.networks
        self.averaged = Networks(averaged, averaged, stage.frozen, fabric.autocast)
        self.watcher = Watcher(config.watch.after, config.watch.window, config.watch.abort)
        self.last: dict[str, float] = {}
        self._left_out = 0
        self.kept = Kept(stage.trained, averaged, self.optimizers)

    def run(self, *, resume: bool = False) -> End:
        """All steps, or the rest of them.

        Raises:
            TrainingFailed: the losses are not finite, or a failure signature shows.
            OutputError: the disk is full.
        """
        loop, journal = self.config.loop, self.journal
        start = load_checkpoint(journal.folder / CHECKPOINTS, self.kept, journal.say) if resume else 0
        facts = self.kept.facts
        self.watcher.load(facts.get("watch", [[], []]))
        journal.begin(start, tensorboard=loop.tensorboard)
        before, started = facts.get("seconds", 0.0), time.monotonic()
        self._tick = _Tick(self.config, start, started, self.fabric.world_size)
        stopped, step = False, start
        plan = Steps(
            start, loop.steps, loop.batch, loop.accumulate, self.fabric.global_rank, self.fabric.world_size
        )
        try:
            journal.progress(f"step {start} of {loop.steps}", start / loop.steps)
            feed = iter(batches(self.feed.train, plan, self.workers))
            for step in range(start + 1, loop.steps + 1):
                numbers, stopped = self._step(step, feed)
                self._tell(step, numbers)
                if step % loop.validate_every == 0 or step == loop.steps:
                    self._validate(step)
                if step % loop.epoch == 0 or step == loop.steps:
                    self._picture(step)
                last = stopped or step == loop.steps
                if last or self._tick.is_due():
                    facts |= {
                        "seconds": before + time.monotonic() - started,
                        "watch": self.watcher.state(),
                    }
                    self._checkpoint(step)
                if stopped:
                    break
        finally:
            journal.close()
        return End(start, step, before + time.monotonic() - started, stopped, facts.get("best"))

    def _step(self, step: int, feed: Iterator) -> tuple[dict[str, float], bool]:
        """One step of all networks; the mean of what they tell over all batches, and whether to stop."""
        loop, fabric = self.config.loop, self.fabric
        torch.manual_seed(zlib.crc32(f"{self.config.seed} {step} {fabric.global_rank}".encode()))
        rate = learning_rate(loop, step - 1)
        told: dict[str, Tensor] = {}
        for part in range(loop.accumulate):
            batch = fabric.to_device(next(feed))
            with ExitStack() as exchange_later:
                for network in self.networks.trained.values():
                    exchange_later.enter_context(
                        fabric.no_backward_sync(network, enabled=part < loop.accumulate - 1)
                    )
                for name, loss, numbers in self.stage.losses(self.networks, batch):
                    fabric.backward(loss / loop.accumulate)
                    for key, number in {name: loss, **numbers}.items():
                        told[key] = told.get(key, 0.0) + number.detach().float() / loop.accumulate
        asked = torch.tensor(float(self.journal.stops), device=fabric.device)
        means = fabric.all_reduce(torch.stack([*told.values(), asked]), reduce_op="mean").tolist()
        numbers = dict(zip(told, means[:-1], strict=True))
        for warning in self.watcher.see(step, numbers):
            self.journal.say(warning)
            self.journal.write("warning", step, message=warning)
        for optimizer, network in zip(self.steps, self.networks.trained.values(), strict=True):
            norm = fabric.clip_gradients(
                network, optimizer, max_norm=loop.clip or math.inf, error_if_nonfinite=False
            )
            for group in optimizer.param_groups:
                group["lr"] = rate
            if self._is_usable(step, float(norm)):
                optimizer.step()
            optimizer.zero_grad()
        self.averages.update(self.stage.trained, step)
        return numbers, means[-1] > 0

    def _is_usable(self, step: int, norm: float) -> bool:
        """Whether a gradient is finite; one that is not is left out, several in a row end the run."""
        if math.isfinite(norm):
            self._left_out = 0
            return True
        self._left_out += 1
        self.journal.say(f"step {step}: a gradient is not finite and was left out")
        if self._left_out == _LEFT_OUT:
            raise TrainingFailed(
                f"stopped at step {step}: {_LEFT_OUT} gradients in a row are not finite. Try a lower "
                "loop.learning_rate or loop.precision float32 from the last checkpoint.",
                kind="not_finite",
            )
        return False

    def _tell(self, step: int, numbers: Mapping[str, float]) -> None:
        self.last = dict(numbers)
        line = self._tick.step(step, numbers)
        if line is not None:
            rate = learning_rate(self.config.loop, step - 1)
            speed = {"samples_per_s": round(line.speed, 3), "eta_s": round(line.eta, 1)}
            self.journal.write("step", step, losses=line.means, lr=rate, **speed)
            said = ", ".join(f"{part} {line.means[part]:.4g}" for part in self.stage.trained)
            message = (
                f"step {step} of {self.config.loop.steps}, loss {said}, {line.speed:.3g} samples/s, "
                f"{_duration(line.eta)} left"
            )
            self.journal.progress(message, step / self.config.loop.steps)

    @torch.no_grad()
    def _validate(self, step: int) -> None:
        samples = self.feed.validation
        if not len(samples):
            return
        fabric = self.fabric
        mine = range(fabric.global_rank, len(samples), fabric.world_size)
        sums = [self._sums(samples[n]) for n in mine] or [0.0 * self._sums(samples[0])]
        total = fabric.all_reduce(torch.stack(sums).sum(0), reduce_op="sum")
        numbers = self.stage.score(total)
        self.journal.write("validation", step, **numbers)
        best = self.kept.facts.get("best")
        if best is None or numbers["score"] > best["score"]:
            self.kept.facts["best"] = {"step": step, **numbers}
            if fabric.is_global_zero:
                write_network_weights(self.journal.folder / BEST, self.averages.networks)

    def _sums(self, sample: Mapping) -> Tensor:
        return self.stage.sums(self.averaged, self.fabric.to_device(default_collate([sample])))

    @torch.no_grad()
    def _picture(self, step: int) -> None:
        if not self.fabric.is_global_zero:
            return
        pictures = []
        for sample in self._shown:
            batch = self.fabric.to_device(default_collate([sample]))
            pictures += self.stage.pictures(self.averaged, batch)
        path = self.journal.folder / "pictures" / f"step-{step:08d}.png"
        said = f"{self.config.model_name}, step {step}"
        write_picture(path, pictures, self.config.grid.window, self.config.group, said)
        self.journal.write("picture", step, file=str(path.relative_to(self.journal.folder)))

    @cached_property
    def _shown(self) -> list[Mapping]:
        """A few samples of the validation, and of the training one or two with a synthetic tumor."""
        given, seen = self.feed.validation, self.feed.train
        held_out = [given[n] for n in range(min(_PICTURED, len(given)))]
        if self.config.stage == "generator" and held_out:
            return held_out
        first = [seen[n] for n in range(_LOOKED_AT if held_out else 1)]
        made = [sample for sample in first if sample.get("kind") == SYNTHETIC]
        return [*held_out, *(made or first)[:_PICTURED]]

    def _checkpoint(self, step: int) -> None:
        if self.fabric.is_global_zero:
            folder, keep = self.journal.folder, self.config.loop.keep
            place = write_checkpoint(folder / CHECKPOINTS, step, self.kept, keep)
            self.journal.write("checkpoint", step, folder=str(place.relative_to(folder)))
        self._tick.kept()


@dataclass(frozen=True)
class _Line:
    means: dict[str, float]
    speed: float
    eta: float


class _Tick:
    """Means since the last line of the log, the speed, and when the next checkpoint is due."""

    def __init__(self, config: Config, start: int, now: float, world: int) -> None:
        self._loop, self._last, self._since, self._kept = config.loop, start, now, now
        self._samples = config.loop.batch * config.loop.accumulate * world
        self._sums: dict[str, float] = {}

    def step(self, step: int, numbers: Mapping[str, float]) -> _Line | None:
        for name, number in numbers.items():
            self._sums[name] = self._sums.get(name, 0.0) + number
        if step % self._loop.log_every and step != self._loop.steps:
            return None
        count, now = step - self._last, time.monotonic()
        per_step = max(now - self._since, 1e-9) / count
        means = {name: total / count for name, total in self._sums.items()}
        self._last, self._since, self._sums = step, now, {}
        return _Line(means, self._samples / per_step, per_step * (self._loop.steps - step))

    def is_due(self) -> bool:
        return time.monotonic() - self._kept >= 60 * self._loop.checkpoint_minutes

    def kept(self) -> None:
        self._kept = time.monotonic()


def _optimizer(network: nn.Module, loop: Loop) -> Optimizer:
    kind = {"adam": Adam, "adamw": AdamW}[loop.optimizer]
    return kind(network.parameters(), lr=loop.learning_rate, betas=loop.betas, weight_decay=loop.weight_decay)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
