"""ResNet: basic layers and bottlenecks, where a map is halved, activations, oblong images, maps by stage."""

from typing import Any

import torch

HEADS = {
    "base": "ResNetModel",
    "image-classification": "ResNetForImageClassification",
    "backbone": "ResNetBackbone",
}
PLAIN: dict[str, Any] = {
    "model_type": "resnet",
    "embedding_size": 8,
    "hidden_sizes": [16, 24],
    "depths": [2, 1],
}


def images(config: Any, head: str) -> dict[str, Any]:
    """Three images that are not square, of odd sizes."""
    generator = torch.Generator().manual_seed(3)
    return {"pixel_values": torch.randn(3, config.num_channels, 45, 67, generator=generator)}


def labels(config: Any, head: str) -> dict[str, Any]:
    """A class for each image."""
    return {"labels": torch.arange(3) % config.num_labels} if head == "image-classification" else {}


def case(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "config": {**PLAIN, **changes},
        "heads": HEADS,
        "inputs": images,
        "labels": labels,
        "asks": {"output_hidden_states": True},
    }


CASES = [
    case("plain"),
    case("basic", layer_type="basic", out_features=["stem", "stage1", "stage2"], num_labels=5),
    case("halved-first", downsample_in_first_stage=True, hidden_act="gelu", num_channels=1),
    case("halved-in-the-bottleneck", downsample_in_bottleneck=True, out_indices=[0, 2]),
    case("three-stages", hidden_sizes=[8, 8, 12], depths=[1, 2, 1], hidden_act="silu", out_indices=[-2]),
]
