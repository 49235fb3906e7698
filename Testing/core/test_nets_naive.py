"""The naive schedule that the benchmark compares with, and its networks with made-up weights."""

import numpy as np
import pytest
from freetumor.models import NetworkSpec

torch = pytest.importorskip("torch")

from freetumor.nets.naive import NaiveSchedule, made_up, windows  # noqa: E402

SEGMENTER = NetworkSpec("light-unet", {"classes": [0, 1, 2], "features": [2, 2, 2, 2, 2]})


class Doubling(torch.nn.Module):
    """Two channels: the image, and its double."""

    def forward(self, x):
        return torch.cat([x, 2 * x], dim=1)


def test_the_naive_schedule_runs_the_windows_that_the_reference_point_has():
    assert len(windows((91, 124, 136), (96, 96, 96), 0.75)) == 9
    assert len(windows((224, 202, 244), (96, 96, 96), 0.75)) == 336
    assert len(windows((224, 202, 244), (96, 96, 96), 0.2)) == 27


@pytest.mark.parametrize("shape", [(8, 8, 8), (13, 8, 30), (5, 21, 9)])
@pytest.mark.parametrize("overlap", [0.0, 0.5, 0.75])
def test_the_naive_schedule_gives_a_voxelwise_network_s_dense_result(shape, overlap):
    image = np.random.default_rng(1).random((1, *shape), dtype=np.float32)
    made = NaiveSchedule(Doubling(), image, (8, 8, 8), overlap).run()
    np.testing.assert_allclose(made, np.concatenate([image, 2 * image]), rtol=1e-6)


def test_the_naive_schedule_takes_windows_by_the_batch_and_in_the_networks_order_of_axes():
    seen = []

    class Looking(Doubling):
        def forward(self, x):
            seen.append(tuple(x.shape))
            return super().forward(x)

    network = Looking()
    schedule = NaiveSchedule(network, np.zeros((1, 8, 16, 24), np.float32), (8, 8, 16), 0.5)
    assert len(schedule.windows) == 6
    assert (schedule.step(4), schedule.done, schedule.step(4), schedule.step(4)) == (4, 4, 2, 0)
    assert seen == [(4, 1, 16, 8, 8), (2, 1, 16, 8, 8)]


def test_where_windows_overlap_the_mean_of_them_counts():
    class Mean(torch.nn.Module):
        def forward(self, x):
            return x.mean(dim=(2, 3, 4), keepdim=True).expand_as(x)

    image = np.zeros((1, 4, 4, 12), np.float32)
    image[..., 8:] = 4.0
    made = NaiveSchedule(Mean(), image, (4, 4, 8), 0.5).run()  # two windows, of means 0 and 2
    np.testing.assert_allclose(made[0, 0, 0], [0] * 4 + [1] * 4 + [2] * 4)


def test_made_up_networks_are_the_same_for_the_same_seed_and_leave_chance_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, same, other = (made_up(SEGMENTER, seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert not all(torch.equal(one[key], other[key]) for key in one)
