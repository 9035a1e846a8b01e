"""Layers of encoders and decoders under the names of the BART line: self_attn, encoder_attn, fc1, fc2.

Positions may come in every layer: `place` (and `source_place`, of the encoder's output) is then added to what queries
and keys are made of, and not to values. Carion et al. 2020 (DETR), https://arxiv.org/abs/2005.12872.

B batch   T new positions of the layer   S positions of the encoder's output   W keys offered, T and those in a cache
D width of the residual stream   F width inside the MLP   H heads   E head width
"""

from collections.abc import Callable

from torch import Tensor, nn

from modelry.cache import CrossLayerCache, LayerCache
from modelry.nn.activated import activated
from modelry.nn.activations import Activation
from modelry.nn.attention import Attend, merge_heads, projected_heads, split_heads
from modelry.nn.linear import Linear
from modelry.nn.masks import Mask
from modelry.nn.pieces import in_pieces
from modelry.nn.sdpa import sdpa_attention


class SelfAttention(nn.Module):
    """H heads with q_proj, k_proj, v_proj and out_proj. Vaswani et al. 2017, https://arxiv.org/abs/1706.03762.

    Args:
        size: D.
        heads: H.
        dropout: of the attention weights, in training.
        key_bias: whether k_proj has a bias, as the others do.
    """

    def __init__(self, size: int, heads: int, *, dropout: float = 0.0, key_bias: bool = True) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.scale = (size // heads) ** -0.5
        self.attend: Attend = sdpa_attention
        self.k_proj = Linear(size, size, bias=key_bias)
        self.v_proj = Linear(size, size)
        self.q_proj = Linear(size, size)
        self.out_proj = Linear(size, size)

    def forward(self, x: Tensor, mask: Mask, cache: LayerCache | None = None, place: Tensor | None = None) -> Tensor:
        if place is None:
            q, k, v = projected_heads(x, (self.q_proj, self.k_proj, self.v_proj), heads=self.heads)  # (B, H, T, E)
        else:
            placed = x + place
            q, k = split_heads(self.q_proj(placed), self.heads), split_heads(self.k_proj(placed), self.heads)
            v = split_heads(self.v_proj(x), self.heads)
        if cache is not None:
            k, v = cache.extend(k, v)  # (B, H, W, E)
        dropout = self.dropout if self.training else 0.0
        out: Tensor = self.out_proj(merge_heads(self.attend(q, k, v, mask, scale=self.scale, dropout=dropout)))
        return out


class CrossAttention(nn.Module):
    """The same with keys and values of an encoder's output, which a cache remembers from the first pass on.

    Args:
        source: width of the encoder's output; D when None.
    """

    def __init__(
        self, size: int, heads: int, *, dropout: float = 0.0, key_bias: bool = True, source: int | None = None
    ) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.scale = (size // heads) ** -0.5
        self.attend: Attend = sdpa_attention
        self.k_proj = Linear(source or size, size, bias=key_bias)
        self.v_proj = Linear(source or size, size)
        self.q_proj = Linear(size, size)
        self.out_proj = Linear(size, size)

    def forward(
        self,
        x: Tensor,
        source: Tensor,
        mask: Mask,
        cache: CrossLayerCache | None = None,
        place: Tensor | None = None,
        source_place: Tensor | None = None,
    ) -> Tensor:
        q = split_heads(self.q_proj(x if place is None else x + place), self.heads)  # (B, H, T, E)
        k, v = looked_up(source, self.k_proj, self.v_proj, self.heads, cache, source_place)  # (B, H, S, E)
        dropout = self.dropout if self.training else 0.0
        out: Tensor = self.out_proj(merge_heads(self.attend(q, k, v, mask, scale=self.scale, dropout=dropout)))
        return out


def looked_up(
    source: Tensor,
    key: nn.Module,
    value: nn.Module,
    heads: int,
    cache: CrossLayerCache | None,
    place: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Keys and values (B, H, S, E) of an encoder's output (B, S, D): from the cache, or computed and stored there.

    Args:
        place: added to what keys are made of.
    """
    if cache is not None and cache.keys is not None and cache.values is not None:
        return cache.keys, cache.values
    placed = source if place is None else source + place
    k, v = split_heads(key(placed), heads), split_heads(value(source), heads)
    return (k, v) if cache is None else cache.store(k, v)


class EncoderLayer(nn.Module):
    """Attention, then an MLP of two layers, each beside the residual stream.

    Args:
        size: D.
        heads: H.
        inner: F.
        act: inside the MLP.
        norm_first: normalise what enters a block, and not the sum behind it.
        dropout: of what is added to the stream.
        attention_dropout: of attention weights.
        activation_dropout: inside the MLP.
        key_bias: see `SelfAttention`.
    """

    def __init__(
        self,
        size: int,
        heads: int,
        inner: int,
        *,
        act: Activation,
        norm_first: bool,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        activation_dropout: float = 0.0,
        key_bias: bool = True,
    ) -> None:
        super().__init__()
        self.norm_first, self.act = norm_first, act
        self.dropout, self.inner_dropout = nn.Dropout(dropout), nn.Dropout(activation_dropout)
        self.self_attn = SelfAttention(size, heads, dropout=attention_dropout, key_bias=key_bias)
        self.self_attn_layer_norm = nn.LayerNorm(size)
        self.fc1 = Linear(size, inner)
        self.fc2 = Linear(inner, size)
        self.final_layer_norm = nn.LayerNorm(size)

    def forward(self, x: Tensor, mask: Mask, *, place: Tensor | None = None) -> Tensor:
        x = self._add(x, self.self_attn_layer_norm, lambda y: self.self_attn(y, mask, place=place))
        return self._add(x, self.final_layer_norm, self._mlp)

    def _mlp(self, x: Tensor) -> Tensor:
        return in_pieces(self._of_rows, x, self.fc1.out_features, self.fc1, self.inner_dropout, self.fc2)

    def _of_rows(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(self.inner_dropout(activated(x, self.fc1, self.act)))  # (..., F) inside
        return out

    def _add(self, x: Tensor, norm: nn.Module, block: Callable[[Tensor], Tensor]) -> Tensor:
        if self.norm_first:
            out: Tensor = x + self.dropout(block(norm(x)))
        else:
            out = norm(x + self.dropout(block(x)))
        return out


class DecoderLayer(EncoderLayer):
    """The same with attention to an encoder's output between the two, which is left out where there is none.

    Args:
        source: width of the encoder's output; D when None.
        others: those of `EncoderLayer`.
    """

    def __init__(
        self,
        size: int,
        heads: int,
        inner: int,
        *,
        act: Activation,
        norm_first: bool,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        activation_dropout: float = 0.0,
        key_bias: bool = True,
        source: int | None = None,
    ) -> None:
        super().__init__(
            size,
            heads,
            inner,
            act=act,
            norm_first=norm_first,
            dropout=dropout,
            attention_dropout=attention_dropout,
            activation_dropout=activation_dropout,
            key_bias=key_bias,
        )
        self.encoder_attn = CrossAttention(size, heads, dropout=attention_dropout, key_bias=key_bias, source=source)
        self.encoder_attn_layer_norm = nn.LayerNorm(size)

    def forward(
        self,
        x: Tensor,
        mask: Mask,
        source: Tensor | None = None,
        source_mask: Mask | None = None,
        cache: LayerCache | None = None,
        cross: CrossLayerCache | None = None,
        place: Tensor | None = None,
        source_place: Tensor | None = None,
    ) -> Tensor:
        x = self._add(x, self.self_attn_layer_norm, lambda y: self.self_attn(y, mask, cache, place))
        if source is not None and source_mask is not None:
            x = self._add(
                x,
                self.encoder_attn_layer_norm,
                lambda y: self.encoder_attn(y, source, source_mask, cross, place, source_place),
            )
        return self._add(x, self.final_layer_norm, self._mlp)
