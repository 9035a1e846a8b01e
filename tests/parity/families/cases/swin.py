"""Swin: shifted windows, planes that are no multiple of them, learned positions, mask tokens, maps by stage."""

from typing import Any

import torch

HEADS = {
    "base": "SwinModel",
    "image-classification": "SwinForImageClassification",
    "masked-image-modeling": "SwinForMaskedImageModeling",
    "backbone": "SwinBackbone",
}
PLAIN: dict[str, Any] = {
    "model_type": "swin",
    "image_size": 32,
    "patch_size": 2,
    "embed_dim": 8,
    "depths": [2, 3],
    "num_heads": [2, 4],
    "window_size": 4,
    "mlp_ratio": 2.0,
    "encoder_stride": 4,
    "initializer_range": 0.2,
}


def masked(config: Any, head: str) -> dict[str, Any]:
    """Labels for the classifier, and every third patch masked for the other."""
    if head == "masked-image-modeling":
        patches = (config.image_size // config.patch_size) ** 2
        return {"bool_masked_pos": (torch.arange(2 * patches).reshape(2, patches) % 3) == 0}
    return {"labels": torch.arange(2) % config.num_labels} if head == "image-classification" else {}


def oblong(config: Any, head: str, height: int = 27, width: int = 41) -> dict[str, Any]:
    """Three images that are not square, and no multiple of a patch, of a window, or of two."""
    generator = torch.Generator().manual_seed(3)
    return {"pixel_values": torch.randn(3, config.num_channels, height, width, generator=generator)}


def case(name: str, **changes: Any) -> dict[str, Any]:
    return {"name": name, "config": {**PLAIN, **changes}, "heads": HEADS, "inputs": "image", "labels": masked}


def without(head: str, one: dict[str, Any]) -> dict[str, Any]:
    """The case without a head."""
    return {**one, "heads": {name: value for name, value in one["heads"].items() if name != head}}


CASES = [
    case("plain"),
    without(
        "masked-image-modeling",
        case("oblong", out_features=["stem", "stage1", "stage2"], num_labels=1, qkv_bias=False)
        | {"inputs": oblong, "labels": lambda config, head: {}},
    ),
    case("learned-positions", use_absolute_embeddings=True, hidden_act="relu", num_channels=1, layer_norm_eps=1e-3),
    case("three-stages", depths=[1, 2, 1], num_heads=[1, 2, 4], encoder_stride=8, out_indices=[1, -1], mlp_ratio=3.5),
    case("one-window", window_size=8, image_size=16, drop_path_rate=0.0) | {"heads": {"backbone": "SwinBackbone"}},
    without("backbone", without("masked-image-modeling", case("interpolated", use_absolute_embeddings=True)))
    | {
        "inputs": lambda config, head: oblong(config, head, 28, 42) | {"interpolate_pos_encoding": True},
        "labels": lambda config, head: {},
    },
]
