"""LLaVA: llama, mistral and qwen2 over clip and siglip, one layer seen or several, with and without the first token."""

from typing import Any

import torch

TEXT: dict[str, Any] = {
    "model_type": "llama",
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "initializer_range": 0.2,
}
VISION: dict[str, Any] = {
    "model_type": "clip_vision_model",
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 3,
    "num_attention_heads": 3,
    "image_size": 16,
    "patch_size": 8,
}
IMAGE = 90


def texts(config: Any, head: str) -> dict[str, Any]:
    """Two rows padded on the left, one with two images and one with one, and words between them."""
    generator = torch.Generator().manual_seed(1)
    tower = config.vision_config
    extra = 1 if config.vision_feature_select_strategy == "full" and tower.model_type == "clip_vision_model" else 0
    parts = (tower.image_size // tower.patch_size) ** 2 + extra
    ids = torch.randint(4, 80, (2, 2 * parts + 8), generator=generator)
    mask = torch.ones_like(ids)
    ids[0, 1 : 1 + parts] = ids[0, parts + 3 : 2 * parts + 3] = IMAGE
    ids[1, :parts], mask[1, :parts] = 0, 0
    ids[1, parts + 1 : 2 * parts + 1] = IMAGE
    pixels = torch.randn(3, 3, tower.image_size, tower.image_size, generator=generator)
    return {"input_ids": ids, "attention_mask": mask, "pixel_values": pixels}


def labels(config: Any, head: str) -> dict[str, Any]:
    if head == "base":
        return {}
    inputs = texts(config, head)
    labels = inputs["input_ids"].masked_fill(inputs["attention_mask"].cumsum(-1) <= 1, -100)
    return {"labels": labels}  # the first token's is not guessed from padding


def case(name: str, text: dict[str, Any], vision: dict[str, Any], **changes: Any) -> dict[str, Any]:
    config = {"model_type": "llava", "image_token_index": IMAGE, **changes}
    return {
        "name": name,
        "config": {**config, "text_config": {**TEXT, **text}, "vision_config": {**VISION, **vision}},
        "heads": {"base": "LlavaModel", "image-text-to-text": "LlavaForConditionalGeneration"},
        "inputs": texts,
        "labels": labels,
        "generate": True,
    }


SIGLIP = {"model_type": "siglip_vision_model", "vision_use_head": False}
CASES = [
    case("plain", {}, {}),
    case("mistral-full", {"model_type": "mistral"}, {}, vision_feature_select_strategy="full"),
    case("qwen2-siglip", {"model_type": "qwen2"}, SIGLIP, vision_feature_select_strategy="full"),
    case("several-layers", {}, {"hidden_act": "gelu"}, vision_feature_layer=[-3, -1, 1], projector_hidden_act="relu"),
    case("tied-no-bias", {"tie_word_embeddings": True}, {}, multimodal_projector_bias=False, vision_feature_layer=2),
]
