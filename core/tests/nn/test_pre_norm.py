"""Layers that normalise what enters a block."""

from typing import Any

import torch
from torch import nn

from modelry.nn.masks import bidirectional_mask
from modelry.nn.pre_norm import PreNormEncoder
from modelry.nn.tower_config import TowerConfig


def test_as_torchs_own_layers() -> None:
    torch.manual_seed(0)
    config = TowerConfig(hidden_size=8, intermediate_size=12, num_attention_heads=2, num_hidden_layers=2)
    encoder = PreNormEncoder(config).eval()
    x = torch.randn(2, 5, 8)
    hidden: list[torch.Tensor] = []
    found = encoder(x, bidirectional_mask(), hidden)
    assert [one.shape for one in hidden] == [x.shape] * 3
    assert hidden[0] is x
    assert hidden[-1] is found
    layers: Any = encoder.layers
    for layer in layers:
        other = nn.TransformerEncoderLayer(8, 2, 12, 0.0, "gelu", norm_first=True, batch_first=True)
        attention = layer.self_attn
        parts = (attention.q_proj, attention.k_proj, attention.v_proj)
        state = {
            "self_attn.in_proj_weight": torch.cat([part.weight for part in parts]),
            "self_attn.in_proj_bias": torch.cat([part.bias for part in parts]),
        }
        for name, part in (
            ("self_attn.out_proj", attention.out_proj),
            ("linear1", layer.mlp.fc1),
            ("linear2", layer.mlp.fc2),
            ("norm1", layer.layer_norm1),
            ("norm2", layer.layer_norm2),
        ):
            state |= {f"{name}.weight": part.weight, f"{name}.bias": part.bias}
        other.load_state_dict(state)
        x = other(x)
    torch.testing.assert_close(found, x)
