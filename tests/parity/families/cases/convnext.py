"""ConvNeXT: stages of any number and width, with and without scales, activations, oblong images, maps by stage."""

from typing import Any

import torch

HEADS = {
    "base": "ConvNextModel",
    "image-classification": "ConvNextForImageClassification",
    "backbone": "ConvNextBackbone",
}
PLAIN: dict[str, Any] = {
    "model_type": "convnext",
    "image_size": 32,
    "hidden_sizes": [8, 12, 16],
    "depths": [1, 2, 1],
    "num_stages": 3,
    "layer_scale_init_value": 0.5,
    "initializer_range": 0.2,
}


def oblong(config: Any, head: str) -> dict[str, Any]:
    """Three images that are not square, and no multiple of the stem's patches."""
    generator = torch.Generator().manual_seed(3)
    return {"pixel_values": torch.randn(3, config.num_channels, 38, 65, generator=generator)}


def labels(config: Any, head: str) -> dict[str, Any]:
    """A class for each of three images."""
    return {"labels": torch.arange(3) % config.num_labels} if head == "image-classification" else {}


def case(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "config": {**PLAIN, **changes},
        "heads": HEADS,
        "inputs": "image",
        "asks": {"output_hidden_states": True},
    }


CASES = [
    case("plain"),
    case("oblong", out_features=["stem", "stage1", "stage3"], num_labels=5) | {"inputs": oblong, "labels": labels},
    case("no-scales-relu", layer_scale_init_value=0.0, hidden_act="relu", num_channels=1, out_indices=[0, 1]),
    case("patches-of-two", patch_size=2, layer_norm_eps=1e-3, num_labels=1, out_indices=[-1]),
    case("one-stage", hidden_sizes=[8], depths=[2], num_stages=1, drop_path_rate=0.2, hidden_act="gelu_new"),
]
