"""One forward pass of models at their published sizes, with random weights in float32.

B batch   T text positions   S side of a square image
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from benchmarks.work.library import library
from benchmarks.worker import Result

TEXT_POSITIONS, SIDE, DETECTION_SIDE = 128, 224, 512


class Shape(NamedTuple):
    """A model as published: its family, the Auto class of its head, values that are not the family's defaults."""

    title: str
    model_type: str
    head: str
    values: dict[str, Any]
    side: int | None = None
    """S; None for text."""


_RESNET = {"model_type": "resnet", "out_features": ["stage4"]}
SHAPES = {
    "bert-base": Shape(f"BERT-base, {TEXT_POSITIONS} tokens", "bert", "AutoModel", {}),
    "vit-b16": Shape("ViT-B/16", "vit", "AutoModelForImageClassification", {}, SIDE),
    "swin-t": Shape("Swin-T", "swin", "AutoModelForImageClassification", {}, SIDE),
    "detr-r50": Shape(
        f"DETR-R50, {DETECTION_SIDE} pixels",
        "detr",
        "AutoModelForObjectDetection",
        {"use_timm_backbone": False, "use_pretrained_backbone": False, "backbone": None, "backbone_config": _RESNET},
        DETECTION_SIDE,
    ),
}


def prepare(side: str, name: str) -> Callable[[int], Result]:
    """Of one of SHAPES, for batches of B."""
    module, shape = library(side), SHAPES[name]
    torch.manual_seed(0)
    config = module.AutoConfig.for_model(shape.model_type, **shape.values)
    model = getattr(module, shape.head).from_config(config).eval()

    def inputs(batch: int) -> dict[str, torch.Tensor]:
        chance = torch.Generator().manual_seed(batch)
        if shape.side is None:
            return {"input_ids": torch.randint(1000, 20_000, (batch, TEXT_POSITIONS), generator=chance)}
        return {"pixel_values": torch.randn(batch, 3, shape.side, shape.side, generator=chance)}

    @torch.inference_mode()
    def measure(batch: int) -> Result:
        asked = inputs(batch)
        started = time.perf_counter()
        model(**asked)
        return {"items_per_second": batch / (time.perf_counter() - started)}

    measure(1)  # the first run pays for thread pools and allocations
    return measure
