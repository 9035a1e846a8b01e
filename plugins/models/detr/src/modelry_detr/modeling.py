"""DETR: pixel values in, objects out, over a backbone of any family. No image preparation or drawing here.

B images   C channels   H, W height and width in pixels   G, K rows and columns of a map   S = G K places   D width
Q queries   L decoder layers
Paper: https://arxiv.org/abs/2005.12872.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modelry.checkpoint import Former, WeightTable
from modelry.model import PreTrainedModel
from modelry.nn.kept import Kept
from modelry.nn.masks import bidirectional_mask
from modelry.nn.plane_positions import plane_positions
from modelry.nn.positions import first_rows
from modelry.outputs import BaseModelOutput
from modelry_detr.backbone import FeatureMaps
from modelry_detr.configuration import DetrConfig
from modelry_detr.outputs import DetrModelOutput
from modelry_detr.positions import LearnedPositions
from modelry_detr.transformer import DetrDecoder, DetrEncoder


class Scene(NamedTuple):
    """Images as the transformer takes them."""

    states: Tensor
    """(B, S, D)."""
    places: Tensor
    """(B, S, D), of the positions."""
    real: Tensor
    """(B, G, K) bool, False at padding."""
    maps: tuple[Tensor, ...] = ()
    """The backbone's, the finest first."""


