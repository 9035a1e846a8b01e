"""Queries that look at an image, each only where its mask was so far. Cheng et al. 2022, https://arxiv.org/abs/2112.01527.

B images   Q queries   D width of the queries   H heads   C channels of the finest map   G, K its rows and columns
S places of the map that a layer looks at
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modelry.nn.activations import activation
from modelry.nn.attention import Attend, merge_heads, split_heads
from modelry.nn.masks import Mask
from modelry.nn.sdpa import sdpa_attention
from modelry_mask2former.configuration import LEVELS, Mask2FormerConfig
from modelry_mask2former.started_linear import StartedLinear, as_torch_does, even_spread


class Level(NamedTuple):
    """A map that queries look at."""

    keys: Tensor
    """(B, S, D), with positions."""
    values: Tensor
    """(B, S, D), without."""
    extent: tuple[int, int]
    """Its rows and columns."""


class Decoded(NamedTuple):
    """What the decoder found."""

    last: Tensor
    """(B, Q, D) after the last layer."""
    hidden: list[Tensor]
    """(B, Q, D) before each layer and after the last."""
    normal: list[Tensor]
    """Normalised states before the first layer and after each, (B, Q, D)."""
    masks: list[Tensor]
    """(B, Q, G, K) of each of those."""


class QueryAttention(nn.Module):
    """H heads whose queries, keys and values may come from three places."""

    def __init__(self, config: Mask2FormerConfig) -> None:
        super().__init__()
        width, self.heads, self.dropout = config.hidden_dim, config.num_attention_heads, config.dropout
        self.scale = (width // self.heads) ** -0.5
        self.attend: Attend = sdpa_attention
        start = even_spread(config.init_xavier_std)
        self.k_proj = StartedLinear(width, width, start)
        self.v_proj = StartedLinear(width, width, start)
        self.q_proj = StartedLinear(width, width, start)
        self.out_proj = StartedLinear(width, width, start)

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor, mask: Mask) -> Tensor:
        """(B, Q, D), (B, S, D) and (B, S, D) to (B, Q, D)."""
        q, k, v = self.q_proj(queries), self.k_proj(keys), self.v_proj(values)
        q, k, v = (split_heads(one, self.heads) for one in (q, k, v))
        dropout = self.dropout if self.training else 0.0
        out: Tensor = self.out_proj(merge_heads(self.attend(q, k, v, mask, scale=self.scale, dropout=dropout)))
        return out


class Mask2FormerDecoderLayer(nn.Module):
    """Queries look at a map, then at each other, then there is an MLP."""

    def __init__(self, config: Mask2FormerConfig) -> None:
        super().__init__()
        width, start = config.hidden_dim, even_spread(config.init_xavier_std)
        self.self_attn = QueryAttention(config)
        self.self_attn_layer_norm = nn.LayerNorm(width)
        self.cross_attn = QueryAttention(config)
        self.cross_attn_layer_norm = nn.LayerNorm(width)
        self.fc1 = StartedLinear(width, config.dim_feedforward, start)
        self.fc2 = StartedLinear(config.dim_feedforward, width, start)
        self.final_layer_norm = nn.LayerNorm(width)
        self.act, self.norm_first = activation(config.activation_function), config.pre_norm
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, positions: Tensor, level: Level, inside: Mask, among: Mask) -> Tensor:
        """(B, Q, D) to the same.

        Args:
            positions: (1, Q, D), added to queries wherever they look or are looked for.
            level: the map to look at.
            inside: where each query may look.
            among: for the queries' attention to each other.
        """

        def at_image(y: Tensor) -> Tensor:
            seen: Tensor = self.cross_attn(y + positions, level.keys, level.values, inside)
            return seen

        def at_each_other(y: Tensor) -> Tensor:
            placed = y + positions
            told: Tensor = self.self_attn(placed, placed, y, among)
            return told

        x = self._add(x, self.cross_attn_layer_norm, at_image)
        x = self._add(x, self.self_attn_layer_norm, at_each_other)
        return self._add(x, self.final_layer_norm, self._mlp)

    def _mlp(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(self.dropout(self.act(self.fc1(x))))
        return out

    def _add(self, x: Tensor, norm: nn.Module, block: Callable[[Tensor], Tensor]) -> Tensor:
        if self.norm_first:
            out: Tensor = x + self.dropout(block(norm(x)))
        else:
            out = norm(x + self.dropout(block(x)))
        return out


class Mask2FormerMaskPredictor(nn.Module):
    """A query's mask: how much each place of the finest map is like what the query stands for."""

    def __init__(self, config: Mask2FormerConfig) -> None:
        super().__init__()
        width = config.hidden_dim
        self.mask_embedder = nn.Sequential(
            nn.Sequential(StartedLinear(width, width, as_torch_does), nn.ReLU()),
            nn.Sequential(StartedLinear(width, width, as_torch_does), nn.ReLU()),
            nn.Sequential(StartedLinear(width, config.mask_feature_size, as_torch_does)),
        )

    def forward(self, normal: Tensor, finest: Tensor) -> Tensor:
        """(B, Q, D) and (B, C, G, K) to (B, Q, G, K)."""
        return torch.einsum("bqc,bchw->bqhw", self.mask_embedder(normal), finest)


class Mask2FormerMaskedDecoder(nn.Module):
    """The layers; each looks at the next of the maps, inside the masks predicted before it."""

    def __init__(self, config: Mask2FormerConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Mask2FormerDecoderLayer(config) for _ in range(config.decoder_layers - 1))
        self.layernorm = nn.LayerNorm(config.hidden_dim)
        self.mask_predictor = Mask2FormerMaskPredictor(config)
        self.layerdrop = config.dropout  # one published key for both

    def forward(
        self, x: Tensor, positions: Tensor, levels: Sequence[Level], finest: Tensor, weights: list[Tensor] | None
    ) -> Decoded:
        """Run the queries.

        Args:
            x: (B, Q, D).
            positions: (1, Q, D).
            levels: the maps, the coarsest first.
            finest: (B, C, G, K).
            weights: a list for the queries' attention weights to each other, (B, H, Q, Q).
        """
        hidden, normal = [x], [self.layernorm(x)]
        masks: list[Tensor] = [self.mask_predictor(normal[0], finest)]
        among = Mask(weights=weights)
        for number, layer in enumerate(self.layers):
            dropped = self.training and self.layerdrop > 0 and float(torch.rand(())) < self.layerdrop
            if not dropped:
                level = levels[number % LEVELS]
                x = layer(x, positions, level, Mask(inside_of(masks[-1], level.extent)), among)
                normal.append(self.layernorm(x))
                masks.append(self.mask_predictor(normal[-1], finest))
            hidden.append(x)
        return Decoded(x, hidden, normal, masks)


@torch.no_grad()
def inside_of(masks: Tensor, extent: tuple[int, int]) -> Tensor:
    """Where each query may look: inside its mask, or everywhere where that is empty.

    Args:
        masks: (B, Q, G, K) scores.
        extent: rows and columns of the map that is looked at.

    Returns:
        (B, 1, Q, S) bool.
    """
    scores = F.interpolate(masks, size=extent, mode="bilinear", align_corners=False).flatten(2)
    allowed = scores.sigmoid() >= 0.5
    return (allowed | ~allowed.any(-1, keepdim=True)).unsqueeze(1)
