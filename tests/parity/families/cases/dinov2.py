"""DINOv2: gated MLPs, mask token, layer scale, interpolated positions, feature maps of several layers, as sequences."""

from typing import Any

import torch

PLAIN: dict[str, Any] = {
    "model_type": "dinov2",
    "hidden_size": 32,
    "mlp_ratio": 2,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "image_size": 32,
    "patch_size": 8,
    "initializer_range": 0.2,
}
HEADS = {"base": "Dinov2Model", "image-classification": "Dinov2ForImageClassification", "backbone": "Dinov2Backbone"}


def oblong(config: Any, head: str) -> dict[str, Any]:
    """Three images that are not square."""
    generator = torch.Generator().manual_seed(3)
    return {"pixel_values": torch.randn(3, config.num_channels, 24, 56, generator=generator)}


def masked(config: Any, head: str) -> dict[str, Any]:
    """Every third patch masked."""
    generator = torch.Generator().manual_seed(4)
    pixels = torch.randn(2, config.num_channels, 32, 32, generator=generator)
    return {"pixel_values": pixels, "bool_masked_pos": torch.arange(32).reshape(2, 16) % 3 == 0}


def case(name: str, **changes: Any) -> dict[str, Any]:
    return {"name": name, "config": {**PLAIN, **changes}, "heads": HEADS, "inputs": "image"}


CASES = [
    case("plain"),
    {
        **case("swiglu-oblong", use_swiglu_ffn=True, out_features=["stem", "stage1", "stage3"], qkv_bias=False),
        "inputs": oblong,
    },
    case("sequences", reshape_hidden_states=False, out_indices=[1, -2], hidden_act="relu", num_channels=1),
    case("no-norm", apply_layernorm=False, out_indices=[1, 2, 3], layerscale_value=0.3, use_mask_token=False),
    {
        **case("masked", problem_type="regression", num_labels=1, mlp_ratio=3),
        "heads": {"base": "Dinov2Model"},
        "inputs": masked,
    },
    case("mask-of-tokens", layer_norm_eps=1e-3)
    | {"options": {"attention_mask": torch.ones(2, 17).index_fill(1, torch.tensor([4]), 0)}},
]
