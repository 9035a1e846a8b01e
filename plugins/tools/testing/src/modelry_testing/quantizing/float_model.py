"""Fixtures: the float model that another tool's checkpoint is written from, ids for it, and what it says to them.

A conftest imports them, and names them in its `__all__`.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from modelry_testing.quantizing.written import logits_with
from modelry_testing.random_models import save_random


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny Llama in float32."""
    return save_random(tmp_path / "float", "llama", intermediate_size=128, num_hidden_layers=1, attention_bias=True)


@pytest.fixture
def ids() -> torch.Tensor:
    """(2, 12)."""
    return torch.randint(96, (2, 12), generator=torch.Generator().manual_seed(1))


@pytest.fixture
def logits(folder: Path, ids: torch.Tensor) -> Callable[[dict[str, torch.Tensor]], torch.Tensor]:
    """Those of the float model with other weights in some layers."""
    return lambda weights: logits_with(folder, weights, ids)
