"""The order of rows: as published trainers draw it, the same from any position, and each row once."""

import pytest
import torch
from accelerate.data_loader import SeedableRandomSampler
from transformers.trainer_pt_utils import get_length_grouped_indices

from modelry_trainer.sampling import EpochOrder


def read(order: EpochOrder, epoch: int = 0, position: int = 0) -> list[list[int]]:
    return list(order.at(epoch, position))


@pytest.mark.parametrize("epoch", [0, 1, 5])
def test_the_order_is_the_published_one(epoch: int) -> None:
    theirs = SeedableRandomSampler(range(23), data_seed=42)
    theirs.set_epoch(epoch)
    assert EpochOrder(23, seed=42, batch_size=4).rows(epoch) == list(theirs)


@pytest.mark.parametrize(("rows", "batch"), [(23, 4), (203, 4), (3, 4), (2000, 2)])
def test_rows_of_similar_length_share_a_batch(rows: int, batch: int) -> None:
    lengths = torch.randint(1, 50, (rows,), generator=torch.Generator().manual_seed(1)).tolist()
    theirs = get_length_grouped_indices(lengths, batch, generator=torch.Generator().manual_seed(7 + 2))
    order = EpochOrder(rows, seed=7, by_length=lengths, batch_size=batch)
    assert order.rows(2) == theirs
    assert lengths[order.rows(2)[0]] == max(lengths)


@pytest.mark.parametrize("by_length", [None, list(range(23))])
@pytest.mark.parametrize("world", [1, 2, 4])
def test_an_epoch_goes_on_from_any_position(by_length: list[int] | None, world: int) -> None:
    for rank in range(world):
        order = EpochOrder(23, seed=3, by_length=by_length, batch_size=3, world_size=world, rank=rank)
        whole = read(order, 1)
        assert len(whole) == len(order)
        for position in range(len(order) + 1):
            assert read(order, 1, position) == whole[position:]
            assert len(order.at(1, position)) == len(whole) - position


@pytest.mark.parametrize("rows", [23, 24, 25, 30])
@pytest.mark.parametrize("world", [2, 4])
def test_several_processes_read_what_one_reads(rows: int, world: int) -> None:
    alone = read(EpochOrder(rows, seed=3, batch_size=2 * world))
    shares = [read(EpochOrder(rows, seed=3, batch_size=2, world_size=world, rank=rank)) for rank in range(world)]
    for step, expected in enumerate(alone):
        together = [row for share in shares for row in share[step]]
        assert together[: len(expected)] == expected
        assert all(share[step] for share in shares)
        assert len(together) == max(len(expected), world)


def test_without_shuffling_and_without_a_rest() -> None:
    order = EpochOrder(7, seed=0, batch_size=2, shuffle=False, drop_last=True)
    assert read(order, 4) == [[0, 1], [2, 3], [4, 5]]


def test_batches_feed_a_loader() -> None:
    order = EpochOrder(7, seed=0, batch_size=2)
    loader = torch.utils.data.DataLoader(list(range(7)), batch_sampler=order.at(0, 1))  # type: ignore[arg-type]  # a list is a data set
    assert [batch.tolist() for batch in loader] == read(order)[1:]
    assert len(loader) == 3


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"length": 0}, "no order of 0 rows"),
        ({"rank": 2, "world_size": 2}, "process 2 of 2"),
        ({"by_length": [1]}, "1 lengths were given for a data set of 5 rows"),
        ({"drop_last": True, "batch_size": 6}, "nothing is left to train on"),
    ],
)
def test_refusals(changes: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        EpochOrder(**{"length": 5, "seed": 0, "batch_size": 2} | changes)


def test_a_position_outside() -> None:
    with pytest.raises(ValueError, match="position 4 is outside of an epoch of 3 batches"):
        EpochOrder(5, seed=0, batch_size=2).at(0, 4)


def test_rows_that_stand_in_do_not_count() -> None:
    orders = [EpochOrder(9, seed=0, batch_size=2, world_size=4, rank=rank, shuffle=False) for rank in range(4)]
    assert [list(order.at(0))[1] for order in orders] == [[8], [0], [1], [2]]
    assert [order.stands_in(1) for order in orders] == [False, True, True, True]
    assert not any(order.stands_in(0) for order in orders)


def test_filled_batches_are_those_of_one_process() -> None:
    alone = list(EpochOrder(7, seed=0, batch_size=2, shuffle=False).at(0))
    orders = [
        EpochOrder(7, seed=0, batch_size=2, world_size=3, rank=rank, shuffle=False, filled=True) for rank in range(3)
    ]
    read = [rows for step in zip(*(order.at(0) for order in orders), strict=True) for rows in step]
    assert read[: len(alone)] == alone
    assert [order.stands_in(1) for order in orders] == [False, True, True]
