"""Qwen2-VL and its language model keep the model contract, and its processors theirs."""

from typing import Any, ClassVar

import torch

from modelry_qwen2_vl._plugin import TEXT, VISION
from modelry_testing import ImageProcessorContract, ModelContract, VideoProcessorContract

PIXELS = {"patch_size": 4, "size": {"shortest_edge": 16 * 16, "longest_edge": 32 * 32}}


class TestQwen2VLText(ModelContract):
    model_type = "qwen2_vl_text"
    impossible = (
        {"rope_parameters": {"rope_type": "default", "mrope_section": [2, 1]}},
        {"rope_parameters": {"rope_type": "default"}},
        {"head_dim": 16},
    )


class TestQwen2VL(ModelContract):
    model_type = "qwen2_vl"
    tiny: ClassVar = {  # a picture of one patch, so that checks can cut rows apart
        "model_type": "qwen2_vl",
        "text_config": TEXT,
        "vision_config": {**VISION, "spatial_merge_size": 1},
        "image_token_id": 90,
        "video_token_id": 91,
    }
    impossible = (
        {"vision_config": {**VISION, "embed_dim": 20}},
        {"vision_config": {**VISION, "hidden_size": 20}},
        {"vision_config": {**VISION, "spatial_patch_size": 9}},
        {"vision_config": {**VISION, "patch_size": [4, 4]}},
        {"image_token_id": 91},
    )

    def inputs(self, config: Any, rows: int, length: int) -> dict[str, torch.Tensor]:
        """A text with an image of one patch in each row."""
        ids = torch.randint(3, 80, (rows, length))
        ids[:, 1] = config.image_token_id
        grid = torch.ones(rows, 3, dtype=torch.long)
        return {"input_ids": ids, "pixel_values": torch.randn(rows, 3 * 2 * 4 * 4), "image_grid_thw": grid}


class TestQwen2VLImageProcessor(ImageProcessorContract):
    model_type = "qwen2_vl"
    values: ClassVar = {"image_processor_type": "Qwen2VLImageProcessor", **PIXELS}


class TestQwen2VLVideoProcessor(VideoProcessorContract):
    model_type = "qwen2_vl"
    values: ClassVar = {"video_processor_type": "Qwen2VLVideoProcessor", **PIXELS}
