"""A tiny SigLIP."""

from typing import Any

import pytest
import torch

from modelry_registry import get_registry
from modelry_siglip import SiglipConfig, SiglipModel


@pytest.fixture
def config() -> SiglipConfig:
    """The family's own tiny configuration: images of two by three patches."""
    values: dict[str, Any] = dict(get_registry().get("models", "siglip").tiny)
    return SiglipConfig(**values)


@pytest.fixture
def model(config: SiglipConfig) -> SiglipModel:
    torch.manual_seed(0)
    return SiglipModel(config).eval()
