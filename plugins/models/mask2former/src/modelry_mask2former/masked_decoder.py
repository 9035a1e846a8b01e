"""Queries that look at an image, each only where its mask was so far. Cheng et al. 2022, https://arxiv.org/abs/2112.01527.

B images   Q queries   D width of the queries   H heads   C channels of the finest map   G, K its rows and columns
S places of the map that a layer looks at
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modelry.nn.activations import activation
from modelry.nn.encoder_decoder import CrossAttention, EncoderLayer
from modelry.nn.kept import Kept
from modelry.nn.masks import Mask
from modelry_mask2former.configuration import LEVELS, Mask2FormerConfig
from modelry_mask2former.started_linear import StartedLinear, as_torch_does


class Level(NamedTuple):
    """A map that queries look at."""

    map: Tensor
    """(B, S, D)."""
    place: Tensor
    """(1, S, D), its positions."""
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


class Mask2FormerDecoderLayer(EncoderLayer):
    """Queries look at a map, then at each other, then there is an MLP."""

    def __init__(self, config: Mask2FormerConfig) -> None:
        width, heads = config.hidden_dim, config.num_attention_heads
        super().__init__(
            width,
            heads,
            config.dim_feedforward,
            act=activation(config.activation_function),
            norm_first=config.pre_norm,
            dropout=config.dropout,
            attention_dropout=config.dropout,
            activation_dropout=config.dropout,
        )
        self.cross_attn = CrossAttention(width, heads, dropout=config.dropout)
        self.cross_attn_layer_norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, among: Mask, *, place: Tensor, level: Level, inside: Mask) -> Tensor:  # type: ignore[override]  # a layer of a decoder needs what it looks at
        """(B, Q, D) to the same.

        Args:
            among: for the queries' attention to each other.
            place: (1, Q, D), positions of the queries.
            level: the map to look at.
            inside: where each query may look.
        """

        def at_map(y: Tensor) -> Tensor:
            seen: Tensor = self.cross_attn(y, level.map, inside, place=place, source_place=level.place)
            return seen

        return super().forward(self._add(x, self.cross_attn_layer_norm, at_map), among, place=place)


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
        self, x: Tensor, positions: Tensor, levels: Sequence[Level], finest: Tensor, weights: Kept | None
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
                inside = Mask(inside_of(masks[-1], level.extent))
                x = layer(x, among, place=positions, level=level, inside=inside)
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
