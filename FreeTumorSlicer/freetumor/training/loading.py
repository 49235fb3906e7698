"""Batches: which samples belong to which step, and the processes that make them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.utils.data import DataLoader, Dataset

_PATIENCE_S = 900.0  # a worker that says nothing for so long hangs


@dataclass(frozen=True)
class Steps:
    """Numbers of the samples of each batch, from step `first` to before `last`.

    They follow from the step alone: a run that goes on sees what it would have seen, no two processes see the
    same, and batches in parts, or of several processes, are together those of one.
    """

    first: int
    last: int
    batch: int
    accumulate: int = 1
    rank: int = 0
    world: int = 1

    def __len__(self) -> int:
        return (self.last - self.first) * self.accumulate

    def __iter__(self) -> Iterator[list[int]]:
        for part in range(self.first * self.accumulate, self.last * self.accumulate):
            start = (part * self.world + self.rank) * self.batch
            yield list(range(start, start + self.batch))


def batches(dataset: Dataset, steps: Steps, workers: int) -> DataLoader:
    """The batches of `steps`, made by `workers` processes of one thread each; 0: by this one."""
    return DataLoader(
        dataset,
        batch_sampler=steps,
        num_workers=workers,
        worker_init_fn=_one_thread,
        # A forked process inherits the locks of threads that it has not.
        multiprocessing_context="spawn" if workers else None,
        timeout=_PATIENCE_S if workers else 0,
        pin_memory=torch.cuda.is_available(),
    )


def _one_thread(_: int) -> None:
    torch.set_num_threads(1)
