"""CLIP: end tokens old and new, activations, norms, other channels, interpolated positions, both sides alone."""

from typing import Any

import torch

TEXT: dict[str, Any] = {
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 24,
    "projection_dim": 20,
    "bos_token_id": 94,
    "eos_token_id": 95,
    "initializer_range": 0.2,
}
VISION: dict[str, Any] = {
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "image_size": 32,
    "patch_size": 8,
    "projection_dim": 20,
    "initializer_range": 0.2,
}
HEADS = {"base": "CLIPModel", "image-classification": "CLIPForImageClassification"}


def texts(config: Any) -> dict[str, Any]:
    """Three texts of 11, 7 and 4 tokens; behind the end token is padding."""
    ids = torch.randint(4, 90, (3, 11), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    end = 95 if config.eos_token_id == 2 else config.eos_token_id
    for row, length in enumerate((11, 7, 4)):
        ids[row, length - 1] = end
        ids[row, length:], mask[row, length:] = 1, 0
    return {"input_ids": ids, "attention_mask": mask}


def pictures(config: Any, height: int = 32, width: int = 32) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(2)
    return {"pixel_values": torch.randn(3, config.num_channels, height, width, generator=generator)}


def both(config: Any, head: str) -> dict[str, Any]:
    images = pictures(config.vision_config)
    return images if head == "image-classification" else {**texts(config.text_config), **images}


def oblong(config: Any, head: str) -> dict[str, Any]:
    images = {**pictures(config.vision_config, 24, 56), "interpolate_pos_encoding": True}
    return images if head == "image-classification" else {**texts(config.text_config), **images}


def labels(config: Any, head: str) -> dict[str, Any]:
    if head == "image-classification":
        return {"labels": torch.arange(3) % config.num_labels}
    return {"return_loss": True} if head == "base" and config.model_type == "clip" else {}


def case(name: str, text: dict[str, Any], vision: dict[str, Any], **changes: Any) -> dict[str, Any]:
    config = {
        "model_type": "clip",
        "text_config": {**TEXT, **text},
        "vision_config": {**VISION, **vision},
        "projection_dim": 20,
        **changes,
    }
    return {"name": name, "config": config, "heads": HEADS, "inputs": both, "labels": labels}


def text_case(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "config": {"model_type": "clip_text_model", **TEXT, **changes},
        "heads": {"base": "CLIPTextModel", "text-projection": "CLIPTextModelWithProjection"},
        "inputs": lambda config, head: texts(config),
        "labels": lambda config, head: {},
    }


def vision_case(name: str, height: int, width: int, **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "config": {"model_type": "clip_vision_model", **VISION, **changes},
        "heads": {"base": "CLIPVisionModel", "image-projection": "CLIPVisionModelWithProjection"},
        "inputs": lambda config, head: {**pictures(config, height, width), "interpolate_pos_encoding": height != width},
        "labels": lambda config, head: {},
    }


CASES = [
    case("plain", {}, {}),
    case("old-end-token", {"eos_token_id": 2}, {"hidden_act": "gelu"}, projection_dim=12, num_labels=5),
    case("no-end-token", {"eos_token_id": 3, "hidden_act": "relu"}, {"layer_norm_eps": 1e-3}, num_labels=1),
    case("other-sizes", {"layer_norm_eps": 1e-3, "num_attention_heads": 2}, {"num_channels": 1, "patch_size": 5}),
    {**case("interpolated", {"hidden_act": "gelu_new"}, {}, logit_scale_init_value=1.0), "inputs": oblong},
    text_case("text-alone"),
    text_case("text-old-end-token", eos_token_id=2, hidden_act="gelu", projection_dim=8),
    vision_case("vision-alone", 32, 32),
    vision_case("vision-interpolated", 40, 24, hidden_act="silu", projection_dim=8),
]
