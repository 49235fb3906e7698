"""Sliding windows: the weighted mean is right, little memory is taken, and the work can be stopped."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from freetumor.errors import FreeTumorError
from freetumor.nets.predictors import predictor
from freetumor.nets.sliding_window import sliding
from made_models import LIGHT, made_model

GAINS = np.array([0.0, 1.5, -2.0, 4.0], np.float32)


def voxelwise(window: np.ndarray) -> np.ndarray:
    """Logits (4, k, j, i) that depend on each voxel alone."""
    return GAINS[:, None, None, None] * window + np.linspace(0, 0.3, 4, dtype=np.float32)[:, None, None, None]


def truth(image: np.ndarray) -> np.ndarray:
    return torch.softmax(torch.from_numpy(voxelwise(image)), dim=0).numpy()


def image(shape: tuple[int, int, int] = (37, 50, 61)) -> np.ndarray:
    return np.random.default_rng(2).random((1, *shape), dtype=np.float32)


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.75])
def test_where_the_place_does_not_matter_the_result_is_that_of_one_pass(overlap):
    given = image()
    made = sliding(voxelwise, given, 4, (16, 24, 32), overlap, multiple=8)
    assert made.tile == (16, 24, 32)
    assert made.probabilities.shape == (4, 37, 50, 61)
    assert np.abs(made.probabilities.astype(np.float32) - truth(given)).max() < 0.002


def test_a_window_counts_most_in_its_middle():
    """A network that is wrong at the border of its window does little harm where windows overlap."""

    def nearsighted(window):
        logits = voxelwise(window)
        logits[1:, :2] = -20
        logits[1:, -2:] = -20
        return logits

    given = image((48, 24, 32))
    made = sliding(nearsighted, given, 4, (24, 24, 32), 0.5).probabilities.astype(np.float32)
    assert np.abs(made - truth(given))[:, 12:36, 8:16, 10:22].max() < 0.02


def test_windows_are_no_larger_than_the_image_needs():
    seen = []

    def predict(window):
        seen.append(window.shape)
        return voxelwise(window)

    given = image((20, 40, 7))
    made = sliding(predict, given, 4, (96, 96, 96), 0.25, multiple=16)
    assert made.tile == (32, 48, 16)
    assert (made.windows, seen) == (1, [(1, 32, 48, 16)])
    assert np.abs(made.probabilities.astype(np.float32) - truth(given)).max() < 0.002


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("CUDA error: out of memory"),
        MemoryError(),
    ],
    ids=["cuda", "cpu", "driver", "python"],
)
def test_too_little_memory_halves_the_window_and_says_so(error):
    said = []

    def predict(window):
        if window.size > 16 * 24 * 24:
            raise error
        return voxelwise(window)

    given = image()
    made = sliding(predict, given, 4, (32, 48, 48), 0.25, multiple=8, log=said.append)
    assert made.tile == (16, 24, 24)
    assert np.abs(made.probabilities.astype(np.float32) - truth(given)).max() < 0.002
    assert len(said) == 1
    assert "32x48x48" in said[0]
    assert "16x24x24" in said[0]


def test_where_even_the_smallest_window_is_too_large_the_error_says_it():
    def predict(window):
        raise MemoryError

    with pytest.raises(FreeTumorError, match="8x8x16") as raised:
        sliding(predict, image((20, 20, 20)), 4, (24, 24, 24), multiple=8, log=lambda message: None)
    assert raised.value.kind == "out_of_memory"


def test_other_errors_of_the_network_are_not_taken_for_want_of_memory():
    def predict(window):
        raise RuntimeError("sizes do not match")

    with pytest.raises(RuntimeError, match="sizes do not match"):
        sliding(predict, image((20, 20, 20)), 4, (16, 16, 16))


def test_it_stops_between_two_windows():
    class Stop(Exception):
        pass

    windows = []

    def progress(done, total):
        assert total == 27
        if done == 5:
            raise Stop

    def predict(window):
        windows.append(window)
        return voxelwise(window)

    with pytest.raises(Stop):
        sliding(predict, image((40, 40, 40)), 4, (16, 16, 16), 0.25, progress=progress)
    assert len(windows) == 5


def test_it_computes_what_monai_computes_in_float32():
    def blurred(window):
        return voxelwise(window) + window.mean()  # logits that depend on the window

    def monai_window(window):
        return torch.softmax(torch.from_numpy(blurred(window[0].numpy())), dim=0)[None]

    given = image((40, 33, 50))
    inference = pytest.importorskip("monai.inferers").sliding_window_inference
    expected = inference(torch.from_numpy(given)[None], (16, 24, 32), 1, monai_window, 0.5, mode="gaussian")
    made = sliding(blurred, given, 4, (16, 24, 32), 0.5).probabilities
    assert np.abs(made - expected[0].numpy()).max() < 0.001
    assert made.dtype == np.float16


def test_a_window_is_never_so_small_that_the_coarsest_level_is_one_voxel(tmp_path):
    model = made_model(tmp_path, "abdomen", {"segmenter": LIGHT})
    predict = predictor(model, "segmenter", device="cpu", backend="torch")
    made = sliding(predict, image((9, 12, 10)), 7, (96, 96, 96), multiple=predict.multiple)
    assert made.probabilities.shape == (7, 9, 12, 10)
