"""DETR: positions of both kinds, backbones of other families, losses of every layer, padded images of two sizes."""

from typing import Any

import torch

HEADS = {
    "base": "DetrModel",
    "object-detection": "DetrForObjectDetection",
    "image-segmentation": "DetrForSegmentation",
}
RESNET: dict[str, Any] = {
    "model_type": "resnet",
    "embedding_size": 8,
    "hidden_sizes": [8, 12, 16, 20],
    "depths": [1, 1, 2, 1],
    "out_features": ["stage1", "stage2", "stage3", "stage4"],
}
PLAIN: dict[str, Any] = {
    "model_type": "detr",
    "backbone_config": RESNET,
    "use_timm_backbone": False,
    "d_model": 32,
    "num_queries": 6,
    "encoder_layers": 2,
    "encoder_attention_heads": 8,
    "encoder_ffn_dim": 24,
    "decoder_layers": 3,
    "decoder_attention_heads": 4,
    "decoder_ffn_dim": 20,
    "num_labels": 3,
    "init_std": 0.2,
}


def images(config: Any, head: str) -> dict[str, Any]:
    """Two images that are not square, the second padded at the right and below."""
    generator = torch.Generator().manual_seed(3)
    pixels = torch.randn(2, config.backbone_config.num_channels, 72, 109, generator=generator)
    mask = torch.ones(2, 72, 109, dtype=torch.long)
    mask[1, 50:] = 0
    mask[1, :, 70:] = 0
    return {"pixel_values": pixels * mask[:, None], "pixel_mask": mask}


def labels(config: Any, head: str) -> dict[str, Any]:
    """Two objects in one image and three in the other, with masks of their own sizes; and one image without any."""
    if head == "base":
        return {}
    generator = torch.Generator().manual_seed(4)
    found = []
    for count, height, width in ((2, 72, 109), (3, 50, 70)):
        boxes = torch.rand(count, 4, generator=generator) * 0.4 + 0.1
        masks = (torch.rand(count, height, width, generator=generator) > 0.6).float()
        found.append({"class_labels": torch.arange(count) % config.num_labels, "boxes": boxes, "masks": masks})
    return {"labels": found}


def case(name: str, *heads: str, inside: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    config = {**PLAIN, "backbone_config": RESNET if inside is None else inside, **changes}
    chosen = {head: HEADS[head] for head in heads or HEADS}
    return {"name": name, "config": config, "heads": chosen, "inputs": images, "labels": labels}


COSTS: dict[str, Any] = {
    **{"class_cost": 3, "bbox_cost": 1, "giou_cost": 4, "eos_coefficient": 0.4},
    **{"mask_loss_coefficient": 2, "dice_loss_coefficient": 3, "bbox_loss_coefficient": 1, "giou_loss_coefficient": 4},
}
SWIN: dict[str, Any] = {
    "model_type": "swin",
    "image_size": 64,
    "patch_size": 4,
    "embed_dim": 8,
    "depths": [1, 1, 1],
    "num_heads": [1, 2, 4],
    "window_size": 4,
    "out_features": ["stage1", "stage2", "stage3"],
}
GREY = {**RESNET, "out_features": ["stage4"], "num_channels": 1}
DETECTS, SEGMENTS = "object-detection", "image-segmentation"
CASES = [
    case("plain"),
    case("learned-positions-auxiliary-loss", DETECTS, SEGMENTS, position_embedding_type="learned", auxiliary_loss=True),
    case("gelu-other-costs", SEGMENTS, activation_function="gelu", num_labels=5, **COSTS),
    case("swin-inside", "base", SEGMENTS, inside=SWIN, decoder_layers=1, encoder_layers=1),
    case("last-map-grey", DETECTS, inside=GREY, encoder_layers=1, encoder_attention_heads=2),
]
