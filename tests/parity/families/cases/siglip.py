"""SigLIP: texts with and without a mask, no pooling head, activations, norms, channels, interpolated positions."""

from typing import Any

import torch

TEXT: dict[str, Any] = {
    "vocab_size": 96,
    "hidden_size": 24,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 24,
}
VISION: dict[str, Any] = {
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "image_size": 32,
    "patch_size": 8,
}


def texts(*, masked: bool) -> dict[str, Any]:
    """Three texts of 11, 7 and 4 tokens, padded; usually nobody says where."""
    ids = torch.randint(4, 90, (3, 11), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    for row, length in enumerate((11, 7, 4)):
        ids[row, length:], mask[row, length:] = 1, 0
    return {"input_ids": ids, "attention_mask": mask} if masked else {"input_ids": ids}


def pictures(config: Any, height: int = 32, width: int = 32) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(2)
    return {"pixel_values": torch.randn(3, config.num_channels, height, width, generator=generator)}


def both(config: Any, head: str) -> dict[str, Any]:
    images = pictures(config.vision_config)
    return images if head == "image-classification" else {**texts(masked=False), **images}


def oblong(config: Any, head: str) -> dict[str, Any]:
    images = {**pictures(config.vision_config, 24, 56), "interpolate_pos_encoding": True}
    return images if head == "image-classification" else {**texts(masked=True), **images}


def labels(config: Any, head: str) -> dict[str, Any]:
    if head == "image-classification":
        return {"labels": torch.arange(3) % config.num_labels}
    return {"return_loss": True} if head == "base" and config.model_type == "siglip" else {}


def case(name: str, text: dict[str, Any], vision: dict[str, Any], **changes: Any) -> dict[str, Any]:
    sides = {"text_config": {**TEXT, **text}, "vision_config": {**VISION, **vision}}
    return {
        "name": name,
        "config": {"model_type": "siglip", **sides, **changes},
        "heads": {"base": "SiglipModel", "image-classification": "SiglipForImageClassification"},
        "inputs": both,
        "labels": labels,
        "spread": 0.2,
    }


def text_case(name: str, masked: bool, **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "config": {"model_type": "siglip_text_model", **TEXT, **changes},
        "heads": {"base": "SiglipTextModel"},
        "inputs": lambda config, head: texts(masked=masked),
        "labels": lambda config, head: {},
    }


def vision_case(name: str, height: int, width: int, **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "config": {"model_type": "siglip_vision_model", **VISION, **changes},
        "heads": {"base": "SiglipVisionModel"},
        "inputs": lambda config, head: {**pictures(config, height, width), "interpolate_pos_encoding": height != width},
        "labels": lambda config, head: {},
    }


CASES = [
    case("plain", {}, {}),
    case("wide-texts", {"hidden_size": 32, "projection_size": 24, "hidden_act": "gelu"}, {"hidden_act": "relu"}),
    case("other-sizes", {"layer_norm_eps": 1e-3}, {"num_channels": 1, "patch_size": 5}, num_labels=1),
    {**case("interpolated", {}, {"layer_norm_eps": 1e-3}, num_labels=5), "inputs": oblong},
    {
        **case("no-pooling", {}, {"vision_use_head": False}),
        "heads": {"image-classification": "SiglipForImageClassification"},
    },
    text_case("text-alone", masked=False),
    text_case("text-masked", masked=True, projection_size=16, hidden_act="silu"),
    vision_case("vision-alone", 32, 32, num_attention_heads=2),
    vision_case("vision-without-head", 40, 24, vision_use_head=False),
]
