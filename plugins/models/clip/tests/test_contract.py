"""CLIP and its two sides keep the model contract."""

from typing import Any

import torch

from modelry import ModelConfig
from modelry_testing import ModelContract


class TestCLIPTextModel(ModelContract):
    model_type = "clip_text_model"
    compiles = True


class TestCLIPVisionModel(ModelContract):
    model_type = "clip_vision_model"
    compiles = True
    without_gradient = ("post_layernorm.*",)  # the loss of the base model is that of its hidden states, not normalised


class TestCLIP(ModelContract):
    model_type = "clip"
    compiles = True

    def inputs(self, config: ModelConfig, rows: int, length: int) -> dict[str, torch.Tensor]:
        """A text and an image in each row. Every text ends, however short it is cut."""
        inputs = super().inputs(config, rows, length)
        end = config.get_text_config().eos_token_id
        assert isinstance(end, int)
        inputs["input_ids"][:, 2] = end
        return {**inputs, "pixel_values": torch.randn(rows, 3, 16, 24)}

    def labels(self, head: str, config: ModelConfig, inputs: dict[str, torch.Tensor]) -> dict[str, Any]:
        """The comparing model's loss needs none."""
        return super().labels(head, config, inputs) or {"return_loss": True}
