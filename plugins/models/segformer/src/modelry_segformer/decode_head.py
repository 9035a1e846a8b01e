"""From the maps of all stages to scores of every place.

B images   D width of a stage   G, K rows and columns of its map   N = G K   R width that the stages are brought to
L labels
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modelry.nn.linear import Linear
from modelry_segformer.configuration import SegformerConfig

Grid = tuple[int, int]


def as_map(x: Tensor, grid: Grid) -> Tensor:
    """(B, N, D) to (B, D, G, K)."""
    return x.transpose(1, 2).reshape(x.shape[0], x.shape[2], *grid)


class SegformerMLP(nn.Module):
    """Brings a stage to the width of the decoder."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.proj = Linear(width, inner)

    def forward(self, x: Tensor) -> Tensor:
        """(B, D, G, K) to (B, R, G, K)."""
        return as_map(self.proj(x.flatten(2).transpose(1, 2)), (x.shape[2], x.shape[3]))


class SegformerDecodeHead(nn.Module):
    """All stages brought to one width and the finest one's size, mixed place by place."""

    def __init__(self, config: SegformerConfig) -> None:
        super().__init__()
        inner = config.decoder_hidden_size
        self.linear_c = nn.ModuleList(SegformerMLP(width, inner) for width in config.hidden_sizes)
        self.linear_fuse = nn.Conv2d(inner * config.num_encoder_blocks, inner, kernel_size=1, bias=False)
        self.batch_norm = nn.BatchNorm2d(inner)
        self.dropout = nn.Dropout(config.classifier_dropout_prob)
        self.classifier = nn.Conv2d(inner, config.num_labels, kernel_size=1)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """The maps of all stages to (B, L, G, K) of the first."""
        size = maps[0].shape[2:]
        same = [
            F.interpolate(bring(one), size=size, mode="bilinear", align_corners=False)
            for bring, one in zip(self.linear_c, maps, strict=True)
        ]
        mixed = F.relu(self.batch_norm(self.linear_fuse(torch.cat(same[::-1], dim=1))))
        scores: Tensor = self.classifier(self.dropout(mixed))
        return scores
