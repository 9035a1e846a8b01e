"""Rows in pieces: the same numbers, and only where nobody can tell."""

import pytest
import torch
from torch import Tensor, nn

from modelry.nn import pieces
from modelry.nn.pieces import in_pieces


class Counting(nn.Module):
    """Doubles, and remembers how many rows came at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[int, ...]] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(tuple(x.shape))
        return torch.cat((x, 2 * x), dim=-1)


@pytest.fixture(autouse=True)
def few_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "MOST_BYTES", 6 * 8 * 4)  # six rows of eight
    monkeypatch.setattr(pieces, "BYTES_OF_PIECE", 5 * 8 * 4)


@pytest.fixture
def work() -> Counting:
    return Counting().eval()


@torch.no_grad()
def test_many_rows_come_in_pieces_and_few_do_not(work: Counting) -> None:
    x = torch.arange(2.0 * 10 * 3).view(2, 10, 3)
    assert torch.equal(in_pieces(work, x, 8, work), torch.cat((x, 2 * x), dim=-1))
    assert work.seen == [(5, 3)] * 4
    work.seen.clear()
    in_pieces(work, x[:, :3], 8, work)
    assert work.seen == [(2, 3, 3)]


def test_not_where_gradients_are_wanted(work: Counting) -> None:
    in_pieces(work, torch.ones(20, 3), 8, work)
    assert work.seen == [(20, 3)]


@torch.no_grad()
def test_not_where_somebody_listens(work: Counting) -> None:
    heard: list[int] = []
    handle = work.register_forward_hook(lambda module, inputs, output: heard.append(len(output)))
    in_pieces(work, torch.ones(20, 3), 8, work)
    handle.remove()
    everywhere = nn.modules.module.register_module_forward_hook(lambda module, inputs, output: None)
    in_pieces(work, torch.ones(20, 3), 8, work)
    everywhere.remove()
    work.__dict__["forward"] = work.forward
    in_pieces(work, torch.ones(20, 3), 8, work)
    del work.__dict__["forward"]
    in_pieces(work.train(), torch.ones(20, 3), 8, work)
    assert work.seen == [(20, 3)] * 4
    assert heard == [20]
