"""SigLIP and its two sides keep the model contract."""

from typing import Any

import pytest
import torch

from modelry import ModelConfig
from modelry_testing import ModelContract


class TestSiglipTextModel(ModelContract):
    model_type = "siglip_text_model"
    compiles = True
    without_gradient = ("head.*",)  # the loss of the base model is that of its hidden states


class TestSiglipVisionModel(ModelContract):
    model_type = "siglip_vision_model"
    compiles = True
    without_gradient = ("head.*",)  # the same


class TestSiglip(ModelContract):
    model_type = "siglip"
    compiles = True

    def inputs(self, config: ModelConfig, rows: int, length: int) -> dict[str, torch.Tensor]:
        """A text and an image in each row."""
        return {**super().inputs(config, rows, length), "pixel_values": torch.randn(rows, 3, 16, 24)}

    def labels(self, head: str, config: ModelConfig, inputs: dict[str, torch.Tensor]) -> dict[str, Any]:
        """The comparing model's loss needs none."""
        return super().labels(head, config, inputs) or {"return_loss": True}

    def test_right_padding(self) -> None:
        """Published so: the last position describes a text, padding or not."""
        pytest.skip("texts are padded to the full length, and the last position describes them")
