"""From the backbone's feature maps to the maps that queries look at, and the finest map, which masks are products of.

B images   F feature_size   C mask_feature_size   G, K rows and columns of a map   N places of the three coarsest maps
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modelry.nn.linear import Linear
from modelry.nn.plane_positions import plane_positions
from modelry_mask2former.configuration import GROUPS, LEVELS, Mask2FormerConfig
from modelry_mask2former.deformable_attention import DeformableAttention, Extent

POINTS = 4
"""Places of each map that a place looks at."""


class PixelDecoderLayer(nn.Module):
    """Attention among the maps, then an MLP, each added to the stream and normalised."""

    def __init__(self, config: Mask2FormerConfig) -> None:
        super().__init__()
        width = config.feature_size
        self.self_attn = DeformableAttention(width, config.num_attention_heads, levels=LEVELS, points=POINTS)
        self.self_attn_layer_norm = nn.LayerNorm(width)
        self.fc1 = Linear(width, config.encoder_feedforward_dim)
        self.fc2 = Linear(config.encoder_feedforward_dim, width)
        self.final_layer_norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, positions: Tensor, extents: Sequence[Extent]) -> Tensor:
        x = self.self_attn_layer_norm(x + self.dropout(self.self_attn(x, positions, extents)))
        inside = self.dropout(F.relu(self.fc1(x)))
        out: Tensor = self.final_layer_norm(x + self.dropout(self.fc2(inside)))
        return out


class PixelDecoderEncoder(nn.Module):
    """The layers, one after the other."""

    def __init__(self, config: Mask2FormerConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(PixelDecoderLayer(config) for _ in range(config.encoder_layers))

    def forward(self, x: Tensor, positions: Tensor, extents: Sequence[Extent]) -> Tensor:
        for layer in self.layers:
            x = layer(x, positions, extents)
        return x


class Mask2FormerPixelDecoder(nn.Module):
    """The coarsest maps look at each other; the finer ones are added on the way up.

    Args:
        config: its sizes.
        channels: of the backbone's maps, the finest first.
    """

    def __init__(self, config: Mask2FormerConfig, channels: Sequence[int]) -> None:
        super().__init__()
        width = config.feature_size
        self.level_embed = nn.Parameter(torch.zeros(LEVELS, width))
        self.input_projections = nn.ModuleList(
            _projection(own, width, bias=True) for own in reversed(channels[-LEVELS:])
        )
        self.encoder = PixelDecoderEncoder(config)
        self.mask_projection = nn.Conv2d(width, config.mask_feature_size, kernel_size=1)
        finest = channels[: config.extra_maps]
        for number, own in enumerate(finest, start=1):
            self.add_module(f"adapter_{number}", _projection(own, width, bias=False))
            self.add_module(f"layer_{number}", _smoothing(width))
        self.extra_maps = len(finest)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """The backbone's maps, the finest first, to (B, C, G, K) and three of (B, F, G, K), the coarsest first."""
        home = self.level_embed.device  # layers leave what they make where they lie
        coarse = [
            project(one).to(home) for project, one in zip(self.input_projections, maps[: -LEVELS - 1 : -1], strict=True)
        ]
        extents = [(one.shape[2], one.shape[3]) for one in coarse]
        x = torch.cat([one.flatten(2).transpose(1, 2) for one in coarse], dim=1)  # (B, N, F)
        x = self.encoder(x, self._positions(extents, x), extents).to(home)
        lengths = [tall * wide for tall, wide in extents]
        outputs = [
            one.transpose(1, 2).reshape(x.shape[0], -1, *extent)
            for one, extent in zip(x.split(lengths, dim=1), extents, strict=True)
        ]
        finest = outputs[-1]
        for number in range(self.extra_maps, 0, -1):
            own = self.get_submodule(f"adapter_{number}")(maps[number - 1])
            below = F.interpolate(finest, size=own.shape[-2:], mode="bilinear", align_corners=False)
            finest = self.get_submodule(f"layer_{number}")(own + below)
        return self.mask_projection(finest), outputs

    def _positions(self, extents: Sequence[Extent], x: Tensor) -> Tensor:
        """(1, N, F): where a place lies, and on which map."""
        found = []
        for extent, level in zip(extents, self.level_embed, strict=True):
            plane = plane_positions(torch.ones(1, *extent, device=x.device), width=x.shape[-1])
            found.append(plane.flatten(2).transpose(1, 2).to(x.dtype) + level)
        return torch.cat(found, dim=1)


def _projection(inputs: int, outputs: int, *, bias: bool) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel_size=1, bias=bias), nn.GroupNorm(GROUPS, outputs))


def _smoothing(width: int) -> nn.Sequential:
    convolution = nn.Conv2d(width, width, kernel_size=3, padding=1, bias=False)
    return nn.Sequential(convolution, nn.GroupNorm(GROUPS, width), nn.ReLU())
