"""Who sees whom in a few numbers: the table says what a loop says."""

import pytest
import torch

from modelry.nn.masks import Mask, causal_mask
from modelry.nn.sight import Sight

CPU = torch.device("cpu")
PADDED = torch.tensor([[0, 0, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0, 0], [0, 0, 0, 0, 0, 0, 0]])
SEVERAL = torch.tensor([[1, 1, 1, 2, 2, 3, 0], [1, 2, 2, 2, 2, 2, 2]])


@pytest.mark.parametrize("texts", [None, PADDED, SEVERAL])
@pytest.mark.parametrize("window", [None, 3])
@pytest.mark.parametrize(("seen", "first", "width"), [(0, 0, 7), (4, 0, 10), (4, 2, 9)])
def test_the_table_is_that_of_a_loop(
    texts: torch.Tensor | None, window: int | None, seen: int, first: int, width: int
) -> None:
    sight = Sight(
        end=7, seen=seen, first=first, width=width, window=window, texts=texts, several=texts is SEVERAL, device=CPU
    )
    table = sight.table()
    rows = 1 if texts is None else texts.shape[0]
    columns = sight.columns()
    if columns is not None:
        assert columns.shape == (rows, width)
        assert not columns[:, 7 - first :].any(), "nothing lies in the tail"
    assert table.any(-1).all()
    for one in range(rows):
        for i in range(7 - seen):
            for j in range(width):
                here, there = seen + i, first + j
                expected = there <= here and (window is None or there > here - window)
                if expected and texts is not None and there != here:
                    own = int(texts[one, here])
                    expected = texts[one, there] != 0 and own in (0, int(texts[one, there]) if sight.several else own)
                assert bool(table[one, 0, i, j]) == bool(expected)


def test_all_queries_may_see_the_same() -> None:
    real = PADDED[:2].bool()
    sight = Sight(end=7, width=7, causal=False, texts=real, device=CPU)
    assert torch.equal(sight.table(), real[:, None, None])


def test_the_table_is_made_when_it_is_asked_for() -> None:
    mask = causal_mask(PADDED, new=7, device=CPU)
    assert mask._allowed is None
    assert mask.sight is not None
    table = mask.allowed
    assert table is not None
    assert mask.allowed is table
    assert mask.once("three", lambda: object()) is mask.once("three", lambda: object())


def test_on_another_device() -> None:
    mask = causal_mask(SEVERAL, new=7, window=2, device=CPU)
    assert mask.to(CPU) is mask
    elsewhere = mask.to(torch.device("meta"))
    assert elsewhere is mask.to(torch.device("meta"))
    assert elsewhere.sight is not None
    assert elsewhere.sight.texts is not None
    assert elsewhere.sight.texts.is_meta
    assert elsewhere.sight.several
    assert elsewhere.sight.window == 2
    assert Mask().to(torch.device("meta")).allowed is None
