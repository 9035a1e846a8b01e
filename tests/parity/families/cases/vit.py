"""ViT: pooler, mask token, biases, activations, other channels, interpolated positions, patches left out."""

from typing import Any

import torch

HEADS = {
    "base": "ViTModel",
    "image-classification": "ViTForImageClassification",
    "masked-image-modeling": "ViTForMaskedImageModeling",
}
PLAIN: dict[str, Any] = {
    "model_type": "vit",
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": 32,
    "patch_size": 8,
    "encoder_stride": 8,
    "initializer_range": 0.2,
}


def masked(config: Any, head: str) -> dict[str, Any]:
    """Labels for the classifier, and every third patch masked for the other."""
    if head == "masked-image-modeling":
        patches = (config.image_size // config.patch_size) ** 2
        return {"bool_masked_pos": (torch.arange(2 * patches).reshape(2, patches) % 3) == 0}
    return {"labels": torch.arange(2) % config.num_labels} if head == "image-classification" else {}


def oblong(config: Any, head: str) -> dict[str, Any]:
    """Three images that are not square."""
    generator = torch.Generator().manual_seed(3)
    return {
        "pixel_values": torch.randn(3, config.num_channels, 24, 56, generator=generator),
        "interpolate_pos_encoding": True,
    }


def case(name: str, **changes: Any) -> dict[str, Any]:
    return {"name": name, "config": {**PLAIN, **changes}, "heads": HEADS, "inputs": "image", "labels": masked}


CASES = [
    case("plain"),
    case("no-biases-relu", qkv_bias=False, hidden_act="relu", num_channels=1, num_labels=1, layer_norm_eps=1e-3),
    case("pooler", pooler_output_size=20, pooler_act="sigmoid", hidden_act="gelu_new", num_labels=5),
    {
        **case("interpolated", num_attention_heads=2, problem_type="single_label_classification"),
        "heads": {"base": "ViTModel", "image-classification": "ViTForImageClassification"},
        "inputs": oblong,
        "labels": lambda config, head: {},
    },
    {
        **case("padded-tokens", hidden_act="silu"),
        "heads": {"base": "ViTModel"},
        "options": [{"attention_mask": torch.ones(2, 17).index_fill(1, torch.tensor([3, 9]), 0)}],
    },
]
