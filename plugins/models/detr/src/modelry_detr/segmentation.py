"""DETR's masks: where the queries look, refined with ever finer maps of the backbone.

B images   C channels   H, W height and width in pixels   G, K rows and columns of a map   Q queries   D width   A heads
E head width
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modelry.errors import ConfigError
from modelry.model import PreTrainedModel
from modelry.nn.activations import activation
from modelry.nn.linear import Linear
from modelry.outputs import BaseModelOutput
from modelry_detr.configuration import DetrConfig
from modelry_detr.detection import DetrForObjectDetection, without_intermediate
from modelry_detr.losses import Target
from modelry_detr.outputs import DetrSegmentationOutput

GROUPS = 8
"""Of channels that are normalised together, or as many as there are channels."""
MAPS = 3
"""Finer maps that the masks are refined with."""


class AttentionMap(nn.Module):
    """Where each query looks, by all heads: weights without values."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.width = width // heads
        self.scale = self.width**-0.5
        self.q_linear = Linear(width, width)
        self.k_linear = Linear(width, width)

    def forward(self, queries: Tensor, memory: Tensor, real: Tensor) -> Tensor:
        """(B, Q, D) and (B, G K, D) to (B, Q, A, G, K); all heads and places of a query share one softmax.

        Args:
            real: (B, G, K) bool, False at padding.
        """
        count, rows, columns = real.shape
        q = self.q_linear(queries).view(count, -1, self.heads, self.width)  # (B, Q, A, E)
        k = self.k_linear(memory).view(count, -1, self.heads, self.width)  # (B, G K, A, E)
        scores = torch.einsum("bqae,bsae->bqas", q * self.scale, k)
        scores = scores.masked_fill(~real.flatten(1)[:, None, None], torch.finfo(scores.dtype).min)
        return scores.flatten(2).softmax(-1).view(count, -1, self.heads, rows, columns)


class MaskHead(nn.Module):
    """From where a query looks to a mask: five convolutions, three of them behind a finer map.

    Args:
        maps: channels of the finer maps, the coarsest first.
    """

    def __init__(self, width: int, heads: int, maps: Sequence[int], act: str) -> None:
        super().__init__()
        inner = [width + heads, width // 2, width // 4, width // 8, width // 16]
        self.act = activation(act)
        self.lay1, self.gn1 = _convolution(inner[0], inner[0]), _norm(inner[0])
        self.lay2, self.gn2 = _convolution(inner[0], inner[1]), _norm(inner[1])
        self.lay3, self.gn3 = _convolution(inner[1], inner[2]), _norm(inner[2])
        self.lay4, self.gn4 = _convolution(inner[2], inner[3]), _norm(inner[3])
        self.lay5, self.gn5 = _convolution(inner[3], inner[4]), _norm(inner[4])
        self.out_lay = _convolution(inner[4], 1)
        self.adapter1 = nn.Conv2d(maps[0], inner[1], kernel_size=1)
        self.adapter2 = nn.Conv2d(maps[1], inner[2], kernel_size=1)
        self.adapter3 = nn.Conv2d(maps[2], inner[3], kernel_size=1)

    def forward(self, features: Tensor, looks: Tensor, maps: Sequence[Tensor]) -> Tensor:
        """A mask for each query, (B, Q, rows and columns of the last of `maps`).

        Args:
            features: (B, D, G, K).
            looks: (B, Q, A, G, K).
            maps: the finer ones, the coarsest first, of B images.
        """
        count, queries = looks.shape[:2]
        x = torch.cat([features[:, None].expand(-1, queries, -1, -1, -1), looks], dim=2).flatten(0, 1)
        x = self.act(self.gn1(self.lay1(x)))
        x = self.act(self.gn2(self.lay2(x)))
        stages = (
            (self.adapter1, self.lay3, self.gn3),
            (self.adapter2, self.lay4, self.gn4),
            (self.adapter3, self.lay5, self.gn5),
        )
        for one, (adapter, layer, norm) in zip(maps, stages, strict=True):
            finer = adapter(one).repeat_interleave(queries, dim=0)  # once for each image, then for its queries
            x = self.act(norm(layer(finer + F.interpolate(x, size=finer.shape[-2:], mode="nearest"))))
        masks: Tensor = self.out_lay(x)
        return masks.view(count, queries, *masks.shape[-2:])


class DetrForSegmentation(PreTrainedModel):
    """DETR that gives each query a class, a box and a mask.

    Raises:
        ConfigError: the backbone gives too few maps, or the channels cannot be normalised in groups.
    """

    config_class = DetrConfig
    base_model_prefix = "detr"
    main_input_name = "pixel_values"
    input_embeddings_name = "model.query_position_embeddings"

    def __init__(self, config: DetrConfig) -> None:
        super().__init__(config)
        inner: Any = config.backbone_config
        width, heads = config.d_model, config.encoder_attention_heads
        if len(inner.channels) < MAPS:
            raise ConfigError(
                f"the backbone gives {len(inner.channels)} feature maps, and masks need {MAPS} and better 4: name them "
                "in backbone_config's out_indices"
            )
        sizes = [width + heads, width // 2, width // 4, width // 8, width // 16]
        if sizes[0] % GROUPS or not sizes[-1] or any(size % min(GROUPS, size) for size in sizes):
            raise ConfigError(
                f"d_model {width} and encoder_attention_heads {heads} make masks of {sizes} channels, which groups of "
                f"{GROUPS} must divide"
            )
        self.detr = DetrForObjectDetection(config)
        self.mask_head = MaskHead(width, heads, inner.channels[MAPS - 1 :: -1], config.activation_function)
        self.bbox_attention = AttentionMap(width, heads)

    def init_weights(self, module: nn.Module) -> None:
        """Masks as He et al. 2015 (https://arxiv.org/abs/1502.01852), where queries look as Glorot and Bengio 2010."""
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_uniform_(module.weight, a=1)
        elif isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight, gain=self.config.init_xavier_std)
        if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
            module.bias.zero_()

    def forward(
        self,
        pixel_values: Tensor | None = None,
        pixel_mask: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        encoder_outputs: BaseModelOutput | Sequence[Any] | None = None,
        decoder_inputs_embeds: Tensor | None = None,
        labels: Sequence[Target] | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> DetrSegmentationOutput:
        """Find objects and their masks. Arguments as of `DetrForObjectDetection`, and:

        Args:
            labels: with masks (objects, H, W) for each image.

        Raises:
            ValueError: as there.
        """
        model = self.detr.model
        scene = model.look(pixel_values, pixel_mask)
        out = model.understand(
            scene,
            decoder_attention_mask=decoder_attention_mask,
            encoder_outputs=encoder_outputs,
            decoder_inputs_embeds=decoder_inputs_embeds,
            output_hidden_states=output_hidden_states,
            output_attentions=output_attentions,
        )
        states: Any = out.last_hidden_state
        found = self.detr.score(states)
        looks = self.bbox_attention(states, out.encoder_last_hidden_state, scene.real)
        features = scene.states.transpose(1, 2).reshape(len(states), -1, *scene.real.shape[1:])
        masks = self.mask_head(features, looks, scene.maps[MAPS - 1 :: -1])
        compared = self.detr.compare(found, out.intermediate_hidden_states, labels, masks)
        return DetrSegmentationOutput(**compared, **found.named(), pred_masks=masks, **without_intermediate(out))


def _convolution(before: int, after: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, kernel_size=3, padding=1)


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(min(GROUPS, channels), channels)