class DetrModel(PreTrainedModel):
    """A backbone, an encoder of its last map, and a decoder whose queries become objects."""

    config_class = DetrConfig
    base_model_prefix = "model"
    main_input_name = "pixel_values"
    input_embeddings_name = "query_position_embeddings"
    weight_table = WeightTable(
        Former("backbone.position_embedding.row_embeddings.weight", "position_embedding.row_embeddings.weight"),
        Former("backbone.position_embedding.column_embeddings.weight", "position_embedding.column_embeddings.weight"),
    )

    def __init__(self, config: DetrConfig) -> None:
        super().__init__(config)
        inner: Any = config.backbone_config
        self.backbone = FeatureMaps(config)
        self.position_embedding = (
            LearnedPositions(config.d_model) if config.position_embedding_type == "learned" else None
        )
        self.query_position_embeddings = nn.Embedding(config.num_queries, config.d_model)
        self.input_projection = nn.Conv2d(inner.channels[-1], config.d_model, kernel_size=1)
        self.encoder = DetrEncoder(config)
        self.decoder = DetrDecoder(config)

    def init_weights(self, module: nn.Module) -> None:
        """Learned positions start between 0 and 1."""
        learned = () if self.position_embedding is None else self.position_embedding.children()
        if any(module is one for one in learned) and isinstance(module, nn.Embedding):
            module.weight.uniform_()
        else:
            super().init_weights(module)

    def freeze_backbone(self) -> None:
        """Train the transformer only."""
        self.backbone.conv_encoder.model.requires_grad_(False)

    def unfreeze_backbone(self) -> None:
        """Train the backbone too, all of it."""
        self.backbone.conv_encoder.model.requires_grad_(True)

    def look(self, pixel_values: Tensor | None, pixel_mask: Tensor | None) -> Scene:
        """Run the backbone; (B, C, H, W) to what the transformer takes.

        Args:
            pixel_mask: (B, H, W), 0 at padding; None where nothing is padded.

        Raises:
            ValueError: images with other channels, or a mask of another size.
        """
        maps = self.backbone(pixel_values)
        last = maps[-1]
        count, _, rows, columns = last.shape
        if pixel_mask is None:
            real = torch.ones(count, rows, columns, dtype=torch.bool, device=last.device)
        else:
            wanted = () if pixel_values is None else (count, *pixel_values.shape[2:])
            if tuple(pixel_mask.shape) != wanted:
                raise ValueError(f"pixel_mask has shape {tuple(pixel_mask.shape)}: {wanted} goes with the pixel_values")
            real = _in_places(pixel_mask, rows, columns)
        states = self.input_projection(last).flatten(2).transpose(1, 2).contiguous()
        return Scene(states, self._positions(real, states.dtype), real, maps)

    def taken(self, inputs_embeds: Tensor, pixel_mask: Tensor | None) -> Scene:
        """A map (B, S, D) that is there already, of as many rows as columns.

        Raises:
            ValueError: S is no square.
        """
        count, places, _ = inputs_embeds.shape
        side = math.isqrt(places)
        if side * side != places:
            raise ValueError(f"inputs_embeds has {places} places: a square of rows and columns is needed")
        real = torch.ones(count, side, side, dtype=torch.bool, device=inputs_embeds.device)
        if pixel_mask is not None:
            real = _in_places(pixel_mask, side, side)
        whole = torch.ones_like(real)
        return Scene(inputs_embeds, self._positions(whole, inputs_embeds.dtype), real)

    def _positions(self, real: Tensor, dtype: torch.dtype) -> Tensor:
        if self.position_embedding is not None:
            learned: Tensor = self.position_embedding(real)
            return learned
        plane = plane_positions(real, width=self.config.d_model)
        return plane.flatten(2).transpose(1, 2).to(dtype, memory_format=torch.contiguous_format)

    def understand(
        self,
        scene: Scene,
        *,
        decoder_attention_mask: Tensor | None = None,
        encoder_outputs: BaseModelOutput | Sequence[Any] | None = None,
        decoder_inputs_embeds: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> DetrModelOutput:
        """Encoder, where its output is not given, and decoder. Arguments as of forward."""
        keep = self.config.output_hidden_states if output_hidden_states is None else output_hidden_states
        weigh = self.config.output_attentions if output_attentions is None else output_attentions
        encoded = self._encoded(scene, encoder_outputs, keep=keep, weigh=weigh)
        memory: Tensor = encoded[0]
        own: list[Tensor] | None = [] if weigh else None
        looks: list[Tensor] | None = [] if weigh else None
        decoded = Kept() if keep else None
        queries = first_rows(self.query_position_embeddings, device=memory.device).expand(len(memory), -1, -1)
        x = torch.zeros_like(queries) if decoder_inputs_embeds is None else decoder_inputs_embeds
        x, each = self.decoder(
            x,
            queries,
            bidirectional_mask(decoder_attention_mask, keys=x.shape[1], weights=own),
            memory,
            scene.places,
            bidirectional_mask(scene.real.flatten(1), keys=memory.shape[1], weights=looks),
            decoded,
        )
        return DetrModelOutput(
            last_hidden_state=x,
            decoder_hidden_states=_tuple(decoded),
            decoder_attentions=_tuple(own),
            cross_attentions=_tuple(looks),
            encoder_last_hidden_state=memory,
            encoder_hidden_states=encoded.hidden_states,
            encoder_attentions=encoded.attentions,
            intermediate_hidden_states=each,
        )

    def _encoded(
        self, scene: Scene, given: BaseModelOutput | Sequence[Any] | None, *, keep: bool, weigh: bool
    ) -> BaseModelOutput:
        if given is not None:
            return given if isinstance(given, BaseModelOutput) else BaseModelOutput(*given)
        weights: list[Tensor] | None = [] if weigh else None
        hidden = Kept() if keep else None
        mask = bidirectional_mask(scene.real.flatten(1), weights=weights)
        return BaseModelOutput(self.encoder(scene.states, scene.places, mask, hidden), _tuple(hidden), _tuple(weights))

    def forward(
        self,
        pixel_values: Tensor | None = None,
        pixel_mask: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        encoder_outputs: BaseModelOutput | Sequence[Any] | None = None,
        inputs_embeds: Tensor | None = None,
        decoder_inputs_embeds: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> DetrModelOutput:
        """Run the images, (B, Q, D).

        Args:
            pixel_values: (B, C, H, W).
            pixel_mask: (B, H, W), 0 at padding.
            decoder_attention_mask: (B, Q), 0 for queries that nobody looks at.
            encoder_outputs: instead of running the encoder.
            inputs_embeds: (B, S, D), a square map instead of images.
            decoder_inputs_embeds: (B, Q, D), what queries begin with instead of zeros.
            output_hidden_states, output_attentions: also return those of both sides.

        Raises:
            ValueError: no images, images with other channels, a mask of another size, or a map that is no square.
        """
        scene = self.look(pixel_values, pixel_mask) if inputs_embeds is None else self.taken(inputs_embeds, pixel_mask)
        return self.understand(
            scene,
            decoder_attention_mask=decoder_attention_mask,
            encoder_outputs=encoder_outputs,
            decoder_inputs_embeds=decoder_inputs_embeds,
            output_hidden_states=output_hidden_states,
            output_attentions=output_attentions,
        )


def _in_places(pixel_mask: Tensor, rows: int, columns: int) -> Tensor:
    """(B, H, W) to (B, G, K) bool."""
    return F.interpolate(pixel_mask[None].float(), size=(rows, columns))[0].bool()


def _tuple(found: Sequence[Tensor] | None) -> tuple[Tensor, ...] | None:
    return None if found is None else tuple(found)
