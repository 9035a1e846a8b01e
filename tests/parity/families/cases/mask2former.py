"""Mask2Former: other widths, norms first, more and fewer maps, a backbone of another family, losses of objects."""

from typing import Any

import torch

HEADS = {"base": "Mask2FormerModel", "universal-segmentation": "Mask2FormerForUniversalSegmentation"}
INSIDE: dict[str, Any] = {
    "model_type": "swin",
    "image_size": 64,
    "patch_size": 4,
    "embed_dim": 8,
    "depths": [1, 1, 2, 1],
    "num_heads": [1, 2, 2, 4],
    "window_size": 3,
    "mlp_ratio": 2.0,
    "out_features": ["stage1", "stage2", "stage3", "stage4"],
    "initializer_range": 0.2,
}
PLAIN: dict[str, Any] = {
    "model_type": "mask2former",
    "backbone_config": INSIDE,
    "feature_size": 32,
    "mask_feature_size": 12,
    "hidden_dim": 32,
    "encoder_feedforward_dim": 24,
    "dim_feedforward": 24,
    "encoder_layers": 2,
    "decoder_layers": 5,
    "num_attention_heads": 4,
    "num_queries": 7,
    "num_labels": 3,
    "train_num_points": 50,
    "initializer_range": 0.2,
}
SIZE = (70, 101)


def images(config: Any, head: str) -> dict[str, Any]:
    """Three images that are not square, the last padded."""
    generator = torch.Generator().manual_seed(3)
    pixels = torch.randn(3, config.backbone_config.num_channels, *SIZE, generator=generator)
    mask = torch.ones(3, *SIZE, dtype=torch.long)
    mask[2, 48:] = mask[2, :, 80:] = 0
    return {"pixel_values": pixels * mask[:, None], "pixel_mask": mask}


def objects(config: Any, head: str) -> dict[str, Any]:
    """Two objects, one, and none; the masks of the first image are smaller than those of the second."""
    if head == "base":
        return {}
    masks = [torch.zeros(2, 60, 90), torch.zeros(1, *SIZE), torch.zeros(0, *SIZE)]
    masks[0][0, 5:30, 10:60] = masks[0][1, 20:50, 40:80] = masks[1][0, 10:44, 33:77] = 1
    return {"mask_labels": masks, "class_labels": [torch.tensor([2, 0]), torch.tensor([1]), torch.tensor([]).long()]}


def case(name: str, **changes: Any) -> dict[str, Any]:
    return {"name": name, "config": {**PLAIN, **changes}, "heads": HEADS, "inputs": images, "labels": objects}


RESNET: dict[str, Any] = {
    "model_type": "resnet",
    "embedding_size": 8,
    "hidden_sizes": [8, 12, 16, 24],
    "depths": [1, 1, 1, 1],
    "out_features": ["stage2", "stage3", "stage4"],
}
CASES = [
    case("plain", output_auxiliary_logits=True),
    case(
        "norms-first-gelu", pre_norm=True, activation_function="gelu", enforce_input_projection=True, encoder_layers=1
    ),
    case(
        "other-widths",
        hidden_dim=16,
        num_attention_heads=2,
        output_auxiliary_logits=True,
        no_object_weight=0.3,
        class_weight=1.0,
        mask_weight=2.0,
        dice_weight=3.0,
        oversample_ratio=2.0,
        importance_sample_ratio=1.0,
    ),
    case("masks-at-eighths", common_stride=8, feature_size=64, decoder_layers=2, importance_sample_ratio=0.0),
    case("two-finer-maps", common_stride=2, num_queries=2, decoder_layers=1, encoder_layers=0),
    case("three-maps-of-resnet", backbone_config=RESNET, feature_strides=[8, 16, 32]),
]
