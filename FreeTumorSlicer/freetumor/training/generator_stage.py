"""Stage 2: the generator against a frozen segmenter and a classifier that is trained beside it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from freetumor.anatomy import ORGANS, Organ
from freetumor.errors import BadInput
from freetumor.models import Model, NetworkSpec
from freetumor.nets import build, load_network
from freetumor.training import losses
from freetumor.training.configuration import Config
from freetumor.training.running import Networks
from freetumor.training.stages import Batch, Loss, rows_of, spec_of

CRITIC = "segmenter"


class GeneratorStage:
    """See the module. A batch holds ``fake``, masks in CTs (with ``noise``), and ``real``, real tumors.

    Args:
        critic: the model whose segmenter is frozen; None takes an untrained one, which is of use to try a
            configuration only.
    """

    # A generator's score is measured by the critic that it is trained to please: it would only grow.
    keeps_best = False

    def __init__(self, config: Config, critic: Model | None) -> None:
        self._config, self._window = config, config.grid.window
        self.specs = {
            "generator": spec_of(config.generator, organs=list(config.organs)),
            "classifier": spec_of(config.classifier, out_channels=1),
        }
        self.trained = {part: build(spec) for part, spec in self.specs.items()}
        spec = spec_of(config.segmenter, classes=list(config.classes))
        if critic is not None:
            _check_critic(critic, config)
            spec = critic.network(CRITIC)
        network = build(spec) if critic is None else load_network(critic, CRITIC)
        self.frozen: dict[str, nn.Module] = {CRITIC: network.eval().requires_grad_(False)}
        self.trained_against = () if critic is None else (critic.name, *critic.trained_against)
        self._lesion = _lesion_channels(spec, config)
        self._rows = list(self.specs["generator"].settings["organs"])

    def losses(self, networks: Networks, batch: Batch) -> Iterator[Loss]:
        """See :class:`freetumor.training.stages.Stage`."""
        fake, real, weights = batch["fake"], batch["real"], self._config.losses
        organs, mask = rows_of(fake), fake["mask"]
        residual, other = self._residuals(networks, fake, organs)
        made = losses.composed(fake["image"], residual, self._window)
        numbers = self._numbers(networks, fake, made, organs)
        says = networks.through("classifier", made)
        numbers["p_real_of_fake"] = losses.inside(says.sigmoid(), mask)
        unlike = losses.unlike_real(says, mask, logarithm=weights.adversarial == "logarithm")
        each = (
            weights.critic * (1 - numbers["p_tumor"])
            + weights.real * unlike
            + weights.plausible * (numbers["implausible"] + numbers["rough"])
        )
        # Where no tumor found room, the mask is empty: that sample says nothing.
        there = mask.flatten(1).amax(1) > 0
        loss = (each * there).mean()
        told = {name: (values * there).sum() / there.sum().clamp(min=1) for name, values in numbers.items()}
        if other is not None:
            same = losses.alike(residual[:1], other, mask[:1], organs[:1]).mean()
            loss = loss + weights.diversity * same
            told |= {"alike": same}
        yield "generator", loss, told
        yield self._classify(networks, made.detach(), mask, real)

    def sums(self, networks: Networks, batch: Batch) -> Tensor:
        """(4,): samples, tumor probability, distance from what is plausible, samples that are."""
        fake = batch["fake"]
        organs = rows_of(fake)
        residual, _ = self._residuals(networks, fake, organs)
        made = losses.composed(fake["image"], residual, self._window)
        numbers = self._numbers(networks, fake, made, organs)
        there = fake["mask"].flatten(1).amax(1) > 0
        found, miss = numbers["p_tumor"][there], (numbers["implausible"] + numbers["rough"])[there]
        return torch.stack([there.sum(), found.sum(), miss.sum(), (miss == 0).sum()]).double()

    def score(self, sums: Tensor) -> dict[str, float]:
        """The critic's tumor probability less the distance from what is plausible, as in the loss."""
        count, found, miss, plausible = sums.tolist()
        found, miss, plausible = (value / max(count, 1) for value in (found, miss, plausible))
        return {"score": found - miss, "p_tumor": found, "implausible": miss, "plausible": plausible}

    def pictures(self, networks: Networks, batch: Batch) -> list[dict[str, np.ndarray]]:
        """CT before and after, the mask, and where the critic sees a tumor."""
        fake = batch["fake"]
        organs = rows_of(fake)
        residual, _ = self._residuals(networks, fake, organs)
        made = losses.composed(fake["image"], residual, self._window)
        found = losses.of_lesion(networks.through(CRITIC, made), self._channels(organs, made.device)) > 0.5
        shown = {"before": fake["image"], "after": made, "mask": fake["mask"], "found": found}
        return [{k: v[n, 0].cpu().numpy() for k, v in shown.items()} for n in range(len(made))]

    def _classify(self, networks: Networks, made: Tensor, mask: Tensor, real: Batch) -> Loss:
        """The classifier's own loss; `made` is without its history: no gradient reaches the generator."""
        says = networks("classifier", torch.cat([made, real["image"]])).sigmoid()
        labels = torch.tensor([row.lesion_label for row in rows_of(real)], device=made.device)
        lesion = ((real["label"] == labels.view(-1, 1, 1, 1, 1)) & (real["mask"] == 0)).float()
        of_fake, of_real = losses.inside(says[: len(made)], mask), losses.inside(says[len(made) :], lesion)
        # A patch whose tumor was cut away says nothing, and counts as one that is recognised.
        there = lesion.flatten(1).amax(1)
        loss = of_fake.mean() + ((1 - of_real) * there).mean()
        told = {"p_real_of_real": (of_real * there).sum() / there.sum().clamp(min=1)}
        return "classifier", loss, told

    def _residuals(
        self, networks: Networks, fake: Batch, organs: list[Organ]
    ) -> tuple[Tensor, Tensor | None]:
        """Residuals in HU, and while training that of the first sample with another noise.

        One sample more a batch is enough to hold noise fields apart, and costs one, not a batch.
        """
        inputs = torch.cat([fake[name] for name in ("image", "organ_mask", "mask", "noise")], 1)
        rows = torch.tensor([self._rows.index(row.name) for row in organs], device=inputs.device)
        one_hot = functional.one_hot(rows, len(self._rows)).float()
        again = self._config.losses.diversity > 0 and "other_noise" in fake and torch.is_grad_enabled()
        if again:
            first = torch.cat([inputs[:1, :3], fake["other_noise"][:1]], 1)
            inputs, one_hot = torch.cat([inputs, first]), torch.cat([one_hot, one_hot[:1]])
        residual = networks("generator", inputs, one_hot)
        return (residual[:-1], residual[-1:]) if again else (residual, None)

    def _numbers(
        self, networks: Networks, fake: Batch, made: Tensor, organs: list[Organ]
    ) -> dict[str, Tensor]:
        """What the losses and the failure signatures need, of each sample: (N,)."""
        mask = fake["mask"]
        logits = networks.through(CRITIC, made)
        level, around = losses.surroundings(fake["image"], fake["organ_mask"], mask, self._window)
        mean, spread = losses.lesion(made, mask, self._window)
        contrast = mean - level
        sign = contrast.new_tensor([row.polarity for row in organs])
        allowed = functional.max_pool3d(((fake["organ_mask"] > 0.5) | (mask >= 0.5)).float(), 3, 1, 1)
        low, high = self._window
        size = (made.detach() - fake["image"]).abs() * (high - low)
        return {
            "p_tumor": losses.inside(losses.of_lesion(logits, self._channels(organs, made.device)), mask),
            "implausible": losses.implausible(contrast, level, organs),
            "rough": losses.rough(spread, around, organs),
            "change_hu": losses.inside(size, mask),
            "contrast_signed_hu": contrast.detach() * sign,
            "leakage": (size * (1 - allowed)).flatten(1).sum(1) / size.flatten(1).sum(1).clamp(min=1e-6),
        }

    def _channels(self, organs: list[Organ], device: torch.device) -> Tensor:
        return torch.tensor([self._lesion[row.name] for row in organs], device=device)


def _lesion_channels(spec: NetworkSpec, config: Config) -> dict[str, int]:
    """Output channel of the critic for the lesions of each organ."""
    classes = list(spec.settings["classes"])
    missing = [name for name in config.organs if ORGANS[name].lesion_label not in classes]
    if missing:
        raise BadInput(
            f"a critic with a class for lesions of {', '.join(missing)}",
            f"one with classes {classes}",
            "Train one with: freetumor train segmenter.",
            kind="wrong_organ",
        )
    return {name: classes.index(ORGANS[name].lesion_label) for name in config.organs}


def _check_critic(critic: Model, config: Config) -> None:
    """A critic that sees other values or other voxels than the generator would judge what it cannot know."""
    grid = config.grid
    for what, theirs, ours in (
        ("window", critic.window, grid.window),
        ("spacing", critic.spacing, grid.spacing),
        ("group", critic.group, config.group),
    ):
        if theirs != ours:
            raise BadInput(
                f"a critic with the {what} of this configuration, {ours}",
                f"{critic.name} with {theirs}",
                f"Set grid.{what} to it, or train a critic of your own.",
                kind="wrong_model",
            )
