"""Losses of the three stages, and whose gradients they are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from freetumor.anatomy import ORGANS
from freetumor.training import losses
from freetumor.training.journal import Voice
from freetumor.training.signatures import SIGNATURES, TrainingFailed, Watcher
from freetumor.training.train import stage_of
from torch import nn
from torch.utils.data import default_collate
from training_runs import log_of, tiny, train_balls, trainer_of

LIVER, KIDNEY, LUNG = (ORGANS[name] for name in ("liver", "kidney", "lung"))


def labels(*ids):
    """(1, 1, 2, 2, n): a column of voxels for each id."""
    return torch.tensor(ids).expand(1, 1, 2, 2, len(ids))


def sure(target, classes):
    """Logits of a segmenter that is sure of `target` channels."""
    return 20.0 * torch.nn.functional.one_hot(target.clamp(max=classes - 1), classes).movedim(-1, 1).float()


def test_labels_become_channels_and_what_nobody_labelled_stays_unknown():
    target = losses.channels_of(labels(0, 1, 2, 5, 255), [0, 2, 5])
    assert target[0, 0, 0].tolist() == [0, 0, 1, 2, losses.UNKNOWN]


def test_a_lesion_without_a_class_of_its_own_is_part_of_its_organ():
    target = losses.channels_of(labels(0, 1, 2, 5, 6, 255), [0, 1, 5], {2: 1, 6: 5})
    assert target[0, 0, 0].tolist() == [0, 1, 1, 2, 2, losses.UNKNOWN]


def test_an_organ_that_nobody_labelled_and_the_background_are_one_to_the_loss():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 4, 2, 2, 3, generator=generator, requires_grad=True)
    unlabelled = torch.tensor([[False, False, True, True], [False, False, False, False]])
    seen = losses.as_background(logits, unlabelled)
    before, after = logits.softmax(1), seen.softmax(1)
    assert torch.allclose(after[0, 0], before[0, [0, 2, 3]].sum(0), atol=1e-6)
    assert torch.allclose(after[0, 1], before[0, 1], atol=1e-6)
    assert (after[0, 2:] == 0).all()
    assert torch.equal(seen[1], logits[1])
    # Where the background is labelled, neither of the three is pushed against another.
    target = losses.channels_of(torch.zeros(2, 1, 2, 2, 3, dtype=torch.int64), [0, 1, 3, 5])
    (losses.cross_entropy(seen, target) + losses.dice(seen, target)).backward()
    assert logits.grad.isfinite().all()
    assert (logits.grad[0, 1] > 0).all()
    assert (logits.grad[0, [0, 2, 3]] < 0).all()
    assert (logits.grad[1, 2:] > 0).all()


def test_a_right_prediction_costs_nothing_and_a_wrong_one_does():
    target = losses.channels_of(labels(0, 1, 2), [0, 1, 2])
    right, wrong = sure(target, 3), sure(target.roll(1, -1), 3)
    for loss in (losses.dice, losses.cross_entropy):
        assert loss(right, target) == pytest.approx(0.0, abs=1e-4)
        assert loss(wrong, target) > 0.9


def test_what_nobody_labelled_has_no_gradient():
    logits = torch.randn(1, 3, 2, 2, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    target = losses.channels_of(labels(0, 1, 255, 2), [0, 1, 2])
    (losses.dice(logits, target) + losses.cross_entropy(logits, target)).backward()
    assert (logits.grad[..., 2] == 0).all()
    assert (logits.grad[..., [0, 1, 3]] != 0).any()


def test_a_sample_counts_the_same_whatever_else_is_in_its_batch():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 2, 2, 4, generator=generator)
    # One sample of four known columns, one of a single.
    target = losses.channels_of(torch.cat([labels(0, 1, 2, 0), labels(1, 255, 255, 255)]), [0, 1, 2])
    for loss in (losses.dice, losses.cross_entropy):
        alone = [loss(logits[n : n + 1], target[n : n + 1]) for n in range(2)]
        assert loss(logits, target) == pytest.approx(float(sum(alone)) / 2, rel=1e-5)


@pytest.mark.parametrize(("organ", "level"), [(LIVER, 110.0), (LIVER, 40.0), (KIDNEY, 190.0), (LUNG, -850.0)])
def test_plausible_contrast_has_the_organs_sign_and_follows_its_enhancement(organ, level):
    low, high = losses.contrast_range(organ, level)
    assert low < high
    assert organ.polarity * low > 0
    assert organ.polarity * high > 0
    expected = organ.contrast.baseline + np.mean(organ.contrast.keep) * (level - organ.contrast.baseline)
    if organ.contrast.limits[0] < abs(expected - level) < organ.contrast.limits[1]:
        assert low < expected - level < high


def test_a_lesion_of_the_wrong_sign_or_without_contrast_is_implausible():
    level = torch.tensor([110.0])
    low, high = losses.contrast_range(LIVER, 110.0)
    cost = {c: float(losses.implausible(torch.tensor([c]), level, [LIVER])) for c in (low, high, 0.0, 40.0)}
    assert cost[low] == cost[high] == 0.0
    assert 0 < cost[0.0] < cost[40.0]


def test_what_varies_more_than_a_tumor_could_is_rough():
    rng = torch.Generator().manual_seed(0)
    mask = torch.zeros(1, 1, 12, 12, 12)
    mask[..., 3:9, 3:9, 3:9] = 1
    window = LIVER.window
    flat = torch.full_like(mask, 0.5)
    noise = torch.randn(mask.shape, generator=rng) / (window[1] - window[0])
    costs = []
    for sigma_hu in (0.0, 10.0, 200.0):
        mean, spread = losses.lesion(flat + sigma_hu * noise, mask, window)
        assert float(spread) == pytest.approx(sigma_hu, rel=0.15, abs=0.1)
        assert float(mean) == pytest.approx(37.5, abs=0.1 * sigma_hu + 0.1)
        costs.append(float(losses.rough(spread, torch.tensor([10.0]), [LIVER])))
    assert costs[:2] == [0.0, 0.0]
    assert costs[2] > 1


def test_vessels_around_a_tumor_are_no_texture_that_it_may_have():
    rng = np.random.default_rng(0)
    image = torch.tensor(rng.normal(0.5, 0.02, (1, 1, 24, 24, 24)), dtype=torch.float32)
    organ, mask = torch.ones_like(image), torch.zeros_like(image)
    mask[..., :8] = 1
    calm = losses.surroundings(image, organ, mask, (0.0, 1000.0))
    image[..., 20:, 20:, :] = 1.0  # of 36 columns, in the tumor and beside it
    level, spread = losses.surroundings(image, organ, mask, (0.0, 1000.0))
    assert calm[1].item() == pytest.approx(20.0, rel=0.05)
    assert level.item() == pytest.approx(500.0, abs=5.0)
    assert spread.item() == pytest.approx(20.0, rel=0.1)


def test_a_generator_that_is_seen_through_still_learns_from_the_logarithm():
    mask = torch.ones(1, 1, 4, 4, 4)
    pulls = {}
    for logarithm in (False, True):
        says = torch.full((1, 1, 4, 4, 4), -8.0, requires_grad=True)
        losses.unlike_real(says, mask, logarithm=logarithm).sum().backward()
        pulls[logarithm] = -says.grad.sum().item()
    assert 0 < pulls[False] < 1e-3  # the paper's: p (1 - p)
    assert pulls[True] == pytest.approx(1.0, abs=1e-3)
    taken = torch.full((1, 1, 4, 4, 4), 8.0)
    for logarithm in (False, True):
        assert losses.unlike_real(taken, mask, logarithm=logarithm).item() == pytest.approx(0.0, abs=1e-3)


def test_another_noise_has_to_give_another_texture_not_another_level_or_speckle():
    rng = torch.Generator().manual_seed(0)
    mask = torch.zeros(1, 1, 16, 16, 16)
    mask[..., 3:13, 3:13, 3:13] = 1
    one = torch.zeros_like(mask)
    wave = torch.sin(torch.arange(16.0) * 0.8).expand_as(mask) * 3 * LIVER.appearance.texture_hu
    speckle = LIVER.appearance.texture_hu * torch.randn(mask.shape, generator=rng)
    alike = [float(losses.alike(one, other, mask, [LIVER])) for other in (one, one + 40, speckle, wave)]
    assert alike[0] == pytest.approx(1.0, abs=1e-3)
    assert alike[1] == pytest.approx(1.0, abs=1e-3)
    assert alike[2] > 0.5
    assert alike[3] == 0.0


# The generator's stage -----------------------------------------------------------------------------------


class SeesOne(nn.Module):
    """A critic that calls everything one of its classes; its logits are kept."""

    def __init__(self, classes: int, channel: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(4.0 * torch.eye(classes)[channel])

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        self.logits = self.bias.view(1, -1, 1, 1, 1) + 0 * image
        self.logits.retain_grad()
        return self.logits


def abdomen(folder, changes=()):
    """Trainer of a generator for liver and kidney, its stage, and a batch with one mask in each."""
    trainer = trainer_of(tiny(folder, "generator", ['organs=["liver", "kidney"]', *changes]), Voice(print))
    return trainer, trainer.stage, default_collate([trainer.feed.train[n] for n in range(2)])


def test_organ_k_is_trained_as_organ_k(tmp_path):
    trainer, stage, batch = abdomen(tmp_path, ["losses.diversity=0.0"])
    classes = [0, 1, 2, 5, 6]  # background, liver, its tumor, kidney, its tumor
    critic = SeesOne(len(classes), classes.index(KIDNEY.lesion_label))
    trainer.networks.frozen["segmenter"] = stage.frozen["segmenter"] = critic
    given = {}
    stage.trained["generator"].register_forward_pre_hook(lambda _, inputs: given.update(organ=inputs[1]))
    _, loss, told = next(stage.losses(trainer.networks, batch))
    assert given["organ"].tolist() == [[1.0, 0.0], [0.0, 1.0]]
    loss.backward()
    # Inside each mask, the loss asks for more of the own organ's tumor, and of nothing else.
    for sample, organ in enumerate((LIVER, KIDNEY)):
        inside = batch["fake"]["mask"][sample, 0] > 0
        wanted = -critic.logits.grad[sample][:, inside].sum(1)
        assert int(wanted.argmax()) == classes.index(organ.lesion_label)
        assert (wanted > 0).sum() == 1
    # It finds a kidney tumor everywhere: the kidney's mask is found, the liver's is not.
    assert 0.4 < told["p_tumor"].item() < 0.6


def test_the_organ_changes_what_the_generator_makes(tmp_path):
    trainer, _, batch = abdomen(tmp_path)
    fake = batch["fake"]
    inputs = torch.cat([fake[name] for name in ("image", "organ_mask", "mask", "noise")], 1)[:1]
    with torch.no_grad():
        liver, kidney = (trainer.networks("generator", inputs, row[None]) for row in torch.eye(2))
    assert (liver - kidney).abs().max() > 1.0
    assert (liver[fake["mask"][:1] == 0] == 0).all()


def gradients(network):
    return {n: None if p.grad is None else p.grad.clone() for n, p in network.named_parameters()}


def test_the_classifiers_gradients_come_from_its_own_loss_only(tmp_path):
    trainer, stage, batch = abdomen(tmp_path, ['classifier.settings.norm="batch"'])
    generator, classifier = stage.trained["generator"], stage.trained["classifier"]
    state = {k: v.clone() for k, v in classifier.state_dict().items()}
    turns = stage.losses(trainer.networks, batch)
    part, loss, told = next(turns)
    assert part == "generator"
    loss.backward()
    assert all(gradient is None for gradient in gradients(classifier).values())
    assert all(torch.equal(state[key], value) for key, value in classifier.state_dict().items())
    assert told["p_real_of_fake"].requires_grad
    before = gradients(generator)
    assert any(gradient.abs().max() > 0 for gradient in before.values())
    part, loss, _ = next(turns)
    assert part == "classifier"
    loss.backward()
    assert all(torch.equal(before[name], gradient) for name, gradient in gradients(generator).items())
    assert any(gradient.abs().max() > 0 for gradient in gradients(classifier).values())


def test_the_classifier_moves_the_generator_only_through_its_own_weight(tmp_path):
    changes = ["losses.critic=0.0", "losses.plausible=0.0", "losses.diversity=0.0"]
    for weight, moves in ((0.0, False), (0.5, True)):
        trainer, stage, batch = abdomen(tmp_path / str(weight), [*changes, f"losses.real={weight}"])
        _, loss, _ = next(stage.losses(trainer.networks, batch))
        loss.backward()
        largest = max(gradient.abs().max() for gradient in gradients(stage.trained["generator"]).values())
        assert (largest > 0) == moves


def test_real_tumors_and_synthetic_masks_are_what_the_classifier_learns(tmp_path):
    """Only their voxels have a gradient: an organ in which nothing was changed is not called synthetic."""
    trainer, stage, batch = abdomen(tmp_path)
    kept = {}

    def keep(_, __, output):
        output.retain_grad()
        kept["says"] = output

    stage.trained["classifier"].register_forward_hook(keep)
    *_, (_, loss, _) = stage.losses(trainer.networks, batch)
    loss.backward()
    mask = batch["fake"]["mask"] > 0
    tumor = torch.stack(
        [batch["real"]["label"][n] == row.lesion_label for n, row in enumerate((LIVER, KIDNEY))]
    )
    gradient = kept["says"].grad
    assert torch.equal(gradient[:2] > 0, mask)  # less real
    assert torch.equal(gradient[2:] < 0, tumor)  # more real
    assert (gradient[:2][~mask] == 0).all()
    assert (gradient[2:][~tumor] == 0).all()


def test_a_sample_without_room_for_a_tumor_says_nothing(tmp_path):
    trainer, stage, batch = abdomen(tmp_path, ["losses.diversity=0.0"])
    full = next(stage.losses(trainer.networks, batch))[1]
    batch["fake"]["mask"][1] = 0
    part = next(stage.losses(trainer.networks, batch))[1]
    alone = {key: value[:1] for key, value in batch["fake"].items()}
    one = next(stage.losses(trainer.networks, {**batch, "fake": alone}))[1]
    assert part.item() == pytest.approx(one.item() / 2, rel=1e-3)
    assert full.item() != pytest.approx(part.item(), rel=1e-2)


def test_training_lowers_each_loss_and_leaves_the_frozen_segmenter_bit_for_bit(tmp_path):
    changes = ["loop.steps=60", 'segmenter.settings.norm="batch"', "losses.real=0.5"]
    config = tiny(tmp_path, "generator", changes)
    critic = stage_of(config, untrained=True).frozen["segmenter"].state_dict()
    trainer, _, _ = train_balls(tmp_path, "generator", changes)
    frozen = trainer.stage.frozen["segmenter"]
    assert all(torch.equal(critic[key], value) for key, value in frozen.state_dict().items())
    assert not frozen.training
    assert not any(p.requires_grad or p.grad is not None for p in frozen.parameters())
    told = [line["losses"] for line in log_of(tmp_path)]
    for part in ("generator", "classifier"):
        first, last = (np.mean([numbers[part] for numbers in some]) for some in (told[:10], told[-10:]))
        assert last < 0.9 * first, part


def test_training_lowers_the_segmenters_loss(tmp_path):
    train_balls(tmp_path, changes=["loop.steps=60"])
    told = [line["losses"]["segmenter"] for line in log_of(tmp_path)]
    assert np.mean(told[-10:]) < 0.7 * np.mean(told[:10])


# Signatures of failure -----------------------------------------------------------------------------------

HEALTHY = {
    "change_hu": 40.0,
    "contrast_signed_hu": 35.0,
    "leakage": 0.01,
    "p_real_of_fake": 0.4,
    "p_real_of_real": 0.6,
}
FAILURES = {
    "ghost_tumor": ({"change_hu": 1.0}, ("ghost", "1.0 HU", "losses.plausible")),
    "wrong_contrast": ({"contrast_signed_hu": -12.0}, ("wrong sign", "-12 HU")),
    "leakage": ({"leakage": 0.3}, ("leakage", "30%", "conditional-unet")),
    "classifier_collapse": (
        {"p_real_of_fake": 0.999, "p_real_of_real": 0.999},
        ("classifier collapse", "99.9%", "loop.learning_rate"),
    ),
}


def watched(numbers, *, steps=40, abort=True):
    watcher = Watcher(after=20, window=10, abort=abort)
    return [said for step in range(1, steps + 1) for said in watcher.see(step, numbers)]


def test_a_healthy_training_is_left_alone():
    assert watched(HEALTHY) == []
    assert watched({"segmenter": 1.2, "dice": 0.5}) == []


@pytest.mark.parametrize("kind", FAILURES)
def test_a_failing_training_is_stopped_and_told_what_to_try(kind):
    change, words = FAILURES[kind]
    with pytest.raises(TrainingFailed) as failed:
        watched(HEALTHY | change)
    assert failed.value.kind == kind
    for word in ("step 20", "watch.abort=false", *words):
        assert word in str(failed.value)
    said = watched(HEALTHY | change, abort=False)
    assert len(said) == 1  # once, not at every step
    assert words[0] in said[0]


def test_a_generator_left_behind_is_a_warning():
    (said,) = watched(HEALTHY | {"p_real_of_fake": 0.01, "p_real_of_real": 0.99})
    assert "left behind" in said


def test_nothing_is_judged_before_its_time_and_a_bad_moment_is_no_failure():
    ghost = HEALTHY | {"change_hu": 0.1}
    assert watched(ghost, steps=19) == []
    watcher = Watcher(after=20, window=10, abort=True)
    for step in range(1, 60):
        assert watcher.see(step, ghost if step % 10 == 0 else HEALTHY) == []


def test_a_watcher_goes_on_from_a_checkpoint():
    ghost = HEALTHY | {"change_hu": 0.1}
    watcher = Watcher(after=20, window=10, abort=True)
    for step in range(1, 20):
        watcher.see(step, ghost)
    other = Watcher(after=20, window=10, abort=True)
    other.load(watcher.state())
    with pytest.raises(TrainingFailed):
        other.see(20, ghost)


def test_every_signature_has_a_test():
    assert {s.kind for s in SIGNATURES} == {*FAILURES, "classifier_wins"}
