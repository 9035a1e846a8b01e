"""The stages of Swin transformers, for every family that is built of them. https://arxiv.org/abs/2103.14030.

B images   C channels   G, K rows and columns of patches   D width, doubled from stage to stage   M side of a window
N = M M its places   W windows of an image   H heads
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modelry.nn.activations import activation
from modelry.nn.attention import Attend, self_attention
from modelry.nn.image_sizes import ImageSize, as_pair, grid_of
from modelry.nn.kept import Kept
from modelry.nn.linear import Linear
from modelry.nn.masks import Mask
from modelry.nn.patches import PatchEmbeddings, check_pixels, interpolate_positions, mask_patches
from modelry.nn.residual import drop_path, rising_rates
from modelry.nn.sdpa import sdpa_attention
from modelry.nn.vit_attention import Projection, feed_forward
from modelry.nn.windows import Windows, cut_windows, relative_bias, relative_index


class SwinValues(Protocol):
    """What the stages read of a configuration, under the published names."""

    image_size: ImageSize
    patch_size: ImageSize
    num_channels: int
    embed_dim: int
    depths: list[int]
    num_heads: list[int]
    window_size: int
    mlp_ratio: float
    qkv_bias: bool
    hidden_dropout_prob: float
    attention_probs_dropout_prob: float
    drop_path_rate: float
    hidden_act: str
    use_absolute_embeddings: bool
    layer_norm_eps: float


class SwinEmbeddings(nn.Module):
    """Patches, normalised; learned positions and a mask token where the model has them."""

    def __init__(self, config: SwinValues, *, masking: bool) -> None:
        super().__init__()
        self.grid, self.patch_size = grid_of(config.image_size, config.patch_size), as_pair(config.patch_size)
        width = config.embed_dim
        self.patch_embeddings = PatchEmbeddings(config.num_channels, width, patch_size=config.patch_size)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, width)) if masking else None
        self.position_embeddings: nn.Parameter | None = None
        if config.use_absolute_embeddings:
            self.position_embeddings = nn.Parameter(torch.zeros(1, self.grid[0] * self.grid[1], width))
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(
        self, pixel_values: Tensor | None, masked: Tensor | None, *, any_size: bool
    ) -> tuple[Tensor, tuple[int, int]]:
        """(B, C, height, width), padded to whole patches, to (B, G K, D), and (G, K).

        Raises:
            ValueError: other channels, or another size and learned positions that are not to be interpolated.
        """
        pixels = check_pixels(pixel_values, channels=self.patch_embeddings.channels)
        below, beside = (-length % side for length, side in zip(pixels.shape[2:], self.patch_size, strict=True))
        if below or beside:
            pixels = F.pad(pixels, (0, beside, 0, below))
        x, grid = self.patch_embeddings(pixels)
        x = self.norm(x)
        if masked is not None:
            x = mask_patches(x, masked, self.mask_token)
        if self.position_embeddings is not None:
            if not any_size and grid != self.grid:
                raise ValueError(
                    f"{grid[0]} x {grid[1]} patches, and the model's positions are for {self.grid[0]} x "
                    f"{self.grid[1]}: resize the images, or give interpolate_pos_encoding=True"
                )
            x = x + interpolate_positions(self.position_embeddings, self.grid, grid)
        return self.dropout(x), grid


class SwinHeads(nn.Module):
    """Queries, keys and values of the places of a window, and a learned bias for how they lie to each other."""

    relative_position_index: Tensor

    def __init__(self, config: SwinValues, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.scale, self.dropout = heads, (width // heads) ** -0.5, config.attention_probs_dropout_prob
        self.attend: Attend = sdpa_attention
        side = config.window_size
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * side - 1) ** 2, heads))
        self.register_buffer("relative_position_index", relative_index(side), persistent=False)
        self.query = Linear(width, width, bias=config.qkv_bias)
        self.key = Linear(width, width, bias=config.qkv_bias)
        self.value = Linear(width, width, bias=config.qkv_bias)

    def forward(self, x: Tensor, windows: Windows, images: int, weights: Kept | None) -> Tensor:
        relative = relative_bias(self.relative_position_bias_table, self.relative_position_index, windows.side)
        return self_attention(
            x,
            (self.query, self.key, self.value),
            Mask(bias=windows.bias(relative, images), weights=weights),
            attend=self.attend,
            heads=self.heads,
            scale=self.scale,
            dropout=self.dropout if self.training else 0.0,
        )


class SwinAttention(nn.Module):
    """Attention inside windows, and its projection back into the residual stream."""

    def __init__(self, config: SwinValues, width: int, heads: int) -> None:
        super().__init__()
        self.self = SwinHeads(config, width, heads)
        self.output = Projection(width, width)

    def forward(self, x: Tensor, windows: Windows, images: int, weights: Kept | None) -> Tensor:
        mixed: Tensor = self.output(self.self(x, windows, images, weights))
        return mixed


class SwinBlock(nn.Module):
    """Attention in windows, then the MLP, each on a normalised copy of the residual stream."""

    def __init__(self, config: SwinValues, width: int, heads: int, *, drop_path_rate: float) -> None:
        super().__init__()
        inner = int(config.mlp_ratio * width)
        self.layernorm_before = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.attention = SwinAttention(config, width, heads)
        self.layernorm_after = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.intermediate = Projection(width, inner)
        self.output = Projection(inner, width)
        self.act = activation(config.hidden_act)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.drop_path_rate = drop_path_rate

    def forward(self, x: Tensor, windows: Windows, weights: Kept | None) -> Tensor:
        images = x.shape[0]
        inside = windows.cut(self.layernorm_before(x))  # (B W, N, D)
        mixed = windows.join(self.dropout(self.attention(inside, windows, images, weights)), images)  # (B, G K, D)
        x = x + drop_path(mixed, self.drop_path_rate, training=self.training)
        return feed_forward(x, self.layernorm_after, self.intermediate, self.act, self.output, self.dropout)


class SwinPatchMerging(nn.Module):
    """Each two by two patches become one of twice the width. Odd planes are padded at the right and below."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * width)
        self.reduction = Linear(4 * width, 2 * width, bias=False)

    def forward(self, x: Tensor, grid: tuple[int, int]) -> tuple[Tensor, tuple[int, int]]:
        """(B, G K, D) to (B, G/2 K/2, 2 D), and (G/2, K/2)."""
        (rows, columns), width = grid, x.shape[2]
        plane = x.view(-1, rows, columns, width)
        if rows % 2 or columns % 2:
            plane = F.pad(plane, (0, 0, 0, columns % 2, 0, rows % 2))
        rows, columns = plane.shape[1] // 2, plane.shape[2] // 2
        four = plane.view(-1, rows, 2, columns, 2, width).permute(0, 1, 3, 4, 2, 5)  # columns before rows, as published
        merged: Tensor = self.reduction(self.norm(four.reshape(-1, rows * columns, 4 * width)))
        return merged, (rows, columns)


