"""A tiny LLaVA."""

from typing import Any

import pytest
import torch

from modelry_llava import LlavaConfig, LlavaForConditionalGeneration
from modelry_registry import get_registry


@pytest.fixture
def values() -> dict[str, Any]:
    """config.json of the family's own tiny model: images of two parts."""
    return dict(get_registry().get("models", "llava").tiny)


@pytest.fixture
def model(values: dict[str, Any]) -> LlavaForConditionalGeneration:
    torch.manual_seed(0)
    made = LlavaForConditionalGeneration(LlavaConfig(**values)).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)  # a new model's answers are all alike
    return made
