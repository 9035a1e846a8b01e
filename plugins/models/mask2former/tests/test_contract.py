"""Mask2Former keeps the model contract."""

from typing import Any

import torch

from modelry import ModelConfig
from modelry_testing import ModelContract


class TestMask2Former(ModelContract):
    model_type = "mask2former"
    without_gradient = (
        "*.encoder.layernorm.*",  # published with the backbone, and nobody reads the stream behind its last stage
        "*.decoder.level_embed",  # where to look starts out the same for all levels, whatever this says
    )

    def labels(self, head: str, config: ModelConfig, inputs: dict[str, torch.Tensor]) -> dict[str, Any]:
        """Two objects in each image."""
        if head != "universal-segmentation":
            return {}
        images, _, height, width = inputs["pixel_values"].shape
        masks = torch.zeros(2, height, width)
        masks[0, : height // 2] = masks[1, height // 2 :, : width // 2] = 1
        return {"mask_labels": [masks] * images, "class_labels": [torch.tensor([1, 0])] * images}
