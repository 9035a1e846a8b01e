"""One layer of a decoder with rotary positions: attention, then an MLP, each on a normalised copy of the stream.

B batch   T new positions   S all positions, cached ones included   W keys that a layer attends to, S or a little more
D width of the residual stream   H query heads   K key/value heads   E head width
"""

from torch import Tensor, nn

from modelry.cache import LayerCache
from modelry.nn.activations import activation
from modelry.nn.attention import Attend, merge_heads, rotated_heads
from modelry.nn.decoder_config import RotaryDecoderConfig
from modelry.nn.linear import Linear
from modelry.nn.masks import Mask
from modelry.nn.mlp import GatedMLP
from modelry.nn.norm import RMSNorm
from modelry.nn.rope import Angles
from modelry.nn.sdpa import sdpa_attention


class RotaryAttention(nn.Module):
    """Grouped-query attention (https://arxiv.org/abs/2305.13245): K heads serve H queries.

    Args:
        config: its sizes.
        bias: whether the projections to queries, keys and values have one.
        output_bias: whether the projection back has one.
        normalised: whether each head's queries and keys are normalised before they are rotated
            (https://arxiv.org/abs/2302.05442), by `q_norm` and `k_norm`, (E,) each.
    """

    def __init__(
        self, config: RotaryDecoderConfig, *, bias: bool = False, output_bias: bool = False, normalised: bool = False
    ) -> None:
        super().__init__()
        self.heads, self.kv_heads = config.num_attention_heads, config.num_key_value_heads
        self.scale = config.head_dim**-0.5
        self.dropout = config.attention_dropout
        self.attend: Attend = sdpa_attention
        queries, keys = self.heads * config.head_dim, self.kv_heads * config.head_dim
        self.q_proj = Linear(config.hidden_size, queries, bias=bias)
        self.k_proj = Linear(config.hidden_size, keys, bias=bias)
        self.v_proj = Linear(config.hidden_size, keys, bias=bias)
        self.o_proj = Linear(queries, config.hidden_size, bias=output_bias)
        if normalised:
            self.q_norm = RMSNorm(config.head_dim, eps=config.rms_norm_eps)
            self.k_norm = RMSNorm(config.head_dim, eps=config.rms_norm_eps)
        self.normalised = normalised

    def forward(self, x: Tensor, angles: Angles, mask: Mask, cache: LayerCache | None) -> Tensor:
        layers = (self.q_proj, self.k_proj, self.v_proj)
        norms = (self.q_norm, self.k_norm) if self.normalised else None
        q, k, v = rotated_heads(x, layers, angles, heads=self.heads, kv_heads=self.kv_heads, norms=norms)
        if cache is not None:
            k, v = cache.extend(k, v)  # (B, K, W, E)
        dropout = self.dropout if self.training else 0.0
        mixed = self.attend(q, k, v, mask, scale=self.scale, dropout=dropout)  # (B, H, T, E)
        out: Tensor = self.o_proj(merge_heads(mixed))  # (B, T, D)
        return out


class DecoderLayer(nn.Module):
    """Attention, then the MLP, each on a normalised copy of the residual stream.

    Args:
        config: sizes of the norms.
        attention: `RotaryAttention`, or what is called like it.
        mlp: (B, T, D) to (B, T, D).
    """

    def __init__(self, config: RotaryDecoderConfig, attention: nn.Module, mlp: nn.Module) -> None:
        super().__init__()
        self.self_attn = attention
        self.mlp = mlp
        self.input_layernorm = RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, eps=config.rms_norm_eps)

    def forward(self, x: Tensor, angles: Angles, mask: Mask, cache: LayerCache | None) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), angles, mask, cache)
        out: Tensor = x + self.mlp(self.post_attention_layernorm(x))
        return out


def gated_mlp(config: RotaryDecoderConfig, *, bias: bool = False) -> GatedMLP:
    """The MLP whose sizes a configuration gives."""
    return GatedMLP(config.hidden_size, config.intermediate_size, act=activation(config.hidden_act), bias=bias)
