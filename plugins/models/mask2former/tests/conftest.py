"""The tiny configuration, and images with objects."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from modelry_registry import get_registry


@pytest.fixture
def values() -> dict[str, Any]:
    """Values of the tiny configuration."""
    return copy.deepcopy(dict(get_registry().get("models", "mask2former").tiny))


@pytest.fixture
def images() -> Tensor:
    """Two that are not square."""
    return torch.randn(2, 3, 40, 52, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def labels() -> dict[str, list[Tensor]]:
    """Two objects in the first image, none in the second."""
    masks = torch.zeros(2, 40, 52)
    masks[0, :20] = masks[1, 20:, :26] = 1
    return {
        "mask_labels": [masks, torch.zeros(0, 40, 52)],
        "class_labels": [torch.tensor([1, 0]), torch.zeros(0, dtype=torch.long)],
    }
