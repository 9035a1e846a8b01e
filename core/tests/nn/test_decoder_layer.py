"""A layer against its formula: biases, normalised heads, and what is on the residual stream."""

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from modelry.nn.decoder_config import RotaryDecoderConfig
from modelry.nn.decoder_layer import DecoderLayer, RotaryAttention, gated_mlp
from modelry.nn.fuse import fuse_projections
from modelry.nn.masks import causal_mask
from modelry.nn.rope import RotaryEmbedding, rotate

SIZES: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 20,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 6,
    "rms_norm_eps": 1e-3,
}


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize(("bias", "normalised"), [(False, False), (True, True)])
def test_against_its_formula(bias: bool, normalised: bool, fused: bool) -> None:
    torch.manual_seed(0)
    config = RotaryDecoderConfig(**SIZES)
    attention = RotaryAttention(config, bias=bias, output_bias=bias, normalised=normalised)
    layer = DecoderLayer(config, attention, gated_mlp(config, bias=bias)).eval()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(0.3, 0.4)
        x = torch.randn(2, 5, 16)
        rotary = RotaryEmbedding(config.rope_parameters, head_width=6, max_positions=32)
        angles = rotary(torch.arange(5)[None], torch.float32)
        normal = layer.input_layernorm(x)
        q = F.linear(normal, attention.q_proj.weight, attention.q_proj.bias).view(2, 5, 2, 6)
        k = F.linear(normal, attention.k_proj.weight, attention.k_proj.bias).view(2, 5, 1, 6)
        v = F.linear(normal, attention.v_proj.weight, attention.v_proj.bias).view(2, 5, 1, 6).expand(2, 5, 2, 6)
        if normalised:
            q = F.rms_norm(q, (6,), attention.q_norm.weight, 1e-3)
            k = F.rms_norm(k, (6,), attention.k_norm.weight, 1e-3)
        q, k = rotate(q.transpose(1, 2), angles), rotate(k.transpose(1, 2), angles).expand(2, 2, 5, 6)
        scores = (q @ k.transpose(2, 3) / 6**0.5).masked_fill(torch.ones(5, 5).triu(1).bool(), float("-inf"))
        mixed = (scores.softmax(-1) @ v.transpose(1, 2)).transpose(1, 2).reshape(2, 5, 12)
        middle = x + F.linear(mixed, attention.o_proj.weight, attention.o_proj.bias)
        expected = middle + layer.mlp(layer.post_attention_layernorm(middle))
        if fused:
            assert fuse_projections(layer) == 2
        found = layer(x, angles, causal_mask(new=5, device=x.device), None)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
