"""LayoutLMv3: tokens with boxes and a picture of the page in, hidden states out. No heads here.

B batch   T tokens   N patches of a page and one more   S = T + N positions, tokens first   D hidden_size   H heads
Paper: https://arxiv.org/abs/2204.08387.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modelry.checkpoint import Ignore, WeightTable
from modelry.model import PreTrainedModel
from modelry.nn.kept import Kept
from modelry.nn.masks import Mask, bidirectional_mask
from modelry.nn.patches import check_pixels
from modelry.outputs import BaseModelOutput
from modelry_layoutlmv3.configuration import LayoutLMv3Config
from modelry_layoutlmv3.encoder import LayoutLMv3Encoder
from modelry_layoutlmv3.layout import DistanceBias, patch_boxes
from modelry_layoutlmv3.text_embeddings import TextEmbeddings

PAGE_NORM_EPS = 1e-6
"""Of the norm of patches alone, which no configuration names."""


class PagePatches(nn.Module):
    """Each patch becomes a vector, under the name that checkpoints have for it."""

    def __init__(self, config: LayoutLMv3Config) -> None:
        super().__init__()
        side = config.patch_size
        self.proj = nn.Conv2d(config.num_channels, config.hidden_size, kernel_size=side, stride=side)

    def forward(self, pixel_values: Tensor) -> Tensor:
        patches: Tensor = self.proj(pixel_values.to(self.proj.weight.dtype))
        return patches.flatten(2).transpose(1, 2)  # (B, N - 1, D)


class LayoutLMv3Model(PreTrainedModel):
    """Embeddings of text and page, and the layers."""

    config_class = LayoutLMv3Config
    base_model_prefix = "layoutlmv3"
    input_embeddings_name = "embeddings.word_embeddings"
    attention_needs = ("biases",)
    padding_sides = ("right",)  # on the left it would move a text away from its page
    weight_table = WeightTable(Ignore("embeddings.position_ids"), Ignore("visual_bbox"))

    def __init__(self, config: LayoutLMv3Config) -> None:
        super().__init__(config)
        size = config.hidden_size
        if config.text_embed:
            self.embeddings = TextEmbeddings(config)
        if config.visual_embed:
            self.patch_embed = PagePatches(config)
            self.cls_token = nn.Parameter(torch.zeros(1, 1, size))
            self.pos_embed = nn.Parameter(torch.zeros(1, config.grid**2 + 1, size))
            self.norm = nn.LayerNorm(size, eps=PAGE_NORM_EPS)
            self.LayerNorm = nn.LayerNorm(size, eps=config.layer_norm_eps)
            self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.encoder = LayoutLMv3Encoder(config)

    def init_weights(self, module: nn.Module) -> None:
        super().init_weights(module)
        if isinstance(module, DistanceBias):
            module.weight.normal_(0.0, self.config.initializer_range)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        bbox: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        pixel_values: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> BaseModelOutput:
        """Run texts, pages, or both.

        Args:
            input_ids: (B, T) int64; or `inputs_embeds`, (B, T, D).
            attention_mask: (B, T), 1 for real tokens and 0 for padding; None where nothing is padded.
            bbox: (B, T, 4) int64, each token's left, top, right and bottom, from 0 to 1000 over the page; all 0 where
                None.
            token_type_ids: (B, T), the segment of each token; the first where None.
            position_ids: (B, T), rows of the table of positions; when None counted from pad_token_id + 1 over the
                tokens that are not padding.
            pixel_values: (B, C, input_size, input_size), the page; None for text alone.
            output_hidden_states: also return the residual stream, (B, S, D), before each layer and after the last.
            output_attentions: also return each layer's weights, (B, H, S, S); needs the eager attention.

        Raises:
            ValueError: nothing to read, text or page for a model without that side, boxes of another shape or outside
                the page, a page of another size, or more positions than the model has.
        """
        config: LayoutLMv3Config = self.config
        weights: list[Tensor] | None = [] if output_attentions or config.output_attentions else None
        hidden = Kept() if output_hidden_states or config.output_hidden_states else None
        parts, boxes = [], []
        texts = input_ids if inputs_embeds is None else inputs_embeds
        if texts is not None:
            if not config.text_embed:
                raise ValueError("this model reads no text (text_embed is false): give pixel_values alone")
            known = texts.new_zeros((*texts.shape[:2], 4), dtype=torch.long) if bbox is None else bbox
            parts.append(self.embeddings(input_ids, inputs_embeds, known, token_type_ids, position_ids))  # (B, T, D)
            boxes.append(known)
        if pixel_values is not None:
            page = self._page(pixel_values)  # (B, N, D)
            parts.append(page)
            boxes.append(patch_boxes(config.grid, device=page.device).expand(page.shape[0], -1, -1))
            if attention_mask is not None:
                attention_mask = F.pad(attention_mask, (0, page.shape[1]), value=1)
        if not parts:
            raise ValueError("give input_ids or inputs_embeds, pixel_values, or text and page together")
        x = torch.cat(parts, dim=1)  # (B, S, D)
        if pixel_values is not None:
            x = self.dropout(self.LayerNorm(x))
        bias = self.encoder.bias_of([one.shape[1] for one in parts], torch.cat(boxes, dim=1), dtype=x.dtype)
        allowed = bidirectional_mask(attention_mask, keys=x.shape[1]).allowed
        x = self.encoder(x, Mask(allowed, bias=bias, weights=weights), hidden)
        return BaseModelOutput(
            last_hidden_state=x,
            hidden_states=None if hidden is None else tuple(hidden),
            attentions=None if weights is None else tuple(weights),
        )

    def _page(self, pixel_values: Tensor) -> Tensor:
        """A token for the page and its patches, (B, N, D)."""
        config: LayoutLMv3Config = self.config
        if not config.visual_embed:
            raise ValueError("this model looks at no page (visual_embed is false): leave pixel_values out")
        height, width = check_pixels(pixel_values, channels=config.num_channels).shape[2:]
        side = config.input_size
        if (height, width) != (side, side):
            raise ValueError(f"pages of {height} x {width} pixels, and the model looks at {side} x {side}: resize them")
        patches = self.patch_embed(pixel_values)
        page = torch.cat((self.cls_token.expand(patches.shape[0], -1, -1), patches), dim=1) + self.pos_embed
        normal: Tensor = self.norm(page)
        return normal
