"""Depth Anything: relative and metric, other factors, maps of any layers, images that are not square."""

from typing import Any

import torch

HEADS = {"depth-estimation": "DepthAnythingForDepthEstimation"}
INSIDE: dict[str, Any] = {
    "model_type": "dinov2",
    "hidden_size": 16,
    "mlp_ratio": 2,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "image_size": 32,
    "patch_size": 8,
    "out_indices": [1, 2, 3, 4],
    "reshape_hidden_states": False,
    "initializer_range": 0.2,
}
PLAIN: dict[str, Any] = {
    "model_type": "depth_anything",
    "backbone_config": INSIDE,
    "patch_size": 8,
    "reassemble_hidden_size": 16,
    "neck_hidden_sizes": [4, 6, 8, 8],
    "fusion_hidden_size": 8,
    "head_hidden_size": 4,
    "initializer_range": 0.2,
}


def images(config: Any, head: str) -> dict[str, Any]:
    """Two images that are not square."""
    generator = torch.Generator().manual_seed(3)
    return {"pixel_values": torch.randn(2, config.backbone_config.num_channels, 24, 43, generator=generator)}


def case(name: str, inside: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    config = {**PLAIN, **changes, "backbone_config": {**INSIDE, **(inside or {})}}
    return {"name": name, "config": config, "heads": HEADS, "inputs": images}


CASES = [
    case("plain"),
    case("metric", depth_estimation_type="metric", max_depth=20),
    case("other-factors", reassemble_factors=[2, 1, 0.5, 0.5], head_in_index=-2),
    case("two-maps", {"out_indices": [2, 4]}, reassemble_factors=[2, 0.5], neck_hidden_sizes=[4, 6]),
    case("no-norm-swiglu", {"apply_layernorm": False, "use_swiglu_ffn": True}, fusion_hidden_size=6),
]
