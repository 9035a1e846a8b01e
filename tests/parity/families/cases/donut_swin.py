"""Donut's image encoder: shifted windows, planes that are no multiple of them, three stages; no last norm."""

from typing import Any

import torch

HEADS = {"base": "DonutSwinModel", "image-classification": "DonutSwinForImageClassification"}
PLAIN: dict[str, Any] = {
    "model_type": "donut-swin",
    "image_size": 32,
    "patch_size": 2,
    "embed_dim": 8,
    "depths": [2, 3],
    "num_heads": [2, 4],
    "window_size": 4,
    "mlp_ratio": 2.0,
    "initializer_range": 0.2,
}


def labels(config: Any, head: str) -> dict[str, Any]:
    """Of the classifier."""
    return {"labels": torch.arange(2) % config.num_labels} if head == "image-classification" else {}


def pages(config: Any, head: str) -> dict[str, Any]:
    """Two pages, taller than wide, and no multiple of a patch, of a window, or of two."""
    generator = torch.Generator().manual_seed(3)
    return {"pixel_values": torch.randn(2, config.num_channels, 41, 27, generator=generator)}


def case(name: str, **changes: Any) -> dict[str, Any]:
    return {"name": name, "config": {**PLAIN, **changes}, "heads": HEADS, "inputs": "image", "labels": labels}


CASES = [
    case("plain"),
    case("pages", qkv_bias=False, num_labels=5, drop_path_rate=0.0) | {"inputs": pages},
    case("one-channel", num_channels=1, hidden_act="relu", layer_norm_eps=1e-3, patch_size=4),
    case("three-stages", depths=[1, 2, 1], num_heads=[1, 2, 4], mlp_ratio=3.5, image_size=[32, 48]),
    case("odd-windows", window_size=3, embed_dim=12, num_heads=[3, 6], problem_type="single_label_classification"),
]
