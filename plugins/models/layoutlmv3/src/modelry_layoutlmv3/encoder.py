"""LayoutLMv3's layers, and what they add to attention scores for distances in the text and on the page.

B batch   S positions, tokens first   D hidden_size   H heads   F intermediate_size
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from modelry.nn.activations import activation
from modelry.nn.kept import Kept
from modelry.nn.layers import run_layers
from modelry.nn.masks import Mask
from modelry.nn.post_norm import DenseActivation, DenseAddNorm, feed_forward
from modelry.nn.vit_attention import HeadsOfViT
from modelry_layoutlmv3.configuration import LayoutLMv3Config
from modelry_layoutlmv3.layout import DistanceBias


class LayoutLMv3Attention(nn.Module):
    """Attention and what follows it."""

    def __init__(self, config: LayoutLMv3Config) -> None:
        super().__init__()
        size, rate = config.hidden_size, config.attention_probs_dropout_prob
        self.self = HeadsOfViT(size, config.num_attention_heads, bias=True, dropout=rate)
        self.output = DenseAddNorm(size, size, eps=config.layer_norm_eps, dropout=config.hidden_dropout_prob)


class LayoutLMv3Layer(nn.Module):
    """Attention and the feed-forward block."""

    def __init__(self, config: LayoutLMv3Config) -> None:
        super().__init__()
        size, inner = config.hidden_size, config.intermediate_size
        self.attention = LayoutLMv3Attention(config)
        self.intermediate = DenseActivation(size, inner, act=activation(config.hidden_act))
        self.output = DenseAddNorm(inner, size, eps=config.layer_norm_eps, dropout=config.hidden_dropout_prob)

    def forward(self, x: Tensor, mask: Mask) -> Tensor:
        x = self.attention.output(self.attention.self(x, mask), x)
        return feed_forward(x, self.intermediate, self.output)  # (B, S, D)


class LayoutLMv3Encoder(nn.Module):
    """The layers and the tables of distances, under their published names."""

    def __init__(self, config: LayoutLMv3Config) -> None:
        super().__init__()
        heads = config.num_attention_heads
        self.scale = (config.hidden_size // heads) ** -0.5
        self.layer = nn.ModuleList(LayoutLMv3Layer(config) for _ in range(config.num_hidden_layers))
        self.rel_pos_bias = self.rel_pos_x_bias = self.rel_pos_y_bias = None
        if config.has_relative_attention_bias:
            self.rel_pos_bias = DistanceBias(config.rel_pos_bins, heads, most=config.max_rel_pos)
        if config.has_spatial_attention_bias:
            self.rel_pos_x_bias = DistanceBias(config.rel_2d_pos_bins, heads, most=config.max_rel_2d_pos)
            self.rel_pos_y_bias = DistanceBias(config.rel_2d_pos_bins, heads, most=config.max_rel_2d_pos)

    def forward(self, x: Tensor, mask: Mask, hidden: Kept | None) -> Tensor:
        """(B, S, D) to the same; see `modelry.nn.layers.run_layers`."""
        return run_layers(self.layer, x, mask, hidden)

    def bias_of(self, lengths: Sequence[int], bbox: Tensor, *, dtype: torch.dtype) -> Tensor | None:
        """What is added to attention scores.

        Places count from 0 in the text, padding included, and again from 0 on the page.

        Args:
            lengths: positions of the text and of the page, or of one of them.
            bbox: (B, S, 4).

        Returns:
            (B or 1, H, S, S); None where the model has none. As published, distances on the page count only beside
            those in the text.
        """
        if self.rel_pos_bias is None:
            return None
        places = torch.cat([torch.arange(one, device=bbox.device) for one in lengths])[None]  # (1, S)
        bias = self.rel_pos_bias(places)
        if self.rel_pos_x_bias is not None and self.rel_pos_y_bias is not None:
            bias = bias + self.rel_pos_x_bias(bbox[..., 0]) + self.rel_pos_y_bias(bbox[..., 3])
        scaled: Tensor = (bias * self.scale).to(dtype)
        return scaled