class SwinStage(nn.Module):
    """Blocks of one width, every second with shifted windows, then patch merging where another stage follows."""

    def __init__(self, config: SwinValues, number: int, *, drop_path_rates: Sequence[float]) -> None:
        super().__init__()
        width = config.embed_dim * 2**number
        self.side = config.window_size
        self.blocks = nn.ModuleList(
            SwinBlock(config, width, config.num_heads[number], drop_path_rate=rate) for rate in drop_path_rates
        )
        last = number == len(config.depths) - 1
        self.downsample = None if last else SwinPatchMerging(width)

    def forward(
        self, x: Tensor, grid: tuple[int, int], weights: Kept | None, *, whole: bool
    ) -> tuple[Tensor, Tensor, tuple[int, int]]:
        """(B, G K, D) as it is before merging; as the next stage has it; and that one's G and K."""
        straight, shifted = self.windows(grid, x.device, whole=whole)
        for number, block in enumerate(self.blocks):
            seen = weights if number == len(self.blocks) - 1 else None
            x = block(x, shifted if number % 2 else straight, seen)
        return x, *((x, grid) if self.downsample is None else self.downsample(x, grid))

    def windows(self, grid: tuple[int, int], device: torch.device, *, whole: bool) -> tuple[Windows, Windows]:
        """Those of the even and of the odd blocks. A plane no larger than a window is one window, unless `whole`."""
        side, shift = self.side, self.side // 2
        if min(grid) <= side and not whole:
            side, shift = min(grid), 0
        straight = cut_windows(grid, side, shift=0, device=device)
        if not shift or len(self.blocks) < 2:
            return straight, straight
        return straight, cut_windows(grid, side, shift=shift, device=device)


class SwinStates(NamedTuple):
    """What a pass through the stages gives."""

    last: Tensor
    """(B, G K, D) of the last stage."""
    hidden: tuple[Tensor, ...]
    """The embeddings, then each stage's output, merged where another stage follows; empty unless asked for."""
    maps: tuple[Tensor, ...]
    """The same as maps (B, D, G, K); with `before_merging` as they were before it."""


class SwinEncoder(nn.Module):
    """The stages, one after the other."""

    def __init__(self, config: SwinValues) -> None:
        super().__init__()
        rates = iter(rising_rates(config.drop_path_rate, sum(config.depths)))
        self.layers = nn.ModuleList(
            SwinStage(config, number, drop_path_rates=[next(rates) for _ in range(depth)])
            for number, depth in enumerate(config.depths)
        )

    def forward(
        self,
        x: Tensor,
        grid: tuple[int, int],
        *,
        keep: bool,
        weights: Kept | None,
        before_merging: bool = False,
        whole_windows: bool = False,
    ) -> SwinStates:
        """Run the stages.

        Args:
            x: (B, G K, D), the embeddings.
            keep: whether hidden states and maps are wanted.
            weights: a list for the attention weights of each stage's last block, (B W, H, N, N).
            before_merging: maps as they are before patch merging.
            whole_windows: a plane smaller than a window is padded to one.
        """
        hidden, maps = ([x], [_as_map(x, grid)]) if keep else ([], [])
        for stage in self.layers:
            unmerged, x, after = stage(x, grid, weights, whole=whole_windows)
            if keep:
                hidden.append(x)
                maps.append(_as_map(unmerged, grid) if before_merging else _as_map(x, after))
            grid = after
        return SwinStates(x, tuple(hidden), tuple(maps))


def _as_map(x: Tensor, grid: tuple[int, int]) -> Tensor:
    return x.transpose(1, 2).reshape(x.shape[0], x.shape[2], *grid)
