"""An image encoder and a text decoder as one model keep the model contract."""

import torch

from modelry import ModelConfig
from modelry_testing import ModelContract


class TestVisionEncoderDecoder(ModelContract):
    model_type = "vision-encoder-decoder"
    without_gradient = ("encoder.pooler.*",)  # the decoder looks at all states, and nobody at their pooled one

    def inputs(self, config: ModelConfig, rows: int, length: int) -> dict[str, torch.Tensor]:
        return {
            "pixel_values": torch.randn(rows, 3, 16, 16),
            "decoder_input_ids": torch.randint(3, 96, (rows, length)),
        }

    def labels(self, head: str, config: ModelConfig, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {"labels": inputs["decoder_input_ids"]}
