"""Batches of a loader that somebody else made, dealt out."""

from types import SimpleNamespace
from typing import Any

import pytest
from torch.utils.data import DataLoader
from torch.utils.data.distributed import DistributedSampler

from modelry_trainer.distributed.loaders_of_users import batches_of, number_of_batches


def world(rank: int, size: int = 2) -> Any:
    return SimpleNamespace(data_rank=rank, data_size=size)


def test_each_gets_every_other_batch_and_the_last_one_counts_once() -> None:
    loader = DataLoader(range(5), batch_size=1)  # type: ignore[arg-type]  # a range is as good
    read = [list(batches_of(loader, world(rank))) for rank in (0, 1)]
    assert [[int(fed.batch) for fed in one] for one in read] == [[0, 2, 4], [1, 3, 0]]
    assert [[fed.counts for fed in one] for one in read] == [[True] * 3, [True, True, False]]
    assert number_of_batches(loader, world(0)) == 3


@pytest.mark.parametrize("size", [1, 2])
def test_one_that_divides_its_rows_itself_is_left_alone(size: int) -> None:
    sampler: Any = DistributedSampler(range(6), num_replicas=2, rank=1, shuffle=False)  # type: ignore[arg-type]  # the same
    loader = DataLoader(range(6), batch_size=1, sampler=sampler)  # type: ignore[arg-type]  # the same
    assert [int(fed.batch) for fed in batches_of(loader, world(1, size))] == [1, 3, 5]
    assert number_of_batches(loader, world(1, size)) == 3
