"""T5's layers: attention without biases and without scaling, and MLPs that may be gated.

B batch   T new positions   S positions of the encoder's output   W keys offered
D d_model   H num_heads   E d_kv   F d_ff
"""

from typing import Any

import torch
from torch import Tensor, nn

from modelry.cache import CrossLayerCache, LayerCache
from modelry.nn.activations import activation
from modelry.nn.attention import Attend, merge_heads, projected_heads, split_heads
from modelry.nn.autocast import autocast_dtype
from modelry.nn.encoder_decoder import looked_up
from modelry.nn.linear import Linear
from modelry.nn.masks import Mask
from modelry.nn.norm import RMSNorm
from modelry.nn.relative_positions import relative_bias
from modelry.nn.sdpa import sdpa_attention
from modelry_t5.configuration import T5Config


class T5LayerNorm(RMSNorm):
    """In the dtype of its weight: in float16, what the layers have added up is float32."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).to(self.weight.dtype)


class T5Output(Linear):
    """In float16 its weight is float32, as published, and so is what it makes: it leaves float16's range."""

    def forward(self, x: Tensor) -> Tensor:
        wanted = x.dtype if autocast_dtype(x.device.type) is not None else self.weight.dtype
        return super().forward(x.to(wanted))


class T5Attention(nn.Module):
    """To the text itself, or to an encoder's output. The scale is part of how the weights begin.

    Args:
        biased: has the table of relative positions, which all layers of its stack use.
    """

    def __init__(self, config: T5Config, *, biased: bool = False) -> None:
        super().__init__()
        inner = config.num_heads * config.d_kv
        self.heads, self.dropout = config.num_heads, config.dropout_rate
        self.attend: Attend = sdpa_attention
        self.q = Linear(config.d_model, inner, bias=False)
        self.k = Linear(config.d_model, inner, bias=False)
        self.v = Linear(config.d_model, inner, bias=False)
        self.o = Linear(inner, config.d_model, bias=False)
        if biased:
            self.relative_attention_bias = nn.Embedding(config.relative_attention_num_buckets, config.num_heads)

    def forward(self, x: Tensor, mask: Mask, cache: LayerCache | None = None) -> Tensor:
        q, k, v = projected_heads(x, (self.q, self.k, self.v), heads=self.heads)  # (B, H, T, E)
        if cache is not None:
            k, v = cache.extend(k, v)  # (B, H, W, E)
        return self._mixed(q, k, v, mask)

    def look(self, x: Tensor, source: Tensor, mask: Mask, cache: CrossLayerCache | None) -> Tensor:
        """Attend to an encoder's output, (B, S, D)."""
        q = split_heads(self.q(x), self.heads)
        k, v = looked_up(source, self.k, self.v, self.heads, cache)  # (B, H, S, E)
        return self._mixed(q, k, v, mask)

    def placed(self, mask: Mask, buckets: Tensor, dtype: torch.dtype) -> Mask:
        """The mask with what the table says of each query and key, (T, W), in one. It is whole: nothing derives more
        from it, which layers that are recomputed would do again."""
        bias = relative_bias(self.relative_attention_bias, buckets).to(dtype)
        if mask.causal:
            bias = bias.masked_fill(torch.ones_like(buckets).triu(1).bool(), float("-inf"))
        elif mask.allowed is not None:
            bias = torch.where(mask.allowed, bias, float("-inf"))
        return Mask(weights=mask.weights, bias=bias)

    def _mixed(self, q: Tensor, k: Tensor, v: Tensor, mask: Mask) -> Tensor:
        dropout = self.dropout if self.training else 0.0
        out: Tensor = self.o(merge_heads(self.attend(q, k, v, mask, scale=1.0, dropout=dropout)))
        return out


class T5LayerSelfAttention(nn.Module):
    """Normalised, attended to, added."""

    def __init__(self, config: T5Config, *, biased: bool) -> None:
        super().__init__()
        self.SelfAttention = T5Attention(config, biased=biased)
        self.layer_norm = T5LayerNorm(config.d_model, eps=config.layer_norm_epsilon)
        self.dropout = nn.Dropout(config.dropout_rate)

    def forward(self, x: Tensor, mask: Mask, cache: LayerCache | None) -> Tensor:
        out: Tensor = x + self.dropout(self.SelfAttention(self.layer_norm(x), mask, cache))
        return out


class T5LayerCrossAttention(nn.Module):
    """The same with an encoder's output."""

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.EncDecAttention = T5Attention(config)
        self.layer_norm = T5LayerNorm(config.d_model, eps=config.layer_norm_epsilon)
        self.dropout = nn.Dropout(config.dropout_rate)

    def forward(self, x: Tensor, source: Tensor, mask: Mask, cache: CrossLayerCache | None) -> Tensor:
        out: Tensor = x + self.dropout(self.EncDecAttention.look(self.layer_norm(x), source, mask, cache))
        return out


class T5Dense(nn.Module):
    """wo(act(wi(x))), or with a gate wo(act(wi_0(x)) * wi_1(x)), https://arxiv.org/abs/2002.05202."""

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.act = activation(config.dense_act_fn)
        self.gated = config.is_gated_act
        if self.gated:
            self.wi_0 = Linear(config.d_model, config.d_ff, bias=False)
            self.wi_1 = Linear(config.d_model, config.d_ff, bias=False)
        else:
            self.wi = Linear(config.d_model, config.d_ff, bias=False)
        self.wo = T5Output(config.d_ff, config.d_model, bias=False)
        self.dropout = nn.Dropout(config.dropout_rate)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.act(self.wi_0(x)) * self.wi_1(x) if self.gated else self.act(self.wi(x))  # (B, T, F)
        out: Tensor = self.wo(self.dropout(inner))
        return out


class T5LayerFF(nn.Module):
    """The MLP, normalised before and added."""

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.DenseReluDense = T5Dense(config)
        self.layer_norm = T5LayerNorm(config.d_model, eps=config.layer_norm_epsilon)
        self.dropout = nn.Dropout(config.dropout_rate)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.dropout(self.DenseReluDense(self.layer_norm(x)))
        return out


class T5Block(nn.Module):
    """One layer: attention, in a decoder attention to the encoder's output, and the MLP."""

    def __init__(self, config: T5Config, *, looks: bool, biased: bool) -> None:
        super().__init__()
        self.biased = biased
        parts: list[nn.Module] = [T5LayerSelfAttention(config, biased=biased)]
        if looks:
            parts.append(T5LayerCrossAttention(config))
        self.layer = nn.ModuleList([*parts, T5LayerFF(config)])

    def forward(
        self,
        x: Tensor,
        mask: Mask,
        buckets: Tensor,
        source: Tensor | None = None,
        source_mask: Mask | None = None,
        cache: LayerCache | None = None,
        cross: CrossLayerCache | None = None,
    ) -> tuple[Tensor, Mask]:
        """What the layer makes of x, and the mask for the next one: the first layer adds the relative positions."""
        if self.biased:
            attention: Any = self.layer[0].SelfAttention
            mask = attention.placed(mask, buckets, x.dtype)
        x = _finite(self.layer[0](x, mask, cache))
        if source is not None:
            x = _finite(self.layer[1](x, source, source_mask, cross))
        return _finite(self.layer[-1](x)), mask


def _finite(x: Tensor) -> Tensor:
    """In float16, whose range these sums leave in large models, the largest finite numbers instead of infinity."""
    if x.dtype is not torch.float16:
        return x
    most = torch.finfo(x.dtype).max - 1000
    return x.clamp(min=-most, max=most)
