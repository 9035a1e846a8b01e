"""DeiT: both tokens in front, pooler, mask token, biases, activations, other channels, interpolated positions."""

from typing import Any

import torch

HEADS = {
    "base": "DeiTModel",
    "image-classification": "DeiTForImageClassification",
    "image-classification-with-teacher": "DeiTForImageClassificationWithTeacher",
    "masked-image-modeling": "DeiTForMaskedImageModeling",
}
PLAIN: dict[str, Any] = {
    "model_type": "deit",
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": 32,
    "patch_size": 8,
    "encoder_stride": 8,
    "initializer_range": 0.2,
}


def wanted(config: Any, head: str) -> dict[str, Any]:
    """Every third patch masked where masks are filled in, and labels for one classifier; the other has no loss."""
    if head == "masked-image-modeling":
        return {"bool_masked_pos": (torch.arange(32).reshape(2, 16) % 3) == 0}
    return {"labels": torch.arange(2) % config.num_labels} if head == "image-classification" else {}


def oblong(config: Any, head: str) -> dict[str, Any]:
    """Three images that are not square."""
    pixels = torch.randn(3, 3, 24, 56, generator=torch.Generator().manual_seed(3))
    return {"pixel_values": pixels, "interpolate_pos_encoding": True}


def case(name: str, **changes: Any) -> dict[str, Any]:
    return {"name": name, "config": {**PLAIN, **changes}, "heads": HEADS, "inputs": "image", "labels": wanted}


CASES = [
    case("plain"),
    case("no-biases-relu", qkv_bias=False, hidden_act="relu", num_channels=1, num_labels=1, layer_norm_eps=1e-3),
    case("pooler", pooler_output_size=20, pooler_act="sigmoid", hidden_act="gelu_new", num_labels=5),
    {
        **case("interpolated", num_attention_heads=2),
        "heads": {name: HEADS[name] for name in list(HEADS)[:3]},  # the reference fills in square images only
        "inputs": oblong,
        "labels": lambda config, head: {},
    },
    {
        **case("padded-tokens", hidden_act="silu"),
        "heads": {"base": "DeiTModel"},
        "options": [{"attention_mask": torch.ones(2, 18).index_fill(1, torch.tensor([3, 9]), 0)}],
    },
]
