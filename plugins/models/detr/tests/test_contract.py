"""DETR keeps the model contract."""

from typing import Any

import torch

from modelry import ModelConfig
from modelry_testing import ModelContract


class TestDetr(ModelContract):
    model_type = "detr"
    impossible = (
        {"d_model": 30},
        {"decoder_attention_heads": 5},
        {"position_embedding_type": "relative"},
        {"class_cost": 0, "bbox_cost": 0, "giou_cost": 0},
    )
    without_gradient = (
        "*backbone.conv_encoder.model.embedder.*",  # edges and spots are not trained, as published
        "*backbone.conv_encoder.model.encoder.stages.0.*",
        "decoder.layers.0.self_attn.?_proj.*",  # values of the first layer are zeros: its weights do not matter
    )

    def inputs(self, config: ModelConfig, rows: int, length: int) -> dict[str, Any]:
        """Images of four places: where there is but one, nobody's queries and keys matter."""
        return {"pixel_values": torch.randn(rows, 3, 64, 64)}

    def labels(self, head: str, config: ModelConfig, inputs: dict[str, Any]) -> dict[str, Any]:
        """One object in every image, two in the first."""
        if head == "base":
            return {}
        labels = []
        for number, image in enumerate(inputs["pixel_values"]):
            count = 1 if number else 2
            masks = torch.zeros(count, *image.shape[1:])
            masks[:, 4:12, 6:20] = 1
            boxes = torch.tensor([[0.4, 0.25, 0.4, 0.25], [0.7, 0.6, 0.2, 0.4]])[:count]
            labels.append({"class_labels": torch.arange(count), "boxes": boxes, "masks": masks})
        return {"labels": labels}
