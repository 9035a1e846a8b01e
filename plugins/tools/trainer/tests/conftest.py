"""A toy language model with dropout, rows for it, and trainers that write into a temporary folder."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from modelry_registry import get_registry, use_registry
from modelry_testing.toys.family import toy_model, with_toy
from modelry_trainer import Trainer, TrainingArguments


class Slope(nn.Module):
    """y = weight x, a mean squared error; not one of our models."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(3))

    def forward(self, x: torch.Tensor, labels: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
        found = x @ self.weight
        return {"logits": found} if labels is None else {"loss": F.mse_loss(found, labels), "logits": found}


@pytest.fixture(autouse=True)
def toys() -> Iterator[None]:
    with use_registry(with_toy(get_registry())):
        yield


@pytest.fixture
def make_toy() -> Callable[..., Any]:
    return toy_model


@pytest.fixture
def slope() -> nn.Module:
    return Slope()


@pytest.fixture
def points() -> list[dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(24, 3, generator=generator)
    return [{"x": x, "labels": x @ torch.tensor([1.0, -2.0, 0.5])} for x in inputs]


@pytest.fixture
def texts() -> list[dict[str, torch.Tensor]]:
    """Rows of ids of one length; the first labels of each do not count, of some more than of others."""
    generator = torch.Generator().manual_seed(1)
    rows = []
    for number in range(10):
        ids = torch.randint(0, 200, (9,), generator=generator)
        labels = ids.clone()
        labels[: 1 + number % 7] = -100
        rows.append({"input_ids": ids, "labels": labels})
    return rows


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., Trainer]:
    """Make a trainer in tmp_path/out; with run=True train it."""

    def make(
        model: nn.Module, data: Any, *, run: bool = True, more: dict[str, Any] | None = None, **values: Any
    ) -> Trainer:
        folder = values.pop("output_dir", tmp_path / "out")
        values = {"save_strategy": "no", "logging_steps": 1, "report_html": False, **values}
        trainer = Trainer(model, TrainingArguments(folder, **values), train_dataset=data, **(more or {}))
        if run:
            trainer.train()
        return trainer

    return make


@pytest.fixture
def losses() -> Callable[[Trainer], list[float]]:
    return lambda trainer: [line["loss"] for line in trainer.state.log_history if "loss" in line]
