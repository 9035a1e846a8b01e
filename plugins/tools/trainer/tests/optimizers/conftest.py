"""A small model with everything that optimizers tell apart, and gradients that do not depend on the weights alone."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn


class Small(nn.Module):
    """An embedding, a norm, matrices, biases, a kernel with three axes, and a scalar."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(11, 6)
        self.norm = nn.LayerNorm(6)
        self.up = nn.Linear(6, 10)
        self.down = nn.Linear(10, 6, bias=False)
        self.kernel = nn.Conv1d(6, 4, 3)
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, ids: Tensor) -> Tensor:
        x = self.norm(self.table(ids))
        x = x + self.down(torch.tanh(self.up(x)))
        return self.scale * self.kernel(x.mT).square().mean()


@pytest.fixture
def small() -> Callable[..., nn.Module]:
    """A model that is the same each time it is made."""

    def make(dtype: torch.dtype = torch.float32) -> nn.Module:
        torch.manual_seed(0)
        return Small().to(dtype)

    return make


@pytest.fixture
def batches() -> Callable[[], Iterator[Tensor]]:
    """The same ids again and again."""

    def make() -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(5)
        while True:
            yield torch.randint(0, 11, (3, 8), generator=generator)

    return make


@pytest.fixture
def train(batches: Callable[[], Iterator[Tensor]]) -> Callable[..., list[float]]:
    """Steps of a model with an optimizer over the batches from one on; returns the losses."""

    def run(model: nn.Module, optimizer: torch.optim.Optimizer, *, steps: int = 6, begin: int = 0) -> list[float]:
        losses = []
        for number, ids in zip(range(begin + steps), batches(), strict=False):
            if number >= begin:
                optimizer.zero_grad()
                loss = model(ids)
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
        return losses

    return run
