"""VideoMAE keeps the model contract, and its video processor that of video processors."""

from typing import Any, ClassVar

import torch

from modelry_testing import ModelContract, VideoProcessorContract


class TestVideoMAE(ModelContract):
    model_type = "videomae"
    impossible = ({"tubelet_size": 5}, {"decoder_num_attention_heads": 5}, {"image_size": 4}, {"patch_size": 0})

    def inputs(self, config: Any, rows: int, length: int) -> dict[str, torch.Tensor]:
        """Videos, every third tubelet masked."""
        pixels = torch.randn(rows, config.num_frames, config.num_channels, *config.image_size)
        masked = torch.arange(config.num_tubelets) % 3 == 0
        return {"pixel_values": pixels, "bool_masked_pos": masked.expand(rows, -1)}

    def labels(self, head: str, config: Any, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Of the classifier; the loss of pretraining is that of the mask."""
        rows = len(inputs["pixel_values"])
        return {"labels": torch.arange(rows) % config.num_labels} if head == "video-classification" else {}


class TestVideoMAEVideoProcessor(VideoProcessorContract):
    model_type = "videomae"
    values: ClassVar = {
        "video_processor_type": "VideoMAEVideoProcessor",
        "size": {"shortest_edge": 16},
        "crop_size": {"height": 16, "width": 24},
    }
