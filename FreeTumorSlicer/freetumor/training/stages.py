"""The paper's three stages: what is computed of a batch, and what a model of it says about itself.

A stage gives one loss after the other, each for one network; the loop takes the gradients of one before it
asks for the next. All networks of a stage then take one step together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from freetumor.anatomy import ORGANS, group_labels
from freetumor.models import NetworkSpec
from freetumor.nets import build
from freetumor.training import losses
from freetumor.training.configuration import Config, Network
from freetumor.training.running import Networks

Batch = Mapping
Loss = tuple[str, Tensor, dict[str, Tensor]]  # part, what is minimised, numbers to tell


class Stage(Protocol):
    """What the loop needs.

    Attributes:
        trained, frozen: networks by part. specs: of those that go into the model.
        keeps_best: whether the model is that of the best validation, not the last one.
        trained_against: names of the models that the networks were trained to please.
    """

    trained: dict[str, nn.Module]
    frozen: dict[str, nn.Module]
    specs: dict[str, NetworkSpec]
    keeps_best: bool
    trained_against: tuple[str, ...]

    def losses(self, networks: Networks, batch: Batch) -> Iterator[Loss]:
        """The losses of a batch, in turn."""

    def sums(self, networks: Networks, batch: Batch) -> Tensor:
        """Sums over a batch of which :meth:`score` makes the validation's numbers."""

    def score(self, sums: Tensor) -> dict[str, float]:
        """The validation's numbers; "score" is the one that is to be large."""

    def pictures(self, networks: Networks, batch: Batch) -> list[dict[str, np.ndarray]]:
        """Of each sample (x, y, z) arrays by name, for :mod:`freetumor.training.pictures`."""


class SegmenterStage:
    """Stages 1 and 3: a segmenter of organs and lesions, by Dice and cross-entropy."""

    keeps_best = True
    trained_against = ()

    def __init__(self, config: Config) -> None:
        spec = spec_of(config.segmenter, classes=list(config.classes))
        self.specs = {"segmenter": spec}
        self.trained = {"segmenter": build(spec)}
        self.frozen: dict[str, nn.Module] = {}
        self._config = config

    def losses(self, networks: Networks, batch: Batch) -> Iterator[Loss]:
        """See :class:`Stage`."""
        logits, target = self._compared(networks, batch)
        dice, entropy = losses.dice(logits, target), losses.cross_entropy(logits, target)
        weights = self._config.losses
        loss = weights.dice * dice + weights.cross_entropy * entropy
        yield "segmenter", loss, {"dice": dice, "cross_entropy": entropy}

    def sums(self, networks: Networks, batch: Batch) -> Tensor:
        """Voxels (3, classes): in common, predicted, true; of those that are known."""
        logits, target = self._compared(networks, batch)
        found = logits.argmax(1)
        rows = []
        for channel in range(len(self._config.classes)):
            is_found = (found == channel) & (target != losses.UNKNOWN)
            is_true = target == channel
            rows.append(torch.stack([(is_found & is_true).sum(), is_found.sum(), is_true.sum()]))
        return torch.stack(rows, 1).double()

    def score(self, sums: Tensor) -> dict[str, float]:
        """Dice of each class that is there, over all patches together; the score is the lesions' mean."""
        common, found, true = sums.tolist()
        dice = {
            channel: 2 * common[channel] / (found[channel] + true[channel])
            for channel in range(1, len(true))
            if true[channel]
        }
        lesions = [dice[c] for c in self._config.lesion_classes if c in dice] or list(dice.values())
        names = {label: name for name, label in group_labels(self._config.group).items()}
        told = {f"dice {names[self._config.classes[c]]}": value for c, value in dice.items()}
        return {"score": float(np.mean(lesions)) if lesions else 0.0, **told}

    def pictures(self, networks: Networks, batch: Batch) -> list[dict[str, np.ndarray]]:
        """CT, true lesions (and which are synthetic), found ones; organs where those are all it knows."""
        logits, target = self._compared(networks, batch)
        found = logits.argmax(1)
        shown = self._config.lesion_classes or range(1, len(self._config.classes))
        channels = torch.tensor([*shown], device=found.device)
        return [
            {
                "after": batch["image"][n, 0].cpu().numpy(),
                "truth": torch.isin(target[n], channels).cpu().numpy(),
                "found": torch.isin(found[n], channels).cpu().numpy(),
                "mask": batch["mask"][n, 0].cpu().numpy(),
            }
            for n in range(len(found))
        ]

    def _compared(self, networks: Networks, batch: Batch) -> tuple[Tensor, Tensor]:
        """Logits and channels: of each sample only the classes that somebody labelled are told apart."""
        config, logits = self._config, networks("segmenter", batch["image"])
        target = losses.channels_of(batch["label"], config.classes, config.organ_parts)
        ids = [{row.organ_label, row.lesion_label} for row in ORGANS.values()]
        of_row = torch.tensor([[label in row for label in config.classes] for row in ids]).to(logits)
        unlabelled = batch["unlabelled"].to(logits) @ of_row > 0
        return losses.as_background(logits, unlabelled), target


def spec_of(network: Network, **settings: object) -> NetworkSpec:
    """The network of a configuration, with `settings` where it says nothing else."""
    return NetworkSpec(network.architecture, {**settings, **network.settings})


def rows_of(batch: Batch) -> list:
    """The organ's row of each sample."""
    rows = list(ORGANS.values())
    return [rows[index] for index in batch["organ"].tolist()]
