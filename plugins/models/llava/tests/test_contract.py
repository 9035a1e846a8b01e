"""LLaVA keeps the model contract."""

import torch

from modelry import ModelConfig
from modelry_llava import LlavaConfig
from modelry_testing import ModelContract


class TestLlava(ModelContract):
    model_type = "llava"
    without_gradient = ("vision_tower.encoder.layers.1.*", "vision_tower.post_layernorm.*")  # the last but one is seen

    def inputs(self, config: ModelConfig, rows: int, length: int) -> dict[str, torch.Tensor]:
        """An image of two parts at the beginning of each text, however short it is cut, and nowhere else."""
        assert isinstance(config, LlavaConfig)
        inputs = super().inputs(config, rows, length)
        image = config.image_token_index
        inputs["input_ids"][inputs["input_ids"] == image] = 5
        inputs["input_ids"][:, :2] = image
        return {**inputs, "pixel_values": torch.randn(rows, 3, 8, 16)}

    def labels(self, head: str, config: ModelConfig, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Those of a text for all heads that write."""
        return {} if head == "base" else {"labels": inputs["input_ids"]}
