"""VideoMAE: pooling, biases, tubelets of other depths and shapes, grey videos, plain pixels, masks in every head."""

from math import prod
from typing import Any

import torch

PLAIN: dict[str, Any] = {
    "model_type": "videomae",
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": 16,
    "patch_size": 8,
    "num_frames": 4,
    "decoder_hidden_size": 24,
    "decoder_intermediate_size": 32,
    "decoder_num_hidden_layers": 2,
    "decoder_num_attention_heads": 3,
    "initializer_range": 0.2,
}
HEADS = {
    "base": "VideoMAEModel",
    "video-classification": "VideoMAEForVideoClassification",
    "pretraining": "VideoMAEForPreTraining",
}


def pair_of(size: Any) -> tuple[int, int]:
    """Height and width."""
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def videos(config: Any, head: str) -> dict[str, Any]:
    """Two videos; for pretraining every third tubelet is masked, others in each."""
    generator = torch.Generator().manual_seed(3)
    height, width = pair_of(config.image_size)
    pixels = torch.randn(2, config.num_frames, config.num_channels, height, width, generator=generator)
    if head != "pretraining":
        return {"pixel_values": pixels}
    rows, columns = pair_of(config.patch_size)
    count = prod((config.num_frames // config.tubelet_size, height // rows, width // columns))
    masked = torch.arange(count) % 3 == 0
    return {"pixel_values": pixels, "bool_masked_pos": torch.stack([masked, masked.flip(0)])}


def masked_videos(config: Any, head: str) -> dict[str, Any]:
    """The same, masked for the other heads too."""
    return {**videos(config, "pretraining"), **videos(config, head)}


def case(name: str, **changes: Any) -> dict[str, Any]:
    return {"name": name, "config": {**PLAIN, **changes}, "heads": HEADS, "inputs": videos}


CASES = [
    case("plain"),
    case("first-tubelet", use_mean_pooling=False, qkv_bias=False, hidden_act="relu", layer_norm_eps=1e-3, num_labels=5),
    case("plain-pixels", norm_pix_loss=False, tubelet_size=1, num_frames=3, image_size=[16, 24], num_attention_heads=2),
    case(
        "grey",
        num_channels=1,
        patch_size=4,
        num_labels=1,
        hidden_act="gelu_new",
        decoder_num_hidden_layers=1,
        decoder_num_attention_heads=2,
    ),
    {
        **case("oblong-tubelets", tubelet_size=4, patch_size=[8, 4], image_size=[16, 12], use_mean_pooling=False),
        "heads": {name: HEADS[name] for name in ("base", "video-classification")},
    },
    {
        **case("masked", problem_type="multi_label_classification", num_labels=4, qv_bias=False),
        "heads": {"base": HEADS["base"], "video-classification": HEADS["video-classification"]},
        "inputs": masked_videos,
    },
]
