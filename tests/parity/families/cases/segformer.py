"""SegFormer: stages of any number and stride, smaller maps of keys, sequences at the end, losses of pixels."""

from typing import Any

import torch

HEADS = {
    "base": "SegformerModel",
    "image-classification": "SegformerForImageClassification",
    "semantic-segmentation": "SegformerForSemanticSegmentation",
}
PLAIN: dict[str, Any] = {
    "model_type": "segformer",
    "num_encoder_blocks": 2,
    "depths": [1, 2],
    "sr_ratios": [4, 1],
    "hidden_sizes": [8, 16],
    "patch_sizes": [7, 3],
    "strides": [4, 2],
    "num_attention_heads": [1, 2],
    "mlp_ratios": [2, 3],
    "decoder_hidden_size": 16,
    "num_labels": 3,
    "initializer_range": 0.2,
}


def images(config: Any, head: str) -> dict[str, Any]:
    """Three images that are not square, and no multiple of anything."""
    generator = torch.Generator().manual_seed(3)
    return {"pixel_values": torch.randn(3, config.num_channels, 38, 65, generator=generator)}


def labels(config: Any, head: str) -> dict[str, Any]:
    """Classes of images and of pixels, some of which do not count."""
    if head == "semantic-segmentation":
        classes = torch.arange(3 * 38 * 65).reshape(3, 38, 65) % max(config.num_labels, 2)
        classes[:, :3] = config.semantic_loss_ignore_index
        return {"labels": classes}
    return {"labels": torch.arange(3) % config.num_labels} if head == "image-classification" else {}


def case(name: str, **changes: Any) -> dict[str, Any]:
    return {"name": name, "config": {**PLAIN, **changes}, "heads": HEADS, "inputs": images, "labels": labels}


THREE: dict[str, Any] = {
    "num_encoder_blocks": 3,
    "depths": [1, 1, 1],
    "sr_ratios": [8, 2, 1],
    "hidden_sizes": [8, 8, 12],
    "patch_sizes": [5, 3, 3],
    "strides": [2, 2, 2],
    "num_attention_heads": [2, 1, 3],
    "mlp_ratios": [2, 1, 4],
}
CASES = [
    case("plain"),
    case("three-stages", **THREE, semantic_loss_ignore_index=1),
    case("one-label-relu", num_labels=1, hidden_act="relu", num_channels=1, decoder_hidden_size=8),
    case("biases-of-norms", layer_norm_eps=1e-3, drop_path_rate=0.0, classifier_dropout_prob=0.3, sr_ratios=[2, 2]),
    case("sequence-at-the-end", reshape_last_stage=False)
    | {"heads": {name: HEADS[name] for name in ("base", "image-classification")}},
]
