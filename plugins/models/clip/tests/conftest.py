"""A tiny CLIP."""

from typing import Any

import pytest
import torch

from modelry_clip import CLIPConfig, CLIPModel
from modelry_registry import get_registry


@pytest.fixture
def config() -> CLIPConfig:
    """The family's own tiny configuration: images of two by three patches."""
    values: dict[str, Any] = dict(get_registry().get("models", "clip").tiny)
    return CLIPConfig(**values)


@pytest.fixture
def model(config: CLIPConfig) -> CLIPModel:
    torch.manual_seed(0)
    return CLIPModel(config).eval()
