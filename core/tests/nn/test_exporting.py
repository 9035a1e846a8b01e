"""Exported is one thing and compiled another, whichever PyTorch traces."""

import pytest
import torch
from torch import Tensor, nn

from modelry.nn.exporting import is_exporting


class _Asks(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + 1 if is_exporting() else x - 1


def test_called_and_compiled() -> None:
    x = torch.zeros(2)
    assert _Asks()(x).tolist() == [-1, -1]
    assert torch.compile(_Asks(), backend="eager", fullgraph=True)(x).tolist() == [-1, -1]


@pytest.mark.parametrize("strict", [False, True])
def test_exported(strict: bool) -> None:
    x = torch.zeros(2)
    assert torch.export.export(_Asks(), (x,), strict=strict).module()(x).tolist() == [1, 1]


def test_a_pytorch_without_the_mark_is_taken_at_its_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.compiler, "is_exporting", lambda: True)
    assert not is_exporting()
    monkeypatch.delattr(torch.compiler, "_is_exporting_flag")
    assert is_exporting()
