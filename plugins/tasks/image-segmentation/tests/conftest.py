"""A photo, a tiny SegFormer, and a toy that predicts masks as DETR or as Mask2Former does: blocks of the picture."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from modelry import Pipeline, PreTrainedModel, pipeline
from modelry.configuration import ModelConfig
from modelry.preprocessing import BatchFeature, ImageProcessor
from modelry_image_segmentation import ImageSegmentationPipeline
from modelry_testing.toys.picture_models import save_picture_model

LABELS = {0: "sky", 1: "cat", 2: "dog"}


class BlocksConfig(ModelConfig):
    """Plain data."""

    model_type: Literal["toy-blocks"] = "toy-blocks"
    style: Literal["detr", "mask2former"] = "detr"


class BlocksModel(PreTrainedModel):
    """Four queries: sky above, cats left and right below, and nothing. A black picture shows nothing at all."""

    config_class = BlocksConfig
    main_input_name = "pixel_values"

    def __init__(self, config: BlocksConfig) -> None:
        super().__init__(config)
        self.scale = torch.nn.Parameter(torch.ones(1))

    def forward(self, pixel_values: Tensor) -> BatchFeature:
        count, _, height, width = pixel_values.shape
        masks = torch.full((count, 4, height // 2, width // 2), -4.0)
        middle, centre = height // 4, width // 4
        masks[:, 0, :middle] = masks[:, 1, middle:, :centre] = masks[:, 2, middle:, centre:] = 4.0
        seen = (pixel_values.amax((1, 2, 3)) > 0).float()
        classes = torch.zeros(count, 4, 4)
        for query, (label, sureness) in enumerate([(0, 9.0), (1, 8.0), (1, 4.0), (3, 9.0)]):
            classes[:, query, label] = sureness * seen
        classes[..., 3] += 9 * (1 - seen[:, None])
        if self.config.style == "detr":
            return BatchFeature({"logits": classes * self.scale, "pred_masks": masks})
        return BatchFeature({"class_queries_logits": classes * self.scale, "masks_queries_logits": masks})


@pytest.fixture
def blocks() -> Callable[..., Pipeline[Any]]:
    """A function: style -> the pipeline of the toy."""

    def make(style: str = "detr") -> Pipeline[Any]:
        model = BlocksModel(BlocksConfig(style=style, id2label=LABELS))
        processor = ImageProcessor(size={"height": 16, "width": 24}, do_resize=True)
        return ImageSegmentationPipeline(model, task="image-segmentation", image_processor=processor)

    return make


@pytest.fixture
def segment(tmp_path: Path) -> Pipeline[Any]:
    """A tiny SegFormer, saved in `tmp_path`, that knows five classes."""
    names = {number: f"class {number}" for number in range(5)}
    type_name = {"image_processor_type": "SegformerImageProcessor"}
    save_picture_model(tmp_path, "semantic-segmentation", family="segformer", processor=type_name, id2label=names)
    return pipeline("image-segmentation", model=tmp_path, device="cpu")


@pytest.fixture
def photo() -> Image.Image:
    """Noise, not square."""
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (30, 20, 3), dtype=np.uint8))
