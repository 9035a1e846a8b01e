"""The encoder of pictures: patches of any number of images and videos in, one vector for each square of them out.

N patches of all pictures   I pictures   S segments of one length, L patches each   W width   H heads   E head width
D width of the language model   M patches a side that become one token
"""

import math
from itertools import groupby
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modelry.model import PreTrainedModel
from modelry.nn.activations import activation
from modelry.nn.attention import Attend, merge_heads
from modelry.nn.linear import Linear
from modelry.nn.masks import Mask
from modelry.nn.mlp import PlainMLP
from modelry.nn.rope import Angles, rotate
from modelry.nn.sdpa import sdpa_attention
from modelry.outputs import BaseModelOutputWithPooling
from modelry_qwen2_vl.configuration import Qwen2VLVisionConfig
from modelry_qwen2_vl.positions import patch_positions
from modelry_qwen2_vl.rope import PatchRotaryEmbedding

EPSILON = 1e-6
"""Of the norms: no configuration says it."""


class Run(NamedTuple):
    """Neighbouring segments of one length. A segment is a frame: its patches see each other and no others."""

    patches: int
    """Of all of them, S L."""
    length: int
    """L."""


def runs_of(grid_thw: Tensor) -> list[Run]:
    """The segments of pictures, (I, 3)."""
    lengths = [rows * columns for frames, rows, columns in grid_thw.tolist() for _ in range(frames)]
    return [Run(length * len(list(run)), length) for length, run in groupby(lengths)]


class WholePatch(nn.Conv3d):
    """A convolution whose kernel is as large as its input is one product."""

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x.flatten(1), self.weight.flatten(1))[:, :, None, None, None]


class PatchEmbed(nn.Module):
    """(N, values of a patch) to (N, W)."""

    def __init__(self, config: Qwen2VLVisionConfig) -> None:
        super().__init__()
        kernel = (config.temporal_patch_size, config.patch_size, config.patch_size)
        self.shape = (config.in_channels, *kernel)
        self.proj = WholePatch(config.in_channels, config.embed_dim, kernel_size=kernel, stride=kernel, bias=False)

    def forward(self, patches: Tensor) -> Tensor:
        values = math.prod(self.shape)
        if patches.dim() != 2 or patches.shape[1] != values:
            raise ValueError(
                f"pixel values have shape {tuple(patches.shape)}: (patches, {values}) is needed, as the family's "
                "processors cut pictures"
            )
        whole: Tensor = self.proj(patches.to(self.proj.weight.dtype).reshape(-1, *self.shape))
        return whole.flatten(1)


class VisionAttention(nn.Module):
    """Each patch looks at those of its frame."""

    def __init__(self, config: Qwen2VLVisionConfig) -> None:
        super().__init__()
        width = config.embed_dim
        self.heads, self.scale = config.num_heads, (width // config.num_heads) ** -0.5
        self.attend: Attend = sdpa_attention
        self.qkv = Linear(width, 3 * width)
        self.proj = Linear(width, width)

    def forward(self, x: Tensor, angles: Angles, runs: list[Run]) -> Tensor:
        joint = self.qkv(x).view(x.shape[0], 3, self.heads, -1).permute(1, 2, 0, 3)  # (3, H, N, E)
        turned = rotate(joint[:2].float(), angles).to(x.dtype)  # in float32: rows and columns are many
        mixed, start = [], 0
        for patches, length in runs:
            q, k, v = (
                one[:, start : start + patches].unflatten(1, (-1, length)).transpose(0, 1)  # (S, H, L, E)
                for one in (turned[0], turned[1], joint[2])
            )
            mixed.append(merge_heads(self.attend(q, k, v, Mask(), scale=self.scale)).flatten(0, 1))  # (S L, W)
            start += patches
        out: Tensor = self.proj(torch.cat(mixed))
        return out


class VisionBlock(nn.Module):
    """Attention, then the MLP, each on a normalised copy of the residual stream."""

    def __init__(self, config: Qwen2VLVisionConfig) -> None:
        super().__init__()
        width = config.embed_dim
        self.norm1 = nn.LayerNorm(width, eps=EPSILON)
        self.norm2 = nn.LayerNorm(width, eps=EPSILON)
        self.attn = VisionAttention(config)
        self.mlp = PlainMLP(width, width * config.mlp_ratio, act=activation(config.hidden_act))

    def forward(self, x: Tensor, angles: Angles, runs: list[Run]) -> Tensor:
        x = x + self.attn(self.norm1(x), angles, runs)
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class PatchMerger(nn.Module):
    """(N, W) to (N / M^2, D): the M x M patches of a square, which lie one behind the other, become one vector."""

    def __init__(self, config: Qwen2VLVisionConfig) -> None:
        super().__init__()
        inner = config.embed_dim * config.spatial_merge_size**2
        self.ln_q = nn.LayerNorm(config.embed_dim, eps=EPSILON)
        self.mlp = nn.Sequential(Linear(inner, inner), nn.GELU(), Linear(inner, config.hidden_size))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.mlp(self.ln_q(x).view(-1, self.mlp[0].in_features))
        return out


class Qwen2VisionTransformerPretrainedModel(PreTrainedModel):
    """Patches, layers and the merger."""

    config_class = Qwen2VLVisionConfig
    main_input_name = "pixel_values"
    input_embeddings_name = "patch_embed"

    def __init__(self, config: Qwen2VLVisionConfig) -> None:
        super().__init__(config)
        self.patch_embed = PatchEmbed(config)
        self.rotary_pos_emb = PatchRotaryEmbedding(
            config.rope_parameters.rope_theta, head_width=config.embed_dim // config.num_heads
        )
        self.blocks = nn.ModuleList(VisionBlock(config) for _ in range(config.depth))
        self.merger = PatchMerger(config)

    def forward(self, pixel_values: Tensor, grid_thw: Tensor) -> BaseModelOutputWithPooling:
        """Run pictures of any sizes.

        Args:
            pixel_values: (N, values of a patch), those of all pictures one behind the other.
            grid_thw: (I, 3) frames, rows and columns of patches.

        Returns:
            last_hidden_state (N, W), and pooler_output (N / M^2, D) for the language model.

        Raises:
            ValueError: other numbers of patches than the grids say, or grids that do not divide into squares.
        """
        merge = self.config.spatial_merge_size
        if grid_thw.dim() != 2 or grid_thw.shape[1] != 3 or bool((grid_thw[:, 1:] % merge).any()):
            raise ValueError(
                f"the grids are {grid_thw.tolist()}: (frames, rows, columns) of each picture are needed, rows and "
                f"columns multiples of {merge}"
            )
        wanted = int(grid_thw.prod(-1).sum())
        if pixel_values.shape[0] != wanted:
            raise ValueError(f"there are {pixel_values.shape[0]} patches, and the grids say {wanted}")
        x = self.patch_embed(pixel_values)
        angles = self.rotary_pos_emb(patch_positions(grid_thw, merge).to(x.device), torch.float32)
        runs = runs_of(grid_thw)
        for block in self.blocks:
            x = block(x, angles, runs)
        return BaseModelOutputWithPooling(last_hidden_state=x, pooler_output=self.merger(x))
