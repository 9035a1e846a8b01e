"""SegFormer: pixel values in, maps of ever coarser stages and classes of pixels out. No image preparation here.

B images   C channels of the images   H, W height and width in pixels   D width of a stage   G, K rows and columns of
its map   N = G K   L labels
Paper: https://arxiv.org/abs/2105.15203.
"""

from typing import Any

from torch import Tensor, nn

from modelry.heads.image_classification import ImageClassification
from modelry.heads.losses import semantic_loss
from modelry.image_outputs import SemanticSegmenterOutput
from modelry.model import PreTrainedModel
from modelry.nn.activations import activation
from modelry.nn.attention import Attend, merge_heads, split_heads
from modelry.nn.linear import Linear
from modelry.nn.masks import Mask
from modelry.nn.patches import check_pixels
from modelry.nn.residual import drop_path, rising_rates
from modelry.nn.sdpa import sdpa_attention
from modelry.nn.vit_attention import Projection
from modelry.outputs import BaseModelOutput
from modelry_segformer.configuration import SegformerConfig
from modelry_segformer.decode_head import Grid, SegformerDecodeHead, as_map


class SegformerPatchEmbeddings(nn.Module):
    """Patches that overlap."""

    def __init__(self, config: SegformerConfig, stage: int) -> None:
        super().__init__()
        before = config.hidden_sizes[stage - 1] if stage else config.num_channels
        side, width = config.patch_sizes[stage], config.hidden_sizes[stage]
        self.proj = nn.Conv2d(before, width, kernel_size=side, stride=config.strides[stage], padding=side // 2)
        self.layer_norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> tuple[Tensor, Grid]:
        plane: Tensor = self.proj(x)  # (B, D, G, K)
        return self.layer_norm(plane.flatten(2).transpose(1, 2)), (plane.shape[2], plane.shape[3])


class SegformerHeads(nn.Module):
    """Attention of all places to a smaller map of themselves (https://arxiv.org/abs/2102.12122)."""

    def __init__(self, config: SegformerConfig, stage: int) -> None:
        super().__init__()
        width, ratio = config.hidden_sizes[stage], config.sr_ratios[stage]
        self.heads, self.dropout = config.num_attention_heads[stage], config.attention_probs_dropout_prob
        self.scale = (width // self.heads) ** -0.5
        self.attend: Attend = sdpa_attention
        self.query, self.key, self.value = (Linear(width, width) for _ in range(3))
        self.shrinks = ratio > 1
        if self.shrinks:
            self.sr = nn.Conv2d(width, width, kernel_size=ratio, stride=ratio)
            self.layer_norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, grid: Grid, mask: Mask) -> Tensor:
        few = self.layer_norm(self.sr(as_map(x, grid)).flatten(2).transpose(1, 2)) if self.shrinks else x
        q, k, v = self.query(x), self.key(few), self.value(few)
        q, k, v = (split_heads(one, self.heads) for one in (q, k, v))
        dropout = self.dropout if self.training else 0.0
        return merge_heads(self.attend(q, k, v, mask, scale=self.scale, dropout=dropout))  # (B, N, D)


class SegformerAttention(nn.Module):
    """Attention, and its projection back into the residual stream."""

    def __init__(self, config: SegformerConfig, stage: int) -> None:
        super().__init__()
        self.self = SegformerHeads(config, stage)
        self.output = Projection(config.hidden_sizes[stage], config.hidden_sizes[stage])

    def forward(self, x: Tensor, grid: Grid, mask: Mask) -> Tensor:
        mixed: Tensor = self.output(self.self(x, grid, mask))
        return mixed


class DepthwiseConvolution(nn.Module):
    """A three by three convolution of each channel by itself; it tells places apart, in place of positions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(width, width, kernel_size=3, padding=1, groups=width)

    def forward(self, x: Tensor, grid: Grid) -> Tensor:
        mixed: Tensor = self.dwconv(as_map(x, grid))
        return mixed.flatten(2).transpose(1, 2)


class SegformerMixMLP(nn.Module):
    """An MLP with a convolution inside."""

    def __init__(self, config: SegformerConfig, stage: int) -> None:
        super().__init__()
        width = config.hidden_sizes[stage]
        inner = int(width * config.mlp_ratios[stage])
        self.dense1 = Linear(width, inner)
        self.dwconv = DepthwiseConvolution(inner)
        self.dense2 = Linear(inner, width)
        self.act = activation(config.hidden_act)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, x: Tensor, grid: Grid) -> Tensor:
        inside = self.dropout(self.act(self.dwconv(self.dense1(x), grid)))
        out: Tensor = self.dropout(self.dense2(inside))
        return out


class SegformerLayer(nn.Module):
    """Attention, then the MLP, each on a normalised copy of the residual stream."""

    def __init__(self, config: SegformerConfig, stage: int, rate: float) -> None:
        super().__init__()
        width = config.hidden_sizes[stage]
        self.layer_norm_1 = nn.LayerNorm(width)
        self.attention = SegformerAttention(config, stage)
        self.layer_norm_2 = nn.LayerNorm(width)
        self.mlp = SegformerMixMLP(config, stage)
        self.dropout, self.rate = nn.Dropout(config.hidden_dropout_prob), rate

    def forward(self, x: Tensor, grid: Grid, mask: Mask) -> Tensor:
        added = self.dropout(self.attention(self.layer_norm_1(x), grid, mask))
        x = x + drop_path(added, self.rate, training=self.training)
        return x + drop_path(self.mlp(self.layer_norm_2(x), grid), self.rate, training=self.training)


class SegformerEncoder(nn.Module):
    """The stages, one after the other."""

    def __init__(self, config: SegformerConfig) -> None:
        super().__init__()
        rates = iter(rising_rates(config.drop_path_rate, sum(config.depths)))
        stages = range(config.num_encoder_blocks)
        self.patch_embeddings = nn.ModuleList(SegformerPatchEmbeddings(config, stage) for stage in stages)
        self.block = nn.ModuleList(
            nn.ModuleList(SegformerLayer(config, stage, next(rates)) for _ in range(config.depths[stage]))
            for stage in stages
        )
        self.layer_norm = nn.ModuleList(nn.LayerNorm(width) for width in config.hidden_sizes)

    def forward(self, x: Tensor, mask: Mask) -> list[Tensor]:
        """(B, C, H, W) to the map of each stage, (B, D, G, K)."""
        maps = []
        layers: Any
        for embed, layers, norm in zip(self.patch_embeddings, self.block, self.layer_norm, strict=True):
            sequence, grid = embed(x)
            for layer in layers:
                sequence = layer(sequence, grid, mask)
            x = as_map(norm(sequence), grid)
            maps.append(x)
        return maps


class SegformerModel(PreTrainedModel):
    """The stages."""

    config_class = SegformerConfig
    base_model_prefix = "segformer"
    main_input_name = "pixel_values"

    def __init__(self, config: SegformerConfig) -> None:
        super().__init__(config)
        self.encoder = SegformerEncoder(config)

    def forward(
        self,
        pixel_values: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> BaseModelOutput:
        """Run the images.

        Args:
            pixel_values: (B, C, H, W), of any size.
            output_hidden_states: also return each stage's map, (B, D, G, K).
            output_attentions: also return each block's weights, (B, heads, N, places of the smaller map); needs the
                eager attention.

        Raises:
            ValueError: images with other channels.
        """
        keep = self.config.output_hidden_states if output_hidden_states is None else output_hidden_states
        weights: list[Tensor] | None = [] if output_attentions or self.config.output_attentions else None
        states = self.as_published(self.maps(pixel_values, weights))
        return BaseModelOutput(
            last_hidden_state=states[-1],
            hidden_states=states if keep else None,
            attentions=None if weights is None else tuple(weights),
        )

    def maps(self, pixel_values: Tensor | None, weights: list[Tensor] | None) -> list[Tensor]:
        """The map of each stage, (B, D, G, K).

        Raises:
            ValueError: images with other channels.
        """
        pixels = check_pixels(pixel_values, channels=self.config.num_channels)
        maps: list[Tensor] = self.encoder(pixels.to(self.dtype), Mask(weights=weights))
        return maps

    def as_published(self, maps: list[Tensor]) -> tuple[Tensor, ...]:
        """The maps, the last as a sequence (B, N, D) where config.reshape_last_stage is false."""
        last = maps[-1]
        return (*maps[:-1], last if self.config.reshape_last_stage else last.flatten(2).transpose(1, 2))


class SegformerForImageClassification(ImageClassification):
    """SegFormer that gives an image its labels, from the mean of all places."""

    base_class = SegformerModel
    base_model_prefix = "segformer"

    def describe(self, out: Any) -> Tensor:
        """The mean of all places."""
        last: Tensor = out.last_hidden_state
        return last.mean((2, 3)) if self.config.reshape_last_stage else last.mean(1)


class SegformerForSemanticSegmentation(PreTrainedModel):
    """SegFormer that gives every fourth pixel its labels."""

    base_class = SegformerModel
    base_model_prefix = "segformer"
    main_input_name = "pixel_values"

    def __init__(self, config: SegformerConfig) -> None:
        super().__init__(config)
        self.segformer = SegformerModel(config)
        self.decode_head = SegformerDecodeHead(config)

    def forward(
        self,
        pixel_values: Tensor | None = None,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> SemanticSegmenterOutput:
        """Score the labels, (B, L, H/4, W/4).

        Args:
            pixel_values: (B, C, H, W), of any size.
            labels: (B, H, W) int64; see `modelry.heads.losses.semantic_loss`.
            output_hidden_states, output_attentions: as of the base model.
        """
        keep = self.config.output_hidden_states if output_hidden_states is None else output_hidden_states
        weights: list[Tensor] | None = [] if output_attentions or self.config.output_attentions else None
        maps = self.segformer.maps(pixel_values, weights)
        logits = self.decode_head(maps)
        loss = None
        if labels is not None:
            loss = semantic_loss(logits, labels, ignored=self.config.semantic_loss_ignore_index)
        return SemanticSegmenterOutput(
            loss,
            logits,
            hidden_states=self.segformer.as_published(maps) if keep else None,
            attentions=None if weights is None else tuple(weights),
        )
